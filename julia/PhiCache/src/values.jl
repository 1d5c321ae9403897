# Julia values as bytes, and bytes as Julia values. The type parameter of a cache decides how:
#
# | type                             | bytes                                                                    |
# |----------------------------------|--------------------------------------------------------------------------|
# | `Vector{T}`, T a bits type       | the elements, one after the other: C's array of T                        |
# | `Array{T,N}`, N not 1            | the elements, column by column, then the N sizes as UInt64               |
# | `String`                         | its UTF-8 bytes                                                          |
# | a bits type                      | its bytes, as in C                                                       |
# | `Any`                            | Julia's serialization: any value, but for this Julia and for Julia only; |
# |                                  | see `serialized.jl`                                                      |

# C's `phicache_value`: bytes that are pinned until they are released.
struct CValue
    data::Ptr{UInt8}
    len::Csize_t
    pin::Ptr{Cvoid}
    origin::UInt32
    reserved::UInt32
end
CValue() = CValue(C_NULL, 0, C_NULL, 0, 0)
CBytes(value::CValue) = CBytes(value.data, value.len)

is_storable(::Type{T}) where {T} = T === Any || T === String || is_bits(T) || is_bits_array(T)
is_bits(T) = isbitstype(T) && sizeof(T) > 0
is_bits_array(T) = T <: Array && isconcretetype(T) && is_bits(eltype(T))

check_storable(T) = T isa Type && is_storable(T) || throw(ArgumentError(
    "a cache cannot hold values of type $T; expected an Array of a bits type, String, a bits type, or Any"))

# For values that other processes read.
refuse_addresses(kind, T) = has_address(T) && throw(ArgumentError(
    "a $kind cannot hold values of type $T, because they contain addresses, which mean nothing to another process"))
has_address(T) = T <: Address || (T <: Array ? has_address(eltype(T)) :
                                                      isbitstype(T) && any(has_address, fieldtypes(T)))

# An object that has the bytes of a value, for an argument of type CBytes.
encode(::Type{String}, value) = converted(String, value)
encode(::Type{Vector{T}}, value) where {T} = converted(Vector{T}, value)
encode(::Type{T}, value) where {T} = Ref{T}(converted(T, value))

function encode(::Type{Array{T,N}}, value) where {T,N}
    array = converted(Array{T,N}, value)
    bytes = IOBuffer(sizehint=sizeof(array) + 8N)
    write(bytes, array, map(htol ∘ UInt64, size(array))...)
    return take!(bytes)
end

Base.cconvert(::Type{CBytes}, bits::Base.RefValue) = bits
Base.unsafe_convert(::Type{CBytes}, bits::Base.RefValue{T}) where {T} =
    CBytes(Ptr{UInt8}(Base.unsafe_convert(Ptr{T}, bits)), sizeof(T))

# A copy of a pinned value.
decode(::Type{String}, bytes::CBytes) = unsafe_string(bytes.data, bytes.len)

function decode(::Type{Array{T,N}}, bytes::CBytes) where {T,N}
    array = Array{T,N}(undef, checked_size(Array{T,N}, bytes))
    GC.@preserve array unsafe_copyto!(pointer(array), Ptr{T}(bytes.data), length(array))
    return array
end

function decode(::Type{T}, bytes::CBytes) where {T}
    fits(T, bytes) || wrong_length(T, bytes)
    return unsafe_load(Ptr{T}(bytes.data))
end

# The elements of an array are followed by its sizes; a vector needs none.
sizes_length(N) = N == 1 ? 0 : 8N

write_sizes(::Ptr, ::Tuple{Int}) = nothing
write_sizes(to::Ptr, size) = foreach(k -> unsafe_store!(Ptr{UInt64}(to), htol(UInt64(size[k])), k), 1:length(size))

# The size of the array that a value encodes, or nothing if it encodes none.
@inline function array_size(::Type{Vector{T}}, bytes::CBytes) where {T}
    count, rest = divrem(bytes.len, sizeof(T))
    return rest == 0 ? (Int(count),) : nothing
end

function array_size(::Type{Array{T,N}}, bytes::CBytes) where {T,N}
    bytes.len >= 8N || return nothing
    sizes = Ptr{UInt64}(bytes.data + (bytes.len - 8N))
    size = ntuple(k -> Int(ltoh(unsafe_load(sizes, k)) & typemax(Int)), Val(N))
    return length_in_bytes(sizeof(T), size) == bytes.len - 8N ? size : nothing
end

# The product, or -1 if damaged sizes overflow.
length_in_bytes(step, ::Tuple{}) = step
function length_in_bytes(step, size::Tuple)
    product, overflows = Base.Checked.mul_with_overflow(step, first(size))
    return overflows ? -1 : length_in_bytes(product, Base.tail(size))
end

@inline function checked_size(::Type{A}, bytes::CBytes) where {A}
    size = array_size(A, bytes)
    return size === nothing ? wrong_length(A, bytes) : size
end

# Whether bytes have the length of a value of this type.
@inline fits(::Type{String}, bytes::CBytes) = true
@inline fits(::Type{A}, bytes::CBytes) where {A<:Array} = array_size(A, bytes) !== nothing
@inline fits(::Type{T}, bytes::CBytes) where {T} = bytes.len == sizeof(T)

@noinline wrong_length(T, bytes) = throw(PhiCacheError(ERROR_DAMAGED,
    "the stored value has $(bytes.len) bytes, which cannot be a $T; read it as the type that was stored"))
