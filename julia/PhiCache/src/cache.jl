# What all caches can do.

"""
    AbstractCache{V}

A cache of values of type `V`, used like a dictionary (with keys of any types, so there is no parameter for them):

    cache[key] = value          # a full cache refuses silently; `set!` returns the outcome
    cache[key]                  # the value, or a KeyError
    get(cache, key, default)
    get!(cache, key) do ... end # the value, computed and stored on a miss
    haskey(cache, key)          # counts neither a hit nor a miss
    peek(cache, key)            # the value or nothing; counts neither
    key => value in cache       # counts neither
    for (key, value) in cache ... end
    keys(cache); values(cache); pairs(cache); entries(cache); key in keys(cache)
    delete!(cache, key); pop!(cache, key); empty!(cache); length(cache)
    get_many(cache, keys); set_many!(cache, pairs)    # pairs may be a dictionary, or another cache
    info(cache)                 # (hits, misses, size)
    close(cache)                # frees it now rather than at garbage collection

Iteration yields keys as bytes, so a cache is not an `AbstractDict`. A key is text or bytes, used unchanged, or a tuple
of arguments (see [`add!`](@ref)). Any other value is a tuple of one: `cache[5]` is `cache[(5,)]`. Use one kind of key
in one cache. Any thread may use a cache at any time, but `close` it only when no other thread is using it.

A cache is a handle: `deepcopy` of it, or of an object that contains it, throws, and it is closed when it is sent to
another process or read from a file. Values from a cache are copies, which you may change.
"""
abstract type AbstractCache{V} <: Handle end

# Caches with any keys and plain byte values.
abstract type ByteCache{V} <: AbstractCache{V} end

# Besides its handle, every cache has a `view`, the handle for the C functions of all caches; its `config`; an
# `identity`, which is equal for handles of the same cache; and its `verification`.
struct CView end

Base.cconvert(::Type{Ptr{CView}}, cache::AbstractCache) = cache
function Base.unsafe_convert(::Type{Ptr{CView}}, cache::AbstractCache)
    isopen(cache) || throw_closed(cache)
    return cache.view
end

# The two operations below all others: looking up a key and storing a value. `prepare_key` makes the key. Caches with
# special keys or values have methods of their own.
@inline prepare_key(cache::AbstractCache, key) = make_key(key, outlives_process(cache))

# The key with the type of the values, in caches that have it in their keys, and without it.
@inline with_type(::AbstractCache, key) = key
without_type(::AbstractCache, key) = key

# Calls `f` with the prepared key.
@inline function with_key(f::F, cache::AbstractCache, key) where {F}
    prepared = prepare_key(cache, key)
    result = f(prepared)
    release_key(prepared)
    return result
end

# What a lookup returns on a miss, because `nothing` may be a value.
struct Absent end

# The value, or Absent(). A hit is flat code without `try`, closures and allocations, except that of the value.
@inline lookup(cache::AbstractCache{V}, key) where {V} = lookup(V, cache, key)

@inline function lookup(::Type{V}, cache::AbstractCache, key) where {V}
    value = Ref(CValue())
    code = @c phicache_cache_get(cache::Ptr{CView}, key::CBytes, value::Ptr{CValue})::Int32
    code == OK.code && return take_value(V, cache, value)
    check(code)
    return Absent()
end

# A copy of the pinned value, which is released.
@inline function take_value(::Type{V}, cache::AbstractCache, value) where {V}
    is_just_copied(V, cache, CBytes(value[])) || return take_carefully(V, cache, value[])
    # Nothing is allocated for bits.
    is_bits(V) || defer_interrupts()
    copied = decode(V, CBytes(value[]))
    @c phicache_value_release(value::Ptr{CValue})::Cvoid
    is_bits(V) || allow_interrupts()
    return copied
end

# Whether nothing can be thrown between the pin and its release. (The memory for a long copy may be missing.)
const LONG_VALUE = 1 << 20
@inline is_just_copied(::Type{V}, ::AbstractCache, bytes) where {V} =
    V !== Any && bytes.len <= LONG_VALUE && fits(V, bytes)

# The same for values that may throw. (A `try` takes as long as a lookup.)
@noinline function take_carefully(::Type{V}, cache, value::CValue) where {V}
    try
        return value_of(V, cache, CBytes(value))
    finally
        release(value)
    end
end

release(value::CValue) = @c phicache_value_release(Ref(value)::Ptr{CValue})::Cvoid

