# The memory that this process uses and may use.

"""
    memory_percent() -> Float64

The resident memory of this process, in percent of the memory that it may use: the physical memory, or the lowest limit
of its control groups.
"""
function memory_percent()
    percent = Ref(0.0)
    check(@c phicache_memory_percent(percent::Ptr{Cdouble})::Int32)
    return percent[]
end

"""
    memory_full(config=default_config()) -> Bool

Whether this process uses more memory than the configured maximum, measured now.
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

The memory of this process in bytes, measured now:

* `percent`: as [`memory_percent`](@ref);
* `resident`: what the process uses; `limit`: what it may use; `physical`: what the machine has;
* `held`: the size of all caches;
* `room`: how much caches may grow before a limit of the system is near (`typemax(Int)` without a limit);
* `known`: which of these could be read now, as the bits `PHICACHE_KNOWN_…` of phicache.h. The others have the last
  value that could be read.
"""
function memory_usage()
    usage = Ref(CMemory(sizeof(CMemory), 0, 0, 0, 0, 0, 0, 0, 0))
    check(@c phicache_memory_usage(usage::Ptr{CMemory})::Int32)
    # Signed, so that the difference of two numbers of bytes does not overflow.
    figures = Base.structdiff(fields(usage[]), NamedTuple{(:reserved,)})
    return map(figure -> figure isa UInt64 ? Int(min(figure, typemax(Int))) : figure, figures)
end

struct CMemoryLimit
    struct_size::Csize_t
    bytes::UInt64
    used::UInt64
    room::UInt64
    counts::Int32
    reserved::UInt32
    name::NTuple{256,UInt8}
end

"""
    memory_limits(config=default_config()) -> Vector of (name, bytes, used, room, counts)

All limits on the memory of this process that were found, measured now:

* `name`: `"physical memory"`, the file of a control group (such as `"/sys/fs/cgroup/job/memory.max"`), `"RLIMIT_AS"` or
  `"RLIMIT_DATA"`;
* `bytes`: the limit; `used`: what it counts now;
* `room`: how much caches may still take until this limit stops them, by the maximum percentage of the configuration or
  as a limit of the system;
* `counts`: whether it is the one that leaves the least room.

`typemax(Int)` means unlimited.
"""
function memory_limits(config::AnyConfig=default_config())
    count = Ref(Csize_t(0))
    limits = CMemoryLimit[]
    while true
        code = @c phicache_memory_limits(
            config::Ptr{Cvoid}, limits::Ptr{CMemoryLimit}, length(limits)::Csize_t, count::Ptr{Csize_t})::Int32
        if Status(code) != ERROR_BUFFER_TOO_SMALL
            check(code)
            break
        end
        unset = CMemoryLimit(sizeof(CMemoryLimit), 0, 0, 0, 0, 0, ntuple(_ -> 0x00, 256))
        limits = fill(unset, count[] + 8)
    end
    signed_bytes(bytes) = Int(min(bytes, typemax(Int)))
    return [(name=text_of(limit.name), bytes=signed_bytes(limit.bytes), used=signed_bytes(limit.used),
             room=signed_bytes(limit.room), counts=limit.counts != 0) for limit in limits[1:count[]]]
end

# The text of a C array, up to its NUL.
text_of(letters) = String(collect(Iterators.takewhile(!=(0x00), letters)))

# A C struct as a named tuple, without its `struct_size`.
fields(figures::T) where {T} =
    (; (name => getfield(figures, name) for name in fieldnames(T) if name != :struct_size)...)
