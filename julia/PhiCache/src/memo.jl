# A function with a cache: PyPhi's `cache` decorator.

"""
    Memo(f; options...)

`f` with a cache: it is called like `f` and computes each value once. An exception of `f` is passed on unchanged, and
nothing is cached. The key is the arguments as they are when the call begins (see [`add!`](@ref)), so `f` must depend on
nothing else: after a change of a global variable, of a captured array, of a mutable struct that is called as `f`, or of
a function that `f` calls, use `empty!`, and on disk or in Redis another version in the prefix.

Calls that dispatch tells apart have different keys: the method that is called and the type of each argument are part of
the key. `f(3)`, `f(3.0)`, `f(Int32(3))` and `f(true)` are different calls, and so are calls with a vector and a tuple,
with an `Int[]` and a `Float64[]`, or with two enums. (`f(-0.0)` is the same call as `f(0.0)`, and all NaNs are equal.)

* `returns=Any`: the type of its values, which decides how they are stored: see [`DictCache`](@ref).
* `typed=true`: whether types are part of the key. With `typed=false` keys are the same as in C and C++, and `1`, `1.0`,
  `true` and an enum with the number 1 are equal: only for a function whose result does not depend on types.
* `maximum_memory_percent`: a memory limit of its own, as in [`Config`](@ref): 0 stores nothing, and with
  `PhiCache.UNLIMITED` values are stored until a limit of the system is near. Without it the limit of `config`, or of
  the configuration of `cache`, applies.
* `cache`, `prefix`: a `DictCache`, `RedisCache` or `DiskCache` for the values, and a prefix of the keys. Limits are
  options of that cache: `cache=DictCache(max_bytes=2^30)`. Each function on a cache needs a prefix of its own; on a
  `DiskCache` it has a version, such as `"entropy@1"`. The key of a closure on such a cache also has the numbers, text
  and other constants, functions and types that it has captured, also within tuples, immutable structs and other
  closures. (On disk and in Redis, an inner function counts by its name, and an anonymous one is refused.) Other objects
  that it has captured (an array, a mutable object, a variable that is assigned again) are told apart on a `DictCache`;
  on disk and in Redis what differs between two closures must be an argument, or in the prefix. All this holds for the
  fields of a struct that can be called, too. Two closures that exist at the same time need two prefixes. Without
  `cache` the memo has a private one.

`info(memo)` returns its own hits and misses and the size of its cache, `stats(memo)` all statistics of its cache with
its own hits and misses; `empty!(memo)` clears its cache and its counts (of a cache that you have given to it, all
values, also those of other memos; see [`RedisCache`](@ref)); `original(memo)` is `f`. Any task may call it at any time;
if several tasks miss the same arguments, one computes. Another process, such as a worker of `Distributed`, gets the
function without the values. A copy (`deepcopy`) of a memo whose function has captured variables has its own cache.

An anonymous function has a new type each time its file is included, so a `const` with a memo of it cannot be defined
again: use [`@phicache`](@ref) or a named function.

A memo may call itself about 10,000 levels deep on the main task; an ordinary function with a `Dict` gets deeper.
"""
mutable struct Memo{P,F,D,Private} <: Function
    original::F
    # Makes a `Call` from the arguments: a `MethodLookup`, or a function that `@phicache` generates.
    prepare::P
    returns::Type
    typed::Bool
    prefix::Union{Nothing,String}
    config::AnyConfig
    maximum_memory_percent::Union{Nothing,Float64}
    cache::Union{Nothing,D}
    # The configuration with its own memory limit, if it uses a cache of the caller; otherwise nothing.
    limit::Union{Nothing,Config}
    lock::ReentrantLock
    hits::Threads.Atomic{Int}
    misses::Threads.Atomic{Int}
    # The world age of the last definition of its function, or 0.
    world::UInt
    # The name of the objects that its function has captured, or "": see `name_captured`.
    captured::String
end

Memo(f; options...) = new_memo(f, nothing; checked("Memo", MEMO_OPTIONS, options)...)
Memo(arguments...; options...) = throw_no_method("Memo", arguments, "Memo(f; options...)")

