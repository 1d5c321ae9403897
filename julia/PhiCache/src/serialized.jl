# Values of caches of `Any`: Julia's serialization, followed by the definitions of the structs and enums in the value.
# The serialization has only their names and reads fields in their order: after a change of a struct, the value would be
# wrong. So each type that is read must be among the definitions that were stored.

# Objects of the operating system. To use the copy of one crashes the process.
const SystemObject = Union{IOStream,Base.LibuvStream,Base.LibuvServer,Base.Filesystem.File,Base.Process,Timer,
                           Base.AsyncCondition}

function encode(::Type{Any}, value)
    # Before it is serialized: it may have what cannot be.
    definitions = definitions_in(value)
    bytes = IOBuffer()
    Serialization.serialize(bytes, value)
    foreach(definition -> write(bytes, htol(definition.hash)), definitions)
    return take!(bytes)
end

function decode(::Type{Any}, bytes::CBytes)
    stream = IOBuffer(unsafe_wrap(Array, bytes.data, bytes.len))
    value = try
        Serialization.deserialize(stream)
    catch error
        error isa InterruptException && rethrow()
        throw(PhiCacheError(ERROR_DAMAGED,
            "a value of $(bytes.len) bytes is not a serialized Julia value that can be read here " *
            "($(sprint(showerror, error))); it was stored by a cache of another type, or its types are not defined " *
            "here, or have changed: define them first, change the version in the context or the prefix, or read it " *
            "as the type that was stored"))
    end
    definitions = definitions_in(value)
    isempty(definitions) || check_definitions(definitions, stream)
    return value
end

@noinline function check_definitions(definitions, stream)
    stored = [ltoh(read(stream, UInt64)) for _ in 1:bytesavailable(stream)÷8]
    for definition in definitions
        definition.hash in stored || throw(PhiCacheError(ERROR_DAMAGED,
            "a value has a $(definition.type), whose definition has changed since the value was stored; delete the " *
            "value, or change the version in the context or the prefix"))
    end
end

# A struct or an enum, with a hash of its definition.
struct Definition
    type::Any
    hash::UInt64
end

# What a type says of its values: the structs and enums in them, and whether these are all; and why they cannot be read
# back, if they cannot.
struct TypeContent
    definitions::Vector{Definition}
    is_all::Bool
    refusal::String
end

# The structs and enums in a value.
function definitions_in(@nospecialize(value))
    value isa Plain && return NO_DEFINITIONS
    value isa Type && return search!(Search(Definition[], nothing), value).found
    content = readable_content(value)
    content.is_all && return content.definitions
    return search!(Search(Definition[], nothing), value).found
end

const NO_DEFINITIONS = Definition[]

# The most frequent types without definitions. The compiler makes their test fast.
const Plain = Union{Nothing,Bool,Int64,Float64,String,Symbol}

# What is written by its name, or by a method of its own.
const Named = Union{Type,Module,Core.SimpleVector,Handle,Task,Base.AbstractLock}

mutable struct Search
    found::Vector{Definition}
    # The mutable objects that were found.
    seen::Union{Nothing,IdDict{Any,Nothing}}
end

function search!(search, @nospecialize(value))
    value isa Type && return search_parameters!(search, value)
    content = readable_content(value)
    isempty(content.definitions) || union!(search.found, content.definitions)
    content.is_all && return search
    ismutable(value) && was_seen!(search, value) && return search
    value isa Elements ? search_elements!(search, value) : search_fields!(search, value)
    return search
end

function search_fields!(search, @nospecialize(value))
    for index in 1:nfields(value)
        isdefined(value, index) || continue
        field = getfield(value, index)
        field isa Plain || search!(search, field)
    end
end

# A type is written by its name, and the values that are its parameters by their fields.
function search_parameters!(search, @nospecialize(T))
    T isa TypeVar && return search_parameters!(search_parameters!(search, T.lb), T.ub)
    T isa UnionAll && return search_parameters!(search_parameters!(search, T.var), T.body)
    T isa Union && return (foreach(part -> search_parameters!(search, part), Base.uniontypes(T)); search)
    T isa DataType || return search
    if is_closure(T)
        is_of_script(T) && throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
            "the value is or contains the type of a closure or of an anonymous function, which would be read back as " *
            "another type; use the type of a named function, or of a struct that can be called"))
        union!(search.found, [closure_definition(T)])
    end
    for parameter in T.parameters
        parameter isa Union{Plain,TypeVar} || search!(search, parameter)
    end
    return search
