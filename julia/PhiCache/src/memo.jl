# A function with its cache: PyPhi's `cache` decorator.

"""
    Memo(f; options...)

`f` with a cache: called like `f`, it computes each value once. What `f` throws is thrown unchanged, and not cached. The
arguments are the key (see [`add!`](@ref)), so `f` must depend on nothing else.

* `returns=Any`: the type of its values, stored as [`DictCache`](@ref) says.
* `typed=false`: whether `f(3)` and `f(3.0)` are different calls.
* `maximum_memory_percent`: values are stored while the process occupies less (0: never; `PhiCache.UNLIMITED`: always).
  Without it, the configuration decides: `config`, or that of `cache`.
* `cache`, `prefix`: a `DictCache` or `RedisCache` to keep the values in, and what keeps this memo's keys apart from those of others
  there. Two memos on one cache need two prefixes. Without it the memo has a cache of its own.

`info(memo)` gives its own hits and misses and the size of its cache, `empty!(memo)` clears its cache and its counts,
`original(memo)` is `f`. Any task may call it at any time; of several that
miss the same arguments one computes.
"""
mutable struct Memo{V,F}
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
    limit = cache === nothing || maximum_memory_percent === nothing ? nothing : limited(maximum_memory_percent)
    memo = Memo{V,typeof(f)}(f, typed, prefix === nothing ? nothing : String(prefix), config, maximum_memory_percent,
                             cache, limit, cache === nothing, ReentrantLock(), Threads.Atomic{Int}(0),
                             Threads.Atomic{Int}(0))
    cache === nothing || join_cache(memo, cache)
    return memo
end

limited(percent) = Config(maximum_memory_percent=percent)

# Two memos of one prefix would take each other's values for their own.
const JOINING = ReentrantLock()

function join_cache(memo, cache)
    lock(JOINING) do
        filter!(other -> other.value !== nothing, cache.memos)
        any(other -> other.value.prefix == memo.prefix, cache.memos) && throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
            "a memo with the prefix $(repr(memo.prefix)) keeps its values in this cache already"))
        push!(cache.memos, WeakRef(memo))
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

info(memo::Memo) = (hits=memo.hits[], misses=memo.misses[], size=memo.cache === nothing ? 0 : length(cache_of(memo)))

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
Base.show(io::IO, memo::Memo{V}) where {V} = print(io, "Memo{", V, "}(", memo.original, ")")
