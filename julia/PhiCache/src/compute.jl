# How a missing value gets into a cache. The one place that decides it, for `get!`, `memoize!`, `Memo` and
# `CachedMethod`.

# The value of a key, and whether it was found rather than computed. On a miss, `write(lease)` computes it and writes
# its bytes; `alone()` computes it where there is no lease. It is not stored if `limit`, a configuration, finds memory
# full.
function find_or_compute(write, alone, cache::AbstractCache, key; limit=nothing)
    pause = 0.001
    while true
        lease = Ref{Ptr{Cvoid}}(C_NULL)
        found = begin_computation(cache, key, lease)
        found === nothing || return (something(found), true)
        lease[] == C_NULL || return (compute_for_all(write, cache, key, Lease(lease[]), limit), false)
        flight = lock(() -> get(FLIGHTS, (cache.identity, key_bytes(key)), nothing), FLIGHTS_LOCK)
        if flight === nothing
            # No task of ours computes it, but a thread of another language, or a task that is about to say so.
            sleep(pause)
            pause = min(2pause, 0.05)
        elseif wait_for(flight)
            # Counts a hit, or the miss.
            found = lookup(cache, key)
            found === nothing || return (something(found), true)
            return (beside(alone, flight), false)
        end
    end
end

# Some(value); or nothing, and a lease or (another computes) none.
function begin_computation(cache, key, lease)
    owner = UInt64(pointer_from_objref(current_task()))
    return with_pinned(bytes -> from_bytes(cache, bytes), value -> @c phicache_cache_begin(
        cache::Ptr{CView}, key::CBytes, owner::UInt64, value::Ptr{CValue}, lease::Ptr{Ptr{Cvoid}})::Int32)
end

# Whatever happens, the flight lands, and the lease is completed or abandoned.
function compute_for_all(write, cache, key, lease, limit)
    place = (cache.identity, key_bytes(key))
    flight = take_off(place)
    refused = false
    try
        value = write(lease)
        refused = (limit !== nothing && memory_full(limit)) || complete(lease)
        return value
    finally
        close(lease)
        land(flight, place, refused)
    end
end

"""
    get!(compute, cache::AbstractCache, key)
    get!(cache::AbstractCache, key, default)

The value of a key. On a miss, `compute()` (or `default`) is it, and is stored if the cache takes it. If `compute`
throws, the exception comes out unchanged, and nothing is stored.

Of several tasks that miss the same key one computes; the others wait, leaving their threads to others. `compute` may
use the cache itself and switch tasks; asking for the key that it computes is a `PhiCacheError`
(`PhiCache.ERROR_RECURSION`). Two tasks that would wait for each other both compute. A value whose computation began
before `empty!` is never seen after it.
"""
Base.get!(compute::Base.Callable, cache::AbstractCache, key) =
    with_key(key -> first(compute_value(compute, cache, key)), cache, key)
Base.get!(cache::AbstractCache, key, default) = get!(() -> default, cache, key)

# The value of a key, which `compute()` returns on a miss, and whether it was found.
function compute_value(compute, cache::AbstractCache{V}, key; limit=nothing) where {V}
    alone() = convert(V, compute())::V
    function write(lease)
        value = alone()
        put(lease, to_bytes(cache, value))
        return value
    end
    value, found = find_or_compute(write, alone, cache, key; limit=limit)
    return (value::V, found)
end
