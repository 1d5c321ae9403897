# Single flight among tasks: of those that miss the same key one computes, and the others wait for it.
#
# The library says who computes (`phicache_cache_begin`), but waiting is done here, where a task that waits leaves its
# thread to others. A thread that waited inside a `ccall` would keep Julia's garbage collector waiting too, and with
# it the very computation it waits for. For the same reason nothing is computed in a callback: a computation may
# switch tasks, and C frames would then end in another order than they began. So there is no callback, and what a
# computation throws goes to its caller as it is, with its backtrace.

# A computation that is going on.
mutable struct Flight
    # Who computes: one task, and those that cannot wait for it because it waits for them.
    computing::Vector{Task}
    landed::Bool
    # The value could not be stored: whoever waited computes for itself rather than one after the other.
    refused::Bool
    waiting::Threads.Condition
end

# The flights of this process's tasks, by cache and key, and which of them a task waits for. One lock guards it all;
# it is taken on misses only.
const FLIGHTS_LOCK = ReentrantLock()
const FLIGHTS = Dict{Tuple{Any,Vector{UInt8}},Flight}()
const WAITS = IdDict{Task,Flight}()

function take_off(place)
    flight = Flight([current_task()], false, false, Threads.Condition(FLIGHTS_LOCK))
    lock(() -> FLIGHTS[place] = flight, FLIGHTS_LOCK)
    return flight
end

function land(flight, place, refused)
    lock(FLIGHTS_LOCK) do
        # After the cache was cleared, another flight may have its place.
        get(FLIGHTS, place, nothing) === flight && delete!(FLIGHTS, place)
        flight.landed = true
        flight.refused = refused
        notify(flight.waiting)
    end
end

# Waits until whoever computes has landed. Tells whether the caller is to compute for itself: because the value was not
# stored, or because the one who computes waits for the caller.
function wait_for(flight)
    task = current_task()
    lock(FLIGHTS_LOCK) do
        task in flight.computing && throw(PhiCacheError(ERROR_RECURSION, "a computation asks for its own key"))
        if !flight.landed && leads_to(flight, task)
            push!(flight.computing, task)
            return true
        end
        WAITS[task] = flight
        try
            while !flight.landed
                wait(flight.waiting)
            end
        finally
            delete!(WAITS, task)
        end
        return flight.refused
    end
end

# Whether a flight waits, directly or through others, for a task.
function leads_to(flight, task)
    ahead, seen = Flight[flight], Flight[]
    while !isempty(ahead)
        next = pop!(ahead)
        next in seen && continue
        push!(seen, next)
        for computing in next.computing
            computing === task && return true
            waits_for = get(WAITS, computing, nothing)
            waits_for === nothing || push!(ahead, waits_for)
        end
    end
    return false
end

# Calls `f` in the name of a task that computes beside a flight that it could not wait for.
function beside(f, flight)
    try
        return f()
    finally
        lock(() -> filter!(!=(current_task()), flight.computing), FLIGHTS_LOCK)
    end
end

# The duty to compute a value, from the library: completed, or abandoned by `close` (or with the task that forgot it).
mutable struct Lease <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}
    Lease(pointer::Ptr{Cvoid}) = collected(new(pointer, Threads.Atomic{Bool}(true)))
end

free_handle(::Type{Lease}, pointer) = @c phicache_lease_abandon(pointer::Ptr{Cvoid})::Int32

# The entry's own bytes, zero, for writing.
function reserve(lease::Lease, len)
    data = Ref{Ptr{UInt8}}(C_NULL)
    check(@c phicache_lease_reserve(lease::Ptr{Cvoid}, len::Csize_t, data::Ptr{Ptr{UInt8}})::Int32)
    return data[]
end

# The same, not zeroed, for writing all of them.
function reserve_uninitialized(lease::Lease, len)
    data = Ref{Ptr{UInt8}}(C_NULL)
    check(@c phicache_lease_reserve_uninitialized(lease::Ptr{Cvoid}, len::Csize_t, data::Ptr{Ptr{UInt8}})::Int32)
    return data[]
end

# Makes a copy of these bytes the value.
function put(lease::Lease, bytes)
    bytes = Base.cconvert(CBytes, bytes)
    GC.@preserve bytes begin
        from = Base.unsafe_convert(CBytes, bytes)
        unsafe_copyto!(reserve_uninitialized(lease, from.len), from.data, from.len)
    end
    return nothing
end

# Hands what was written to the cache. Tells whether it was refused; a value whose cache was cleared meanwhile was not.
function complete(lease::Lease)
    value = Ref(CValue())
    pointer = taken(lease)
    check(@c phicache_lease_complete(pointer::Ptr{Cvoid}, value::Ptr{CValue})::Int32)
    origin = value[].origin
    @c phicache_value_release(value::Ptr{CValue})::Cvoid
    return origin >= NOT_STORED && origin != NOT_STORED + REFUSED_CLEARED.code
end

const NOT_STORED = 256
