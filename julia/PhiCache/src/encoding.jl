# The canonical encoding of argument lists (docs/keys.md), element by element. It is the same as the library's.

const UNTYPED_KEY, TYPED_KEY = 0xa1, 0xe1
const TAG_NONE, TAG_FALSE, TAG_TRUE, TAG_INTEGER, TAG_INTEGER_ABOVE = 0x00, 0x01, 0x02, 0x03, 0x04
const TAG_DOUBLE, TAG_BYTES, TAG_STRING, TAG_DIRECTION, TAG_NODES = 0x05, 0x06, 0x07, 0x08, 0x09
const TAG_TUPLE, TAG_SET, TAG_KEYWORD, TAG_DOUBLES, TAG_NAMED = 0x0a, 0x0b, 0x0c, 0x0d, 0x0e

const LONGEST_KEY = typemax(Int32)
const DEEPEST_NESTING = 64

# A tuple, a set or a named type that is open.
struct Open
    tag::UInt8
    # The position of its tag.
    at::Int
    # The number of its items so far.
    count::Int
    # The number of starts of items before its own.
    starts::Int
end

# A keyword argument: the position of its tag, and the length of its name.
struct Keyword
    at::Int
    name_length::Int
end

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
mutable struct KeyBuilder
    # Bytes with room for more; the key is the first `len`, except for the order of keyword arguments.
    bytes::Vector{UInt8}
    len::Int
    typed::Bool
    # Whether nothing is open, nothing has failed, and there are no keyword arguments. Then elements are just appended.
    plain::Bool
    exactness::UInt8
    # Whether other processes read this key.
    shared::Bool
    # Whether the elements belong to a set or a dictionary, which tell -0.0 from 0.0.
    signed::Bool
    # Whether a keyword has no value yet.
    pending::Bool
    # The type that was just named in the key, so that its name is not added twice.
    named::Any
    depth::Int
    open::Vector{Open}
    # Where the items of open sets start, innermost set last.
    starts::Vector{Int}
    keywords::Vector{Keyword}
    # The key, if keyword arguments are in another order in `bytes`.
    ordered::Vector{UInt8}
    # What was wrong with the first argument that could not be added.
    failure::String
    # A typed builder with the same arguments, because the user of a builder chooses the encoding at the end. The
    # package's own builders have none.
    twin::Union{Nothing,KeyBuilder}

    KeyBuilder(twin::Union{Nothing,KeyBuilder}) =
        reset!(new(Vector{UInt8}(undef, 256), 1, false, true, PLAIN, false, false, false, nothing, 0,
                   Vector{Open}(undef, DEEPEST_NESTING), Int[], Keyword[], UInt8[], "", twin), false, PLAIN, false)
end

KeyBuilder() = empty!(KeyBuilder(KeyBuilder(nothing)))

function Base.empty!(key::KeyBuilder)
    key.twin === nothing || reset!(key.twin, true, PLAIN, false)
    return reset!(key, false, PLAIN, false)
end

# Removes all arguments, and keeps the memory.
@inline function reset!(key::KeyBuilder, typed, exactness, shared)
    key.plain || clean!(key)
    key.typed, key.exactness, key.shared, key.signed = typed, exactness, shared, false
    key.named = nothing
    @inbounds key.bytes[1] = typed ? TYPED_KEY : UNTYPED_KEY
    key.len = 1
    return key
end

@noinline function clean!(key)
    empty!(key.starts)
    empty!(key.keywords)
    key.depth, key.pending, key.failure, key.plain = 0, false, "", true
end

# There is no key until the builder is emptied: otherwise the caller would get the key of other arguments.
@noinline function fail(key, message)
    key.plain = false
    isempty(key.failure) && (key.failure = message)
    throw(PhiCacheError(ERROR_INVALID_ARGUMENT, message))
end

# Writes an element to a builder and to its twin.
@inline function both!(write!, key::KeyBuilder, content...)
    write!(key, content...)
    twin = key.twin
    twin === nothing || write!(twin, content...)
    return key
end

# Where the next `count` bytes are. The builder must be preserved.
@inline function room!(key, count)
    key.len + count <= length(key.bytes) || grow!(key, count)
    return pointer(key.bytes) + key.len
end

@noinline function grow!(key, count)
    needed = key.len + count
    needed <= LONGEST_KEY || fail(key, "the key would exceed $LONGEST_KEY bytes")
    resize!(key.bytes, max(needed, 2 * length(key.bytes)))
