# Julia's own types in keys: the name of the type, then the contents. Dispatch tells arguments apart by type, so a key
# that names all types, except those with a tag of their own (docs/keys.md), tells apart all that dispatch tells apart.

# Appends a value as the name of its type and the contents that `contents(key, value)` adds.
function add_typed!(contents, key::KeyBuilder, value)
    if key.named === typeof(value)
        key.named = nothing
        return contents(key, value)
    end
    begin_named!(key, name_in(key, typeof(value)))
    contents(key, value)
    return end_named!(key)
end

# Types with all their `add!` methods here, which add everything that identifies a value.
const SelfDescribing = Union{Nothing,Bool,Base.BitInteger,Float64,Float32,Float16,BigInt,String,Symbol,Char,Tuple,
                             Direction,NodeSet,Array,Type}

# Appends one argument or element. Adds the name of its type if users may define `add!` for it, because their methods
# may leave the type out.
@inline add_argument!(key, value::SelfDescribing) = add!(key, value)
function add_argument!(key, value)
    is_exact(key) || return add_alone!(key, value)
    begin_named!(key, name_in(key, typeof(value)))
    key.named = typeof(value)
    add!(key, value)
    key.named = nothing
    return end_named!(key)
end

# Appends a value without the name of its type, and checks that it is one element. If the `add!` of a user added two, or
# nothing, different lists would have the same key.
function add_alone!(key, value)
    depth, from, before = key.depth, key.len, items_of_open(key)
    add!(key, value)
    key.len == from && fail_not_alone(key, value, "nothing; add what identifies a value")
    is_one = depth == 0 ? end_of_element(key.bytes, from) == key.len : items_of_open(key) == before + 1
    is_one || fail_not_alone(key, value, "a second element; add one tuple of all elements")
    return key
end

items_of_open(key) = key.depth == 0 ? 0 : @inbounds key.open[key.depth].count

@noinline fail_not_alone(key, value, what) = fail(key, "add! for $(spell(typeof(value))) adds $what")

# Appends an element; the key names its type already.
function add_untyped!(key, value)
    key.named = typeof(value)
    add!(key, value)
    key.named = nothing
    return key
end

add_element!(key, value, ::Type{T}) where {T} =
    isconcretetype(T) && is_exact(key) ? add_untyped!(key, value) : add_argument!(key, value)

function tuple!(add, key)
    begin_tuple!(key)
    add()
    return end_tuple!(key)
end

function set!(add, key::KeyBuilder)
    begin_set!(key)
    add()
    return end_set!(key)
end

# Any other type.
add!(key::KeyBuilder, value) = add_typed!(add_fields!, key, value)

function add_fields!(key, value::T) where {T}
    isprimitivetype(T) && return add_primitive!(key, value)
    ismutable(value) && refuse(T, "is mutable")
    begin_tuple!(key)
    add_each_field!(key, value)
    return end_tuple!(key)
end

# Unrolled, so that the compiler knows the type of each field.
@generated add_each_field!(key, value::T) where {T} =
    Expr(:block, (:(add_field!(key, value, $index)) for index in 1:fieldcount(T))...)

@inline function add_field!(key, value::T, index) where {T}
    isdefined(value, index) || return both!(write_named_none!, key, NO_VALUE)
    field = getfield(value, index)
    field isa Core.Box && refuse(T, "has captured a variable that is assigned more than once")
    add_element!(key, field, fieldtype(T, index))
end

# The content of a field without a value, such as that of a new Tridiagonal. No type has this name.
const NO_VALUE = "undef"

const Address = Union{Ptr,Cstring,Cwstring}
add_primitive!(key, value::Address) = refuse(typeof(value), "is an address, which does not identify the data at it")
add_primitive!(key, value) = add!(key, copy(reinterpret(UInt8, [value])))

@noinline refuse(T, why) = throw(ArgumentError(
    "a value of type $T cannot be part of a key, because it $why; pass a number, a name or a tuple that identifies it" *
    (is_own_type(T) ? ", or define PhiCache.add!(key::KeyBuilder, value::$(nameof(T)))" : "")))