function new_memo(f, prepare; returns=Any, typed=true, maximum_memory_percent=nothing, config=default_config(),
                  cache=nothing, prefix=nothing)
    check_callable("Memo", f)
    cache isa Union{Nothing,DictCache,RedisCache,DiskCache} ||
        throw(ArgumentError("Memo: the option cache is $(described(cache)); expected $(OPTIONS.cache[2])"))
    cache === nothing && prefix !== nothing && throw(ArgumentError(
        "the prefix $(repr(prefix)) has no effect on a memo without a cache, which keeps its values in this process: " *
        "give the cache too"))
    V = cache === nothing ? returns : valtype(cache)
    check_storable(V)
    returns === Any || returns === V || throw_other_returns(returns, V)
    # Also for a private cache, which does not use it: so a wrong percentage throws now, not at the first call.
    limit = maximum_memory_percent === nothing ? nothing : config_with_limit(maximum_memory_percent)
    prepare = prepare === nothing ? MethodLookup{V,typeof(f)}(f, readers_of(cache)) : prepare
    # A private cache holds plain bytes; each call knows their type.
    D = cache === nothing ? DictCache{Any} : typeof(cache)
    memo = Memo{typeof(prepare),typeof(f),D,cache === nothing}(
        f, prepare, V, typed, prefix === nothing ? nothing : String(prefix), config, maximum_memory_percent, cache,
        cache === nothing ? nothing : limit, ReentrantLock(), Threads.Atomic{Int}(0), Threads.Atomic{Int}(0), 0,
        cache isa DictCache ? name_captured(f) : "")
    cache === nothing || register_memo(memo, cache, memo.prefix)
    return memo
end

check_callable(type, f) = is_callable(f) ||
    throw(ArgumentError("$type: $(described(f)), cannot be called; expected a function"))

throw_other_returns(returns, V) =
    throw(ArgumentError("the memo has returns=$returns, its cache holds values of type $V; expected the same type"))

# One call: the method that dispatch chooses, the type of its value, and its arguments, with the defaults of absent
# ones.
struct Call{V,A<:Tuple,K<:NamedTuple}
    method::String
    arguments::A
    keywords::K
end
Call(::Type{V}, method, arguments::A, keywords::K) where {V,A,K} = Call{V,A,K}(method, arguments, keywords)

# The names of methods by the types of their arguments, in one world. Replaced, never changed.
mutable struct KnownMethods
    world::UInt
    names::IdDict{Any,String}
end

# Finds the method for a call of an ordinary function. Looks it up once for each list of argument types, and again after
# any new definition.
struct MethodLookup{V,F}
    original::F
    # Which processes read the keys. Where others do, the signature identifies a method; in this process also its world
    # age, and if a file may take the keys to another process, the number of this one.
    readers::Symbol
    known::Base.RefValue{KnownMethods}
    lock::ReentrantLock
end
MethodLookup{V,F}(f, readers) where {V,F} =
    MethodLookup{V,F}(f, readers, Ref(KnownMethods(0, IdDict{Any,String}())), ReentrantLock())

readers_of(cache) = outlives_process(cache) ? :all : cache === nothing ? :this : :this_or_a_later

# The world age of the task: it does not call methods that were defined later.
world_age() = ccall(:jl_get_tls_world_age, UInt, ())

@inline (plain::MethodLookup{V})(arguments::Vararg{Any,N}; keywords...) where {V,N} =
    Call(V, method_name(plain, arguments), arguments, values_of(keywords))

function method_name(plain::MethodLookup, arguments)
    world = world_age()
    known = plain.known[]
    if known.world == world
        name = get(known.names, typeof(arguments), nothing)
        name === nothing || return name::String
    end
    return find_method(plain, arguments, world)::String
end

@noinline function find_method(plain, arguments, world)
    types = Tuple{map(Core.Typeof, arguments)...}
    # If there is no method, the call itself will throw.
    hasmethod(plain.original, types) || return ""
    # The method in the newest world; this task may still call an older one.
    method = which(plain.original, types)
    name = method_signature(method)
    if method.primary_world > world
        name = of_this_process(string(name, "@", world, " (old)"))
    elseif plain.readers != :all
        name = string(name, "@", method.primary_world)
        plain.readers == :this_or_a_later && (name = of_this_process(name))
    end
    # If an argument is a type, dispatch looks at its value, but `known` has only its type: do not remember the name.
    any(argument -> argument isa Type, arguments) && return name
    lock(plain.lock) do
        known = plain.known[]
        names = known.world == world ? copy(known.names) : IdDict{Any,String}()
        names[typeof(arguments)] = name
        plain.known[] = KnownMethods(world, names)
    end
    return name
