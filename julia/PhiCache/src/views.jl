# The bytes of a cache entry as an array, while they are pinned.

# Views are immutable, so that a view needs no allocation. What ends is their lifetime: it has a number, which changes
# at the end of each block, and a view with another number is empty. So a lifetime can be used again.
mutable struct Lifetime
    number::UInt
end

const LIFETIMES = Spares{Lifetime}()
new_spare(::Type{Lifetime}) = Lifetime(0)

@inline function end_lifetime(lifetime)
    lifetime.number += 1
    give_back(LIFETIMES, lifetime)
end

"""
    ValueView{T,N} <: DenseArray{T,N}

The bytes of a cache entry as an array, in place: the argument of the functions given to [`withvalue`](@ref) and
[`memoize!`](@ref). When the function returns, the view becomes empty, and using it throws a `BoundsError`. That
protects only the view itself: do not keep a pointer to it, or a `view`, `reshape` or transpose of it, which remember
the old size, and do not index it with `@inbounds` afterwards. `copy` it to keep the values. Only the view of `memoize!`
is writable.
"""
struct ValueView{T,N} <: DenseArray{T,N}
    data::Ptr{T}
    full_size::NTuple{N,Int}
    writable::Bool
    lifetime::Lifetime
    number::UInt
end

Base.size(view::ValueView{T,N}) where {T,N} =
    view.lifetime.number == view.number ? view.full_size : ntuple(_ -> 0, Val(N))
# What a BoundsError shows.
function Base.summary(io::IO, view::ValueView)
    if view.lifetime.number != view.number
        print(io, Base.dims2string(view.full_size), ' ', typeof(view),
              " (its block has ended, so it is empty now; copy a view inside its block to keep the values)")
    else
        invoke(summary, Tuple{IO,AbstractArray}, io, view)
    end
end

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
Base.strides(view::ValueView) = Base.size_to_strides(1, size(view)...)
Base.elsize(::Type{ValueView{T,N}}) where {T,N} = sizeof(T)
Base.unsafe_convert(::Type{Ptr{T}}, view::ValueView{T}) where {T} = view.data

ValueView{T,N}(data::Ptr, size, writable, lifetime::Lifetime) where {T,N} =
    ValueView{T,N}(Ptr{T}(data), size, writable, lifetime, lifetime.number)

# Calls `f` with a writable view of bytes, and empties the view afterwards.
function with_writable_view(f::F, data::Ptr, size::NTuple{N,Int}, ::Type{T}) where {F,T,N}
    lifetime = borrow(LIFETIMES)
    try
        return f(ValueView{T,N}(data, size, true, lifetime))
    finally
        end_lifetime(lifetime)
    end
end
