# Keys. Bytes and text are keys as they stand; a tuple is an argument list, and its key is the canonical encoding that C
# and C++ share (docs/keys.md).

# What C calls `phicache_bytes`. As an argument's type it takes anything that has bytes.
struct CBytes
    data::Ptr{UInt8}
    len::Csize_t
end

Base.cconvert(::Type{CBytes}, bytes::Union{String,Array}) = bytes
Base.unsafe_convert(::Type{CBytes}, bytes::Union{String,Array}) = CBytes(Ptr{UInt8}(pointer(bytes)), sizeof(bytes))

"""
    KeyBuilder()

Builds the key of an argument list: `add!` arguments one by one, and use the builder where a key is expected, or take
its bytes with `Vector{UInt8}(builder; typed=false)`. `empty!` makes it ready for the next list. For one task at a
time.

Most programs need no builder: `cache[(a, b)]` builds the key of `(a, b)`, and [`encode_key`](@ref) gives its bytes.
"""
mutable struct KeyBuilder <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}

    KeyBuilder() = collected(new(new_handle(out -> @c phicache_key_new(out::Ptr{Ptr{Cvoid}})::Int32),
                                 Threads.Atomic{Bool}(true)))
end

free_handle(::Type{KeyBuilder}, pointer) = @c phicache_key_free(pointer::Ptr{Cvoid})::Int32

Base.empty!(key::KeyBuilder) = (check(@c phicache_key_reset(key::Ptr{Cvoid})::Int32); key)

"""
    add!(key::KeyBuilder, values...; keywords...)

Appends arguments: `nothing`, `Bool`, integers of up to 64 bits, floating-point numbers of up to 64 bits, text, bytes
(`Vector{UInt8}`), `Direction`, `NodeSet`, and to any depth tuples, vectors and sets of these; keyword arguments come
last.

As in C++, a vector is the tuple of its elements and an `Enum` its number; other arrays are the tuple of their size and
their elements, and a `Symbol` is `("Symbol", name)`. Numbers are equal when their values are (`==`, so -0.0 is 0.0, but
every NaN is the same one), whatever their types; [`encode_typed_key`](@ref) tells integers, floating-point numbers and
`Bool` apart. A type of your own becomes an element by a method
`PhiCache.add!(key::KeyBuilder, value::T)` that adds a tuple of what identifies it.
"""
add!(key::KeyBuilder, ::Nothing) = element(key, @c phicache_key_add_none(key::Ptr{Cvoid})::Int32)
add!(key::KeyBuilder, value::Bool) = element(key, @c phicache_key_add_bool(key::Ptr{Cvoid}, value::Int32)::Int32)
add!(key::KeyBuilder, value::Unsigned) = element(key, @c phicache_key_add_uint(key::Ptr{Cvoid}, value::UInt64)::Int32)
add!(key::KeyBuilder, value::Union{Float64,Float32,Float16}) =
    element(key, @c phicache_key_add_double(key::Ptr{Cvoid}, value::Cdouble)::Int32)
add!(key::KeyBuilder, value::Union{Vector{UInt8},Base.CodeUnits{UInt8}}) =
    element(key, @c phicache_key_add_bytes(key::Ptr{Cvoid}, raw_key(value)::CBytes)::Int32)
add!(key::KeyBuilder, value::AbstractString) =
    element(key, @c phicache_key_add_string(key::Ptr{Cvoid}, String(value)::CBytes)::Int32)
add!(key::KeyBuilder, value::Direction) =
    element(key, @c phicache_key_add_direction(key::Ptr{Cvoid}, Int32(value)::Int32)::Int32)
add!(key::KeyBuilder, value::NodeSet) =
    element(key, @c phicache_key_add_nodes(key::Ptr{Cvoid}, mask(value)::UInt64)::Int32)
add!(key::KeyBuilder, value::Symbol) = add!(key, ("Symbol", String(value)))
add!(key::KeyBuilder, value::Enum) = add!(key, Integer(value))
add!(key::KeyBuilder, value::AbstractArray) = add!(key, (size(value), vec(value)))

function add!(key::KeyBuilder, value::Signed)
    # What passes the signed range may still be unsigned; what passes both is an InexactError.
    value > typemax(Int64) && return add!(key, UInt64(value))
    return element(key, @c phicache_key_add_int(key::Ptr{Cvoid}, value::Int64)::Int32)
end

function add!(key::KeyBuilder, value::Union{Tuple,AbstractVector})
    check(@c phicache_key_begin_tuple(key::Ptr{Cvoid})::Int32)
    add_each!(key, value)
    return element(key, @c phicache_key_end_tuple(key::Ptr{Cvoid})::Int32)
end

# The same tuple in one call.
add!(key::KeyBuilder, value::Vector{Float64}) =
    element(key, @c phicache_key_add_doubles(key::Ptr{Cvoid}, value::Ptr{Float64}, length(value)::Csize_t)::Int32)

function add!(key::KeyBuilder, value::AbstractSet)
    check(@c phicache_key_begin_set(key::Ptr{Cvoid})::Int32)
    add_each!(key, value)
    return element(key, @c phicache_key_end_set(key::Ptr{Cvoid})::Int32)
end

add!(key::KeyBuilder, value) = throw(ArgumentError(
    "a $(typeof(value)) is no part of a key; define PhiCache.add!(::KeyBuilder, ::$(nameof(typeof(value)))), which " *
    "adds a tuple of what identifies it"))