end

# The signature without the type of the function itself, which may differ in another process.
function method_signature(method::Method)
    signature = Base.unwrap_unionall(method.sig)
    types = join(map(spell, signature.parameters[2:end]), ",")
    return string("(", types, ")")
end

config_with_limit(percent) = Config(maximum_memory_percent=percent)

# Two memos with the same prefix on one cache would read each other's values.
const MEMOS_LOCK = ReentrantLock()

function register_memo(memo, cache, prefix)
    check_version(cache, prefix)
    try_register(memo, cache, prefix) && return
    # The other memo may be garbage.
    GC.gc()
    try_register(memo, cache, prefix) || throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
        "another memo $(prefix === nothing ? "without a prefix" : "with the prefix $(repr(prefix))") uses this " *
        "cache; give each memo a prefix of its own, such as prefix=\"entropy\""))
    return
end

# Whether no memo of another function has this prefix on a handle of this cache; then this one is registered.
try_register(memo, cache, prefix) = changing(MEMOS_LOCK) do
    for handle in handles_of(cache), entry in filter!(entry -> entry.value !== nothing, handle.memos.entries)
        other = entry.value
        # A memo that got another cache is still in the list of the old one.
        other !== nothing && other.cache === handle && other.prefix == prefix && other.original !== memo.original &&
            return false
    end
    push!(cache.memos.entries, WeakRef(memo))
    return true
end

# The first call creates the private cache: a memo at the top level of a package is created during precompilation, and a
# handle would not survive that.
function cache_of(memo::Memo{P,F,D}) where {P,F,D}
    cache = memo.cache
    cache !== nothing && (isopen(cache) || !is_private(memo)) && return cache
    return new_cache_of(memo)::D
end

@noinline new_cache_of(memo) = lock(memo.lock) do
    if memo.cache === nothing || !isopen(memo.cache)
        percent = memo.maximum_memory_percent
        memo.cache = DictCache{Any}(config=percent === nothing ? memo.config : config_with_limit(percent))
    end
    return memo.cache
end

# Keeps its stack frame small while `original` runs: see `compute.jl`.
function (memo::Memo)(arguments::Vararg{Any,N}; keywords...) where {N}
    call = memo.prepare(arguments...; keywords...)
    V = stored_type(memo, call)
    step = get_or_reserve_call(V, memo, call)
    step isa Reservation || return step
    value = try
        allow_interrupts()
        ensure_stack()
        converted(V, memo.original(call.arguments...; call.keywords...))
    catch
        abandon(step)
        rethrow()
    end
    if world_age() < memo.world
        # This task has computed with an older definition of the function.
        abandon(step)
        return value
    end
    return complete_with(V, cache_of(memo), step, value, memo.limit)::V
end

# A cache of the caller has one type for all values.
stored_type(::Memo{P,F,D,false}, ::Call) where {P,F,D} = valtype(D)
stored_type(::Memo{P,F,D,true}, ::Call{V}) where {P,F,D,V} = V

cache_type(::Memo{P,F,D}) where {P,F,D} = D
is_private(::Memo{P,F,D,Private}) where {P,F,D,Private} = Private

@noinline function get_or_reserve_call(::Type{V}, memo::Memo, call::Call) where {V}
    cache = cache_of(memo)
    key = memo_key(V, memo, call, cache)
    step = get_or_reserve(V, cache, key, SourceCall(memo.original, call.arguments, call.keywords))
    release_key(key)
    count_call(memo, is_hit(step))
    return step
end

# The key of a call. It must be released.
@inline function memo_key(::Type{V}, memo::Memo, call::Call, cache) where {V}
    key = borrow_builder(memo.typed, memo.typed ? EXACT : PLAIN, outlives_process(cache))
    if !is_private(memo)
        add!(key, memo.prefix)
        add_captured!(key, memo.original)
        isempty(memo.captured) || both!(write_named_none!, key, memo.captured)
    end
    if memo.typed || !(memo.prepare isa MethodLookup)
        both!(write_named_none!, key, call.method)
    end
    # The values of calls with equal arguments of other types must not be found under this key, nor those that another
    # program has at the server.
    if memo.typed ? cache isa RedisCache && isempty(cache.prefix) : is_private(memo)
        both!(write_named_none!, key, value_type_name(V, cache))
    end
    add_each!(key, call.arguments)
    return with_type(cache, add_keywords!(key, call.keywords))
