# Keys. Bytes and text are keys without encoding; a tuple is an argument list, and its key is the canonical encoding
# that all languages share (docs/keys.md). This file has the types that C has too; `types.jl` has Julia's own types.

is_exact(key::KeyBuilder) = key.exactness != PLAIN

"""
    add!(key::KeyBuilder, values...; keywords...)

Appends arguments; keyword arguments come last. These have the same encoding as in C and C++:

* `nothing`, `Bool`, integers, floating-point numbers, text, bytes (`Vector{UInt8}`), `Direction`, `NodeSet`;
* vectors of `Float64` (an array of doubles);
* tuples, sets and other vectors (encoded as tuples) of all these, to any depth;
* an `Enum`, as its number; any other array, as the tuple of its size and its elements.

Numbers of equal value (`==`) are equal, whatever their types: -0.0 equals 0.0, and all NaNs are equal. (From 2^64, and
below -2^63, an integer equals no `Float64`.)
[`encode_typed_key`](@ref) tells integers, floating-point numbers and `Bool` apart.

All other values are encoded as the name of their type (which has a hash of the fields of your structs) and their
contents: a `Char`, `Symbol`, `missing`, `Complex`, `Regex`, `Dict`, `Ref`, type, named function, and any immutable
struct of such values (a `Pair`, a `Date`, a closure with its captured variables). A mutable struct is refused, because
its contents may change. For your own type define a method `PhiCache.add!(key::KeyBuilder, value::T)` that adds a tuple
of the data that identify a value. In the keys of a cache that is all, as in C++: if values of two types with the same
data meet in one cache, add a name too, as in `add!(key, ("circle", value.radius))`. Memos and cached methods add the
type themselves.

A set or dictionary of another package is encoded by its type and fields if it is an immutable struct. A mutable one has
its items in the key, and those fields that are constants, functions or types (such as a default value).

The keys of a [`Memo`](@ref), and of functions with [`@phicache`](@ref), also contain the type of each value. There a
number or a text of another package is encoded as a set is; in the keys of a cache it is its value.
"""
@inline add!(key::KeyBuilder, value::Union{Nothing,Int64,Direction,NodeSet,Vector{UInt8}}) =
    both!(write_leaf!, key, value)
add!(key::KeyBuilder, value::Bool) =
    key.exactness == EXACT_UNTYPED ? add_typed!(add_bool!, key, value) : add_bool!(key, value)
add!(key::KeyBuilder, value::Integer) =
    is_exact(key) ? add_typed!(exact_contents(add_integer!, value), key, value) : add_integer!(key, value)
# An untyped key would encode a double with an integer value as that integer.
@inline add!(key::KeyBuilder, value::Float64) =
    key.exactness == EXACT_UNTYPED && is_integral(value) ? add_typed!(add_double!, key, value) : add_double!(key, value)
add!(key::KeyBuilder, value::Union{Float32,Float16}) =
    is_exact(key) ? add_typed!(add_double!, key, value) : add_double!(key, value)
add!(key::KeyBuilder, value::Base.CodeUnits{UInt8}) =
    is_exact(key) ? add_typed!(add_bytes!, key, value) : add_bytes!(key, value)
add!(key::KeyBuilder, value::String) = is_text(value) ? add_valid!(key, value) : add_typed!(add_bytes!, key, value)
add!(key::KeyBuilder, value::AbstractString) =
    is_exact(key) ? add_typed!(exact_contents(add_text!, value), key, value) : add!(key, String(value))
add!(key::KeyBuilder, value::Enum) = is_exact(key) ? add_typed!(add_number!, key, value) : add_number!(key, value)

function add!(key::KeyBuilder, value::Tuple)
    begin_tuple!(key)
    add_each!(key, value)
    return end_tuple!(key)
end

function add!(key::KeyBuilder, value::Vector{Float64})
    key.signed && any(is_negative_zero, value) && return add_negative_zeros!(key, value)
    return both!(write_leaf!, key, value)
end

function add!(key::KeyBuilder, values...; keywords...)
    add_each!(key, values)
    return add_keywords!(key, values_of(keywords))
end

# Keywords as a named tuple, which the compiler can specialize on.
values_of(keywords) = values(keywords)

# Adds them in the order that they have in the key: that of their names.
@generated add_keywords!(key, keywords::NamedTuple{names}) where {names} = Expr(:block,
    (:(add_keyword!(key, $(QuoteNode(name)), getfield(keywords, $(QuoteNode(name))))) for name in sort([names...]))...,
    :key)

