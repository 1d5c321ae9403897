# A function that uses the cache of its object: PyPhi's `method` decorator.

"""
    CachedMethod(f; prefix=nothing, repertoire=false)

`f(object, arguments...; keywords...)` with a cache that each call passes:

    cause_repertoire = CachedMethod(compute_cause_repertoire; prefix="cause", repertoire=true)
    cause_repertoire(subsystem.cache, subsystem, mechanism, purview)

The key is `prefix` and the arguments, without the object, so the cache must belong to one object, and each method on
it needs a prefix of its own. A call that finds no value is an error if a method of a function with another name has
used the prefix on that cache; closures and functions without a name are not noticed, and return each other's values.
Arguments that dispatch tells apart have different keys: an `Int`, an `Int32`, a `Float64` and a `Bool` of equal
value, or an enum, a tuple and a vector. For text, node sets, directions, `Int`, vectors of `Float64` and tuples of
these the key is the same as in C and C++. A `repertoire` method calls `f` directly while the configuration of the
cache has `cache_repertoires` off.

The key does not contain the definition of `f` either. After you have redefined `f`, or a function that it calls, use
`empty!` on the caches of the objects, or another prefix. On a [`DiskCache`](@ref) the prefix has a version, such as
`"cause@1"`, which you change when results change.
"""
struct CachedMethod{F} <: Function
    original::F
    prefix::Union{Nothing,String}
    repertoire::Bool
    # Whether the prefix has a version, which a cache on disk needs.
    has_version::Bool
end

function CachedMethod(f; options...)
    checked("CachedMethod", (:prefix, :repertoire), options)
    check_callable("CachedMethod", f)
    prefix = get(options, :prefix, nothing)
    return CachedMethod{typeof(f)}(f, prefix === nothing ? nothing : String(prefix), get(options, :repertoire, false),
                                   has_version(prefix))
end
CachedMethod(arguments...; options...) = throw_no_method("CachedMethod", arguments, "CachedMethod(f; options...)")

function (method::CachedMethod)(cache::AbstractCache{V}, object, arguments::Vararg{Any,N}; keywords...) where {V,N}
    if method.repertoire && !cache.config.cache_repertoires
        return converted(V, method.original(object, arguments...; keywords...))
    end
    cache isa DiskCache && !method.has_version && throw_no_version("the method", method.prefix, LACKS_OBJECT)
    builder = borrow_builder(false, EXACT_UNTYPED, outlives_process(cache))
    add!(builder, method.prefix)
    add_each!(builder, arguments)
    add_keywords!(builder, values_of(keywords))
    key = with_type(cache, builder)
    step = get_or_reserve(V, cache, key, SourceCall(method.original, arguments, values_of(keywords)))
    release_key(key)
    step isa Reservation || return step
    value = try
        check_prefix(method, cache)
        allow_interrupts()
        ensure_stack()
        converted(V, method.original(object, arguments...; keywords...))
    catch
        abandon(step)
        rethrow()
    end
    return complete_with(V, cache, step, value, nothing)::V
end

# Two methods with the same prefix on one cache would read each other's values. Functions with one name are taken for
# one that was redefined, and those without a name cannot be told from it.
function check_prefix(method, cache)
    name = method.original isa Function ? nameof(method.original) : nameof(typeof(method.original))
    startswith(string(name), '#') && return
    hasfield(typeof(cache), :memos) || return
    other = lock(() -> get!(cache.memos.methods, method.prefix, name), MEMOS_LOCK)
    other === name && return
    # After a function was renamed, it suffices to empty the cache.
    isempty(cache) && return lock(() -> (cache.memos.methods[method.prefix] = name; nothing), MEMOS_LOCK)
    described = method.prefix === nothing ? "no prefix" : "the prefix $(repr(method.prefix))"
    throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
        "the method of $other on this cache has $described, and so has that of $name; each would read the other's " *
        "values: give each a prefix of its own, as in CachedMethod($name; prefix=$(repr(string(name))))"))
end

# What else the error says: with a version alone, the objects would read each other's values.
const LACKS_OBJECT = ". The key of a method lacks the object: if objects with this cache have different results, " *
                     "use a memo of a function with the object as an argument"

(method::CachedMethod)(arguments...; keywords...) = throw(ArgumentError(
    "a CachedMethod is called as f(cache, object, arguments...); these are " *
    (isempty(arguments) ? "no arguments" : "arguments of the types $(join(map(typeof, arguments), ", "))")))

shown_type(::CachedMethod) = "::CachedMethod"

original(method::CachedMethod) = method.original

Base.show(io::IO, ::MIME"text/plain", method::CachedMethod) = show(io, method)
Base.print(io::IO, method::CachedMethod) = show(io, method)
Base.show(io::IO, method::CachedMethod) =
    print(io, "CachedMethod(", shown_name(method.original), "; prefix=", repr(method.prefix), ", repertoire=",
          method.repertoire, ")")
