# What all caches can do.

"""
    AbstractCache{V}

A cache of values of type `V`. Caches are used like dictionaries:

    cache[key] = value          # stored, unless refused (memory is full, say): a normal outcome; set! tells
    cache[key]                  # the value, or a KeyError
    get(cache, key, default)
    get!(cache, key) do ... end # the value, computed and stored on a miss
    haskey(cache, key)          # counts neither a hit nor a miss
    delete!(cache, key); pop!(cache, key); empty!(cache); length(cache)
    info(cache)                 # (hits, misses, size)
    close(cache)                # frees it now rather than at garbage collection

They cannot be iterated, so they are no `AbstractDict`. A key is text, bytes, or a tuple of arguments (see
[`add!`](@ref)); use one kind for one cache. All of it may be done from any thread at any time, but `close` only when no
other thread is using the cache.

A cache is no value: it cannot be copied, also not by `deepcopy` of what has it, and in another process, be it a worker or
one that reads a file, it is closed. What comes out of it is a copy, so change it as you like.
"""
abstract type AbstractCache{V} <: Handle end

# Those whose values are plain bytes, by any keys.
abstract type ByteCache{V} <: AbstractCache{V} end

# Every cache has, beside its handle, the `view` under which C's functions for all caches know it, its `config`, and an
# `identity`, which is equal for handles of the same cache.
struct CView end

Base.cconvert(::Type{Ptr{CView}}, cache::AbstractCache) = cache
function Base.unsafe_convert(::Type{Ptr{CView}}, cache::AbstractCache)
    isopen(cache) || closed(cache)
    return cache.view
end

# What everything else is made of: looking a key up and storing a value. The key was made by `with_key(f, cache, key)`.
# Caches whose keys or values are special have methods of their own.
with_key(f, ::AbstractCache, key) = with_key(f, key)

# Some(value), or nothing.
lookup(cache::AbstractCache, key) = with_bytes(bytes -> from_bytes(cache, bytes), cache, key)

store(cache::AbstractCache, key, value) =
    check(@c phicache_cache_set(cache::Ptr{CView}, key::CBytes, to_bytes(cache, value)::CBytes)::Int32)

to_bytes(::AbstractCache{V}, value) where {V} = encode(V, value)
from_bytes(::AbstractCache{V}, bytes) where {V} = decode(V, bytes)

"""
    set!(cache, key, value) -> Status

Stores a value and tells whether it was stored: `PhiCache.OK`, or why not: `PhiCache.REFUSED_MEMORY`,
`PhiCache.REFUSED_CAPACITY`, `PhiCache.REFUSED_DISABLED` (a purview cache whose switch is off), `PhiCache.REFUSED_CUT`
or `PhiCache.REFUSED_PHI` (a MICE cache), `PhiCache.REFUSED_SERVER` (a cache in Redis). A refused value leaves an older
one in place.
"""
set!(cache::AbstractCache, key, value) = with_key(key -> store(cache, key, value), cache, key)

Base.valtype(::Type{<:AbstractCache{V}}) where {V} = V
Base.valtype(cache::AbstractCache) = valtype(typeof(cache))

Base.get(cache::AbstractCache, key, default) = get(() -> default, cache, key)

function Base.get(default::Base.Callable, cache::AbstractCache, key)
    found = with_key(key -> lookup(cache, key), cache, key)
    return found === nothing ? default() : something(found)
end

Base.getindex(cache::AbstractCache, key) = get(() -> throw(KeyError(key)), cache, key)
Base.getindex(cache::AbstractCache, first, second, rest...) = cache[(first, second, rest...)]
Base.setindex!(cache::AbstractCache, value, key) = (set!(cache, key, value); cache)
Base.setindex!(cache::AbstractCache, value, first, second, rest...) =
    setindex!(cache, value, (first, second, rest...))

Base.haskey(cache::AbstractCache, key) =
    with_key(key -> check(@c phicache_cache_contains(cache::Ptr{CView}, key::CBytes)::Int32), cache, key) == OK

Base.delete!(cache::AbstractCache, key) =
    (with_key(key -> check(@c phicache_cache_remove(cache::Ptr{CView}, key::CBytes)::Int32), cache, key); cache)

function Base.pop!(cache::AbstractCache, key)
    value = cache[key]
    delete!(cache, key)
    return value
end

function Base.pop!(cache::AbstractCache, key, default)
    value = get(cache, key, default)
    delete!(cache, key)
    return value
end

