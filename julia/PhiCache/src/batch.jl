# Many keys at once: in Redis in one round trip, elsewhere faster than one by one.

"""
    get_many(cache, keys, default=nothing) -> Vector

The values of many keys, in their order, with `default` where there is none. Counts a hit or a miss for each. With
`server_errors`, throws if one key could not be asked for.
"""
function get_many(cache::AbstractCache{V}, keys, default::D=nothing) where {V,D}
    asked = [with_key(key_bytes, cache, key) for key in keys]
    pinned = fill(CValue(), length(asked))
    found = Vector{Union{V,D}}(undef, length(asked))
    code = GC.@preserve asked begin
        slices = CBytes[CBytes(pointer(key), length(key)) for key in asked]
        @c phicache_cache_get_many(cache::Ptr{CView}, slices::Ptr{CBytes}, length(slices)::Csize_t,
                                   pinned::Ptr{CValue}, C_NULL::Ptr{Csize_t})::Int32
    end
    try
        check(code) # what was found is pinned also on an error
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

Stores many values, given as `key => value` pairs (a dictionary, say), and tells of each what [`set!`](@ref) would. In
Redis a part may fail. What was an error for some keys is their status; for all, it is thrown.
"""
function set_many!(cache::AbstractCache, pairs)
    keys, values = Vector{UInt8}[], Any[]
    for (key, value) in pairs
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
