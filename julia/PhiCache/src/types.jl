# Julia's own types in keys: the name of the type, then the contents. What dispatch tells apart is a type, so a key that
# names every type but those that have a tag of their own (docs/keys.md) tells apart whatever dispatch does.

# Appends a value as its type's name and what `contents(key, value)` adds.
function named(contents, key::KeyBuilder, value)
    if key.named === typeof(value)
        key.named = nothing
        return contents(key, value)
    end
    begin_named!(key, type_name(typeof(value)))
    contents(key, value)
    return end_named!(key)
end

# Types whose `add!` says all that there is to say, and which nobody else may give a method.
const SaysAll = Union{Nothing,Bool,Base.BitInteger,Float64,Float32,Float16,BigInt,String,Symbol,Char,Tuple,Direction,
                      NodeSet,Array,Type}

# Appends one argument or item. The type of a value whose `add!` is a user's is told here, for that may tell less.
part!(key, value::SaysAll) = add!(key, value)
function part!(key, value)
    is_exact(key) || return add!(key, value)
    begin_named!(key, type_name(typeof(value)))
    key.named = typeof(value)
    add!(key, value)
    key.named = nothing
    return end_named!(key)
end

# Appends an item whose type is known already.
function bare!(key, value)
    key.named = typeof(value)
    add!(key, value)
    key.named = nothing
    return key
end

item!(key, value, ::Type{T}) where {T} = isconcretetype(T) && is_exact(key) ? bare!(key, value) : part!(key, value)

function tuple!(add, key)
    check(@c phicache_key_begin_tuple(key::Ptr{Cvoid})::Int32)
    add()
    return element(key, @c phicache_key_end_tuple(key::Ptr{Cvoid})::Int32)
end

function set!(add, key::KeyBuilder)
    check(@c phicache_key_begin_set(key::Ptr{Cvoid})::Int32)
    add()
    return element(key, @c phicache_key_end_set(key::Ptr{Cvoid})::Int32)
end

# Any other type.
add!(key::KeyBuilder, value) = named(add_fields!, key, value)

function add_fields!(key, value::T) where {T}
    isprimitivetype(T) && return add_primitive!(key, value)
    T <: Function && check_portable(key, T)
    ismutable(value) && refuse(T, "is mutable: what it holds may change while it stays the same value")
    return tuple!(key) do
        for index in 1:fieldcount(T)
            isdefined(value, index) || refuse(T, "has a field without a value")
            field = getfield(value, index)
            field isa Core.Box && refuse(T, "has captured a variable that is assigned more than once")
            item!(key, field, fieldtype(T, index))
        end
    end
end

add_primitive!(key, value::Ptr) = refuse(typeof(value), "is an address, which says nothing of what is there")
add_primitive!(key, value) = add!(key, copy(reinterpret(UInt8, [value])))

# The name of an anonymous function is a number that another process, or another version, gives to another function.
check_portable(key, T) = key.shared && occursin(r"#[0-9]", String(nameof(T))) && throw(ArgumentError(
    "an anonymous function is no part of a key in a cache that processes share; give the function a name"))

@noinline refuse(T, why) = throw(ArgumentError(
    "a $T is no part of a key, because it $why. Pass what identifies it (a number, a name, a tuple) instead; or, if the " *
    "type is your own, define PhiCache.add!(key::KeyBuilder, value::$(nameof(T))) = add!(key, (...)) with a tuple of what " *
    "identifies it"))

# Text and numbers.
add!(key::KeyBuilder, value::Symbol) = named((key, value) -> add_text!(key, value), key, value)
add!(key::KeyBuilder, value::Char) = named((key, value) -> add!(key, Int64(reinterpret(UInt32, value))), key, value)
add!(key::KeyBuilder, value::Regex) =
    named((key, value) -> add!(key, (value.pattern, value.compile_options, value.match_options)), key, value)
add!(key::KeyBuilder, value::Module) = named((key, value) -> add!(key, join(fullname(value), '.')), key, value)
add!(key::KeyBuilder, value::Type) = named((key, value) -> add!(key, type_name(value)), key, value)

add!(key::KeyBuilder, value::Rational) = is_exact(key) ? named(add_fields!, key, value) : add_value!(key, value)
add!(key::KeyBuilder, value::BigFloat) = is_exact(key) ? named(add_digits!, key, value) : add_value!(key, value)
add!(key::KeyBuilder, value::Complex) =
    !is_exact(key) && iszero(imag(value)) ? add!(key, real(value)) : named(add_fields!, key, value)

# A number by its value: an integer or a double where it equals one.
function add_value!(key, value)
    isinteger(value) && return add_integer!(key, BigInt(value))
    double = Float64(value)
    (double == value || isnan(double)) && return add_double!(key, double)
    return named(value isa BigFloat ? add_digits! : add_fields!, key, value)