@inline function add_keyword!(key, name, value)
    both!(write_keyword!, key, name)
    add_argument!(key, value)
end

# Adding an element without the name of its type.
add_bool!(key, value) = both!(write_leaf!, key, value)
@inline function add_double!(key, value)
    key.signed && is_negative_zero(value) && return add_negative_zeros!(key, [as_double(value)])
    return both!(write_leaf!, key, as_double(value))
end
# Doubles with some -0.0, where that is not equal to 0.0. All NaNs are equal, as elsewhere.
function add_negative_zeros!(key, values)
    begin_named!(key, "-0.0")
    add!(key, collect(reinterpret(UInt8, map(value -> isnan(value) ? NaN : value, values))))
    return end_named!(key)
end
add_bytes!(key, value) = add!(key, Vector{UInt8}(value))
add_number!(key, value::Enum) = add_integer!(key, Integer(value))
add_valid!(key, value) = both!(write_leaf!, key, value)
# Text that is not UTF-8 is added as bytes, which are never equal to text.
function add_text!(key, value)
    text = String(value)
    return isvalid(text) ? add_valid!(key, text) : add_bytes!(key, text)
end

function add_integer!(key, value::Integer)
    typemin(Int64) <= value <= typemax(Int64) && return add!(key, Int64(value))
    0 <= value <= typemax(UInt64) &&
        return both!(write_above!, key, UInt64(value))
    begin_named!(key, "Integer")
    add_valid!(key, string(value))
    return end_named!(key)
end

begin_named!(key, name) = both!(open_named!, key, name)
end_named!(key) = both!(close_open!, key, TAG_NAMED)
begin_tuple!(key) = both!(open_group!, key, TAG_TUPLE)
end_tuple!(key) = both!(close_open!, key, TAG_TUPLE)
begin_set!(key) = both!(open_group!, key, TAG_SET)
end_set!(key) = both!(close_open!, key, TAG_SET)

add_each!(key, values) = foreach(value -> add_argument!(key, value), values)
# The elements of a tuple may have different types: recursion lets the compiler see each type. Leaves are written at
# once, unless some of them need more than their bytes.
@inline add_each!(key, values::Tuple) = add_one_by_one!(key, values)
@inline add_each!(key, values::Tuple{Vararg{Leaf}}) =
    key.plain && key.twin === nothing && !key.signed && key.exactness != EXACT_UNTYPED && are_plain(key, values) ?
    write_leaves!(key, values) : add_one_by_one!(key, values)

# A long tuple, such as the data of a static array: code for each element would take the compiler minutes.
const LONG_TUPLE = 32
const LongTuple = Tuple{ntuple(_ -> Any, LONG_TUPLE)...,Vararg{Any}}
const LongTupleOfLeaves = Tuple{ntuple(_ -> Leaf, LONG_TUPLE)...,Vararg{Leaf}}
add_each!(key, values::LongTuple) = add_in_loop!(key, values)
add_each!(key, values::LongTupleOfLeaves) = add_in_loop!(key, values)
function add_in_loop!(key, values)
    for value in values
        add_argument!(key, value)
    end
end

are_plain(key, ::Tuple{}) = true
@inline are_plain(key, values::Tuple) = is_plain(key, first(values)) && are_plain(key, Base.tail(values))
is_plain(key, value) = true
is_plain(key, value::String) = is_text(value)
# The name of its type comes before it.
is_plain(key, value::Symbol) = false

# Whether text is UTF-8.
@inline function is_text(value::String)
    bits = 0x00
    for index in 1:sizeof(value)
        bits |= @inbounds codeunit(value, index)
    end
    return bits < 0x80 || isvalid(value)
end

add_one_by_one!(key, ::Tuple{}) = nothing
@inline add_one_by_one!(key, values::Tuple) =
    (add_argument!(key, first(values)); add_one_by_one!(key, Base.tail(values)))

# Builders of the package; they have no twin.
const BUILDERS = Spares{KeyBuilder}()
new_spare(::Type{KeyBuilder}) = KeyBuilder(nothing)

# The buffer of a longer key is not kept.
const LONGEST_BUFFER_KEPT = 1 << 20

@inline borrow_builder(typed=false, exactness=PLAIN, shared=false) =
    reset!(borrow(BUILDERS), typed, exactness, shared)
@inline return_builder(key::KeyBuilder) =
    length(key.bytes) <= LONGEST_BUFFER_KEPT && give_back(BUILDERS, key)

