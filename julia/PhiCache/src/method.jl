# A function that uses its object's cache: PyPhi's `method` decorator.

"""
    CachedMethod(f; prefix=nothing, repertoire=false)

`f(object, arguments...; keywords...)` with a cache that is given with each call:

    cause_repertoire = CachedMethod(compute_cause_repertoire; prefix="cause", repertoire=true)
    cause_repertoire(subsystem.cache, subsystem, mechanism, purview)

The key is made of `prefix` and the arguments; the object is not part of it, so a cache belongs to one object. A
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
    add!(builder, method.prefix)
    add!(builder, arguments...; keywords...)
    value, _ = compute_value(() -> method.original(object, arguments...; keywords...), cache, builder)
    give_back(builder)
    return value::V
end

original(method::CachedMethod) = method.original

Base.show(io::IO, ::MIME"text/plain", method::CachedMethod) = show(io, method)
Base.show(io::IO, method::CachedMethod) =
    print(io, "CachedMethod(", method.original, "; prefix=", repr(method.prefix), ", repertoire=", method.repertoire,
          ")")
