# How much memory this process occupies, of how much it may.

"""
    memory_percent() -> Float64

The resident memory of this process as a percentage of the memory it may use: the physical memory, or the lowest limit
of its control groups.
"""
function memory_percent()
    percent = Ref(0.0)
    check(@c phicache_memory_percent(percent::Ptr{Cdouble})::Int32)
    return percent[]
end

"""
    memory_full(config=default_config()) -> Bool

Whether this process occupies more memory than the configured maximum, measured now.
"""
function memory_full(config::AnyConfig=default_config())
    full = Ref(Int32(0))
    check(@c phicache_memory_full(config::Ptr{Cvoid}, full::Ptr{Int32})::Int32)
    return full[] != 0
end

struct CMemory
    struct_size::Csize_t
    percent::Cdouble
    resident::UInt64
    limit::UInt64
    physical::UInt64
    held::UInt64
    room::UInt64
    known::UInt32
    reserved::UInt32
end

"""
    memory_usage() -> (percent, resident, limit, physical, held, room, known)

The memory of this process in bytes, measured now: what it occupies, what it may occupy, what the machine has, what all
caches hold, and what they may take before a limit of the system is near (`typemax(Int)` if there is none). The bits of
`known` say which figures could be read just now, as `PHICACHE_KNOWN_…` in phicache.h; for the others the last good one
counts.
"""
function memory_usage()
    usage = Ref(CMemory(sizeof(CMemory), 0, 0, 0, 0, 0, 0, 0, 0))
    check(@c phicache_memory_usage(usage::Ptr{CMemory})::Int32)
    # Numbers of bytes are signed, so that differences of them are what they look like.
    figures = Base.structdiff(fields(usage[]), NamedTuple{(:reserved,)})
    return map(figure -> figure isa UInt64 ? Int(min(figure, typemax(Int))) : figure, figures)
end

# A C struct that may grow, as a named tuple without its size.
fields(figures::T) where {T} =
    (; (name => getfield(figures, name) for name in fieldnames(T) if name != :struct_size)...)
