# A function with its cache: PyPhi's `cache` decorator.

"""
    Memo(f; options...)

`f` with a cache: called like `f`, it computes each value once. What `f` throws is thrown unchanged, and not cached. The
arguments are the key, as they are when the call begins (see [`add!`](@ref)), so `f` must depend on nothing else.

What dispatch tells apart is never one key: the method that is called and each argument's type are part of it. `f(3)`,
`f(3.0)`, `f(Int32(3))` and `f(true)` are different calls, and so are a vector and a tuple, an `Int[]` and a `Float64[]`, or
two enums. (`f(-0.0)` is `f(0.0)`, and every NaN is one.)

* `returns=Any`: the type of its values, stored as [`DictCache`](@ref) says.
* `typed=true`: whether types are part of the key. With `typed=false` keys are what C and C++ make of equal arguments, and
  `3`, `3.0`, `true` and an enum's 3 are one: for a function whose value depends on the arguments' values only.
* `maximum_memory_percent`: values are stored while the process occupies less (0: never; `PhiCache.UNLIMITED`: until a limit of
  the system is near).
  Without it, the configuration decides: `config`, or that of `cache`.
* `cache`, `prefix`: a `DictCache` or `RedisCache` to keep the values in, and what keeps this memo's keys apart from
  those of others there. Two memos on one cache need two prefixes. Without it the memo has a cache of its own.

`info(memo)` gives its own hits and misses and the size of its cache, `empty!(memo)` clears its cache and its counts,
`original(memo)` is `f`. Any task may call it at any time; of several that miss the same arguments one computes. Another
process, such as a worker of `Distributed`, gets the function without the values. A copy (`deepcopy`) of a memo whose
function has captured something has a cache of its own.

It may call itself some 10,000 levels deep, on the main task; an ordinary function and a `Dict` get further.
"""
mutable struct Memo{P,F,D,Private} <: Function
    original::F
    # What makes a call of the arguments: `Plain`, or what `@phicache` wrote.
    prepare::P
    returns::Type
    typed::Bool
    prefix::Union{Nothing,String}
    config::AnyConfig
    maximum_memory_percent::Union{Nothing,Float64}
    cache::Union{Nothing,D}
    # The configuration whose limit it obeys beside its cache's, when the cache is someone else's.
    limit::Union{Nothing,Config}
    lock::ReentrantLock
    hits::Threads.Atomic{Int}
    misses::Threads.Atomic{Int}
    # The world in which its function was defined last, or 0.
    world::UInt
end

function Memo(f; returns::Type=Any, typed::Bool=true, maximum_memory_percent=nothing,
              config::AnyConfig=default_config(), cache::Union{Nothing,DictCache,RedisCache}=nothing, prefix=nothing,
              prepare=nothing)
    V = cache === nothing ? returns : valtype(cache)
    check_storable(V)
    returns === Any || returns === V ||
        throw(ArgumentError("a memo that returns $returns on a cache of $V"))
    # Made for its own cache too, whose limit it is not: a wrong percentage is told now, not by the first call.
    limit = maximum_memory_percent === nothing ? nothing : limited(maximum_memory_percent)
    prepare = prepare === nothing ? Plain{V,typeof(f)}(f, cache isa RedisCache) : prepare
    # A cache of its own holds bytes of which each call knows the type.
    D = cache === nothing ? DictCache{Any} : typeof(cache)
    memo = Memo{typeof(prepare),typeof(f),D,cache === nothing}(
        f, prepare, V, typed, prefix === nothing ? nothing : String(prefix), config, maximum_memory_percent, cache,
        cache === nothing ? nothing : limit, ReentrantLock(), Threads.Atomic{Int}(0), Threads.Atomic{Int}(0), 0)
    cache === nothing || join_cache(memo, cache)
    return memo
end

# A call as the key tells it and as it is made: the method that takes it, the type of its value, and its arguments with the
# defaults of those that are absent.
struct Call{V,A<:Tuple,K<:NamedTuple}
    method::String
    arguments::A
    keywords::K
end
Call(::Type{V}, method, arguments::A, keywords::K) where {V,A,K} = Call{V,A,K}(method, arguments, keywords)

# The call of a function that says nothing of itself. Its methods are looked up once for each list of types, and again
# when anything was defined since.
struct Plain{V,F}
    original::F
    # Whether other processes read the keys: a method's signature alone names it there, here its world does too.
    shared::Bool
    methods::Base.RefValue{Tuple{UInt,IdDict{Any,String}}}
    lock::ReentrantLock
