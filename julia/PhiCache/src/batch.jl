# Many keys at once: one round trip in Redis, and faster than single lookups in a large cache.

"""
    get_many(cache, keys, default=nothing) -> Vector

The values of many keys, in the order of the keys, with `default` for each that is missing. Counts a hit or a miss for
each key. With `server_errors` it throws if the lookup of any key fails.
"""
function get_many(cache::AbstractCache{V}, keys, default::D=nothing) where {V,D}
    keys isa AbstractString && throw(ArgumentError(
        "get_many got the text $(shortened(keys)); expected a list of keys, such as [key]"))
    encoded_keys = [with_key(key_bytes, cache, key) for key in keys]
    pinned = fill(CValue(), length(encoded_keys))
    found = Vector{Union{V,D}}(undef, length(encoded_keys))
    code = GC.@preserve encoded_keys begin
        slices = CBytes[CBytes(pointer(key), length(key)) for key in encoded_keys]
        @c phicache_cache_get_many(cache::Ptr{CView}, slices::Ptr{CBytes}, length(slices)::Csize_t,
                                   pinned::Ptr{CValue}, C_NULL::Ptr{Csize_t})::Int32
    end
    try
        check(code) # on an error, the values that were found are pinned too
        for (index, value) in enumerate(pinned)
            found[index] = value.data == C_NULL ? default : from_bytes(cache, CBytes(value.data, value.len))
        end
    finally
        for value in pinned
            @c phicache_value_release(Ref(value)::Ptr{CValue})::Cvoid
        end
    end
    return found
end

"""
    set_many!(cache, pairs) -> Vector{Status}

Stores many values, given as `key => value` pairs (for example a dictionary), and returns the status of each, as
[`set!`](@ref) does. In Redis the operation may fail for some keys: the error is then their status. It is thrown if all
keys fail.
"""
function set_many!(cache::AbstractCache, pairs)
    keys, values = Vector{UInt8}[], Any[]
    pairs isa Pair && return set_many!(cache, (pairs,))
    for pair in pairs
        pair isa Union{Pair,Tuple{Any,Any}} || throw(ArgumentError(
            "set_many! got $(described(pair)), among its pairs; expected key => value"))
        key, value = pair
        push!(keys, with_key(key_bytes, cache, key))
        push!(values, Base.cconvert(CBytes, to_bytes(cache, value)))
    end
    codes = zeros(Int32, length(keys))
    GC.@preserve keys values begin
        slices = CBytes[CBytes(pointer(key), length(key)) for key in keys]
        contents = CBytes[Base.unsafe_convert(CBytes, value) for value in values]
        code = @c phicache_cache_set_many(cache::Ptr{CView}, slices::Ptr{CBytes}, contents::Ptr{CBytes},
                                          length(slices)::Csize_t, codes::Ptr{Int32})::Int32
        all(==(code), codes) && check(code)
    end
    return map(Status, codes)
end