end

# Counts an item of what is open, or takes the value of a keyword.
@noinline function begin_item!(key)
    if key.depth > 0
        open = key.open[key.depth]
        open.tag == TAG_NAMED && open.count == 1 &&
            fail(key, "add! for $(named_type(key, open)) adds a second element; add one tuple of all elements")
        key.open[key.depth] = Open(open.tag, open.at, open.count + 1, open.starts)
        open.tag == TAG_SET && push!(key.starts, key.len)
    elseif !isempty(key.keywords) && !key.pending
        fail(key, "a positional argument after a keyword argument; add positional ones first")
    end
    key.pending = false
end

# A leaf is an element without others inside, from a value of one of these types.
const Leaf = Union{Nothing,Bool,Int64,Float64,Direction,NodeSet,String,Symbol,Vector{UInt8},Vector{Float64}}

# The most bytes that a leaf takes.
leaf_size(::Union{Nothing,Bool,Int64,Float64,Direction,NodeSet}) = 9
leaf_size(value::Union{String,Symbol,Vector{UInt8},Vector{Float64}}) = 5 + sizeof(value)

# Writes a leaf at `to`, where there is room; returns where it ends.
@inline put_leaf(to, ::Nothing, typed) = put_tag(to, TAG_NONE)
@inline put_leaf(to, value::Bool, typed) =
    typed ? put_tag(to, value ? TAG_TRUE : TAG_FALSE) : put_bits(to, TAG_INTEGER, UInt64(value))
@inline put_leaf(to, value::Int64, typed) = put_bits(to, TAG_INTEGER, value % UInt64)
@inline put_leaf(to, value::NodeSet, typed) = put_bits(to, TAG_NODES, mask(value))
@inline put_leaf(to, value::Direction, typed) = put_tag(put_tag(to, TAG_DIRECTION), Int32(value) % UInt8)
put_leaf(to, value::String, typed) = GC.@preserve value put_bytes(to, TAG_STRING, pointer(value), sizeof(value))
put_leaf(to, value::Symbol, typed) =
    put_bytes(to, TAG_STRING, Base.unsafe_convert(Ptr{UInt8}, value), sizeof(value))
put_leaf(to, value::Vector{UInt8}, typed) =
    GC.@preserve value put_bytes(to, TAG_BYTES, pointer(value), length(value))

# An untyped double that is an integer of 64 bits is written as that integer.
@inline function put_leaf(to, value::Float64, typed)
    if !typed && is_integral(value)
        -2.0^63 <= value < 2.0^63 && return put_bits(to, TAG_INTEGER, unsafe_trunc(Int64, value) % UInt64)
        2.0^63 <= value < 2.0^64 && return put_bits(to, TAG_INTEGER_ABOVE, unsafe_trunc(UInt64, value))
    end
    return put_bits(to, TAG_DOUBLE, reinterpret(UInt64, canonical(value)))
end

function put_leaf(to, values::Vector{Float64}, typed)
    to = put_size(to, TAG_DOUBLES, length(values))
    for index in 1:length(values)
        unsafe_store!(Ptr{Float64}(to), canonical(@inbounds values[index]), index)
    end
    return to + sizeof(values)
end

# There is one zero and one NaN. No arithmetic and no comparison with zero: under `set_zero_subnormals(true)` the
# processor takes subnormal numbers for zero, and they keep their keys.
canonical(value::Float64) = ifelse(isnan(value), NaN, ifelse(value === -0.0, 0.0, value))
is_negative_zero(value) = value === -zero(value)
is_zero(value) = iszero(value)
is_zero(value::Base.IEEEFloat) = value === zero(value) || is_negative_zero(value)
is_integral(value::Float64) = isinteger(value) && (abs(value) >= 1 || is_zero(value))

as_double(value) = Float64(value)
function as_double(value::Float32)
    bits = reinterpret(UInt32, value)
    bits & 0x7f800000 == 0 || return Float64(value)
    double = Float64(bits & 0x007fffff) * 2.0^-149
    return signbit(value) ? -double : double
end

@inline put_tag(to, tag) = (unsafe_store!(to, tag); to + 1)
@inline put_bits(to, tag, bits) = (unsafe_store!(to, tag); unsafe_store!(Ptr{UInt64}(to + 1), htol(bits)); to + 9)
@inline put_size(to, tag, size) =
    (unsafe_store!(to, tag); unsafe_store!(Ptr{UInt32}(to + 1), htol(size % UInt32)); to + 5)
