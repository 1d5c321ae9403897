# The bytes of a cache entry as an array, while they are pinned.

# Views are immutable, so that a view needs no allocation. What ends is their lifetime: it has a number, which changes
# at the end of each block, and a view with another number has ended. So a lifetime can be used again.
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
[`memoize!`](@ref). When the function returns, the view ends, and using it throws a `BoundsError`. That
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

has_ended(view::ValueView) = view.lifetime.number != view.number
# Everything asks for the size, a sum too. If a view that has ended were empty, its sum would be 0.
Base.size(view::ValueView) = has_ended(view) ? throw_ended(view) : view.full_size
@noinline throw_ended(view) = throw(BoundsError(view))

# What a BoundsError shows.
function Base.summary(io::IO, view::ValueView)
    if has_ended(view)
        print(io, Base.dims2string(view.full_size), ' ', typeof(view),
              " (its block has ended; copy a view inside its block to keep the values)")
    else
        invoke(summary, Tuple{IO,AbstractArray}, io, view)
    end
end

Base.show(io::IO, view::ValueView{T,N}) where {T,N} =
    has_ended(view) ? summary(io, view) : invoke(show, Tuple{IO,AbstractArray{T,N}}, io, view)
Base.show(io::IO, kind::MIME"text/plain", view::ValueView{T,N}) where {T,N} =
    has_ended(view) ? summary(io, view) : invoke(show, Tuple{IO,typeof(kind),AbstractArray{T,N}}, io, kind, view)

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

# Calls `f` with a writable view of bytes, and ends the view afterwards.
function with_writable_view(f::F, data::Ptr, size::NTuple{N,Int}, ::Type{T}) where {F,T,N}
    lifetime = borrow(LIFETIMES)
    try
        return f(ValueView{T,N}(data, size, true, lifetime))
    finally
        end_lifetime(lifetime)
    end
end
