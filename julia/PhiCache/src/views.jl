# A cache's own bytes as an array, for as long as they are pinned.

"""
    ValueView{T,N} <: DenseArray{T,N}

The bytes of a cache's entry as an array, in place: what [`withvalue`](@ref) and [`memoize!`](@ref) hand to their
functions. When the function returns, the view becomes empty; using it later is a `BoundsError`, not a crash. That holds
for the view itself: keep no pointer to it, no `view`, `reshape` or transpose of it, which know its old size, and do not
index it with `@inbounds` later; what is to stay, `copy`. Only `memoize!`'s can be written to.
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
    view.writable || throw(ArgumentError("a cached value is read-only"))
    @boundscheck checkbounds(view, index)
    unsafe_store!(view.data, convert(T, value), index)
    return view
end

# What linear algebra needs to use the bytes where they are.
Base.strides(view::ValueView) = Base.size_to_strides(1, view.size...)
Base.elsize(::Type{ValueView{T,N}}) where {T,N} = sizeof(T)
Base.unsafe_convert(::Type{Ptr{T}}, view::ValueView{T}) where {T} = view.data

# Calls `f` with a view of pinned bytes, which is empty afterwards.
function with_view(f, data::Ptr, size::NTuple{N,Int}, ::Type{T}; writable=false) where {T,N}
    view = ValueView{T,N}(Ptr{T}(data), size, writable)
    try
        return f(view)
    finally
        view.size = ntuple(_ -> 0, N)
    end
end