# The key as an object with bytes, for arguments of type CBytes; `release_key` must follow. For a tuple it is a builder.
# A value that is neither bytes nor a tuple is a list of one argument.
# `shared` says whether other processes read it.
make_key(key::Union{AbstractString,AbstractVector{UInt8}}, shared) = raw_key(key)
make_key(key::KeyBuilder, shared) = key
@inline make_key(key, shared) = make_key((key,), shared)

@inline function make_key(key::Tuple, shared)
    builder = borrow_builder(false, PLAIN, shared)
    add_each!(builder, key)
    return builder
end

@inline release_key(key) = nothing
# A builder with a twin is the caller's.
@inline release_key(key::KeyBuilder) = (key.twin === nothing && return_builder(key); nothing)

raw_key(key::Union{String,Vector{UInt8}}) = key
raw_key(key::AbstractString) = String(key)
raw_key(key::AbstractVector{UInt8}) = Vector{UInt8}(key)

# A copy of a key's bytes.
key_bytes(key::Union{String,Vector{UInt8},KeyBuilder}) = Vector{UInt8}(key)

"""
    KeyParts(parts...)

A key of the raw bytes of its parts, which are text or vectors of bits types: the fastest key for long vectors, which
are copied once, into a buffer that is used again.

    get!(cache, KeyParts(p, q)) do ... end

The parts are concatenated and followed by their lengths, so `KeyParts([1], [2, 3])` is not `KeyParts([1, 2], [3])`. Raw
bytes have no types: text, numbers and vectors of different types may be equal, and -0.0 is not 0.0. They have no shape
either, so a matrix `A` is refused: if its shape may vary, pass `vec(A), collect(size(A))`, else `vec(A)`.
[`joined_key`](@ref) returns the bytes.
"""
struct KeyParts{P<:Tuple{Vararg{Union{AbstractString,AbstractVector}}}}
    parts::P
    KeyParts(parts::Vararg{Union{AbstractString,AbstractVector},N}) where {N} = new{typeof(parts)}(parts)
end

@inline function make_key(key::KeyParts, shared)
    builder = borrow_builder()
    # Raw keys begin with no tag of the encoding.
    builder.len = 0
    lengths = map(part -> write_part!(builder, part), key.parts)
    foreach(length -> write_length!(builder, length), lengths)
    return builder
end

write_part!(key, part::Union{String,Vector}) = write_raw!(key, part)
write_part!(key, part::AbstractString) = write_raw!(key, String(part))
write_part!(key, part::AbstractVector) = write_raw!(key, convert(Array, part))

# Appends the bytes of text or of an array, and returns how many they are.
function write_raw!(key, part)
    len = check_raw(part) ? sizeof(part) : 0
    GC.@preserve key part unsafe_copyto!(room!(key, len), Ptr{UInt8}(pointer(part)), len)
    key.len += len
    return len
end

check_raw(::String) = true
check_raw(part::Array{T}) where {T} =
    isbitstype(T) || throw(ArgumentError("a part of the key has elements of type $T; expected a bits type"))

function write_length!(key, len)
    GC.@preserve key unsafe_store!(Ptr{UInt32}(room!(key, 4)), htol(len % UInt32))
    key.len += 4
end

"""
    joined_key(parts...) -> Vector{UInt8}

The bytes of [`KeyParts`](@ref)`(parts...)`: the same as `key_bytes::of(p, q)` in C++.
"""
function joined_key(parts::Union{AbstractString,AbstractVector}...)
    key = make_key(KeyParts(parts...), false)
    bytes = key_bytes(key)
    release_key(key)
    return bytes
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
    builder = borrow_builder(typed)
    add_each!(builder, arguments)
    add_keywords!(builder, keywords)
    bytes = key_bytes(builder)
    release_key(builder)
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
    # A set of two nodes could be one candidate or two, and a set of candidates has no order.
    purviews isa AbstractSet && throw(ArgumentError("the candidate purviews are $(described(purviews)); expected " *
        "nothing, or a list in order, such as [NodeSet(1), NodeSet(1, 2)]"))
    masks = purviews === nothing ? nothing : UInt64[mask(NodeSet(purview)) for purview in purviews]
    count = masks === nothing ? 0 : length(masks)
    return written_bytes(128 + 9 * count, (buffer, capacity, len) -> @c phicache_key_mice(
        optional_text(prefix)::Cstring, Int32(direction)::Int32, mask(NodeSet(mechanism))::UInt64,
        optional_array(masks)::Ptr{UInt64}, count::Csize_t,
        buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)
end
