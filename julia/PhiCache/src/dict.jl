# A cache of any values by any keys: PyPhi's DictCache.

"""
    DictCache{V}(; config=default_config(), name=nothing, max_bytes=0, on_full=:configured, verify_every=0,
                 same=isequal, ondifference=nothing)
    DictCache(; ...)

A memory-limited cache in this process. `V` is the type of its values, and decides how they are stored:

* `Vector{T}` with a bits type `T` (such as `Vector{Float64}`), `String`, or a bits type: the plain bytes, the same as
  in C and C++;
* `Array{T,N}`: the elements as in C, followed by the sizes;
* `Any`, the default: any Julia value, serialized. Slower, and readable only from Julia.

`name` is the name in [`named_caches`](@ref), unique among live caches. `max_bytes` limits the size of the cache,
overhead included; 0 means that only memory limits it.

`on_full` says what the cache does when it reaches its `max_bytes` or the memory limit: `:refuse` refuses new values;
`:evict` evicts entries, so that a new one fits: those that cost the least computing time for each byte and were not
used lately; `:configured` is what the configuration says (see [`Config`](@ref)).

Verified mode finds keys that are too short. Every `verify_every`-th hit of `get!`, `memoize!`, a [`Memo`](@ref) or a
[`CachedMethod`](@ref) is computed again (0: none, at no cost) and compared with the value that the cache has: they are
equal if their bytes are, or if `same(kept, computed)` returns true. A difference counts in `stats(cache).differences`,
and the new value replaces the old one and is returned; then `ondifference(key, kept, computed)`, if it is not
`nothing`, is called with the bytes of the key. It may throw, to stop the program. If the computation throws, the value
stays. Hits within the computation are not verified.

`DictCache{V}(fingerprint, role)` returns a cache that is shared by everyone with an equal fingerprint and role.
"""
mutable struct DictCache{V} <: ByteCache{V}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    memos::Memos
    verification::Verification

    function DictCache{V}(pointer::Ptr{Cvoid}, config::AnyConfig, verification, identity=pointer) where {V}
        view = new_handle(out -> @c phicache_dict_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        return free_when_collected(
            new{V}(pointer, view, Threads.Atomic{Bool}(true), config, identity, Memos(), verification))
    end
end

function DictCache{V}(; options...) where {V}
    return new_dict_cache(V; options...) do config, options, out
        @c phicache_dict_cache_new(config::Ptr{Cvoid}, options::Ptr{COptions}, out::Ptr{Ptr{Cvoid}})::Int32
    end
end

DictCache(arguments...; options...) = DictCache{Any}(arguments...; options...)
DictCache{V}(arguments...; options...) where {V} = throw_no_method("DictCache", arguments,
    "DictCache{V}(; options...) with the type V of its values, or DictCache{V}(fingerprint, role; options...)")

# Calls `make(config, options, out)`, which creates the cache.
function new_dict_cache(make, ::Type{V}, identity...; options...) where {V}
    check_storable(V)
    config, local_options = split_options("DictCache", LOCAL_OPTIONS, options)
    verification, pointer = new_cache((options, out) -> make(config, options, out); local_options...)
    return DictCache{V}(pointer, config, verification, identity...)
end
new_dict_cache(make, V, arguments...; options...) = check_storable(V)

free_handle(::Type{<:DictCache}, pointer) = @c phicache_dict_cache_free(pointer::Ptr{Cvoid})::Int32

"""
    withvalue(f, cache, key[, T])

Calls `f` with the value of `key` in a [`DictCache`](@ref) or [`RedisCache`](@ref) as a read-only array of `T`, in the
memory of the cache and without copying: `f` gets a [`ValueView`](@ref), valid and unchanged until `f` returns, whatever
happens to the cache meanwhile. Returns the result of `f`, or `nothing` on a miss.

The view of an array has its shape. `T` is the type of the elements, or of the values if they are not arrays, or `UInt8`
for a vector of the bytes. It may be omitted if the values are arrays.

    withvalue(cache, key, Float64) do repertoire
        sum(repertoire)
    end
"""
withvalue(f::F, cache::ByteCache{Array{T,N}}, key) where {F,T,N} = with_array(f, cache, key, Array{T,N})
withvalue(f, cache::ByteCache{V}, key) where {V} =
    throw(ArgumentError("the values of a cache of $V are not arrays; pass an element type to view them, or use get"))

function withvalue(f::F, cache::ByteCache{V}, key, ::Type{T}) where {F,V,T}
    V === Any && throw(ArgumentError("the values of a cache of Any are serialized and cannot be viewed; use a cache " *
                                     "of Vector{$T}"))
    is_bits(T) || throw(ArgumentError("values cannot be viewed as arrays of $T; expected a bits type"))
    # The bytes of one type, read as another, would be a wrong value.
    T in (viewed_type(V), UInt8) || throw(ArgumentError(
        "the values of a cache of $V cannot be viewed as arrays of $T; expected $(viewed_type(V)), " *
        "or UInt8 for their bytes"))
    return with_array(f, cache, key, T === viewed_type(V) ? viewed_array(V) : Vector{UInt8})
end

viewed_type(::Type{V}) where {V} = V
viewed_type(::Type{Array{T,N}}) where {T,N} = T
viewed_type(::Type{String}) = UInt8
viewed_array(::Type{V}) where {V} = Vector{viewed_type(V)}
viewed_array(::Type{Array{T,N}}) where {T,N} = Array{T,N}

function with_array(f::F, cache, key, ::Type{Array{T,N}}) where {F,T,N}
    prepared = prepare_key(cache, key)
    value = Ref(CValue())
    code = @c phicache_cache_get(cache::Ptr{CView}, prepared::CBytes, value::Ptr{CValue})::Int32
    release_key(prepared)
    return check(code) == OK ? with_view(f, value[], Array{T,N}) : nothing
end

# Calls `f` with a view of a pinned value; then empties the view, and releases the value.
function with_view(f::F, value::CValue, ::Type{Array{T,N}}) where {F,T,N}
    lifetime = borrow(LIFETIMES)
    try
        return f(ValueView{T,N}(value.data, checked_size(Array{T,N}, CBytes(value)), false, lifetime))
    finally
        end_lifetime(lifetime)
        release(value)
    end
end
