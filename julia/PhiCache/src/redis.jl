# Values at a Redis server, for many processes: PyPhi's RedisCache.

"""
    RedisCache{V}(; config=default_config(), name=nothing, max_bytes=0, ttl=0, lease=0, server_errors=false,
                  no_checksum=false, scan_timeout=0)

A cache at the configuration's Redis or Valkey server, for all processes that use its namespace; used like a
[`DictCache`](@ref), with the same `V` (give it: what `Any` serializes is for one version of Julia only). It connects at
the first use. `RedisCache{V}(fingerprint, role)` is for the values of one system in one role.

* `ttl`: after how many seconds the server forgets a value (0: never);
* `lease`: for how many seconds a process that computes a missing value keeps others from computing it too (0: it does
  not). Their `get!` waits, as tasks do;
* `server_errors`: whether a server that fails is a `PhiCacheError` (`PhiCache.ERROR_REDIS`). Without, a lookup is a miss,
  a store is `PhiCache.REFUSED_SERVER`, and [`redis_health`](@ref) tells. `delete!` and `empty!` that fail throw in any case;
* `no_checksum`: whether values are stored as they are, for other programs to read and write. Without, what is at the server
  and was not stored under this very key is a miss, and counted (`stats(cache).damaged`);
* `scan_timeout`: how many seconds `empty!` and `length` may go through the names at the server (0: 30).

No other call takes longer than the configuration's `redis_timeout`; while one is
waiting for a silent server, Julia's garbage collector waits too. A server that has failed is left alone for a while.
"""
mutable struct RedisCache{V} <: ByteCache{V}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    tenants::Tenants

    function RedisCache{V}(pointer::Ptr{Cvoid}, config::AnyConfig) where {V}
        view = new_handle(out -> @c phicache_redis_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        return collected(new{V}(pointer, view, Threads.Atomic{Bool}(true), config, pointer, Tenants()))
    end
end

function RedisCache{V}(; config::AnyConfig=default_config(), name=nothing, max_bytes::Integer=0, remote...) where {V}
    check_storable(V)
    pointer = new_cache(name, max_bytes; remote...) do options, out
        @c phicache_redis_cache_new(config::Ptr{Cvoid}, options::Ptr{COptions}, out::Ptr{Ptr{Cvoid}})::Int32
    end
    return RedisCache{V}(pointer, config)
end

RedisCache(arguments...; options...) = RedisCache{Any}(arguments...; options...)

free_handle(::Type{<:RedisCache}, pointer) = @c phicache_redis_cache_free(pointer::Ptr{Cvoid})::Int32

"""
    redis_ping(config=default_config(); timeout=0)

Asks the configuration's server, whatever it did before, and throws a `PhiCacheError` that says why it does not answer
within so many seconds (0: the configuration's).
"""
function redis_ping(config::AnyConfig=default_config(); timeout::Real=0)
    check(@c phicache_redis_ping(config::Ptr{Cvoid}, milliseconds(timeout)::UInt64)::Int32)
    return nothing
end

"""
    redis_available(config=default_config(); timeout=0) -> Bool

Whether the configuration's server answers within so many seconds (0: the configuration's). PyPhi's `redis_available`.
"""
function redis_available(config::AnyConfig=default_config(); timeout::Real=0)
    available = Ref(Int32(0))
    check(@c phicache_redis_available(config::Ptr{Cvoid}, milliseconds(timeout)::UInt64, available::Ptr{Int32})::Int32)
    return available[] != 0
end

struct CHealth
    struct_size::Csize_t
    failures::UInt64
    refusals::UInt64
    skipped::UInt64
    connections::UInt64
    reconnects::UInt64
    skipping_ms::UInt64
    last_error::NTuple{256,UInt8}
end

"""
    redis_health(cache) -> (failures, refusals, skipped, connections, reconnects, skipping, last_error)

How the server of a cache in Redis is doing, as all caches see it that were made with the same connection settings:
operations that failed, that the server refused, and that were not tried because it had just failed; connections that
were opened, and those of them that replaced a broken one; for how many seconds from now on it is left alone; and what
the last operation that failed had to say. Asks nothing.
"""
function redis_health(cache::AbstractCache)
    health = Ref(CHealth(sizeof(CHealth), 0, 0, 0, 0, 0, 0, ntuple(_ -> 0x00, 256)))
    check(@c phicache_cache_redis_health(cache::Ptr{CView}, health::Ptr{CHealth})::Int32)
    found = health[]
    return (failures=Int(found.failures), refusals=Int(found.refusals), skipped=Int(found.skipped),
            connections=Int(found.connections), reconnects=Int(found.reconnects), skipping=found.skipping_ms / 1000,
            last_error=text_of(found.last_error))
end

# The text of a C array, up to its NUL.
text_of(letters) = String(collect(Iterators.takewhile(!=(0x00), letters)))
