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
    copy_filled(view) = (fill!(view); Array{T,N}(view))
    function write(lease)
        len = prod(size) * sizeof(T)
        data = reserve(lease, len + sizes_length(N))
        write_sizes(data + len, size)
        return with_view(copy_filled, data, size, T; writable=true)
    end
    function alone()
        array = zeros(UInt8, prod(size) * sizeof(T))
        GC.@preserve array with_view(copy_filled, pointer(array), size, T; writable=true)
    end
    value, _ = with_key(key -> find_or_compute(write, alone, cache, key), cache, key)
    return value::Array{T,N}
end