end

# Two closures of one function that have captured other values are two functions, which must differ on a cache of the
# caller: another run, or a memo that is garbage now, may have filled it. Constants are in the key, also those within
# captured functions, tuples and other immutable structs. So is, in a DictCache, a name of the other captured objects
# (arrays, counters, variables that are assigned again); on disk and in Redis, where no name of an object lasts, these
# stay the caller's business.

# Whether values of this type never change, and have no address and no function in them.
is_constant(T) = T <: Union{String,Symbol,BigInt,BigFloat,Regex} || isprimitivetype(T) && !(T <: Ptr) ||
    isstructtype(T) && isconcretetype(T) && !T.mutable && !(T <: Function) && all(is_constant, fieldtypes(T))

# Whether a value of this type says more than its type: it may be a constant, or have one in it. The type of what a
# closure has captured is a parameter of the closure's type, if it is known.
may_hold_constants(T) = !isconcretetype(T) || is_constant(T) || T <: Union{Type,Module,Memo,Core.Box} || !T.mutable

@generated function add_captured!(key, f::F) where {F}
    F <: Type && return :(nothing)
    parts = captured_parts(F, :f)
    isempty(F.parameters) && all(T -> T === Core.Box || !may_hold_constants(T), fieldtypes(F)) &&
        return Expr(:block, parts..., :(nothing))
    return Expr(:block, :(begin_tuple!(key)), :(add_parameters!(key, F)), parts..., :(end_tuple!(key)), :(nothing))
end

captured_parts(T, value) =
    [:(isdefined($value, $index) && add_captured_part!(key, getfield($value, $index), $(is_inner(T, index))))
     for index in 1:fieldcount(T) if may_hold_constants(fieldtype(T, index))]

# Whether a field is Julia's own, such as the function with the body of one with keyword arguments.
is_inner(T, index) = T <: Function && startswith(String(fieldname(T, index)), "#")

# Appends a captured value, or the constants, functions and types that are in it.
@generated function add_captured_part!(key, value::T, is_inner) where {T}
    (T <: Union{Type,Module} || is_constant(T)) && return :(add_argument!(key, value))
    T === Core.Box && return :(add_boxed!(key, value))
    T <: Memo && return :(add_captured_part!(key, value.original, is_inner))
    T.mutable && return :(nothing)
    return Expr(:block, :(begin_tuple!(key)), :(is_inner ? add_parameters!(key, T) : add_captured_type!(key, T)),
                captured_parts(T, :value)..., :(end_tuple!(key)), :(nothing))
end

# Local functions that the compiler keeps in a variable, such as memos. They may have captured themselves. What else is
# in such a variable may change.
add_boxed!(key, box) = key.shared && key.depth <= 2 && isdefined(box, :contents) && box.contents isa Function ?
                       add_captured_part!(key, box.contents, false) : nothing

# The next run gives the number of an inner function to another one. What is left is its name, if it has one.
function add_captured_type!(key, ::Type{T}) where {T}
    key.shared && find_name(T).is_nameless || return add!(key, T)
    name = replace(String(nameof(T)), r"#[0-9]*" => "")
    isempty(name) && throw(ArgumentError(
        "the function of the memo has captured an anonymous function, which other processes cannot tell from others; " *
        "give it a name: g(x) = ..."))
    add!(key, name)
    return add_parameters!(key, T)
end

# Appends the parameters of a type. What a field holds is added with its value.
@generated function add_parameters!(key, ::Type{T}) where {T}
    types = [parameter isa Type ? parameter : Val{parameter} for parameter in T.parameters]
    return Expr(:block, (is_held(fieldtypes(T), type) ? :(add_held_type!(key, $type)) : :(add!(key, $type))
                         for type in types)..., :(nothing))
end

# Whether a type is in those of the fields. (A parameter of a named tuple is the tuple of these.)
is_held(fields, type) = any(field -> names_type(field, type), fields) ||
                        type isa DataType && type <: Tuple && all(part -> is_held(fields, part), type.parameters)