end

function search_elements!(search, value)
    for index in eachindex(value)
        isassigned(value, index) || continue
        element = @inbounds value[index]
        element isa Plain || search!(search, element)
    end
end

function was_seen!(search, value)
    seen = search.seen
    seen === nothing && (seen = search.seen = IdDict{Any,Nothing}())
    haskey(seen, value) && return true
    seen[value] = nothing
    return false
end

const Elements = isdefined(Core, :GenericMemory) ? Union{Array,Core.GenericMemory} : Array

# Computed once for each type. Replaced, never changed.
const CONTENTS = Ref(IdDict{Any,TypeContent}())
const CONTENTS_LOCK = ReentrantLock()

function readable_content(@nospecialize(value))
    content = content_of(typeof(value))
    isempty(content.refusal) || throw(PhiCacheError(ERROR_INVALID_ARGUMENT, content.refusal))
    return content
end

function content_of(@nospecialize(T))
    content = get(CONTENTS[], T, nothing)
    return content === nothing ? new_content(T) : content::TypeContent
end

@noinline new_content(@nospecialize(T)) = lock(CONTENTS_LOCK) do
    closures = closures!(Any[], T)
    definitions = [Definition(own, fnv1a(string(spell(own), ' ', with_fields(own))))
                   for own in (T <: Named ? [] : own_types!(Any[], T))]
    append!(definitions, map(closure_definition, closures))
    content = TypeContent(definitions, T <: Named || has_all(T), refusal(T, closures))
    known = copy(CONTENTS[])
    known[T] = content
    CONTENTS[] = known
    return content
end

# Anonymous and inner functions in the values of a type, also those that only its parameters name.
function closures!(found, @nospecialize(T))
    T isa TypeVar && return closures!(closures!(found, T.lb), T.ub)
    T isa UnionAll && return closures!(closures!(found, T.var), T.body)
    T isa Union && return (foreach(part -> closures!(found, part), Base.uniontypes(T)); found)
    (T isa DataType && !(T in found)) || return found
    is_closure(T) && push!(found, T)
    foreach(parameter -> parameter isa Union{Type,TypeVar} && closures!(found, parameter), T.parameters)
    return found
end

is_closure(@nospecialize(T)) =
    T <: Function && startswith(String(nameof(T)), "#") && is_numbered(String(nameof(T)))

# Closures are written by their names, which have numbers: these are the same only in the same build of their module.
closure_definition(@nospecialize(T)) =
    Definition(T, fnv1a(string(spell(T), '@', Base.module_build_id(parentmodule(T)))))

# The functions of a script are written with their code. What is read back is a function of another type each time,
# which running code cannot call yet.
is_of_script(@nospecialize(T)) = parentmodule(T) in (Main, Serialization.__deserialized_types__)

function refusal(@nospecialize(T), closures)
    T <: Task && return "the value is or contains a task, which cannot be read back: nobody runs its copy; return " *
                        "fetch(task)"
    T <: SystemObject && return "the value is or contains an open $(nameof(T)), which cannot be read back: its copy " *
                                "refers to nothing; return what was read from it, or its name"
    T <: Handle && return "the value is or contains a $(nameof(T)), which cannot be read back: its copy is closed; " *
                          "return what it holds, or create it where it is used"
    any(is_of_script, closures) &&
        return "the value is or contains a closure or an anonymous function, which cannot be read back; use a named " *
               "function, or a struct that can be called" *
               (T <: Union{Base.Generator,Iterators.Filter} ? "; of an iterator, return collect(iterator)" : "")
    return ""
end

# Whether all that is in a value follows from its type. (`Union{}` has no values, and is a subtype of all types.)
has_all(@nospecialize(T)) =
    T === String || T === Union{} || isbitstype(T) || (T <: Elements && has_all(eltype(T)))
