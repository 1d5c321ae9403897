# Objects that are used again and again, so that a hit allocates nothing: one spare object for each thread.
#
# A task takes the spare of its thread out of the slot, so it has the object for itself, also if it switches tasks or
# moves to another thread before it gives it back. A task that finds the slot empty uses a new object. A task switch
# cannot happen between reading and writing a slot, so slots need no lock. If the user of an object throws, the object
# is not given back, and the garbage collector frees it.

struct Spares{T}
    slots::Vector{Union{Nothing,T}}
end
Spares{T}() where {T} = Spares{T}(Union{Nothing,T}[])

# Two slots share no cache line, nor the line that is prefetched with it.
const SLOT_DISTANCE = 16
slot() = SLOT_DISTANCE * Int(Threads.threadid())

# The number of threads is known only when the package is loaded. A thread that is added later has no slot.
most_threads() = isdefined(Threads, :maxthreadid) ? Threads.maxthreadid() : Threads.nthreads()
make_slots(spares) = fill!(resize!(spares.slots, SLOT_DISTANCE * most_threads()), nothing)

@inline function borrow(spares::Spares{T}) where {T}
    at = slot()
    at <= length(spares.slots) || return new_spare(T)
    spare = @inbounds spares.slots[at]
    spare === nothing && return new_spare(T)
    @inbounds spares.slots[at] = nothing
    return spare
end

@inline function give_back(spares::Spares{T}, spare::T) where {T}
    at = slot()
    at <= length(spares.slots) && @inbounds spares.slots[at] = spare
    return nothing
end
