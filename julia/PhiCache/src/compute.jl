# How a missing value gets into a cache. The one place that decides it, for `get!`, `memoize!`, `Memo` and
# `CachedMethod`.

# A computation has three steps, each of which has returned when the next begins: `find_or_begin` finds the value or takes
# on the duty to compute it; the caller computes; `fulfil` or `give_up` ends the duty. So a computation that asks for other
# values, which compute others, has on its stack little more than its own frames and one for each caller's `try`.

# The duty to compute a value: for all who wait for it, with a lease, or beside another task that cannot be waited for.
struct Duty
    flight::Flight
    place::Tuple{Any,Vector{UInt8}}
    lease::Union{Nothing,Lease}
end

# Some(value), or a Duty. `V` is the type of the value.
@noinline function find_or_begin(::Type{V}, cache::AbstractCache, key) where {V}
    pause = 0.001
    while true
        lease = Ref{Ptr{Cvoid}}(C_NULL)
        found = begin_computation(V, cache, key, lease)
        found === nothing || return found
        place = (cache.identity, key_bytes(key))
        lease[] == C_NULL || return Duty(take_off(place), place, Lease(lease[]))
        flight = lock(() -> get(FLIGHTS, place, nothing), FLIGHTS_LOCK)
        if flight === nothing
            # No task of ours computes it, but a thread of another language, or a task that is about to say so.
            sleep(pause)
            pause = min(2pause, 0.05)
        elseif wait_for(flight)
            # Counts a hit, or the miss.
            found = lookup(V, cache, key)
            return found === nothing ? Duty(flight, place, nothing) : found
        end
    end
end

# Ends a duty without a value: the lease is abandoned, and the flight lands.
@noinline function give_up(duty::Duty)
    lease = duty.lease
    if lease === nothing
        leave(duty.flight)
    else
        close(lease)
        land(duty.flight, duty.place, false)
    end
end

# Ends a duty with a value, which `write(lease)` has written or writes now. It is not stored if `limit`, a configuration,
# finds memory full.
@noinline function fulfil(write, duty::Duty, limit)
    lease = duty.lease
    lease === nothing && return leave(duty.flight)
    refused = false
    try
        write(lease)
        refused = (limit !== nothing && memory_full(limit)) || complete(lease)
    finally
        close(lease)
        land(duty.flight, duty.place, refused)
    end
    return nothing
end

# A stack that ends within the library or the allocator, where a lock is held, hangs the process. So before every
# computation, which may ask for other values, a quarter of a megabyte is touched, page by page as the guard page
# demands: a stack that ends does so here, where Julia makes a StackOverflowError of it. A hit does not come here.
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

# Some(value); or nothing, and a lease or (another computes) none.
function begin_computation(::Type{V}, cache, key, lease) where {V}
    owner = UInt64(pointer_from_objref(current_task()))
    return with_pinned(bytes -> value_of(V, cache, bytes), value -> @c phicache_cache_begin(
        cache::Ptr{CView}, key::CBytes, owner::UInt64, value::Ptr{CValue}, lease::Ptr{Ptr{Cvoid}})::Int32)
end

begin_computation(cache::AbstractCache{V}, key, lease) where {V} = begin_computation(V, cache, key, lease)

# A value as a type that the cache's own type says already, or that only the caller knows.
value_of(::Type{V}, cache::AbstractCache{V}, bytes) where {V} = from_bytes(cache, bytes)
value_of(::Type{V}, ::ByteCache, bytes) where {V} = decode(V, bytes)
bytes_of(::Type{V}, cache::AbstractCache{V}, value) where {V} = to_bytes(cache, value)
bytes_of(::Type{V}, ::ByteCache, value) where {V} = encode(V, value)

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
    with_key(key -> compute_value(compute, cache, key), cache, key)
Base.get!(cache::AbstractCache, key, default) = get!(() -> default, cache, key)

# The value of a key, which `compute()` returns on a miss.
function compute_value(compute, cache::AbstractCache{V}, key) where {V}
    step = find_or_begin(V, cache, key)
    step isa Duty || return something(step)::V
    value = try
        ensure_stack()
        convert(V, compute())::V
    catch
        give_up(step)
        rethrow()
    end
    put_value(V, cache, step, value, nothing)
    return value
end

@noinline put_value(::Type{V}, cache, duty, value, limit) where {V} =
    fulfil(lease -> put(lease, bytes_of(V, cache, value)), duty, limit)
