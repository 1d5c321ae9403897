# The type of values that handles, processes or runs share. The library stores bytes, and bytes that are read as another
# type than they were written are a wrong value. So handles of one cache must have one type (`join_shared`), the
# directory of disk caches remembers the type of each cache in it (`check_type_in_directory`), and a saved file has the
# type in its context (`saved.jl`).

# A type with its layout, as text: a struct that got other fields is another type. Without modules, so that a script may
# become a package.
function layout(@nospecialize(T))
    T isa DataType || return spell_parameter(T)
    T <: Array && return string(T.name.name === :Array && ndims(T) == 1 ? "Vector{" : "Array{", layout(eltype(T)),
                                ndims(T) == 1 ? "" : ",$(ndims(T))", "}")
    name = isempty(T.parameters) ? string(nameof(T)) :
           string(nameof(T), "{", join(map(layout, T.parameters), ","), "}")
    T <: Enum && return string(name, "(", join(("$member=$(Integer(member))" for member in instances(T)), ", "), ")")
    # The parameters of these say all.
    (T <: Union{Tuple,NamedTuple,Mice} || !isbitstype(T) || fieldcount(T) == 0) && return name
    return string(name, "(", join(("$field::$(layout(fieldtype(T, field)))" for field in fieldnames(T)), ", "), ")")
end

@noinline throw_other_type(place, kept, asked, remedy) = throw(ArgumentError(
    "$place has values of type $kept, which would be read as $asked; use $kept here too, $remedy"))

# The handles of caches that several handles may share, by identity.
const SHARED = Dict{Any,Vector{WeakRef}}()
const SHARED_LOCK = ReentrantLock()
# At this number of identities, those without handles are removed.
const SHARED_FULL = Ref(256)

# Registers a handle of the cache with this identity. Closes it and throws if another handle has another type of values.
function join_shared(cache, identity, what, remedy)
    kept = register_shared(cache, identity)
    if kept !== nothing
        # The other handle may be garbage.
        GC.gc()
        kept = register_shared(cache, identity)
    end
    kept === nothing && return cache
    close(cache)
    throw_other_type(what, layout(kept), layout(valtype(cache)), "close its other handles first, or $remedy")
end

# Returns the type of another handle if it differs.
register_shared(cache, identity; of_one_type=true) = changing(SHARED_LOCK) do
    handles = open_handles!(get!(() -> WeakRef[], SHARED, identity))
    for handle in handles
        other = handle.value
        of_one_type && other !== nothing && valtype(other) !== valtype(cache) && return valtype(other)
    end
    push!(handles, WeakRef(cache))
    if length(SHARED) > SHARED_FULL[]
        filter!(entry -> !isempty(open_handles!(last(entry))), SHARED)
        SHARED_FULL[] = max(256, 2 * length(SHARED))
    end
    return nothing
end

# All open handles of a cache in this process.
function handles_of(cache)
    identity = cache isa RedisCache ? cache.place : cache.identity
    shared = lock(() -> map(handle -> handle.value, get(SHARED, identity, WeakRef[])), SHARED_LOCK)
    return union!(Any[cache], filter(handle -> handle isa typeof(cache) && isopen(handle), shared))
end

open_handles!(handles) = filter!(handle -> (cache = handle.value; cache !== nothing && isopen(cache)), handles)

# The directory of disk caches has a file for each cache, with the type of its values. The library ignores these files.
# While a handle is open it holds a shared lock on the file, so that no process changes the type meanwhile. The type of
# a cache without values may change if nobody else has it open.
function check_type_in_directory(cache, directory, identity, what; read_only)
    # A fingerprint is a hash that stays the same.
    name = Fingerprint(zeros(2, 1), [NodeSet()], identity)
    file = joinpath(directory, "julia", bytes2hex(Vector{UInt8}(name)))
    asked = layout(valtype(cache))
    read_only || ispath(file) || write_type(file, asked)
    cache.type_file = TypeFile(file)
    kept = type_in_file(cache.type_file)
    kept in (nothing, asked) && return cache
    !read_only && length(cache) == 0 && change_type(cache, asked) && return cache
    in_use = length(cache) == 0
    close(cache)
    throw_other_type(what, kept, asked, in_use ? "wait until the other process that uses it has ended" :
                                                 "change the version in its context, or remove its values with empty!")
end

# An open file with the type of a cache. Its descriptor is a pointer, which is written as NULL to precompiled images and
# when it is serialized, like those of handles: one more than the descriptor.
mutable struct TypeFile <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}
    path::String
end

function TypeFile(path)
    descriptor = ccall(:open, Cint, (Cstring, Cint), path, O_RDONLY_CLOEXEC)
    file = TypeFile(Ptr{Cvoid}(descriptor + 1), Threads.Atomic{Bool}(descriptor >= 0), path)
    descriptor >= 0 && lock_file(file, LOCK_SHARED)
    return free_when_collected(file)
end

free_handle(::Type{TypeFile}, pointer) = ccall(:close, Cint, (Cint,), UInt(pointer) - 1)

# Of Linux.
const O_RDONLY_CLOEXEC = Cint(0o2000000)
const LOCK_SHARED, LOCK_EXCLUSIVE, LOCK_NOT_BLOCKING = Cint(1), Cint(2), Cint(4)

# Whether the lock was taken. Another process holds an exclusive lock only while it writes the few bytes of a type.
function lock_file(file, kind)
    for _ in 1:(kind == LOCK_SHARED ? 100 : 1)
        ccall(:flock, Cint, (Cint, Cint), UInt(file.pointer) - 1, kind | LOCK_NOT_BLOCKING) == 0 && return true
        kind == LOCK_SHARED && Libc.errno() == Libc.EAGAIN || return false
        sleep(0.01)
    end
    return false
end

# Nothing if there is no such file, or it cannot be read.
function type_in_file(file)
    isopen(file) || return nothing
    try
        return read(file.path, String)
    catch error
        error isa Union{SystemError,Base.IOError} || rethrow()
        return nothing
    end
end

# Writes another type, if this handle is the only one and its cache has no values.
function change_type(cache, type)
    file = cache.type_file
    lock_file(file, LOCK_EXCLUSIVE) || return false
    try
        length(cache) == 0 || return false
        write(file.path, type)
        return true
    catch error
        error isa Union{SystemError,Base.IOError} || rethrow()
        return false
    finally
        lock_file(file, LOCK_SHARED)
    end
end

# The file appears when it is complete, and does not replace that of another process. If it cannot be written, the type
# is not remembered.
function write_type(file, type)
    folder = dirname(file)
    try
        mode = filemode(dirname(folder))
        isdir(folder) || chmod(mkpath(folder), mode & 0o777)
        path, io = mktemp(folder; cleanup=false)
        try
            write(io, type)
            close(io)
            chmod(path, mode & 0o666)
            ccall(:link, Cint, (Cstring, Cstring), path, file)
        finally
            rm(path; force=true)
        end
    catch error
        error isa Union{SystemError,Base.IOError,ErrorException} || rethrow()
    end
    return nothing
end
