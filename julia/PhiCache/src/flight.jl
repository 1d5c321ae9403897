# Single flight among tasks: if several tasks miss the same key, one computes and the others wait.
#
# The library decides which task computes (`phicache_cache_begin`), but tasks wait in Julia, so that they do not block
# their threads. A thread that waited inside a `ccall` would also block Julia's garbage collector, and with it the
# computation that it waits for. Values are not computed in callbacks either: a computation may switch tasks, and C
# frames would then return in another order than they were called. Without callbacks, exceptions reach the caller
# unchanged, with their backtrace.

# A computation that is running.
mutable struct Flight
    # The tasks that compute: usually one; more if tasks would wait for each other in a cycle.
    computing::Vector{Task}
    done::Bool
    # The value could not be stored: the tasks that waited then compute concurrently, not one after the other.
    refused::Bool
    waiting::Threads.Condition
end

# The flights of all tasks by cache and key, and the flight that each task waits for. One lock protects both; hits do
# not take it.
const FLIGHTS_LOCK = ReentrantLock()
const FLIGHTS = Dict{Tuple{Any,Vector{UInt8}},Flight}()
const WAITS = IdDict{Task,Flight}()

# The time in nanoseconds that this task has waited for computations of others.
waited() = get(task_local_storage(), :phicache_waited, UInt64(0))::UInt64

# Runs `wait`, in which this task waits for a computation of another, with interrupts allowed. The time is not part of
# its own computations.
function waiting(wait)
    began = time_ns()
    try
        allow_interrupts()
        return wait()
    finally
        task_local_storage(:phicache_waited, waited() + (time_ns() - began))
    end
end

function start_flight(flight_key)
    flight = Flight([current_task()], false, false, Threads.Condition(FLIGHTS_LOCK))
    lock(() -> FLIGHTS[flight_key] = flight, FLIGHTS_LOCK)
    return flight
end

function finish_flight(flight, flight_key, refused)
    lock(FLIGHTS_LOCK) do
        # If the cache was cleared meanwhile, another flight may have this key.
        get(FLIGHTS, flight_key, nothing) === flight && delete!(FLIGHTS, flight_key)
        flight.done = true
        flight.refused = refused
        notify(flight.waiting)
    end
end

# Waits until the flight is done. Returns whether the caller must compute by itself: because the value was not stored,
# or because the computing task waits for the caller.
function wait_for(flight, source)
    task = current_task()
    lock(FLIGHTS_LOCK) do
        task in flight.computing && throw_recursion(source)
        if !flight.done && waits_for_task(flight, task)
            push!(flight.computing, task)
            return true
        end
        WAITS[task] = flight
        try
            waiting() do
                while !flight.done
                    wait(flight.waiting)
                end
            end
        finally
            delete!(WAITS, task)
        end
        return flight.refused
    end
end

# Whether a flight waits for a task, directly or through other flights.
function waits_for_task(flight, task)
    pending, seen = Flight[flight], Flight[]
    while !isempty(pending)
        next = pop!(pending)
        next in seen && continue
        push!(seen, next)
        for computing in next.computing
            computing === task && return true
            waits_for = get(WAITS, computing, nothing)
            waits_for === nothing || push!(pending, waits_for)
        end
    end
    return false
end

# Ends a computation that ran beside a flight because of a wait cycle.
stop_computing(flight) = (lock(() -> filter!(!=(current_task()), flight.computing), FLIGHTS_LOCK); nothing)

# The library's lease for a computation: ended by `complete`, or abandoned by `close` or the garbage collector.
mutable struct Lease <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}
    # When the computation began, and what its task had waited before.
    began::UInt64
    waited::UInt64
    Lease(pointer::Ptr{Cvoid}) =
        free_when_collected(new(pointer, Threads.Atomic{Bool}(true), time_ns(), waited()))
end

free_handle(::Type{Lease}, pointer) = @c phicache_lease_abandon(pointer::Ptr{Cvoid})::Int32

# Reserves the bytes of the entry, filled with zeros, to be written.
function reserve(lease::Lease, len)
    data = Ref{Ptr{UInt8}}(C_NULL)
    check(@c phicache_lease_reserve(lease::Ptr{Cvoid}, len::Csize_t, data::Ptr{Ptr{UInt8}})::Int32)
    return data[]
end

# The same without filling; all bytes must be written.
function reserve_uninitialized(lease::Lease, len)
    data = Ref{Ptr{UInt8}}(C_NULL)
    check(@c phicache_lease_reserve_uninitialized(lease::Ptr{Cvoid}, len::Csize_t, data::Ptr{Ptr{UInt8}})::Int32)
    return data[]
end

# Writes a copy of these bytes as the value.
function write_value(lease::Lease, bytes)
    bytes = Base.cconvert(CBytes, bytes)
    GC.@preserve bytes begin
        from = Base.unsafe_convert(CBytes, bytes)
        unsafe_copyto!(reserve_uninitialized(lease, from.len), from.data, from.len)
    end
    return nothing
end

# Gives the written value to the cache. Returns whether the store was refused. (If the cache was cleared meanwhile, that
# does not count as refused.)
function complete(lease::Lease)
    value = Ref(CValue())
    # The library does not see the waits of tasks.
    waits = waited() - lease.waited
    if waits > 0
        cost = max(time_ns() - lease.began, waits + 1) - waits
        check(@c phicache_lease_set_cost(lease::Ptr{Cvoid}, cost::UInt64)::Int32)
    end
    pointer = take_pointer(lease)
    check(@c phicache_lease_complete(pointer::Ptr{Cvoid}, value::Ptr{CValue})::Int32)
    origin = value[].origin
    @c phicache_value_release(value::Ptr{CValue})::Cvoid
    return origin >= NOT_STORED && origin != NOT_STORED + REFUSED_CLEARED.code
end

const NOT_STORED = 256