names_type(T, part) = T === part || T isa DataType && any(parameter -> names_type(parameter, part), T.parameters)

# The number of an anonymous function means nothing to other processes.
add_held_type!(key, T) = key.shared && find_name(T).is_nameless || add!(key, T)

# Captured values, and their name. An object that may change is known by its identity, as a WeakRef: the next object at
# its address is another one.
struct Captured
    values::Vector{Any}
    name::String
end

const CAPTURED = Dict{Any,Vector{Captured}}()
const CAPTURED_COUNT = Ref(0)

# The name of what a function has captured besides constants, functions and types; "" if that is nothing. Equal for
# functions that have captured the same objects.
function name_captured(f)
    values = Any[]
    if ismutable(f) && !(f isa Type)
        push!(values, WeakRef(f))
    elseif !(f isa Type)
        for index in 1:nfields(f)
            is_constant(fieldtype(typeof(f), index)) || add_captured_value!(values, getfield(f, index))
        end
    end
    isempty(values) && return ""
    changing(MEMOS_LOCK) do
        known = filter!(is_alive, get!(() -> Captured[], CAPTURED, typeof(f)))
        index = findfirst(captured -> has_captured(captured, values), known)
        index === nothing || return known[index].name
        name = of_this_process(string("captured ", CAPTURED_COUNT[] += 1))
        push!(known, Captured(values, name))
        return name
    end
end

function add_captured_value!(values, value)
    if value isa Union{Type,Module} || is_constant(typeof(value))
        push!(values, value)
    elseif ismutable(value)
        # A local function that calls itself has captured its variable, which has no value yet.
        value isa Core.Box && !isdefined(value, :contents) || push!(values, WeakRef(value))
    else
        for index in 1:nfields(value)
            isdefined(value, index) && add_captured_value!(values, getfield(value, index))
        end
    end
end

is_alive(captured::Captured) = all(value -> !(value isa WeakRef) || value.value !== nothing, captured.values)

has_captured(captured, values) = length(captured.values) == length(values) && all(
    pair -> pair[1] isa WeakRef ? pair[2] isa WeakRef && pair[1].value === pair[2].value : pair[1] === pair[2],
    zip(captured.values, values))

value_type_name(V, cache) = type_name(V)
value_type_name(V, ::RedisCache) = layout(V)

# The counts of a private cache are those of its memo. A computation that fails counts as a miss too.
count_call(memo::Memo, is_hit) =
    is_private(memo) || Threads.atomic_add!(is_hit ? memo.hits : memo.misses, 1)

function info(memo::Memo)
    memo.cache === nothing && return (hits=memo.hits[], misses=memo.misses[], size=0)
    counts = info(cache_of(memo))
    return is_private(memo) ? counts : (hits=memo.hits[], misses=memo.misses[], size=counts.size)
end

stats(memo::Memo) = merge(stats(cache_of(memo)), info(memo))

function Base.empty!(memo::Memo)
    memo.cache === nothing || empty!(cache_of(memo))
    return reset_counts!(memo)
end

Base.close(memo::Memo) = throw(ArgumentError(
    "a memo is a function and cannot be closed; empty!(memo) removes its values" *
    (is_private(memo) ? "" : ", and close(cache) closes the cache that it was given")))

function reset_counts!(memo::Memo)
    memo.hits[] = 0
    memo.misses[] = 0
    return memo
end

# Removes what the function has computed, because it changes. Values that outlive the process belong to the version in
# the prefix: they stay. So do those of other memos on the same cache.
function forget!(memo::Memo)
    memo.cache === nothing && return reset_counts!(memo)
    is_private(memo) && return empty!(memo)
    cache = cache_of(memo)
    if !outlives_process(cache)
        prefix = borrow_builder(memo.typed, memo.typed ? EXACT : PLAIN, false)
        add!(prefix, memo.prefix)
        start = key_bytes(prefix)
        release_key(prefix)
        for key in collect(keys(cache))
            length(key) >= length(start) && view(key, 1:length(start)) == start && delete!(cache, key)
        end
    end
    return reset_counts!(memo)
end

"""
    original(memo)

The function behind a [`Memo`](@ref), a [`CachedMethod`](@ref), or a function defined with [`@phicache`](@ref), without
its cache.
"""
original(memo::Memo) = memo.original

