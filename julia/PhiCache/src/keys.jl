# Keys. Bytes and text are keys without encoding; a tuple is an argument list, and its key is the canonical encoding
# that all languages share (docs/keys.md). This file has the types that C has too; `types.jl` has Julia's own types.

# C's `phicache_bytes`. An argument of this type may be any object with bytes.
struct CBytes
    data::Ptr{UInt8}
    len::Csize_t
end

Base.cconvert(::Type{CBytes}, bytes::Union{String,Array}) = bytes
Base.unsafe_convert(::Type{CBytes}, bytes::Union{String,Array}) = CBytes(Ptr{UInt8}(pointer(bytes)), sizeof(bytes))

# How exact a key is. PLAIN keys are the same in C and C++. The other two tell apart all arguments that dispatch tells
# apart: EXACT in typed keys, where 1, 1.0 and true differ anyway; EXACT_UNTYPED in untyped keys, where they differ only
# by the names of their types.
const PLAIN, EXACT, EXACT_UNTYPED = 0x00, 0x01, 0x02

"""
    KeyBuilder()

Builds the key of an argument list: `add!` the arguments one by one, then use the builder as a key, or take the bytes
with `Vector{UInt8}(builder; typed=false)`. `empty!` removes all arguments. For one task at a time.

Most programs need no builder: `cache[(a, b)]` builds the key of `(a, b)`, and [`encode_key`](@ref) returns its bytes.
"""
mutable struct KeyBuilder <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}
    exactness::UInt8
    # Whether other processes read this key.
    shared::Bool
    # Whether the elements belong to a set or a dictionary, which tell -0.0 from 0.0.
    signed::Bool
    # The type that was just named in the key, so that its name is not added twice.
    named::Any

    KeyBuilder() = free_when_collected(new(new_handle(out -> @c phicache_key_new(out::Ptr{Ptr{Cvoid}})::Int32),
                                           Threads.Atomic{Bool}(true), PLAIN, false, false, nothing))
end

free_handle(::Type{KeyBuilder}, pointer) = @c phicache_key_free(pointer::Ptr{Cvoid})::Int32

function Base.empty!(key::KeyBuilder)
    check(@c phicache_key_reset(key::Ptr{Cvoid})::Int32)
    key.exactness, key.shared, key.signed, key.named = PLAIN, false, false, nothing
    return key
end

is_exact(key::KeyBuilder) = key.exactness != PLAIN

"""
    add!(key::KeyBuilder, values...; keywords...)

Appends arguments; keyword arguments come last. These have the same encoding as in C and C++:

* `nothing`, `Bool`, integers, floating-point numbers, text, bytes (`Vector{UInt8}`), `Direction`, `NodeSet`;
* vectors of `Float64` (an array of doubles);
* tuples, sets and other vectors (encoded as tuples) of all these, to any depth;
* an `Enum`, as its number; any other array, as the tuple of its size and its elements.

Numbers of equal value (`==`) are equal, whatever their types: -0.0 equals 0.0, and all NaNs are equal.
[`encode_typed_key`](@ref) tells integers, floating-point numbers and `Bool` apart.

All other values are encoded as the name of their type and their contents: a `Char`, `Symbol`, `missing`, `Complex`,
`Regex`, `Dict`, `Ref`, type, named function, and any immutable struct of such values (a `Pair`, a `Date`, a closure
with its captured variables). A mutable struct is refused, because its contents may change. For your own type define a
method `PhiCache.add!(key::KeyBuilder, value::T)` that adds a tuple of the data that identify a value.

The keys of a [`Memo`](@ref), and of functions with [`@phicache`](@ref), also contain the type of each value.
"""
add!(key::KeyBuilder, ::Nothing) = element(key, @c phicache_key_add_none(key::Ptr{Cvoid})::Int32)
add!(key::KeyBuilder, value::Bool) =
    key.exactness == EXACT_UNTYPED ? add_typed!(add_bool!, key, value) : add_bool!(key, value)
