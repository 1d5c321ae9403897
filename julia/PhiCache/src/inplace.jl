# Computations that write directly into the cache entry.

"""
    memoize!(fill!, cache, key, sizes...) -> Array{T,N}

The array of a key in a cache of `Array{T,N}`. On a miss, `fill!` is called with an array of these sizes, filled with
zeros, and writes the value there. The array is a [`ValueView`](@ref) of the entry's own memory, so nothing is copied
into the cache. Throws a `DimensionMismatch` if the key has an array of other sizes. Otherwise as `get!`.
"""
memoize!(fill!, cache::ByteCache{<:Array}, key, sizes::Integer...) = memoize!(fill!, cache, key, sizes)
memoize!(fill!, cache::ByteCache{Array{T,N}}, key, sizes::Tuple{Vararg{Integer}}) where {T,N} = throw(ArgumentError(
    "memoize! got $(length(sizes)) sizes; the values of the cache are $(Array{T,N}), with $N"))
memoize!(fill!, cache::ByteCache{<:Array}, key, sizes...) = throw(ArgumentError(
    "memoize! got the sizes $(shortened(sizes)); expected integers"))
memoize!(fill!, cache::AbstractCache, key, sizes...) = throw(ArgumentError(
    "memoize! fills arrays, and a $(typeof(cache)) holds $(valtype(cache)); use get! or a DictCache{Vector{Float64}}"))

function memoize!(fill!::F, cache::ByteCache{Array{T,N}}, key, sizes::NTuple{N,Integer}) where {F,T,N}
    size = map(Int, sizes)
    all(>=(0), size) || throw(ArgumentError("the size of the array is $size; expected no negative number"))
    prepared = prepare_key(cache, key)
    step = get_or_reserve(Array{T,N}, cache, prepared, key)
    release_key(prepared)
    step isa Reservation && return compute_in_place(fill!, cache, step, size)::Array{T,N}
    Base.size(step) == size || throw_other_size(key, Base.size(step), size)
    return step
end

@noinline throw_other_size(key, kept, asked) = throw(DimensionMismatch(
    "the array of the key $(shortened(key)) has the size $kept; memoize! got the size $asked"))

@noinline function compute_in_place(fill!::F, cache::ByteCache{Array{T,N}}, step, size) where {F,T,N}
    # A value that is verified is not written into an entry: the cache has one.
    lease = step.kept === nothing ? step.lease : nothing
    value = try
        allow_interrupts()
        fill_entry(fill!, Array{T,N}, lease, size)
    catch
        abandon(step)
        rethrow()
    end
    step.kept === nothing || return complete_with(Array{T,N}, cache, step, value, nothing)::Array{T,N}
    complete(_ -> nothing, step, nothing)
    return value::Array{T,N}
end

# A copy of the array that `fill!` writes: in the entry or, without a lease, in temporary memory.
function fill_entry(fill!, ::Type{Array{T,N}}, lease, size) where {T,N}
    copy_filled(view) = (fill!(view); Array{T,N}(view))
    len = byte_length(T, size)
    if lease === nothing
        array = zeros(UInt8, len)
        return GC.@preserve array with_writable_view(copy_filled, pointer(array), size, T)
    end
    data = reserve(lease, len + sizes_length(N))
    write_sizes(data + len, size)
    return with_writable_view(copy_filled, data, size, T)
end

byte_length(::Type{T}, size) where {T} = try
    foldl(Base.checked_mul, size; init=sizeof(T))
catch error
    error isa OverflowError || rethrow()
    throw(ArgumentError("an array of $T of the size $size has more bytes than a number of 64 bits can count"))
end