# Whether a user may define methods for the type.
is_own_type(T) = !(T <: Function) && !(Base.moduleroot(parentmodule(T)) in (Core, Base))

# The contents of a number, text, set or dictionary: what `shown!` adds, its value or its items. A struct of another
# package may hold more (a modulus, a language, a default), so its fields are added. If it is mutable, the others are
# how it keeps its items: only fields that are constants, functions or types are added, after the items.
@inline exact_contents(shown!, value) = !may_hold_more(value) ? shown! : !ismutable(value) ? add_fields! :
                                        (key, value) -> add_with_constants!(shown!, key, value)
may_hold_more(value) = is_own_type(typeof(value)) && isstructtype(typeof(value))

function add_with_constants!(shown!, key, value)
    tuple!(key) do
        shown!(key, value)
        for index in 1:nfields(value)
            isdefined(value, index) || continue
            field = getfield(value, index)
            (is_constant(typeof(field)) || field isa Union{Function,Type}) && add!(key, (index, field))
        end
    end
end

# Common types of Julia, for which the compiler answers.
may_hold_more(::Union{Base.BitInteger,BigInt,SubString,Set,BitSet,Dict,IdDict}) = false

# Text and numbers.
add!(key::KeyBuilder, value::Symbol) = add_typed!(add_symbol!, key, value)
function add_symbol!(key, value)
    from, len = Base.unsafe_convert(Ptr{UInt8}, value), sizeof(value)
    any(index -> unsafe_load(from, index) >= 0x80, 1:len) && return add_text!(key, value)
    return both!(write_leaf!, key, value)
end
add!(key::KeyBuilder, value::Char) =
    add_typed!((key, value) -> add!(key, Int64(reinterpret(UInt32, value))), key, value)
add!(key::KeyBuilder, value::Regex) =
    add_typed!((key, value) -> add!(key, (value.pattern, value.compile_options, value.match_options)), key, value)
add!(key::KeyBuilder, value::Module) = add_typed!((key, value) -> add!(key, type_name(value)), key, value)
add!(key::KeyBuilder, value::Type) = add_typed!((key, value) -> add!(key, name_in(key, value)), key, value)

add!(key::KeyBuilder, value::Rational) = is_exact(key) ? add_typed!(add_fields!, key, value) : add_value!(key, value)
add!(key::KeyBuilder, value::BigFloat) = is_exact(key) ? add_typed!(add_digits!, key, value) : add_value!(key, value)
add!(key::KeyBuilder, value::Complex) =
    !is_exact(key) && is_zero(imag(value)) ? add!(key, real(value)) : add_typed!(add_fields!, key, value)

# A number by its value: as the integer or double that it is equal to, if any.
function add_value!(key, value)
    isinteger(value) && return add_integer!(key, BigInt(value))
    double = Float64(value)
    (double == value || isnan(double)) && return add_double!(key, double)
    return add_typed!(value isa BigFloat ? add_digits! : add_fields!, key, value)
end
add_digits!(key, value::BigFloat) = add!(key, (precision(value), string(value)))

# Arrays. Plain keys have the elements, as in C++; exact keys also the type and, unless it is a vector, the size. These
# types consist only of their elements; an array of any other type is encoded like a struct, and so is one with indices
# that do not begin at 1, which equals no array with others.
const Elementwise = Union{Array,BitArray,SubArray,Base.ReshapedArray,Base.ReinterpretArray,PermutedDimsArray}

add!(key::KeyBuilder, value::Elementwise) =
    Base.has_offset_axes(value) ? add_typed!(add_fields!, key, value) :
    is_exact(key) ? add_typed!(add_array!, key, value) : add_plain!(key, value)
add!(key::KeyBuilder, value::AbstractArray) =
    is_exact(key) || Base.has_offset_axes(value) ? add_typed!(add_fields!, key, value) : add_plain!(key, value)

add_plain!(key, value::AbstractVector{Float64}) = add!(key, convert(Vector{Float64}, value))
add_plain!(key, value::AbstractVector) = tuple!(() -> add_each!(key, assigned(value)), key)
add_plain!(key, value::AbstractArray) = tuple!(() -> (add!(key, size(value)); add_plain!(key, vec(value))), key)

