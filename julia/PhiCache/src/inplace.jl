# A computation that writes straight into the cache's entry.

"""
    memoize!(fill!, cache, key, sizes...) -> Array{T,N}

The array of a key in a cache of `Array{T,N}`. On a miss, `fill!` is called with an array of zeros of these sizes, a [`ValueView`](@ref) of the
entry's own memory, and writes the value there: nothing is copied on the way in. Everything else is as in `get!`.
"""
memoize!(fill!, cache::ByteCache{<:Array}, key, sizes::Integer...) = memoize!(fill!, cache, key, sizes)

function memoize!(fill!, cache::ByteCache{Array{T,N}}, key, sizes::NTuple{N,Integer}) where {T,N}
    size = map(Int, sizes)
    all(>=(0), size) || throw(ArgumentError("an array of size $size"))
    return with_key(key -> fill_or_find(fill!, cache, key, size), cache, key)
end

function fill_or_find(fill!, cache::ByteCache{Array{T,N}}, key, size) where {T,N}
    step = find_or_begin(Array{T,N}, cache, key)
    step isa Duty || return something(step)::Array{T,N}
    value = try
        filled(fill!, Array{T,N}, step.lease, size)
    catch
        give_up(step)
        rethrow()
    end
    fulfil(_ -> nothing, step, nothing)
    return value::Array{T,N}
end

# What `fill!` writes into the entry, or, where there is no lease, into memory of its own.
function filled(fill!, ::Type{Array{T,N}}, lease, size) where {T,N}
    copy_filled(view) = (fill!(view); Array{T,N}(view))
    len = prod(size) * sizeof(T)
    if lease === nothing
        array = zeros(UInt8, len)
        return GC.@preserve array with_view(copy_filled, pointer(array), size, T; writable=true)
    end
    data = reserve(lease, len + sizes_length(N))
    write_sizes(data + len, size)
    return with_view(copy_filled, data, size, T; writable=true)
end