add!(key::KeyBuilder, value::Int64) = element(key, @c phicache_key_add_int(key::Ptr{Cvoid}, value::Int64)::Int32)
add!(key::KeyBuilder, value::Integer) = is_exact(key) ? add_typed!(add_integer!, key, value) : add_integer!(key, value)
# An untyped key would encode a double with an integer value as that integer.
add!(key::KeyBuilder, value::Float64) =
    key.exactness == EXACT_UNTYPED && isinteger(value) ? add_typed!(add_double!, key, value) : add_double!(key, value)
add!(key::KeyBuilder, value::Union{Float32,Float16}) =
    is_exact(key) ? add_typed!(add_double!, key, value) : add_double!(key, value)
add!(key::KeyBuilder, value::Vector{UInt8}) =
    element(key, @c phicache_key_add_bytes(key::Ptr{Cvoid}, value::CBytes)::Int32)
add!(key::KeyBuilder, value::Base.CodeUnits{UInt8}) =
    is_exact(key) ? add_typed!(add_bytes!, key, value) : add_bytes!(key, value)
add!(key::KeyBuilder, value::String) = isvalid(value) ? add_valid!(key, value) : add_typed!(add_bytes!, key, value)
add!(key::KeyBuilder, value::AbstractString) =
    is_exact(key) ? add_typed!(add_text!, key, value) : add!(key, String(value))
add!(key::KeyBuilder, value::Direction) =
    element(key, @c phicache_key_add_direction(key::Ptr{Cvoid}, Int32(value)::Int32)::Int32)
add!(key::KeyBuilder, value::NodeSet) =
    element(key, @c phicache_key_add_nodes(key::Ptr{Cvoid}, mask(value)::UInt64)::Int32)
add!(key::KeyBuilder, value::Enum) = is_exact(key) ? add_typed!(add_number!, key, value) : add_number!(key, value)

function add!(key::KeyBuilder, value::Tuple)
    check(@c phicache_key_begin_tuple(key::Ptr{Cvoid})::Int32)
    add_each!(key, value)
    return element(key, @c phicache_key_end_tuple(key::Ptr{Cvoid})::Int32)
end

function add!(key::KeyBuilder, value::Vector{Float64})
    key.signed && any(is_negative_zero, value) && return add_negative_zeros!(key, value)
    return element(key, @c phicache_key_add_doubles(
        key::Ptr{Cvoid}, value::Ptr{Float64}, length(value)::Csize_t)::Int32)
end

function add!(key::KeyBuilder, values...; keywords...)
    add_each!(key, values)
    return add_keywords!(key, values_of(keywords))
end

# Keywords as a named tuple, which the compiler can specialize on.
values_of(keywords) = values(keywords)

function add_keywords!(key, keywords::NamedTuple)
    foreach(keys(keywords), Tuple(keywords)) do name, value
        check(@c phicache_key_add_keyword(key::Ptr{Cvoid}, name::Cstring)::Int32)
        add_argument!(key, value)
    end
    return key
end

# Adding an element without the name of its type.
add_bool!(key, value) = element(key, @c phicache_key_add_bool(key::Ptr{Cvoid}, value::Int32)::Int32)
function add_double!(key, value)
    key.signed && is_negative_zero(value) && return add_negative_zeros!(key, [Float64(value)])
    return element(key, @c phicache_key_add_double(key::Ptr{Cvoid}, value::Cdouble)::Int32)
end
is_negative_zero(value) = iszero(value) && signbit(value)
# Doubles with some -0.0, where that is not equal to 0.0. All NaNs are equal, as elsewhere.
function add_negative_zeros!(key, values)
    begin_named!(key, "-0.0")
    add!(key, collect(reinterpret(UInt8, map(value -> isnan(value) ? NaN : value, values))))
    return end_named!(key)