Base.valtype(memo::Memo) = memo.returns

# A memo as an argument counts as its function.
add!(key::KeyBuilder, memo::Memo) = add_typed!((key, memo) -> add_argument!(key, memo.original), key, memo)

# Its whole type is of no use in a message.
shown_type(::Memo) = "::Memo"

Base.show(io::IO, memo::Memo) = print(io, "Memo{", valtype(memo), "}(", shown_name(memo.original), ")")
Base.show(io::IO, ::MIME"text/plain", memo::Memo) = show(io, memo)
Base.print(io::IO, memo::Memo) = show(io, memo)

# The name of the function behind an `f` defined with `@phicache`: nobody calls it by accident.
hidden_name(name::Symbol) = Symbol("#", name, "#original")

shown_name(f) = f
function shown_name(f::Function)
    # Julia leaves out the first # in the name of an inner function.
    hidden = match(r"^#?(.*)#original$", String(nameof(f)))
    return hidden === nothing ? nameof(f) : Symbol(hidden[1])
end

# A memo is sent to other processes like a function, without its values; a cache of the caller is closed there. A memo
# defined with `@phicache` becomes the memo that `@phicache` has defined under the same name there, with its cache.
function Serialization.serialize(to::Serialization.AbstractSerializer, memo::Memo)
    Serialization.serialize_type(to, typeof(memo))
    foreach(part -> Serialization.serialize(to, part), written_parts(memo))
end

written_parts(memo::Memo) =
    (memo.original, written_by_macro(memo), memo.typed, memo.maximum_memory_percent, memo.config,
     is_private(memo) ? nothing : memo.cache, memo.prefix, memo.returns)

# A memo that is found by its name has its cache and configuration there.
search_fields!(search, memo::Memo) = foreach(part -> search!(search, part),
    defined_memo(memo.original) === memo ? (memo.original,) : written_parts(memo))

# The function that `@phicache` generated, which has no state, or nothing.
written_by_macro(memo::Memo) = memo.prepare
written_by_macro(::Memo{<:MethodLookup}) = nothing

function Serialization.deserialize(from::Serialization.AbstractSerializer, ::Type{<:Memo})
    f, prepare, typed, percent, config, cache, prefix, returns = ntuple(_ -> Serialization.deserialize(from), 8)
    defined = defined_memo(f)
    defined === nothing || return defined
    return new_memo(f, prepare; returns=returns, typed=typed, maximum_memory_percent=percent, config=config,
                    cache=cache, prefix=prefix)
end

# The memo of `f` that is bound to the name of `f`, or nothing.
defined_memo(f) = f isa Function ? defined_memo(f, parentmodule(f), shown_name(f)) : nothing
# The memo of `f` that is bound to a name, or nothing.
function defined_memo(f, within::Module, name)
    name isa Symbol && isdefined(within, name) || return nothing
    memo = getfield(within, name)
    return memo isa Memo && memo.original === f ? memo : nothing
end

# Copies like a function: the memo itself, unless its function has captured something, which is then copied.
function Base.deepcopy_internal(memo::Memo, seen::IdDict)
    haskey(seen, memo) && return seen[memo]
    memo.original isa Function && isempty(fieldnames(typeof(memo.original))) && return memo
    is_private(memo) || throw(ArgumentError(
        "a Memo on a cache of the caller cannot be copied, because its prefix $(repr(memo.prefix)) is in use; create " *
        "another Memo with another prefix"))
    # A function that calls its own memo has captured it: so `seen` needs the copy before the function is copied.
    copied = copy_of(memo)
    seen[memo] = copied
    copied.original = Base.deepcopy_internal(memo.original, seen)
    copied.prepare = copied.prepare isa MethodLookup ? typeof(copied.prepare)(copied.original, memo.prepare.readers) :
                     Base.deepcopy_internal(memo.prepare, seen)
    return copied
end

copy_of(memo::Memo{P,F,D,true}) where {P,F,D} =
    Memo{P,F,D,true}(memo.original, memo.prepare, memo.returns, memo.typed, memo.prefix, memo.config,
                memo.maximum_memory_percent, nothing, memo.limit, ReentrantLock(), Threads.Atomic{Int}(0),
                Threads.Atomic{Int}(0), memo.world, memo.captured)