end
add_digits!(key, value::BigFloat) = add!(key, (precision(value), string(value)))

# Arrays: plain, as C++ has them; otherwise their type, their size unless they are vectors, and their elements. Only those
# whose elements are all they are; another type of array is a struct like any other.
const Elementwise = Union{Array,BitArray,SubArray,Base.ReshapedArray,Base.ReinterpretArray,PermutedDimsArray}

add!(key::KeyBuilder, value::Elementwise) = is_exact(key) ? named(add_array!, key, value) : add_plain!(key, value)
add!(key::KeyBuilder, value::AbstractArray) = is_exact(key) ? named(add_fields!, key, value) : add_plain!(key, value)

add_plain!(key, value::AbstractVector{Float64}) = add!(key, convert(Vector{Float64}, value))
add_plain!(key, value::AbstractVector) = tuple!(() -> add_each!(key, value), key)
add_plain!(key, value::AbstractArray) = tuple!(() -> (add!(key, size(value)); add_plain!(key, vec(value))), key)

add_array!(key, value::AbstractVector) = add_elements!(key, value)
add_array!(key, value::AbstractArray) = tuple!(() -> (add!(key, size(value)); add_elements!(key, vec(value))), key)

add_elements!(key, value::AbstractVector{Float64}) = add!(key, convert(Vector{Float64}, value))
add_elements!(key, value::AbstractVector{T}) where {T} =
    tuple!(() -> foreach(item -> item!(key, item, T), value), key)

# Sets and dictionaries that have no order; others are what they are gone through.
add!(key::KeyBuilder, value::AbstractSet) = is_exact(key) ? named(add_in_order!, key, value) : add_set!(key, value)
add!(key::KeyBuilder, value::Union{Set,BitSet}) = is_exact(key) ? named(add_set!, key, value) : add_set!(key, value)
add!(key::KeyBuilder, value::AbstractDict) = named(add_in_order!, key, value)
add!(key::KeyBuilder, value::Dict) = named(add_set!, key, value)

add_set!(key, value) = add_items!(set!, key, value)
add_in_order!(key, value) = add_items!(tuple!, key, value)

# What is in a set is there once by `isequal`, which tells -0.0 from 0.0; as one key they would be one item, or two
# dictionaries one.
function add_items!(group!, key, value)
    outside = key.signed
    key.signed = is_exact(key)
    group!(() -> foreach(item -> add_item!(key, item), value), key)
    key.signed = outside
    return key
end
add_item!(key, item) = part!(key, item)
add_item!(key, item::Pair) = add!(key, (first(item), last(item)))

add!(key::KeyBuilder, value::Base.RefValue) = named(add_content!, key, value)
function add_content!(key, value::Base.RefValue{T}) where {T}
    isassigned(value) || refuse(typeof(value), "refers to nothing")
    return item!(key, value[], T)
end

# The names of types, spelled once. Within a process no two types have one name: a second type that would be spelled alike
# (its module was replaced, say) gets a number. A table is replaced, never changed, so reading it takes no lock.
const TYPE_NAMES = Ref(IdDict{Any,String}())
const NAMED_TYPES = Dict{String,Any}()
const TYPE_NAMES_LOCK = ReentrantLock()

type_name(@nospecialize(T)) = (name = get(TYPE_NAMES[], T, nothing); name === nothing ? new_name(T) : name::String)

@noinline new_name(@nospecialize(T)) = lock(TYPE_NAMES_LOCK) do
    spelled = name = replace(spell(T), '\0' => "\\0")
    number = 1
    while get(NAMED_TYPES, name, T) !== T
        number += 1
        name = string(spelled, "#", number)
    end
    NAMED_TYPES[name] = T
    names = copy(TYPE_NAMES[])
    names[T] = name
    TYPE_NAMES[] = names
    return name
end

# A type with its module and its parameters. That of Julia's own types goes without saying.
function spell(@nospecialize(T))
    T isa Union && return string("Union{", join(map(spell, Base.uniontypes(T)), ","), "}")
    T isa UnionAll && return string(spell(T.body), " where ", spell(T.var.lb), "<:", T.var.name, "<:", spell(T.var.ub))
    T isa TypeVar && return string(T.name)
    T isa DataType || return T isa Type ? string(T) : string(spell(typeof(T)), "(", repr(T), ")")
    within = parentmodule(T)
    path = within in (Core, Base) ? "" : string(join(fullname(within), '.'), '.')
    isempty(T.parameters) && !(T <: Tuple) && return string(path, nameof(T))
    return string(path, nameof(T), "{", join(map(spell_parameter, T.parameters), ","), "}")
end

spell_parameter(@nospecialize(x)) = x isa Union{Int64,Bool,Symbol} ? repr(x) : spell(x)