end
add_bytes!(key, value) = add!(key, Vector{UInt8}(value))
add_number!(key, value::Enum) = add_integer!(key, Integer(value))
add_valid!(key, value) = element(key, @c phicache_key_add_string(key::Ptr{Cvoid}, value::CBytes)::Int32)
# Text that is not UTF-8 is added as bytes, which are never equal to text.
function add_text!(key, value)
    text = String(value)
    return isvalid(text) ? add_valid!(key, text) : add_bytes!(key, text)
end

function add_integer!(key, value::Integer)
    typemin(Int64) <= value <= typemax(Int64) && return add!(key, Int64(value))
    0 <= value <= typemax(UInt64) &&
        return element(key, @c phicache_key_add_uint(key::Ptr{Cvoid}, UInt64(value)::UInt64)::Int32)
    begin_named!(key, "Integer")
    add_valid!(key, string(value))
    return end_named!(key)
end

begin_named!(key, name) = element(key, @c phicache_key_begin_named(key::Ptr{Cvoid}, name::Cstring)::Int32)
end_named!(key) = element(key, @c phicache_key_end_named(key::Ptr{Cvoid})::Int32)

element(key, code) = (check(code); key)

add_each!(key, values) = foreach(value -> add_argument!(key, value), values)
# The elements of a tuple may have different types: recursion lets the compiler see each type.
add_each!(key, ::Tuple{}) = nothing
add_each!(key, values::Tuple) = (add_argument!(key, first(values)); add_each!(key, Base.tail(values)))

# A builder with typed numbers.
struct Typed
    key::KeyBuilder
end

Base.cconvert(::Type{CBytes}, key::Union{KeyBuilder,Typed}) = key
Base.unsafe_convert(::Type{CBytes}, key::KeyBuilder) = borrowed_bytes(key, false)
Base.unsafe_convert(::Type{CBytes}, typed::Typed) = borrowed_bytes(typed.key, true)

# The bytes of a key, valid until the builder changes.
function borrowed_bytes(key::KeyBuilder, typed::Bool)
    bytes = Ref(CBytes(C_NULL, 0))
    check(@c phicache_key_bytes(key::Ptr{Cvoid}, typed::Int32, bytes::Ptr{CBytes})::Int32)
    return bytes[]
end

description(key::KeyBuilder) = "$(length(Vector{UInt8}(key))) bytes"

function Base.Vector{UInt8}(key::KeyBuilder; typed::Bool=false)
    GC.@preserve key begin
        bytes = borrowed_bytes(key, typed)
        return copy(unsafe_wrap(Array, bytes.data, bytes.len))
    end
end

# A pool of unused builders, so that the key of a tuple needs no allocation. The lock is held for a few instructions,
# and nothing is allocated under it, so neither a task switch nor a finalizer can interrupt it.
const SPARE_BUILDERS = Vector{KeyBuilder}(undef, 64)
const SPARE_COUNT = Ref(0)
const SPARE_LOCK = Threads.SpinLock()

function borrow_builder()
    lock(SPARE_LOCK)
    count = SPARE_COUNT[]
    if count == 0
        unlock(SPARE_LOCK)
        return KeyBuilder()
    end
    builder = @inbounds SPARE_BUILDERS[count]
    SPARE_COUNT[] = count - 1
    unlock(SPARE_LOCK)
    return empty!(builder)
end

function return_builder(builder::KeyBuilder)
    lock(SPARE_LOCK)
    count = SPARE_COUNT[]
    if count < length(SPARE_BUILDERS)
        @inbounds SPARE_BUILDERS[count + 1] = builder
        SPARE_COUNT[] = count + 1
    end
    unlock(SPARE_LOCK)
    return nothing
end

# Calls `f` with the bytes of a key. For a tuple these are in a builder, which belongs to `f` until it returns. (If `f`
# throws, the garbage collector frees the builder.) A value that is neither bytes nor a tuple is a list of one argument.
with_key(f, key::Union{AbstractString,AbstractVector{UInt8},KeyBuilder}) = f(raw_key(key))
with_key(f, key) = with_key(f, (key,))

function with_key(f, key::Tuple)
    builder = borrow_builder()
    add_each!(builder, key)
    result = f(builder)
    return_builder(builder)
    return result