add_array!(key, value::AbstractVector) = add_elements!(key, value)
add_array!(key, value::AbstractArray) = tuple!(() -> (add!(key, size(value)); add_elements!(key, vec(value))), key)

add_elements!(key, value::AbstractVector{Float64}) = add!(key, convert(Vector{Float64}, value))
add_elements!(key, value::AbstractVector{T}) where {T} =
    tuple!(() -> foreach(item -> add_element!(key, item, T), assigned(value)), key)

# The array, if all its elements have values.
function assigned(value::AbstractArray{T}) where {T}
    isbitstype(T) || all(index -> isassigned(value, index), LinearIndices(value)) || throw(ArgumentError(
        "an array of type $(typeof(value)) cannot be part of a key, because some of its elements have no value; " *
        "assign all elements first, for example by fill(nothing, $(join(size(value), ", ")))"))
    return value
end

# Sets and dictionaries: those of Base have no order; others are encoded in the order of iteration.
add!(key::KeyBuilder, value::AbstractSet) =
    is_exact(key) || may_hold_more(value) ? add_typed!(exact_contents(add_in_order!, value), key, value) :
                                            add_set!(key, value)
add!(key::KeyBuilder, value::Union{Set,BitSet}) =
    is_exact(key) ? add_typed!(add_set!, key, value) : add_set!(key, value)
add!(key::KeyBuilder, value::AbstractDict) =
    add_typed!(exact_contents(add_in_order!, value), key, value)
add!(key::KeyBuilder, value::Dict) = add_typed!(add_set!, key, value)

add_set!(key, value) = add_items!(set!, key, value)
add_in_order!(key, value) = add_items!(tuple!, key, value)

# The elements of a set differ by `isequal`, which tells -0.0 from 0.0. If they were equal in keys, two elements would
# become one, or two different dictionaries equal.
function add_items!(group!, key, value)
    outside = key.signed
    key.signed = is_exact(key)
    group!(() -> foreach(item -> add_item!(key, item), value), key)
    key.signed = outside
    return key
end
add_item!(key, item) = add_argument!(key, item)
add_item!(key, item::Pair) = add!(key, (first(item), last(item)))

add!(key::KeyBuilder, value::Base.RefValue) = add_typed!(add_content!, key, value)
function add_content!(key, value::Base.RefValue{T}) where {T}
    isassigned(value) || refuse(typeof(value), "refers to nothing")
    return add_element!(key, value[], T)
end

# The names of types and modules, computed once. Within a process no two of them have the same name: a second one with
# the same text (for example because a module was replaced) gets a number. The table is replaced, never changed, so
# reading it takes no lock.
struct TypeName
    text::String
    # Whether the type is, or has in it, an anonymous or inner function, which has no name that another process could
    # know.
    is_nameless::Bool
end
const TYPE_NAMES = Ref(IdDict{Any,TypeName}())
const NAMED_TYPES = Dict{String,Any}()
const TYPE_NAMES_LOCK = ReentrantLock()

find_name(@nospecialize(T)) = (name = get(TYPE_NAMES[], T, nothing); name === nothing ? new_name(T) : name::TypeName)
type_name(@nospecialize(T)) = find_name(T).text

# A number of this process, for names that mean something else in another one: those of anonymous functions, of second
# types, and of definitions (`memo.jl`). A saved file takes keys to other processes, which must not find them there.
const PROCESS_NUMBER = Ref("")
number_process() = PROCESS_NUMBER[] = string(open(file -> read(file, UInt64), "/dev/urandom"), base=16)

of_this_process(name) = string(name, "@", PROCESS_NUMBER[])

# Whether a name contains that of an anonymous or inner function, which ends with a number. (Numbers of modules do not
# matter.)
is_numbered(name) = occursin(r"#[^#{},().]*#[0-9]+(?![0-9.])", name)