function add!(key::KeyBuilder, values...; keywords...)
    add_each!(key, values)
    for (name, value) in pairs(keywords)
        check(@c phicache_key_add_keyword(key::Ptr{Cvoid}, name::Cstring)::Int32)
        add!(key, value)
    end
    return key
end

element(key, code) = (check(code); key)

add_each!(key, values) = foreach(value -> add!(key, value), values)
# A tuple's elements may all be of different types: the compiler sees each.
add_each!(key, ::Tuple{}) = nothing
add_each!(key, values::Tuple) = (add!(key, first(values)); add_each!(key, Base.tail(values)))

# A builder whose numbers keep their types.
struct Typed
    key::KeyBuilder
end

Base.cconvert(::Type{CBytes}, key::Union{KeyBuilder,Typed}) = key
Base.unsafe_convert(::Type{CBytes}, key::KeyBuilder) = lent_bytes(key, false)
Base.unsafe_convert(::Type{CBytes}, typed::Typed) = lent_bytes(typed.key, true)

# The bytes of a key, which stay until the builder changes.
function lent_bytes(key::KeyBuilder, typed::Bool)
    bytes = Ref(CBytes(C_NULL, 0))
    check(@c phicache_key_bytes(key::Ptr{Cvoid}, typed::Int32, bytes::Ptr{CBytes})::Int32)
    return bytes[]
end

description(key::KeyBuilder) = "$(length(Vector{UInt8}(key))) bytes"

function Base.Vector{UInt8}(key::KeyBuilder; typed::Bool=false)
    GC.@preserve key begin
        bytes = lent_bytes(key, typed)
        return copy(unsafe_wrap(Array, bytes.data, bytes.len))
    end
end

# Builders that nobody uses, so that the key of a tuple costs no allocation. The lock is held for a few instructions
# and nothing is allocated under it, so no task switch and no finalizer comes between.
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

function give_back(builder::KeyBuilder)
    lock(SPARE_LOCK)
    count = SPARE_COUNT[]
    if count < length(SPARE_BUILDERS)
        @inbounds SPARE_BUILDERS[count + 1] = builder
        SPARE_COUNT[] = count + 1
    end
    unlock(SPARE_LOCK)
    return nothing
end

# Calls `f` with the bytes of a key: for a tuple with a builder, which is the callee's until it returns. (When `f`
# throws, the builder is left to the garbage collector.)
with_key(f, key) = f(raw_key(key))

function with_key(f, key::Tuple)
    builder = borrow_builder()
    add_each!(builder, key)
    result = f(builder)
    give_back(builder)
    return result
end

raw_key(key::Union{String,Vector{UInt8},KeyBuilder}) = key
raw_key(key::AbstractString) = String(key)
raw_key(key::AbstractVector{UInt8}) = Vector{UInt8}(key)
raw_key(key) = throw(ArgumentError(
    "a $(typeof(key)) is no key; a key is text, bytes (Vector{UInt8}), or a tuple of arguments, such as (key,)"))

"""
    encode_key(arguments...; keywords...) -> Vector{UInt8}

The canonical key of an argument list (see [`add!`](@ref)): the bytes that C and C++ make of the same arguments, and
that `cache[(arguments...,)]` uses. Numbers of equal value are equal.
"""
encode_key(arguments...; keywords...) = encoded(false, arguments, keywords)

"""
    encode_typed_key(arguments...; keywords...) -> Vector{UInt8}

Like [`encode_key`](@ref), but `3`, `3.0` and `true` are different from each other.
"""
encode_typed_key(arguments...; keywords...) = encoded(true, arguments, keywords)

function encoded(typed, arguments, keywords)
    builder = borrow_builder()
    add!(builder, arguments...; keywords...)
    bytes = Vector{UInt8}(builder; typed=typed)
    give_back(builder)
    return bytes
end

"""
    repertoire_key(prefix, direction, mechanism, purview) -> Vector{UInt8}

The key of a repertoire: the same as `encode_key(prefix, direction, mechanism, purview)`, faster. `prefix` may be
`nothing`.
"""
repertoire_key(prefix, direction::Direction, mechanism, purview) =
    written(128, (buffer, capacity, len) -> @c phicache_key_repertoire(
        optional_text(prefix)::Cstring, Int32(direction)::Int32, mask(NodeSet(mechanism))::UInt64,
        mask(NodeSet(purview))::UInt64, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)

"""
    mice_key(prefix, direction, mechanism, purviews=nothing) -> Vector{UInt8}

The key of a MICE: that of PyPhi's `find_mice`. `purviews` are the candidates, in an order that matters; `nothing`, for
all, is not the same as an empty list.
"""
function mice_key(prefix, direction::Direction, mechanism, purviews=nothing)
    masks = purviews === nothing ? nothing : UInt64[mask(NodeSet(purview)) for purview in purviews]
    count = masks === nothing ? 0 : length(masks)
    return written(128 + 9 * count, (buffer, capacity, len) -> @c phicache_key_mice(
        optional_text(prefix)::Cstring, Int32(direction)::Int32, mask(NodeSet(mechanism))::UInt64,
        optional_array(masks)::Ptr{UInt64}, count::Csize_t,
        buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)
end

# A copy of a key's bytes.
key_bytes(key::Union{String,Vector{UInt8}}) = Vector{UInt8}(key)
key_bytes(key::KeyBuilder) = Vector{UInt8}(key)
key_bytes(key::Typed) = Vector{UInt8}(key.key; typed=true)