end

raw_key(key::Union{String,Vector{UInt8},KeyBuilder}) = key
raw_key(key::AbstractString) = String(key)
raw_key(key::AbstractVector{UInt8}) = Vector{UInt8}(key)

"""
    joined_key(parts...) -> Vector{UInt8}

A key of the raw bytes of its parts, which are text or arrays of bits types: the same as `key_bytes{p, q}` in C++, and
the fastest key for long vectors. The parts are concatenated and followed by their lengths, so `joined_key([1], [2, 3])`
is not `joined_key([1, 2], [3])`. Raw bytes have no types: text, numbers and arrays of different types may be equal, and
-0.0 is not 0.0.
"""
function joined_key(parts::Union{AbstractString,AbstractArray}...)
    key = IOBuffer()
    lengths = map(part -> write_part(key, part), parts)
    foreach(length -> write(key, htol(UInt32(length))), lengths)
    return take!(key)
end

write_part(key, part::AbstractString) = write(key, part)
function write_part(key, part::AbstractArray{T}) where {T}
    isbitstype(T) || throw(ArgumentError("a part of the key has elements of type $T; expected a bits type"))
    return isempty(part) ? 0 : write(key, convert(Array, part))
end

"""
    encode_key(arguments...; keywords...) -> Vector{UInt8}

The canonical key of an argument list (see [`add!`](@ref)): the same bytes as in C and C++, and the key of
`cache[(arguments...,)]`. Numbers of equal value are equal.
"""
encode_key(arguments...; keywords...) = encoded(false, arguments, values_of(keywords))

"""
    encode_typed_key(arguments...; keywords...) -> Vector{UInt8}

Like [`encode_key`](@ref), but `1`, `1.0` and `true` are different: the typed keys of C. (The keys of a [`Memo`](@ref)
also distinguish integer widths, enums and containers.)
"""
encode_typed_key(arguments...; keywords...) = encoded(true, arguments, values_of(keywords))

function encoded(typed, arguments, keywords)
    builder = borrow_builder()
    add_each!(builder, arguments)
    add_keywords!(builder, keywords)
    bytes = Vector{UInt8}(builder; typed=typed)
    return_builder(builder)
    return bytes
end

"""
    repertoire_key(prefix, direction, mechanism, purview) -> Vector{UInt8}

The key of a repertoire: the same as `encode_key(prefix, direction, mechanism, purview)`, but faster. `prefix` may be
`nothing`.
"""
repertoire_key(prefix, direction::Direction, mechanism, purview) =
    written_bytes(128, (buffer, capacity, len) -> @c phicache_key_repertoire(
        optional_text(prefix)::Cstring, Int32(direction)::Int32, mask(NodeSet(mechanism))::UInt64,
        mask(NodeSet(purview))::UInt64, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)

"""
    mice_key(prefix, direction, mechanism, purviews=nothing) -> Vector{UInt8}

The key of a MICE, that of PyPhi's `find_mice`. `purviews` are the candidates; their order matters. `nothing` means all
purviews, and is not the same as an empty list.
"""
function mice_key(prefix, direction::Direction, mechanism, purviews=nothing)
    masks = purviews === nothing ? nothing : UInt64[mask(NodeSet(purview)) for purview in purviews]
    count = masks === nothing ? 0 : length(masks)
    return written_bytes(128 + 9 * count, (buffer, capacity, len) -> @c phicache_key_mice(
        optional_text(prefix)::Cstring, Int32(direction)::Int32, mask(NodeSet(mechanism))::UInt64,
        optional_array(masks)::Ptr{UInt64}, count::Csize_t,
        buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)
end

# A copy of a key's bytes.
key_bytes(key::Union{String,Vector{UInt8}}) = Vector{UInt8}(key)
key_bytes(key::KeyBuilder) = Vector{UInt8}(key)
key_bytes(key::Typed) = Vector{UInt8}(key.key; typed=true)
