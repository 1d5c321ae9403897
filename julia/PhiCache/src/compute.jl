# How a computed value gets into a cache: the mechanism behind `get!`, `memoize!`, `Memo` and `CachedMethod`.

# A computation has three steps, and each returns before the next begins: `get_or_reserve` finds the value or reserves
# its computation; the caller computes; `complete` or `abandon` ends the reservation. So nested computations need little
# more stack than their own frames and one frame for the `try` of each level.

# The right to compute a value: with a lease, for all tasks that wait; or without, beside a task that cannot be waited
# for because of a wait cycle. In verified mode also with a lease and the bytes that the cache has: no task waits then,
# so there is no flight.
struct Reservation
    flight::Union{Nothing,Flight}
    flight_key::Tuple{Any,Vector{UInt8}}
    lease::Union{Nothing,Lease}
    kept::Union{Nothing,Vector{UInt8}}
end

# Whether the result of `get_or_reserve` counts as a hit.
is_hit(step) = !(step isa Reservation) || step.kept !== nothing

# Some(value), or a Reservation; `V` is the type of the value.
@noinline function get_or_reserve(::Type{V}, cache::AbstractCache, key) where {V}
    pause = 0.001
    while true
        lease = Ref{Ptr{Cvoid}}(C_NULL)
        found = begin_computation(V, cache, key, lease)
        found isa Some && return found
        flight_key = (cache.identity, key_bytes(key))
        found isa Vector{UInt8} && return Reservation(nothing, flight_key, Lease(lease[]), found)
        lease[] == C_NULL || return Reservation(start_flight(flight_key), flight_key, Lease(lease[]), nothing)
        flight = lock(() -> get(FLIGHTS, flight_key, nothing), FLIGHTS_LOCK)
        if flight === nothing
            # A thread of another language computes it, or a task that has not registered its flight yet.
            waiting(() -> sleep(pause))
            pause = min(2pause, 0.05)
        elseif wait_for(flight)
            # Counts a hit, or the miss.
            found = lookup(V, cache, key)
            return found === nothing ? Reservation(flight, flight_key, nothing, nothing) : found
        end
    end
end

# Ends a reservation without a value: abandons the lease and finishes the flight.
@noinline function abandon(reservation::Reservation)
    lease = reservation.lease
    if lease === nothing
        stop_computing(reservation.flight)
    elseif reservation.kept !== nothing
        close(lease)
    else
        close(lease)
        finish_flight(reservation.flight, reservation.flight_key, false)
    end
end

# Ends a reservation with a value, which `write(lease)` writes. The value is not stored if memory is full according to
# `limit`, a configuration or nothing.
@noinline function complete(write, reservation::Reservation, limit)
    lease = reservation.lease
    lease === nothing && return stop_computing(reservation.flight)
    refused = false
    try
        write(lease)
        refused = (limit !== nothing && memory_full(limit)) || complete(lease)
    finally
        close(lease)
        finish_flight(reservation.flight, reservation.flight_key, refused)
    end
    return nothing
end

# A stack overflow inside the library or the allocator, where a lock is held, would hang the process. So every
# computation, which may request other values, first touches the next 256 KiB of the stack, page by page to hit the
# guard page: the overflow happens here, where Julia turns it into a StackOverflowError. Hits do not need this.
const STACK_NEEDED = 1 << 18
const BYTES = VERSION < v"1.12-" ? "i8*" : "ptr"

@eval @noinline ensure_stack() = Base.llvmcall($("""
    %low = alloca i8, i64 $STACK_NEEDED
    br label %touch
    touch:
    %offset = phi i64 [ $STACK_NEEDED, %0 ], [ %next, %touch ]
    %next = sub i64 %offset, 4096
    %page = getelementptr i8, $BYTES %low, i64 %next
    store volatile i8 0, $BYTES %page
    %done = icmp eq i64 %next, 0
    br i1 %done, label %enough, label %touch
    enough:
    ret void
    """), Cvoid, Tuple{})

# Some(value); or the bytes that the lease in `lease` verifies; or nothing. Then `lease` has the lease to compute the
# value, or NULL if another task or thread computes it.
function begin_computation(::Type{V}, cache, key, lease) where {V}
    owner = UInt64(pointer_from_objref(current_task()))
    value = Ref(CValue())
    status = check(@c phicache_cache_begin(
        cache::Ptr{CView}, key::CBytes, owner::UInt64, value::Ptr{CValue}, lease::Ptr{Ptr{Cvoid}})::Int32)
    bytes = CBytes(value[].data, value[].len)
    # Lent until the lease ends.
    status == OK || return value[].origin == 0 ? nothing : copy(unsafe_wrap(Array, bytes.data, bytes.len))
    try
        return Some(value_of(V, cache, bytes))
    finally
        @c phicache_value_release(value::Ptr{CValue})::Cvoid
    end
end

begin_computation(cache::AbstractCache{V}, key, lease) where {V} = begin_computation(V, cache, key, lease)

# Decodes and encodes a value of type `V`, which is the cache's own type or, for byte caches, chosen by the caller.
value_of(::Type{V}, cache::AbstractCache{V}, bytes) where {V} = from_bytes(cache, bytes)
value_of(::Type{V}, ::ByteCache, bytes) where {V} = decode(V, bytes)
bytes_of(::Type{V}, cache::AbstractCache{V}, value) where {V} = to_bytes(cache, value)
bytes_of(::Type{V}, ::ByteCache, value) where {V} = encode(V, value)

"""
    get!(compute, cache::AbstractCache, key)
    get!(cache::AbstractCache, key, default)

The value of a key. On a miss, the value is the result of `compute()` (or `default`), and is stored unless the cache
refuses it. An exception of `compute` is passed on unchanged, and nothing is stored.

If several tasks miss the same key, one computes and the others wait, without blocking their threads. `compute` may use
the same cache for other keys and may switch tasks; requesting its own key throws a `PhiCacheError`
(`PhiCache.ERROR_RECURSION`). Tasks that would wait for each other in a cycle compute instead. A value that was being
computed during `empty!` is not stored.
"""
Base.get!(compute::Base.Callable, cache::AbstractCache, key) =
    with_key(key -> compute_value(compute, cache, key), cache, key)
Base.get!(cache::AbstractCache, key, default) = get!(() -> default, cache, key)

# The value of a key; on a miss the result of `compute()`.
function compute_value(compute, cache::AbstractCache{V}, key) where {V}
    step = get_or_reserve(V, cache, key)
    step isa Reservation || return something(step)::V
    value = try
        ensure_stack()
        convert(V, compute())::V
    catch
        abandon(step)
        rethrow()
    end
    return complete_with(V, cache, step, value, nothing)::V
end

# Ends a reservation with this value. Returns it, or in verified mode the equal value that the cache has.
@noinline function complete_with(::Type{V}, cache, reservation, value, limit) where {V}
    reservation.kept === nothing || return verify(V, cache, reservation, value)
    complete(lease -> write_value(lease, bytes_of(V, cache, value)), reservation, limit)
    return value
end