end
Plain{V,F}(f, shared) where {V,F} = Plain{V,F}(f, shared, Ref((UInt(0), IdDict{Any,String}())), ReentrantLock())

# The world that the task computes in: what was defined later, it does not call.
world_age() = ccall(:jl_get_tls_world_age, UInt, ())

(plain::Plain{V})(arguments...; keywords...) where {V} =
    Call(V, method_name(plain, arguments), arguments, values_of(keywords))

function method_name(plain::Plain, arguments)
    world = world_age()
    known_at, known = plain.methods[]
    if known_at == world
        name = get(known, typeof(arguments), nothing)
        name === nothing || return name::String
    end
    return look_up(plain, arguments, world)
end

@noinline function look_up(plain, arguments, world)
    types = Tuple{map(Core.Typeof, arguments)...}
    # A call that no method takes fails when it is made.
    hasmethod(plain.original, types) || return ""
    # The method of the newest world, which this task may not see yet.
    method = which(plain.original, types)
    name = method_signature(method)
    if method.primary_world > world
        name = string(name, "@", world, " (old)")
    elseif !plain.shared
        name = string(name, "@", method.primary_world)
    end
    # Types as arguments are told apart by dispatch, but not by their own types.
    any(argument -> argument isa Type, arguments) && return name
    lock(plain.lock) do
        known_at, known = plain.methods[]
        known = known_at == world ? copy(known) : IdDict{Any,String}()
        known[typeof(arguments)] = name
        plain.methods[] = (world, known)
    end
    return name
end

# The signature without the function's own type, which need not be the same in another process.
function method_signature(method::Method)
    signature = Base.unwrap_unionall(method.sig)
    types = join(map(spell, signature.parameters[2:end]), ",")
    return string("(", types, ")")
end

limited(percent) = Config(maximum_memory_percent=percent)

# Two memos of one prefix would take each other's values for their own.
const JOINING = ReentrantLock()

function join_cache(memo, cache)
    lock(JOINING) do
        memos = filter!(other -> other.value !== nothing, cache.tenants.memos)
        any(other -> other.value.prefix == memo.prefix, memos) && throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
            "a memo with the prefix $(repr(memo.prefix)) keeps its values in this cache already"))
        push!(memos, WeakRef(memo))
    end
end

# The cache of its own is made by the first call: a memo at the top level of a package is made when the package is
# precompiled, and its handles would not live on.
function cache_of(memo::Memo{P,F,D}) where {P,F,D}
    cache = memo.cache
    cache !== nothing && (isopen(cache) || !is_private(memo)) && return cache
    return new_cache_of(memo)::D
end

@noinline new_cache_of(memo) = lock(memo.lock) do
    if memo.cache === nothing || !isopen(memo.cache)
        percent = memo.maximum_memory_percent
        memo.cache = DictCache{Any}(config=percent === nothing ? memo.config : limited(percent))
        # What was counted while the package was precompiled is not counted here.
        memo.hits[] = 0
        memo.misses[] = 0
    end
    return memo.cache
end

# Little stands on the stack while `original` runs: see `compute.jl`.
function (memo::Memo)(arguments...; keywords...)
    call = memo.prepare(arguments...; keywords...)
    V = stored_type(memo, call)
    step = find_or_begin_call(V, memo, call)
    step isa Duty || return something(step)::V
    value = try
        ensure_stack()
        convert(V, memo.original(call.arguments...; call.keywords...))::V
    catch
        give_up(step)
        rethrow()
    end
    if world_age() < memo.world
        # This task computes with the function as it was before.
        give_up(step)
        return value
    end
    put_value(V, cache_of(memo), step, value, memo.limit)
    return value
end

# Someone else's cache has one type for all.
stored_type(::Memo{P,F,D,false}, ::Call) where {P,F,D} = valtype(D)
stored_type(::Memo{P,F,D,true}, ::Call{V}) where {P,F,D,V} = V

is_private(::Memo{P,F,D,Private}) where {P,F,D,Private} = Private

# A computation that fails is a miss all the same.
@noinline function find_or_begin_call(::Type{V}, memo::Memo, call::Call) where {V}
    cache = cache_of(memo)
    builder = borrow_builder()
    builder.shared = cache isa RedisCache
    is_private(memo) || add!(builder, memo.prefix)
    memo.typed && (builder.exactness = EXACT)
    if memo.typed || !(memo.prepare isa Plain)
        begin_named!(builder, call.method)
        add!(builder, nothing)
        end_named!(builder)
    end
    add_each!(builder, call.arguments)
    add_keywords!(builder, call.keywords)
    step = find_or_begin(V, cache, memo.typed ? Typed(builder) : builder)
    give_back(builder)
    Threads.atomic_add!(step isa Duty ? memo.misses : memo.hits, 1)
    return step