@inline put_bytes(to, tag, from, len) = (to = put_size(to, tag, len); unsafe_copyto!(to, from, len); to + len)

# Appends one leaf.
@inline function write_leaf!(key, value::Leaf)
    key.plain || begin_item!(key)
    GC.@preserve key begin
        to = room!(key, leaf_size(value))
        key.len += put_leaf(to, value, key.typed) - to
    end
end

# Appends leaves at once, if the builder just appends.
@inline function write_leaves!(key, values::Tuple{Vararg{Leaf}})
    GC.@preserve key begin
        to = room!(key, sum_of_sizes(values))
        key.len += put_leaves(to, values, key.typed) - to
    end
end

sum_of_sizes(::Tuple{}) = 0
@inline sum_of_sizes(values::Tuple) = leaf_size(first(values)) + sum_of_sizes(Base.tail(values))
put_leaves(to, ::Tuple{}, typed) = to
@inline put_leaves(to, values::Tuple, typed) =
    put_leaves(put_leaf(to, first(values), typed), Base.tail(values), typed)

# An integer that only UInt64 can hold.
function write_above!(key, value::UInt64)
    key.plain || begin_item!(key)
    GC.@preserve key put_bits(room!(key, 9), TAG_INTEGER_ABOVE, value)
    key.len += 9
end

# Bytes with a size that are no item of their own; `from` is preserved by the caller.
@inline function append_bytes!(key, tag, from::Ptr{UInt8}, len)
    GC.@preserve key put_bytes(room!(key, 5 + len), tag, from, len)
    key.len += 5 + len
end

# Opens a tuple or a set.
function open_group!(key, tag)
    push_open!(key, tag)
    GC.@preserve key put_size(room!(key, 5), tag, 0)
    key.len += 5
end

function push_open!(key, tag)
    key.plain || begin_item!(key)
    key.depth < DEEPEST_NESTING || fail_too_deep(key)
    key.depth += 1
    @inbounds key.open[key.depth] = Open(tag, key.len, 0, length(key.starts))
    key.plain = false
end

@noinline function fail_too_deep(key)
    innermost = findlast(open -> open.tag == TAG_NAMED, key.open[1:key.depth])
    where = innermost === nothing ? "a tuple" : named_type(key, key.open[innermost])
    fail(key, "$where is nested too deep; tuples, sets, arrays and structs in a key nest at most $DEEPEST_NESTING " *
              "deep; put the items of a linked list or tree into an array")
end

# The name of an open named type, without the hash of its fields. It follows the tag and its length.
function named_type(key, open::Open)
    len = size_at(key.bytes, open.at + 1)
    return replace(String(key.bytes[open.at+6:open.at+5+len]), r"~\w+$" => "")
end

# Opens a named type, which holds one item.
function open_named!(key, name::String)
    push_open!(key, TAG_NAMED)
    GC.@preserve name append_bytes!(key, TAG_NAMED, pointer(name), sizeof(name))
end

# A named type that holds none.
@inline function write_named_none!(key, name::String)
    key.plain || begin_item!(key)
    GC.@preserve name append_bytes!(key, TAG_NAMED, pointer(name), sizeof(name))
    GC.@preserve key put_tag(room!(key, 1), TAG_NONE)
    key.len += 1
end

# Ends what was opened last.
function close_open!(key, tag)
    open = key.depth == 0 ? Open(TAG_NONE, 0, 0, 0) : @inbounds key.open[key.depth]
    open.tag == tag || fail(key, "the end of a tuple, set or named type that is not the innermost open one")
    if tag == TAG_NAMED
        open.count == 1 || fail(key, "add! for $(named_type(key, open)) adds nothing; add what identifies a value")
    else
        count = tag == TAG_SET ? sort_items!(key, open) : open.count
        GC.@preserve key put_size(pointer(key.bytes) + open.at, tag, count)
    end
    key.depth -= 1
    key.plain = key.depth == 0 && isempty(key.keywords) && isempty(key.failure)
end

