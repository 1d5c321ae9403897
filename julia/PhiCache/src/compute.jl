# How a computed value gets into a cache: the mechanism behind `get!`, `memoize!`, `Memo` and `CachedMethod`.

# A computation has three steps, and each returns before the next begins: `get_or_reserve` finds the value or reserves
# its computation; the caller computes; `complete` or `abandon` ends the reservation. So nested computations need little
# more stack than their own frames and one frame for the `try` of each level.

# The right to compute a value: with a lease, for all tasks that wait; or without, beside a task that cannot be waited
# for because of a wait cycle. In verified mode also with a lease and the bytes that the cache has: no task waits then,
# so there is no flight. Interrupts are deferred from `get_or_reserve`, which returns a reservation, to `complete` or
# `abandon`, which end it, except while the caller's function runs and while this task waits.
struct Reservation
    flight::Union{Nothing,Flight}
    flight_key::Tuple{Any,Vector{UInt8}}
    lease::Union{Nothing,Lease}
    kept::Union{Nothing,Vector{UInt8}}
end

# Whether the result of `get_or_reserve` counts as a hit.
is_hit(step) = !(step isa Reservation) || step.kept !== nothing

# The value, or a Reservation; `V` is the type of the value. A hit is as flat as one of `lookup`.
# `source` is what is computed, for messages: the key of the caller, or a call.
@inline function get_or_reserve(::Type{V}, cache::AbstractCache, key, source) where {V}
    value, lease = Ref(CValue()), Ref{Ptr{Cvoid}}(C_NULL)
    code = begin_computation(cache, key, value, lease)
    code == OK.code && return take_value(V, cache, value)
    defer_interrupts()
    return reserve_computation(V, cache, key, code, value[], lease[], source)
end

@inline begin_computation(cache, key, value, lease) = @c phicache_cache_begin(
    cache::Ptr{CView}, key::CBytes, task_number()::UInt64, value::Ptr{CValue}, lease::Ptr{Ptr{Cvoid}})::Int32

# This task as the owner of computations.
@inline task_number() = UInt64(pointer_from_objref(current_task()))

# The rest of `get_or_reserve`, with the results of `begin_computation`.
@noinline function reserve_computation(::Type{V}, cache, key, code, value::CValue, lease, source) where {V}
    pause = 0.001
    while true
        code == ERROR_RECURSION.code && throw_recursion(source)
        check(code) == OK && return allowing_interrupts(take_carefully(V, cache, value))
        flight_key = (cache.identity, key_bytes(key))
        if lease != C_NULL
            value.origin == 0 && return Reservation(start_flight(flight_key), flight_key, Lease(lease), nothing)
            # In verified mode the value is lent until the lease ends.
            kept = copy(unsafe_wrap(Array, value.data, value.len))
            return Reservation(nothing, flight_key, Lease(lease), kept)
        end
        flight = lock(() -> get(FLIGHTS, flight_key, nothing), FLIGHTS_LOCK)
        if flight === nothing
            # A thread of another language computes it, or a task that has not registered its flight yet.
            waiting(() -> sleep(pause))
            pause = min(2pause, 0.05)
        elseif wait_for(flight, source)
            # Counts a hit, or the miss.
            found = lookup(V, cache, key)
            return found isa Absent ? Reservation(flight, flight_key, nothing, nothing) :
                   allowing_interrupts(found)
        end
        next_value, next_lease = Ref(CValue()), Ref{Ptr{Cvoid}}(C_NULL)
        code = begin_computation(cache, key, next_value, next_lease)
        value, lease = next_value[], next_lease[]
    end
end

@noinline throw_recursion(source) = throw(PhiCacheError(ERROR_RECURSION,
    "the computation of $(name_of(source)) requests $(name_of(source)) itself, so it would never end"))

name_of(key) = "the key $(shortened(key))"

# A call of a function that has a cache.
struct SourceCall{F,A,K}
    original::F
    arguments::A
    keywords::K
end

function name_of(call::SourceCall)
    arguments = [map(shortened, call.arguments)...]
    keywords = ["$name=$(shortened(value))" for (name, value) in pairs(call.keywords)]
    return cropped(string(shown_name(call.original), "(", join([arguments; keywords], ", "), ")"), 300)
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
    return allowing_interrupts(nothing)
end

# Ends a reservation with a value, which `write(lease)` writes. The value is not stored if memory is full according to
# `limit`, a configuration or nothing.
@noinline function complete(write, reservation::Reservation, limit)
    lease = reservation.lease
    lease === nothing && return allowing_interrupts(stop_computing(reservation.flight))
    refused = false
    try
        write(lease)
        refused = (limit !== nothing && memory_full(limit)) || complete(lease)
    finally
        close(lease)
        finish_flight(reservation.flight, reservation.flight_key, refused)
    end
    return allowing_interrupts(nothing)
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

"""
    get!(compute, cache::AbstractCache, key)
    get!(cache::AbstractCache, key, default)

The value of a key. On a miss, the value is the result of `compute()` (or `default`), and is stored unless the cache
refuses it. An exception of `compute` is passed on unchanged, and nothing is stored.

If several tasks miss the same key, one computes and the others wait, without blocking their threads. `compute` may use
the same cache for other keys and may switch tasks; requesting its own key throws a `PhiCacheError`
(`PhiCache.ERROR_RECURSION`). Tasks that would wait for each other in a cycle compute instead. A value that was being
computed during `empty!` is not stored.

`compute` must not wait for a task that requests the same key (with `fetch`, `wait`, `@sync`, a channel or a lock): that
task waits for `compute`, and neither ends. Julia does not tell what a task waits for, so this is not noticed.
"""
function Base.get!(compute::F, cache::AbstractCache{V}, key) where {F<:Base.Callable,V}
    prepared = prepare_key(cache, key)
    step = get_or_reserve(V, cache, prepared, key)
    release_key(prepared)
    return step isa Reservation ? compute_value(compute, cache, step)::V : step
end
Base.get!(cache::AbstractCache, key, default) = get!(() -> default, cache, key)

# Ends a reservation with the result of `compute()`.
@noinline function compute_value(compute::F, cache::AbstractCache{V}, reservation) where {F,V}
    value = try
        allow_interrupts()
        ensure_stack()
        converted(V, compute())
    catch
        abandon(reservation)
        rethrow()
    end
    return complete_with(V, cache, reservation, value, nothing)::V
end

# Ends a reservation with this value. Returns it, or in verified mode the equal value that the cache has.
@noinline function complete_with(::Type{V}, cache, reservation, value, limit) where {V}
    reservation.kept === nothing || return allowing_interrupts(verify(V, cache, reservation, value))
    complete(lease -> write_value(lease, bytes_of(V, cache, value)), reservation, limit)
    return value
end