# Decodes and encodes a value of type `V`, which is the cache's own type or, for byte caches, chosen by the caller.
value_of(::Type{V}, cache::AbstractCache{V}, bytes) where {V} = from_bytes(cache, bytes)
value_of(::Type{V}, ::ByteCache, bytes) where {V} = decode(V, bytes)
bytes_of(::Type{V}, cache::AbstractCache{V}, value) where {V} = to_bytes(cache, value)
bytes_of(::Type{V}, ::ByteCache, value) where {V} = encode(V, value)

store(cache::AbstractCache, key, value) =
    check(@c phicache_cache_set(cache::Ptr{CView}, key::CBytes, to_bytes(cache, value)::CBytes)::Int32)

store_with_cost(cache::AbstractCache, key, value, ns) = check(@c phicache_cache_set_with_cost(
    cache::Ptr{CView}, key::CBytes, to_bytes(cache, value)::CBytes, ns::UInt64)::Int32)

# Seconds as nanoseconds for C; a cost above zero becomes at least one.
function nanoseconds(seconds)
    0 <= seconds <= 1e10 || throw(ArgumentError("the cost is $seconds seconds; expected 0 to 1e10"))
    return seconds == 0 ? UInt64(0) : max(UInt64(1), round(UInt64, 1e9 * seconds))
end

to_bytes(::AbstractCache{V}, value) where {V} = encode(V, value)
from_bytes(::AbstractCache{V}, bytes) where {V} = decode(V, bytes)

"""
    set!(cache, key, value; cost=0) -> Status

Stores a value and returns the outcome: `PhiCache.OK` if it was stored, or the reason of a refusal:
`PhiCache.REFUSED_MEMORY`, `PhiCache.REFUSED_CAPACITY`, `PhiCache.REFUSED_DISABLED` (a purview cache that is switched
off, or a disk cache that is read only), `PhiCache.REFUSED_CUT` or `PhiCache.REFUSED_PHI` (a MICE cache),
`PhiCache.REFUSED_SERVER` (a cache in Redis), `PhiCache.REFUSED_STORAGE` (a disk cache). If the store is refused, an
older value stays.

`cost` is what computing the value again would take, in seconds of computing time. A full cache that evicts keeps what
costs the most for each byte. 0 is unknown: the value counts as one of mean cost. `get!`, `memoize!` and memos measure
the cost themselves.
"""
function set!(cache::AbstractCache, key, value; cost::Real=0)
    ns = nanoseconds(cost)
    return with_key(key -> ns == 0 ? store(cache, key, value) : store_with_cost(cache, key, value, ns), cache, key)
end

# In a broadcast a cache is one object: get.(cache, keys, NaN).
Base.broadcastable(cache::AbstractCache) = Ref(cache)

Base.valtype(::Type{<:AbstractCache{V}}) where {V} = V
Base.valtype(cache::AbstractCache) = valtype(typeof(cache))

# The value, or Absent().
@inline function find(cache::AbstractCache, key)
    prepared = prepare_key(cache, key)
    found = lookup(cache, prepared)
    release_key(prepared)
    return found
end

function Base.get(cache::AbstractCache, key, default)
    found = find(cache, key)
    return found isa Absent ? default : found
end

function Base.get(default::F, cache::AbstractCache, key) where {F<:Base.Callable}
    found = find(cache, key)
    return found isa Absent ? default() : found
end

function Base.getindex(cache::AbstractCache, key)
    found = find(cache, key)
    return found isa Absent ? throw(KeyError(key)) : found
end
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

Removes all entries of a cache and sets its counts to zero. Views of values stay valid until the end of their block.
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

The number of lookups that found a value, of lookups that did not, and of values in the cache now.
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
    live_bytes::UInt64
    evictions::UInt64
    evicted_bytes::UInt64
    evicted_ns::UInt64
    verified::UInt64
    differences::UInt64
    refused_storage::UInt64
end
CStats() = CStats(sizeof(CStats), ntuple(_ -> 0, fieldcount(CStats) - 1)...)

"""
    stats(cache) -> NamedTuple
    stats(memo)

All statistics of a cache: those of [`info`](@ref); `bytes`, what it takes (this is what `max_bytes` bounds), and
`live_bytes`, what its entries take of that; the number of values stored, and refused by reason; `evictions`, the number
of entries evicted, their `evicted_bytes`, and `evicted_ns`, the nanoseconds that computing them again would take; the
nanoseconds spent in computations (`compute_ns`, with the time that Julia needs to compile them in the first call) and
saved by hits (`saved_ns`); and the hits that were `verified` and their `differences`. (`waits` does not count tasks of
this process, and `errors` no computation in Julia, because tasks wait and fail in Julia.) For a memo, `hits` and
`misses` are its own.
"""
function stats(cache::AbstractCache)
    figures = Ref(CStats())
    check(@c phicache_cache_stats(cache::Ptr{CView}, figures::Ptr{CStats})::Int32)
    return map(Int, fields(figures[]))