# After the name of a type comes a hash of the fields of the structs in it. It is short, because a hit copies it.
@noinline new_name(@nospecialize(T)) = changing(TYPE_NAMES_LOCK) do
    spelled = replace(T isa Module ? join(fullname(T), '.') : spell(T), '\0' => "\\0")
    fields = join(map(with_fields, own_types!(Any[], T)), ' ')
    is_nameless = !(T isa Module) && is_numbered(string(spelled, ' ', fields))
    isempty(fields) || (spelled = string(spelled, '~', string(fnv1a(fields), base=62)))
    name = is_nameless ? of_this_process(spelled) : spelled
    number = 1
    while get(NAMED_TYPES, name, T) !== T
        number += 1
        name = of_this_process(string(spelled, '#', number))
    end
    NAMED_TYPES[name] = T
    names = copy(TYPE_NAMES[])
    names[T] = TypeName(name, is_nameless)
    TYPE_NAMES[] = names
    return names[T]
end

# A hash that stays the same.
fnv1a(text) = foldl((hash, byte) -> (hash ⊻ byte) * 0x00000100000001b3, codeunits(text); init=0xcbf29ce484222325)

# The name of a type in this key.
function name_in(key, @nospecialize(T))
    name = find_name(T)
    key.shared && name.is_nameless && throw(ArgumentError(
        "an anonymous function, or one that is defined inside another function, cannot be part of a key in a cache " *
        "that processes share; define a function with a name at the top level of a module"))
    return name.text
end

# The enums and structs that values of this type consist of, without Julia's own and its times, which C++ has too. The
# next run may have other fields under their names.
function own_types!(found, @nospecialize(T))
    T isa UnionAll && return own_types!(found, T.body)
    T isa Union && return (foreach(part -> own_types!(found, part), Base.uniontypes(T)); found)
    (T isa DataType && !(T in found)) || return found
    # A parameter may be a value: the type has it as its fields, like a value.
    foreach(parameter -> own_types!(found, parameter isa Union{Type,TypeVar} ? parameter : typeof(parameter)),
            T.parameters)
    is_own = !(nameof(Base.moduleroot(parentmodule(T))) in (:Core, :Base, :Dates)) && !is_definition(T)
    if is_own && (T <: Enum ? isconcretetype(T) : isstructtype(T))
        push!(found, T)
        T <: Enum || foreach(field -> own_types!(found, field), fieldtypes(T))
    end
    return found
end

# Whether it is the type of a function definition, of a closure or of a memo, and not a struct that can be called.
is_definition(@nospecialize(T)) = T <: Function && isstructtype(T) &&
    (fieldcount(T) == 0 || startswith(String(nameof(T)), '#') || parentmodule(T) === @__MODULE__)

with_fields(@nospecialize(T)) = string(nameof(T), "(", join(T <: Enum ?
    ["$member=$(Integer(member))" for member in instances(T)] :
    ["$field::$(spell(fieldtype(T, field)))" for field in fieldnames(T)], ", "), ")")

# A type with its module and its parameters; without the module for Julia's own types.
function spell(@nospecialize(T))
    T isa Union && return string("Union{", join(map(spell, Base.uniontypes(T)), ","), "}")
    T isa UnionAll && return string(spell(T.body), " where ", spell(T.var.lb), "<:", T.var.name, "<:", spell(T.var.ub))
    T isa TypeVar && return string(T.name)
    T isa DataType || return T isa Type ? string(T) : string(spell(typeof(T)), "(", spell_contents(T), ")")
    within = parentmodule(T)
    path = within in (Core, Base) ? "" : string(join(fullname(within), '.'), '.')
    isempty(T.parameters) && !(T <: Tuple) && return string(path, nameof(T))
    return string(path, nameof(T), "{", join(map(spell_parameter, T.parameters), ","), "}")
end

spell_parameter(@nospecialize(x)) = x isa Union{Int64,Bool,Symbol} ? repr(x) : spell(x)

# A value that is a parameter of a type. The `show` of another package may print the same for two values.
function spell_contents(@nospecialize(x))
    T = typeof(x)
    isstructtype(T) && return join((spell_parameter(getfield(x, field)) for field in 1:fieldcount(T)), ",")
    return is_own_type(T) ? bytes2hex(collect(reinterpret(UInt8, [x]))) : repr(x)
end
