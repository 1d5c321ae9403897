# The bytes of a cache entry as an array, while they are pinned.

"""
    ValueView{T,N} <: DenseArray{T,N}

The bytes of a cache entry as an array, in place: the argument of the functions given to [`withvalue`](@ref) and
[`memoize!`](@ref). When the function returns, the view becomes empty, and using it throws a `BoundsError`. That
protects only the view itself: do not keep a pointer to it, or a `view`, `reshape` or transpose of it, which remember
the old size, and do not index it with `@inbounds` afterwards. `copy` it to keep the values. Only the view of `memoize!`
is writable.
"""
mutable struct ValueView{T,N} <: DenseArray{T,N}
    data::Ptr{T}
    size::NTuple{N,Int}
    writable::Bool
end

Base.size(view::ValueView) = view.size
Base.IndexStyle(::Type{<:ValueView}) = IndexLinear()

Base.@propagate_inbounds function Base.getindex(view::ValueView, index::Int)
    @boundscheck checkbounds(view, index)
    return unsafe_load(view.data, index)
end

Base.@propagate_inbounds function Base.setindex!(view::ValueView{T}, value, index::Int) where {T}
    view.writable || throw(ArgumentError("a view of a cached value is read-only; copy it to change it"))
    @boundscheck checkbounds(view, index)
    unsafe_store!(view.data, convert(T, value), index)
    return view
end

# The interface that linear algebra needs to use the bytes in place.
Base.strides(view::ValueView) = Base.size_to_strides(1, view.size...)
Base.elsize(::Type{ValueView{T,N}}) where {T,N} = sizeof(T)
Base.unsafe_convert(::Type{Ptr{T}}, view::ValueView{T}) where {T} = view.data

# Calls `f` with a view of pinned bytes, and empties the view afterwards.
function with_view(f, data::Ptr, size::NTuple{N,Int}, ::Type{T}; writable=false) where {T,N}
    view = ValueView{T,N}(Ptr{T}(data), size, writable)
    try
        return f(view)
    finally
        view.size = ntuple(_ -> 0, N)
    end
end