# Where the element that begins at `at` ends: before the byte at the returned position, counted from 0. A keyword
# argument, which is no element, ends nowhere.
function end_of_element(bytes, at)
    tag = bytes[at+1]
    tag in (TAG_NONE, TAG_FALSE, TAG_TRUE) && return at + 1
    tag == TAG_DIRECTION && return at + 2
    tag in (TAG_INTEGER, TAG_INTEGER_ABOVE, TAG_DOUBLE, TAG_NODES) && return at + 9
    tag == TAG_KEYWORD && return -1
    size = Int(size_at(bytes, at + 1))
    at += 5
    tag in (TAG_BYTES, TAG_STRING) && return at + size
    tag == TAG_DOUBLES && return at + 8 * size
    tag == TAG_NAMED && return end_of_element(bytes, at + size)
    for _ in 1:size
        at = end_of_element(bytes, at)
    end
    return at
end

# The size or count of 32 bits at `at`.
size_at(bytes, at) = GC.@preserve bytes ltoh(unsafe_load(Ptr{UInt32}(pointer(bytes) + at)))

# Sorts the items of a set by their bytes, and removes repeated ones. Returns how many there are.
@noinline function sort_items!(key, open)
    starts = key.starts[open.starts+1:end]
    ends = [starts[2:end]; key.len]
    items = unique!(sort!([key.bytes[first+1:last] for (first, last) in zip(starts, ends)]))
    key.len = open.at + 5
    for item in items
        copyto!(key.bytes, key.len + 1, item, 1, length(item))
        key.len += length(item)
    end
    resize!(key.starts, open.starts)
    return length(items)
end

# Names the argument that is added next.
function write_keyword!(key, name::Symbol)
    key.depth == 0 || fail(key, "keyword $name inside a tuple, set or named type; only arguments have names")
    key.pending && fail(key, "keyword $name follows a keyword without a value; add that value first")
    from, len = Base.unsafe_convert(Ptr{UInt8}, name), sizeof(name)
    GC.@preserve key for other in key.keywords
        other.name_length == len && compare_bytes(pointer(key.bytes) + other.at + 5, from, len) == 0 &&
            fail(key, "keyword $name is repeated; each name may occur once")
    end
    push!(key.keywords, Keyword(key.len, len))
    key.plain, key.pending = false, true
    append_bytes!(key, TAG_KEYWORD, from, len)
end

# The bytes of the key: a buffer of the builder, and their number.
@inline whole_key(key) = key.plain ? (key.bytes, key.len) : checked_key(key)

@noinline function checked_key(key)
    isempty(key.failure) ||
        fail(key, "an argument could not be added: $(key.failure); empty! the builder, and add all arguments again")
    key.pending && fail(key, "the last keyword has no value; add one")
    key.depth == 0 || fail(key, "$(key.depth) tuples, sets or named types are open; end them first")
    in_order = all(index -> comes_before(key, key.keywords[index-1], key.keywords[index]), 2:length(key.keywords))
    return in_order ? (key.bytes, key.len) : ordered_key(key)
end

function comes_before(key, a::Keyword, b::Keyword)
    difference = GC.@preserve key compare_bytes(pointer(key.bytes) + a.at + 5, pointer(key.bytes) + b.at + 5,
                                                min(a.name_length, b.name_length))
    return difference < 0 || (difference == 0 && a.name_length < b.name_length)
end

compare_bytes(a::Ptr, b::Ptr, len) = ccall(:memcmp, Cint, (Ptr{UInt8}, Ptr{UInt8}, Csize_t), a, b, len)

function ordered_key(key)
    ends = [[keyword.at for keyword in key.keywords[2:end]]; key.len]
    key.ordered = key.bytes[1:key.keywords[1].at]
    for index in sortperm(key.keywords; lt=(a, b) -> comes_before(key, a, b))
        append!(key.ordered, key.bytes[key.keywords[index].at+1:ends[index]])
    end
    return key.ordered, length(key.ordered)
end

Base.cconvert(::Type{CBytes}, key::KeyBuilder) = key
function Base.unsafe_convert(::Type{CBytes}, key::KeyBuilder)
    bytes, len = whole_key(key)
    return CBytes(pointer(bytes), len)
end

function Base.Vector{UInt8}(key::KeyBuilder; typed::Bool=key.typed)
    bytes, len = whole_key(key)
    key.twin === nothing || !typed || ((bytes, len) = whole_key(key.twin))
    return bytes[1:len]
end

Base.show(io::IO, key::KeyBuilder) = print(io, "KeyBuilder(", key.len, " bytes)")