end

function info(memo::Memo)
    size = memo.cache === nothing ? 0 : length(cache_of(memo))
    return (hits=memo.hits[], misses=memo.misses[], size=size)
end

function Base.empty!(memo::Memo)
    memo.cache === nothing || empty!(cache_of(memo))
    memo.hits[] = 0
    memo.misses[] = 0
    return memo
end

"""
    original(memo)

The function that a [`Memo`](@ref), a [`CachedMethod`](@ref), or a function defined with [`@phicache`](@ref) computes
with, without its cache.
"""
original(memo::Memo) = memo.original

Base.valtype(memo::Memo) = memo.returns

# A memo as an argument of another is the function that it computes with.
add!(key::KeyBuilder, memo::Memo) = named((key, memo) -> part!(key, memo.original), key, memo)

Base.show(io::IO, memo::Memo) = print(io, "Memo{", valtype(memo), "}(", shown_name(memo.original), ")")
Base.show(io::IO, ::MIME"text/plain", memo::Memo) = show(io, memo)

# `@phicache` names the function behind `f` so that nobody calls it by accident.
hidden_name(name::Symbol) = Symbol("#", name, "#original")

shown_name(f) = f
function shown_name(f::Function)
    hidden = match(r"^#(.*)#original$", String(nameof(f)))
    return hidden === nothing ? nameof(f) : Symbol(hidden[1])
end

# A memo goes to other processes as functions do, without its values (and a cache of someone else's is closed there). What `@phicache` defined here is there what
# `@phicache` defined there, with its cache.
function Serialization.serialize(to::Serialization.AbstractSerializer, memo::Memo)
    Serialization.serialize_type(to, typeof(memo))
    cache = is_private(memo) ? nothing : memo.cache
    foreach(part -> Serialization.serialize(to, part),
            (memo.original, written_by_macro(memo), memo.typed, memo.maximum_memory_percent, memo.config, cache, memo.prefix,
             memo.returns))
end

# What `@phicache` wrote, which has no state of its own.
written_by_macro(memo::Memo) = memo.prepare
written_by_macro(::Memo{<:Plain}) = nothing

function Serialization.deserialize(from::Serialization.AbstractSerializer, ::Type{<:Memo})
    f, prepare, typed, percent, config, cache, prefix, returns = ntuple(_ -> Serialization.deserialize(from), 8)
    defined = f isa Function ? defined_memo(f, parentmodule(f), shown_name(f)) : nothing
    defined === nothing || return defined
    return Memo(f; returns=returns, prepare=prepare, typed=typed, maximum_memory_percent=percent, config=config,
                cache=cache, prefix=prefix)
end

# The memo of `f` that a name stands for, or nothing.
function defined_memo(f, within::Module, name)
    name isa Symbol && isdefined(within, name) || return nothing
    memo = getfield(within, name)
    return memo isa Memo && memo.original === f ? memo : nothing
end

# As a function is: the same, unless it has captured something, which the copy has of its own.
function Base.deepcopy_internal(memo::Memo, seen::IdDict)
    haskey(seen, memo) && return seen[memo]
    memo.original isa Function && isempty(fieldnames(typeof(memo.original))) && return memo
    is_private(memo) || throw(ArgumentError(
        "a Memo with the prefix $(repr(memo.prefix)) on a cache cannot be copied; make another one with another prefix"))
    # A function that calls its own memo has captured it: the copy is there before what it is made of.
    copied = copy_of(memo)
    seen[memo] = copied
    copied.original = Base.deepcopy_internal(memo.original, seen)
    copied.prepare = copied.prepare isa Plain ? typeof(copied.prepare)(copied.original, memo.prepare.shared) :
                     Base.deepcopy_internal(memo.prepare, seen)
    return copied
end

copy_of(memo::Memo{P,F,D,true}) where {P,F,D} =
    Memo{P,F,D,true}(memo.original, memo.prepare, memo.returns, memo.typed, memo.prefix, memo.config,
                memo.maximum_memory_percent, nothing, memo.limit, ReentrantLock(), Threads.Atomic{Int}(0),
                Threads.Atomic{Int}(0), memo.world)
