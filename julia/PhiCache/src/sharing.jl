# The type of values that handles, processes or runs share. The library stores bytes, and bytes that are read as another
# type than they were written are a wrong value. So handles of one cache must have one type (`join_shared`), the
# directory of disk caches remembers the type of each cache in it (`check_type_in_directory`), and a saved file has the
# type in its context (`saved.jl`).

# A type with its layout, as text: a struct that got other fields is another type. Without modules, so that a script may
# become a package.
function layout(@nospecialize(T))
    T isa DataType || return T isa Type ? spell(T) : repr(T)
    T <: Array && return string(T.name.name === :Array && ndims(T) == 1 ? "Vector{" : "Array{", layout(eltype(T)),
                                ndims(T) == 1 ? "" : ",$(ndims(T))", "}")
    name = isempty(T.parameters) ? string(nameof(T)) :
           string(nameof(T), "{", join(map(layout, T.parameters), ","), "}")
    T <: Enum && return string(name, "(", join(("$member=$(Integer(member))" for member in instances(T)), ", "), ")")
    # The parameters of these say all.
    (T <: Union{Tuple,NamedTuple} || !isbitstype(T) || fieldcount(T) == 0) && return name
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
register_shared(cache, identity) = lock(SHARED_LOCK) do
    handles = open_handles!(get!(() -> WeakRef[], SHARED, identity))
    for handle in handles
        other = handle.value
        other === nothing || valtype(other) === valtype(cache) || return valtype(other)
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
    shared = lock(() -> map(handle -> handle.value, get(SHARED, cache.identity, WeakRef[])), SHARED_LOCK)
    return union!(Any[cache], filter(handle -> handle isa typeof(cache) && isopen(handle), shared))
end

open_handles!(handles) = filter!(handle -> (cache = handle.value; cache !== nothing && isopen(cache)), handles)

# The directory of disk caches has a file for each cache, with the type of its values. The library ignores these files.
# It says nothing about a cache without values: their type may change.
function check_type_in_directory(cache, directory, identity, what; read_only)
    folder = joinpath(directory, "julia")
    # A fingerprint is a hash that stays the same.
    name = Fingerprint(zeros(2, 1), [NodeSet()], identity)
    file = joinpath(folder, bytes2hex(Vector{UInt8}(name)))
    asked = layout(valtype(cache))
    kept = type_in_file(file)
    kept == asked && return cache
    if kept !== nothing && length(cache) > 0
        close(cache)
        throw_other_type(what, kept, asked, "change the version in its context, or remove its values with empty!")
    end
    read_only && return cache
    write_type(folder, file, asked, kept === nothing)
    # Another process may have been faster.
    kept = type_in_file(file)
    kept in (nothing, asked) && return cache
    close(cache)
    throw_other_type(what, kept, asked, "change the version in its context")
end

function type_in_file(file)
    try
        return isfile(file) ? read(file, String) : nothing
    catch error
        error isa Union{SystemError,Base.IOError} || rethrow()
        return nothing
    end
end

# The file appears when it is complete. A new one does not replace that of another process. If it cannot be written, the
# type is not remembered.
function write_type(folder, file, type, is_new)
    try
        mode = filemode(dirname(folder))
        isdir(folder) || chmod(mkpath(folder), mode & 0o777)
        path, io = mktemp(folder; cleanup=false)
        try
            write(io, type)
            close(io)
            chmod(path, mode & 0o666)
            is_new ? ccall(:link, Cint, (Cstring, Cstring), path, file) : mv(path, file; force=true)
        finally
            rm(path; force=true)
        end
    catch error
        error isa Union{SystemError,Base.IOError,ErrorException} || rethrow()
    end
    return nothing
end