"""
    empty!(cache)

Removes everything from a cache and sets its counts to zero. Values that are being viewed stay until their block ends.
"""
Base.empty!(cache::AbstractCache) = (check(@c phicache_cache_clear(cache::Ptr{CView})::Int32); cache)

function Base.length(cache::AbstractCache)
    size = Ref(UInt64(0))
    check(@c phicache_cache_size(cache::Ptr{CView}, size::Ptr{UInt64})::Int32)
    return Int(size[])
end

Base.isempty(cache::AbstractCache) = length(cache) == 0

struct CInfo
    hits::UInt64
    misses::UInt64
    size::UInt64
end

"""
    info(cache) -> (hits, misses, size)

Lookups that found a value, lookups that found none, and values held now.
"""
function info(cache::AbstractCache)
    figures = Ref(CInfo(0, 0, 0))
    check(@c phicache_cache_info(cache::Ptr{CView}, figures::Ptr{CInfo})::Int32)
    return map(Int, fields(figures[]))
end

struct CStats
    struct_size::Csize_t
    hits::UInt64
    misses::UInt64
    size::UInt64
    bytes::UInt64
    stores::UInt64
    refused_cut::UInt64
    refused_phi::UInt64
    refused_memory::UInt64
    refused_disabled::UInt64
    refused_capacity::UInt64
    refused_cleared::UInt64
    waits::UInt64
    errors::UInt64
    compute_ns::UInt64
    saved_ns::UInt64
    refused_server::UInt64
    damaged::UInt64
end
CStats() = CStats(sizeof(CStats), ntuple(_ -> 0, fieldcount(CStats) - 1)...)

"""
    stats(cache) -> NamedTuple

All figures of a cache: those of [`info`](@ref), the bytes held (overhead included), the values stored and refused by
reason, and the nanoseconds spent in computations and saved by hits. (`waits` and `errors` count what threads of other
languages do; tasks wait, and fail, in Julia.)
"""
function stats(cache::AbstractCache)
    figures = Ref(CStats())
    check(@c phicache_cache_stats(cache::Ptr{CView}, figures::Ptr{CStats})::Int32)
    return map(Int, fields(figures[]))
end

# To be shown is no error, whatever a server does.
function description(cache::AbstractCache)
    try
        return "$(length(cache)) values"
    catch exception
        exception isa PhiCacheError || rethrow()
        return exception.status
    end
end

# The memos that keep their values in a cache, so that no two use one prefix. In another process it has none.
struct Tenants
    memos::Vector{WeakRef}
    Tenants() = new(WeakRef[])
end

Serialization.serialize(to::Serialization.AbstractSerializer, ::Tenants) = Serialization.serialize_type(to, Tenants)
Serialization.deserialize(::Serialization.AbstractSerializer, ::Type{Tenants}) = Tenants()

# What a cache is given when it is made.
struct COptions
    struct_size::Csize_t
    name::Ptr{UInt8}
    max_bytes::UInt64
    ttl_ms::UInt64
    lease_ms::UInt64
    server_errors::Int32
    no_checksum::Int32
    scan_timeout_ms::UInt64
end

# Calls `make(options, out)`, and gives the handle that it puts there.
function new_cache(make, name, max_bytes; ttl=0, lease=0, server_errors=false, no_checksum=false, scan_timeout=0)
    max_bytes >= 0 || throw(ArgumentError("max_bytes=$max_bytes; expected 0 (no limit) or more"))
    text = name === nothing ? nothing : Base.cconvert(Cstring, String(name))
    GC.@preserve text begin
        pointer = text === nothing ? C_NULL : Ptr{UInt8}(Base.unsafe_convert(Cstring, text))
        options = Ref(COptions(sizeof(COptions), pointer, max_bytes, milliseconds(ttl), milliseconds(lease),
                               server_errors, no_checksum, milliseconds(scan_timeout)))
        return new_handle(out -> make(options, out))
    end
end

# Calls `f` with the pinned bytes of a key's value; gives Some(what it returns), or nothing on a miss.
with_bytes(f, cache::AbstractCache, key) = with_pinned(f, value ->
    @c phicache_cache_get(cache::Ptr{CView}, key::CBytes, value::Ptr{CValue})::Int32)

# Calls `f` with the pinned bytes that `find(value)` finds, and releases them.
function with_pinned(f, find)
    value = Ref(CValue())
    check(find(value)) == OK || return nothing
    try
        return Some(f(CBytes(value[].data, value[].len)))
    finally
        @c phicache_value_release(value::Ptr{CValue})::Cvoid
    end
end
