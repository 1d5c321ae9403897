# A function that uses its object's cache: PyPhi's `method` decorator.

"""
    CachedMethod(f; prefix=nothing, repertoire=false)

`f(object, arguments...; keywords...)` with a cache that is given with each call:

    cause_repertoire = CachedMethod(compute_cause_repertoire; prefix="cause", repertoire=true)
    cause_repertoire(subsystem.cache, subsystem, mechanism, purview)

The key is made of `prefix` and the arguments; the object is not part of it, so a cache belongs to one object. What dispatch
tells apart is never one key: methods for `Int`, `Int32`, `Float64` and `Bool`, for enums, tuples and vectors do not answer
for each other. Of text, node sets, directions, `Int`, vectors of `Float64` and tuples of these the key is what C and C++
make. A
`repertoire` method goes straight through to `f` while `cache_repertoires` is off in the cache's configuration.
"""
struct CachedMethod{F} <: Function
    original::F
    prefix::Union{Nothing,String}
    repertoire::Bool
end

CachedMethod(f; prefix=nothing, repertoire::Bool=false) =
    CachedMethod{typeof(f)}(f, prefix === nothing ? nothing : String(prefix), repertoire)

function (method::CachedMethod)(cache::AbstractCache{V}, object, arguments...; keywords...) where {V}
    if method.repertoire && !cache.config.cache_repertoires
        return convert(V, method.original(object, arguments...; keywords...))::V
    end
    builder = borrow_builder()
    builder.exactness = EXACT_UNTYPED
    builder.shared = cache isa RedisCache
    add!(builder, method.prefix)
    add_each!(builder, arguments)
    add_keywords!(builder, values_of(keywords))
    step = find_or_begin(V, cache, builder)
    give_back(builder)
    step isa Duty || return something(step)::V
    value = try
        ensure_stack()
        convert(V, method.original(object, arguments...; keywords...))::V
    catch
        give_up(step)
        rethrow()
    end
    put_value(V, cache, step, value, nothing)
    return value
end

original(method::CachedMethod) = method.original

Base.show(io::IO, ::MIME"text/plain", method::CachedMethod) = show(io, method)
Base.show(io::IO, method::CachedMethod) =
    print(io, "CachedMethod(", method.original, "; prefix=", repr(method.prefix), ", repertoire=", method.repertoire,
          ")")