end

# `show` must not throw when a server fails.
function description(cache::AbstractCache)
    try
        return "$(length(cache)) values"
    catch exception
        exception isa PhiCacheError || rethrow()
        return exception.status
    end
end

# The memos and methods that use a cache, so that no two use the same prefix. Not serialized: in another process the
# lists are empty.
struct Memos
    entries::Vector{WeakRef}
    # The name of the function of each method, by prefix.
    methods::Dict{Union{Nothing,String},Symbol}
    Memos() = new(WeakRef[], Dict{Union{Nothing,String},Symbol}())
end

Serialization.serialize(to::Serialization.AbstractSerializer, ::Memos) = Serialization.serialize_type(to, Memos)
Serialization.deserialize(::Serialization.AbstractSerializer, ::Type{Memos}) = Memos()

# C's options of a new cache.
struct COptions
    struct_size::Csize_t
    name::Ptr{UInt8}
    max_bytes::UInt64
    ttl_ms::UInt64
    lease_ms::UInt64
    server_errors::Int32
    no_checksum::Int32
    scan_timeout_ms::UInt64
    on_full::Int32
    reserved::Int32
    verify_every::UInt64
    same::Ptr{Cvoid}
    difference::Ptr{Cvoid}
    verify_context::Ptr{Cvoid}
    verify_drop::Ptr{Cvoid}
    near_bytes::UInt64
    refresh_ms::UInt64
    read_only::Int32
    sync::Int32
    trust_group::Int32
    storage_errors::Int32
end

# How often a disk cache looks for values of other processes.
function refresh_ms(refresh)
    refresh isa Symbol || return milliseconds(refresh)
    refresh === :always || throw(ArgumentError("refresh is $(repr(refresh)); expected a number of seconds, or :always"))
    return typemax(UInt64)
end

# Calls `make(options, out)`. Returns how its hits are verified, and the handle that `make` stores in `out`.
function new_cache(make; name=nothing, max_bytes=0, verify_every=0, same=isequal, ondifference=nothing,
                   on_full=:configured, ttl=0, lease=0, server_errors=false, no_checksum=false, scan_timeout=0,
                   near_bytes=0, refresh=0, read_only=false, sync=false, trust_group=false, storage_errors=false)
    verification = Verification(verify_every, same, ondifference)
    near_bytes >= 0 || throw(ArgumentError("near_bytes is $near_bytes; expected 0 (64 MiB) or more"))
    max_bytes >= 0 || throw(ArgumentError("max_bytes is $max_bytes; expected 0 (no limit) or more"))
    text = name === nothing ? nothing : Base.cconvert(Cstring, String(name))
    GC.@preserve text begin
        pointer = text === nothing ? C_NULL : Ptr{UInt8}(Base.unsafe_convert(Cstring, text))
        options = Ref(COptions(sizeof(COptions), pointer, max_bytes, milliseconds(ttl), milliseconds(lease),
                               server_errors, no_checksum, milliseconds(scan_timeout), on_full_number(on_full), 0,
                               verification.every, C_NULL, C_NULL, C_NULL, C_NULL, near_bytes, refresh_ms(refresh),
                               read_only, sync, trust_group, storage_errors))
        return verification, name_free(name, () -> new_handle(out -> make(options, out)))
    end
end

# A name that is in use is most often that of the same cache, from a file that is included again.
function name_free(name, make)
    try
        return make()
    catch error
        error isa PhiCacheError && error.status == ERROR_NAME_IN_USE || rethrow()
        throw(PhiCacheError(ERROR_NAME_IN_USE, "a cache with the name $(repr(String(name))) exists; close that one " *
            "first, with close(cache), for example before you include its file again, or choose another name"))
    end
end

# Calls `f` with the pinned bytes that `find(value)` finds, then releases them. Returns Some(its result), or nothing on
# a miss.
function with_pinned(f, find)
    value = Ref(CValue())
    check(find(value)) == OK || return nothing
    try
        return Some(f(CBytes(value[])))
    finally
        release(value[])
    end
end
