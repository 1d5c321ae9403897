# Values at a Redis server, shared by many processes: PyPhi's RedisCache.

"""
    RedisCache{V}(; config=default_config(), name=nothing, max_bytes=0, on_full=:configured, ttl=0, lease=0,
                  server_errors=false, no_checksum=false, scan_timeout=0)

A cache at the configured Redis or Valkey server, shared by all processes that use its namespace. Used like a
[`DictCache`](@ref), with the same types `V`. (Do not use `Any` if the processes have different versions of Julia,
because they may not read each other's serialized values.) It connects at the first use. `RedisCache{V}(fingerprint,
role)` has only the values of one system in one role.

Without fingerprint and role, `length` counts and `empty!` removes everything in the namespace: the values of all types,
fingerprints and roles, of all programs. To remove less, use `delete!`, a cache with a role, or a namespace of your own
(`config=Config(redis_namespace="mine")`).

The server does not know the types of values, so all keys there begin with the name of `V` and its fields: a
`RedisCache{Int}` does not find what a `RedisCache{Float64}` has stored under the same key. Programs in C and C++ share
keys and values with a `RedisCache{Vector{UInt8}}`, which has their bytes, and with `no_checksum` with any `V`; there,
only the length of a value is checked.

* `ttl`: the server expires values after this number of seconds (0: never);
* `lease`: for this number of seconds a process that computes a missing value makes other processes wait for it in
  `get!` instead of computing it too (0: they do not wait). A value that takes longer is returned and not stored;
* `server_errors`: whether a failure of the server throws a `PhiCacheError` (`PhiCache.ERROR_REDIS`). If false, the
  lookup is a miss, the store is `PhiCache.REFUSED_SERVER`, and [`redis_health`](@ref) counts it. `delete!` and `empty!`
  throw in any case;
* `no_checksum`: whether plain values are stored under plain keys, for other programs to read and write. If false, each
  value has a checksum that ties it to its key; a value at the server without the right one is a miss, counted in
  `stats(cache).damaged`;
* `scan_timeout`: how many seconds `empty!` and `length` may scan the names at the server (0: 30);
* `verify_every`, `same`, `ondifference`: as for a [`DictCache`](@ref); values from the server are verified too.

No other call takes longer than `redis_timeout` of the configuration. While a call waits for a silent server, Julia's
garbage collector waits too. After a failure, operations skip the server for a while.
"""
mutable struct RedisCache{V} <: ByteCache{V}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    memos::Memos
    verification::Verification
    # Equal for handles of the same values.
    place::Any
    # What keys begin with.
    prefix::Vector{UInt8}

    function RedisCache{V}(pointer::Ptr{Cvoid}, config::AnyConfig, verification, place, prefix) where {V}
        view = new_handle(out -> @c phicache_redis_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        return free_when_collected(
            new{V}(pointer, view, Threads.Atomic{Bool}(true), config, pointer, Memos(), verification, place, prefix))
    end
end

function RedisCache{V}(; options...) where {V}
    cache = new_redis_cache(V; options...) do config, options, out
        @c phicache_redis_cache_new(config::Ptr{Cvoid}, options::Ptr{COptions}, out::Ptr{Ptr{Cvoid}})::Int32
    end
    # Values of several types share a namespace; their keys differ.
    register_shared(cache, cache.place; of_one_type=false)
    return cache
end

RedisCache(arguments...; options...) = RedisCache{Any}(arguments...; options...)
RedisCache{V}(arguments...; options...) where {V} = throw_no_method("RedisCache", arguments,
    "RedisCache{V}(; options...) with the type V of its values, or RedisCache{V}(fingerprint, role; options...)")

# Calls `make(config, options, out)`, which creates the cache that `identity` names in its namespace.
function new_redis_cache(make, ::Type{V}, identity...; options...) where {V}
    check_storable(V)
    refuse_addresses("RedisCache", V)
    config, server_options = split_options("RedisCache", REDIS_OPTIONS, options)
    verification, pointer = new_cache((options, out) -> make(config, options, out); server_options...)
    is_plain = get(server_options, :no_checksum, false) || config.redis_whole_database || V === Vector{UInt8}
    prefix = is_plain ? UInt8[] : Vector{UInt8}(replace(layout(V), '\0' => "\\0") * '\0')
    return RedisCache{V}(pointer, config, verification, (:redis, server_of(config), identity...), prefix)
end
new_redis_cache(make, V, arguments...; options...) = check_storable(V)

# Bytes that are read as another type than they were written would be a wrong value.
prepare_key(cache::RedisCache, key) = with_type(cache, make_key(key, true))

function with_type(cache::RedisCache, key)
    bytes = [cache.prefix; key_bytes(key)]
    release_key(key)
    return bytes
end

without_type(cache::RedisCache, key) = key[length(cache.prefix)+1:end]

# The server of a configuration and the namespace there.
server_of(config) = (config.redis_url, config.redis_namespace)

free_handle(::Type{<:RedisCache}, pointer) = @c phicache_redis_cache_free(pointer::Ptr{Cvoid})::Int32

"""
    redis_ping(config=default_config(); timeout=0)

Contacts the configured server, even if it has just failed, and waits up to `timeout` seconds for its answer (0: the
configured timeout). Throws a `PhiCacheError` that says why it does not answer.
"""
function redis_ping(config::AnyConfig=default_config(); timeout::Real=0)
    check(@c phicache_redis_ping(config::Ptr{Cvoid}, milliseconds(timeout)::UInt64)::Int32)
    return nothing
end

"""
    redis_available(config=default_config(); timeout=0) -> Bool

Whether the configured server answers within `timeout` seconds (0: the configured timeout). PyPhi's `redis_available`.
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

The state of the connection to the server of a cache in Redis, shared by all caches with the same connection settings.
Does not contact the server.

* `failures`, `refusals`: operations that failed, and that the server refused;
* `skipped`: operations that were not tried because the server had just failed;
* `connections`, `reconnects`: connections that were opened, and those among them that replaced a broken one;
* `skipping`: for how many seconds from now operations are still skipped;
* `last_error`: the message of the last operation that failed.
"""
function redis_health(cache::AbstractCache)
    health = Ref(CHealth(sizeof(CHealth), 0, 0, 0, 0, 0, 0, ntuple(_ -> 0x00, 256)))
    check(@c phicache_cache_redis_health(cache::Ptr{CView}, health::Ptr{CHealth})::Int32)
    found = health[]
    return (failures=Int(found.failures), refusals=Int(found.refusals), skipped=Int(found.skipped),
            connections=Int(found.connections), reconnects=Int(found.reconnects), skipping=found.skipping_ms / 1000,
            last_error=text_of(found.last_error))
end
