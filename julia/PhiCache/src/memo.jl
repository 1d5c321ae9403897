# A function with its cache: PyPhi's `cache` decorator.

"""
    Memo(f; options...)

`f` with a cache: called like `f`, it computes each value once. What `f` throws is thrown unchanged, and not cached. The
arguments are the key (see [`add!`](@ref)), so `f` must depend on nothing else.

* `returns=Any`: the type of its values, stored as [`DictCache`](@ref) says.
* `typed=false`: whether `f(3)`, `f(3.0)` and `f(true)` are different calls. (`f(Int32(3))` is `f(3)` in any case, and
  `f(-0.0)` is `f(0.0)`.)
* `maximum_memory_percent`: values are stored while the process occupies less (0: never; `PhiCache.UNLIMITED`: until a limit of the system is near).
  Without it, the configuration decides: `config`, or that of `cache`.
* `cache`, `prefix`: a `DictCache` or `RedisCache` to keep the values in, and what keeps this memo's keys apart from
  those of others there. Two memos on one cache need two prefixes. Without it the memo has a cache of its own.

`info(memo)` gives its own hits and misses and the size of its cache, `empty!(memo)` clears its cache and its counts,
`original(memo)` is `f`. Any task may call it at any time; of several that miss the same arguments one computes. Another
process, such as a worker of `Distributed`, gets the function without the values.
"""
mutable struct Memo{V,F} <: Function
    original::F
    typed::Bool
    prefix::Union{Nothing,String}
    config::AnyConfig
    maximum_memory_percent::Union{Nothing,Float64}
    cache::Union{Nothing,DictCache{V},RedisCache{V}}
    # The configuration whose limit it obeys beside its cache's, when the cache is someone else's.
    limit::Union{Nothing,Config}
    private::Bool
    lock::ReentrantLock
    hits::Threads.Atomic{Int}
    misses::Threads.Atomic{Int}
end

function Memo(f; returns::Type=Any, typed::Bool=false, maximum_memory_percent=nothing,
              config::AnyConfig=default_config(), cache::Union{Nothing,DictCache,RedisCache}=nothing, prefix=nothing)
    V = cache === nothing ? returns : valtype(cache)
    check_storable(V)
    returns === Any || returns === V ||
        throw(ArgumentError("a memo that returns $returns on a cache of $V"))
    # Made for its own cache too, whose limit it is not: a wrong percentage is told now, not by the first call.
    limit = maximum_memory_percent === nothing ? nothing : limited(maximum_memory_percent)
    memo = Memo{V,typeof(f)}(f, typed, prefix === nothing ? nothing : String(prefix), config, maximum_memory_percent,
                             cache, cache === nothing ? nothing : limit, cache === nothing, ReentrantLock(), Threads.Atomic{Int}(0),
                             Threads.Atomic{Int}(0))
    cache === nothing || join_cache(memo, cache)
    return memo
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
function cache_of(memo::Memo{V}) where {V}
    cache = memo.cache
    cache !== nothing && (isopen(cache) || !memo.private) && return cache
    lock(memo.lock) do
        if memo.cache === nothing || !isopen(memo.cache)
            percent = memo.maximum_memory_percent
            memo.cache = DictCache{V}(config=percent === nothing ? memo.config : limited(percent))
            # What was counted while the package was precompiled is not counted here.
            memo.hits[] = 0
            memo.misses[] = 0
        end
        return memo.cache::Union{DictCache{V},RedisCache{V}}
    end
end

function (memo::Memo{V})(arguments...; keywords...) where {V}
    cache = cache_of(memo)
    builder = borrow_builder()
    memo.private || add!(builder, memo.prefix)
    add!(builder, arguments...; keywords...)
    value, found = compute_value(cache, memo.typed ? Typed(builder) : builder; limit=memo.limit) do
        # A computation that fails is a miss all the same.
        Threads.atomic_add!(memo.misses, 1)
        memo.original(arguments...; keywords...)
    end
    give_back(builder)
    found && Threads.atomic_add!(memo.hits, 1)
    return value::V
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

Base.valtype(::Memo{V}) where {V} = V

Base.show(io::IO, memo::Memo{V}) where {V} = print(io, "Memo{", V, "}(", shown_name(memo.original), ")")
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
    cache = memo.private ? nothing : memo.cache
    foreach(part -> Serialization.serialize(to, part),
            (memo.original, memo.typed, memo.maximum_memory_percent, memo.config, cache, memo.prefix))
end

function Serialization.deserialize(from::Serialization.AbstractSerializer, ::Type{Memo{V,F}}) where {V,F}
    f, typed, percent, config, cache, prefix = ntuple(_ -> Serialization.deserialize(from), 6)
    defined = f isa Function ? defined_memo(f, parentmodule(f), shown_name(f)) : nothing
    defined === nothing || return defined
    return Memo(f; returns=V, typed=typed, maximum_memory_percent=percent, config=config, cache=cache, prefix=prefix)
end

# The memo of `f` that a name stands for, or nothing.
function defined_memo(f, within::Module, name::Symbol)
    isdefined(within, name) || return nothing
    memo = getfield(within, name)
    return memo isa Memo && memo.original === f ? memo : nothing
end

# As a function is.
Base.deepcopy_internal(memo::Memo, ::IdDict) = memo
