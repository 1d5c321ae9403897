# Calls that no method takes: one line says which calls exist, where Julia would list all methods.

const TEXT_AND_VECTORS =
    "with text and vectors; of a matrix A vec(A), and collect(size(A)) if it may have other sizes"

# The calls of the functions of this package.
const CALLS = (
    info="info(cache), info(memo) or info(name)", stats="stats(cache), stats(memo) or stats(name)",
    entries="entries(cache)", named_caches="named_caches()", original="original(memo)",
    set! ="set!(cache, key, value; cost=0)", get_many="get_many(cache, keys, default=nothing)",
    set_many! ="set_many!(cache, pairs), with pairs such as a dictionary or zip(keys, values)",
    withvalue="withvalue(f, cache, key) or withvalue(f, cache, key, T)",
    memoize! ="memoize!(fill!, cache, key, sizes...)",
    save_cache="save_cache(cache, file, context)", load_cache! ="load_cache!(cache, file, context)",
    describe_saved="describe_saved(file; verify=false)",
    disk_sync="disk_sync(cache)", disk_health="disk_health(cache)",
    disk_list="disk_list(config; verify=false) or disk_list(directory; verify=false)",
    disk_remove="disk_remove(fingerprint, config) or disk_remove(fingerprint, directory)",
    redis_ping="redis_ping(config=default_config(); timeout=0), with the Config of a cache",
    redis_available="redis_available(config=default_config(); timeout=0), with the Config of a cache",
    redis_health="redis_health(cache)",
    default_config="default_config()", memory_full="memory_full(config=default_config())",
    memory_limits="memory_limits(config=default_config())", memory_percent="memory_percent()",
    memory_usage="memory_usage()",
    add! ="add!(key, values...; keywords...), with a KeyBuilder first",
    repertoire_key="repertoire_key(prefix, direction, mechanism, purview), where the prefix may be nothing",
    mice_key="mice_key(prefix, direction, mechanism, purviews=nothing), where the prefix may be nothing",
    joined_key="joined_key(parts...), $TEXT_AND_VECTORS",
    nodes="nodes(subsystem)", iscut="iscut(subsystem)", fingerprint="fingerprint(subsystem)",
    damages="damages(cut, direction, mechanism, purview) or damages(subsystem, direction, mechanism, purview)",
    cut_scoped_key="cut_scoped_key(subsystem, prefix, direction, mechanism, purview)",
    would_store="would_store(cache, phi), with a MICECache", mask="mask(nodes), with a NodeSet")

for (name, calls) in pairs(CALLS)
    @eval $name(arguments...; options...) = throw_no_method($(QuoteNode(name)), arguments, $calls)
end

KeyParts(parts...) = throw_no_method("KeyParts", parts, "KeyParts(parts...), $TEXT_AND_VECTORS")
KeyBuilder(arguments...) = throw_no_method("KeyBuilder", arguments, "KeyBuilder()")
Direction(arguments...) = throw_no_method("Direction", arguments, "CAUSE, EFFECT or BIDIRECTIONAL")

# A function with a cache is not a dictionary. (`get` and `get!` may have a memo as the function that computes.)
const CachedFunction = Union{Memo,CachedMethod}

for name in (:delete!, :pop!, :haskey, :peek, :getindex, :setindex!, :keys, :length, :isempty, :copy)
    @eval Base.$name(f::CachedFunction, rest...) = throw_no_method($(QuoteNode(name)), (f, rest...), calls_of(f))
end
for name in (:get, :get!)
    @eval Base.$name(compute::Base.Callable, f::CachedFunction, key) =
        throw_no_method($(QuoteNode(name)), (compute, f, key), calls_of(f))
end
# A method `get(memo, key, default)` would be ambiguous with `get(compute, dictionary, key)`.
function hint_at_calls(io, error, types, keywords)
    error.f in (get, get!) && !isempty(error.args) && first(error.args) isa CachedFunction &&
        print(io, "\nexpected ", calls_of(first(error.args)))
end

for name in (:info, :stats, :empty!)
    owner = name == :empty! ? :Base : :PhiCache
    @eval $owner.$name(f::CachedMethod) = throw_no_method($(QuoteNode(name)), (f,), calls_of(f))
end

# A cache has most functions of a dictionary; for the others, what to call instead.
const MERGE = "set_many!(cache, pairs), which takes a dictionary or another cache"
for (name, arguments, calls) in (
    (:push!, (:cache, :(pairs...)), "cache[key] = value, or $MERGE"),
    (:merge!, (:cache, :(others...)), MERGE), (:merge, (:cache, :(others...)), MERGE),
    (:mergewith!, (:f, :cache, :(others...)), MERGE),
    (:copy, (:cache,), "Dict(cache) for its pairs, or set_many!(other, cache) for another cache"),
    (:empty, (:cache, :(types...)), "another cache, or empty!(cache), which removes all its values"),
    (:filter!, (:f, :cache), "for (key, value) in cache; f(key => value) || delete!(cache, key); end"),
    (:filter, (:f, :cache), "filter(f, Dict(cache))"),
    (:get, (:cache, :key), "get(cache, key, default), peek(cache, key), or cache[key]"),
    (:get!, (:cache, :key), "get!(cache, key) do ... end, or get!(cache, key, default)"),
    (:getindex, (:cache,), "cache[key]"), (:setindex!, (:cache, :value), "cache[key] = value"),
    (:haskey, (:cache,), "haskey(cache, key)"),
    (:delete!, (:cache,), "delete!(cache, key), or empty!(cache), which removes all its values"),
    (:pop!, (:cache,), "pop!(cache, key) or pop!(cache, key, default)"))
    isdefined(Base, name) || continue
    typed = map(argument -> argument == :cache ? :(cache::AbstractCache) : argument, arguments)
    @eval Base.$name($(typed...)) = throw_no_method($(QuoteNode(name)), ($(arguments...),), $calls)
end

calls_of(::Memo) =
    "a call f(arguments...), info(f) for its counts, or empty!(f), which removes all its values; a memo is a " *
    "function, and only a cache that you give to it (cache=...) can be used as a dictionary"
calls_of(::CachedMethod) =
    "a call f(cache, object, arguments...); a cached method is a function, and its values are in the cache of " *
    "each object"
