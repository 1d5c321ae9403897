# Values in files, which outlive the process and which many processes share.

"""
    DiskCache{V}(context; directory=nothing, config=default_config(), name=nothing, max_bytes=0, near_bytes=0,
                 refresh=0, read_only=false, sync=false, trust_group=false, storage_errors=false, lease=0)
    DiskCache{V}(fingerprint, role; ...)
    DiskCache{V}(context; file, ...)

A cache in files: the next run of the program finds its values, and all processes that use the directory share them.
Used like a [`DictCache`](@ref), with the same types `V`. (Do not use `Any` if programs with different versions of Julia
read it, because they may not read each other's serialized values. After a change of a struct, a value with that struct
is an error until you change the version.)

`context` is text or bytes that say what the values are and how they are computed (algorithm, settings, version). Change
it when the code changes: values of yesterday's code are found otherwise. For the same reason a [`Memo`](@ref) on a
`DiskCache` needs a prefix with a version, such as `"entropy@1"`. Caches of this process with the same context and
directory are one, and need the same options. All caches with the same context and directory, also those of other
processes and later runs, need the same `V`: the directory remembers the type and its fields, and another one is an
`ArgumentError` until the cache is empty and nobody else has it open. (Values that another language has stored have no
type.)

* `directory`: an absolute path. The default is that of the configuration (see [`Config`](@ref));
* `max_bytes`: the most bytes that all files in the directory may take, those of other contexts included, at least
  1 MiB. The directory keeps it for all programs, until one sets another (0: what the directory keeps, or 8 GiB). When
  it is full, the files that are worth least are removed;
* `near_bytes`: the most bytes of memory for copies of values that are used again (0: 64 MiB);
* `refresh`: after how many seconds a lookup that finds nothing looks for values that other processes have stored (0: 1;
  `:always`: each time);
* `read_only`: whether nothing is ever written; a store is `PhiCache.REFUSED_DISABLED`;
* `sync`: whether a value is on the storage device when a store returns, so that it survives a power cut;
* `trust_group`: whether members of the directory's group may write into it. If false, a directory into which somebody
  else may write is refused;
* `storage_errors`: whether a failed file operation throws a `PhiCacheError` (`PhiCache.ERROR_STORAGE`). If false, the
  lookup is a miss, the store is `PhiCache.REFUSED_STORAGE`, and [`disk_health`](@ref) counts it. `delete!` and `empty!`
  throw in any case;
* `lease`: the seconds after which another host computes what this one has begun (0: each host computes). On one host,
  of the processes that miss a key in [`get!`](@ref), [`memoize!`](@ref) or a memo, one computes, and the others wait;
  if it is killed, another one starts;
* `verify_every`, `same`, `ondifference`: as for a [`DictCache`](@ref); values from files are verified too.

With `file`, the values are those of a file to which [`save_cache`](@ref) has saved a `DictCache{V}` with this
context. They stay there and are read when they are asked for. Nothing is written: a store is
`PhiCache.REFUSED_DISABLED`, and a computed value is kept in memory only. The file may belong to another user.
`directory` and `max_bytes` are not options then. `V` is that of the saved cache.

Each record has a checksum; what is damaged is a miss, counted in `stats(cache).damaged`. `empty!` removes the values of
this context only.
"""
mutable struct DiskCache{V} <: ByteCache{V}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    memos::Memos
    verification::Verification
    # The file with the type of the values.
    type_file::Union{Nothing,TypeFile}

    function DiskCache{V}(pointer::Ptr{Cvoid}, config::AnyConfig, verification, identity) where {V}
        view = new_handle(out -> @c phicache_disk_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        return free_when_collected(
            new{V}(pointer, view, Threads.Atomic{Bool}(true), config, identity, Memos(), verification, nothing))
    end
end

function DiskCache{V}(context::Union{AbstractString,Vector{UInt8}}; options...) where {V}
    bytes = raw_key(context)
    haskey(options, :file) && return open_saved(V, bytes; options...)
    return new_disk_cache(V, (key_bytes(bytes), "values"), shortened(context); options...) do config, options, out
        @c phicache_disk_cache_new(config::Ptr{Cvoid}, options::Ptr{COptions}, bytes::CBytes,
                                   out::Ptr{Ptr{Cvoid}})::Int32
    end
end

DiskCache(arguments...; options...) = DiskCache{Any}(arguments...; options...)
DiskCache{V}(arguments...; options...) where {V} = throw_no_method("DiskCache", arguments,
    "DiskCache{V}(context; options...), with a text that says what the values are, such as \"entropy, version 1\", " *
    "or DiskCache{V}(fingerprint, role; options...)")

# Calls `make(config, options, out)`, which creates the cache that `identity` names in its directory. `what` names it in
# messages.
function new_disk_cache(make, ::Type{V}, identity, what; options...) where {V}
    check_storable(V)
    refuse_addresses("DiskCache", V)
    haskey(options, :file) && throw(ArgumentError(
        "DiskCache: the option file reads a saved cache, whose name is its context: DiskCache{V}(context; file=...)"))
    checked("DiskCache", DISK_OPTIONS, options)
    config, file_options = split_directory("DiskCache", DISK_OPTIONS, options)
    verification, pointer = new_cache((options, out) -> make(config, options, out); file_options...)
    # The directory exists now.
    directory = realpath(config.disk_directory)
    identity = with_its_context(directory, identity...)
    cache = DiskCache{V}(pointer, config, verification, (directory, identity...))
    what = "the disk cache $what in $directory"
    join_shared(cache, cache.identity, what, "another context")
    return check_type_in_directory(cache, directory, [as_bytes(identity[1]); codeunits(identity[2])], what;
                                   read_only=get(options, :read_only, false))
end
new_disk_cache(make, V, arguments...; options...) = check_storable(V)

as_bytes(context::Vector{UInt8}) = context

# A context and the fingerprint of that context name the same cache. The library writes the context into the directory
# of its fingerprint, after a header of 96 bytes (docs/disk-format.md).
with_its_context(directory, context::Vector{UInt8}, role) = (context, role)
function with_its_context(directory, fingerprint, role)
    name = bytes2hex(as_bytes(fingerprint))
    file = joinpath(directory, "1", name[1:2], name, "context.bin")
    return role == "values" && isfile(file) ? (read(file)[97:end], role) : (fingerprint, role)
end

# The configuration of caches on disk, which `directory` may choose, and the other options.
function split_directory(type, existing, options)
    config, others = split_options(type, existing, options)
    directory = get(options, :directory, nothing)
    directory === nothing || haskey(options, :config) && throw(ArgumentError(
        "$type: directory and config exclude each other; set disk_directory of the configuration instead"))
    directory === nothing || (config = config_of_directory(String(directory)))
    return config, Base.structdiff(others, NamedTuple{(:directory,)})
end

# A cache of the values in a file.
open_saved(V, context; options...) = check_storable(V)
function open_saved(::Type{V}, context; file, options...) where {V}
    check_storable(V)
    refuse_addresses("DiskCache", V)
    for option in (:directory, :max_bytes)
        haskey(options, option) && throw(ArgumentError("DiskCache: file and $option exclude each other; a cache that " *
            "reads a saved file has no directory and no limit: leave $option out"))
    end
    config, file_options = split_options("DiskCache", SAVED_OPTIONS, options)
    path = String(checked("DiskCache", SAVED_OPTIONS, (file=file,)).file)
    verification, pointer = with_context(typed_context(V, context), context) do context
        new_cache(; file_options...) do options, out
            @c phicache_disk_cache_open(config::Ptr{Cvoid}, options::Ptr{COptions}, path::Cstring, context::CBytes,
                                        out::Ptr{Ptr{Cvoid}})::Int32
        end
    end
    return DiskCache{V}(pointer, config, verification, pointer)
end

free_handle(::Type{<:DiskCache}, pointer) = @c phicache_disk_cache_free(pointer::Ptr{Cvoid})::Int32
free_parts(cache::DiskCache) = cache.type_file === nothing || close(cache.type_file)

# Caches in one directory need one configuration.
const DIRECTORIES = Dict{String,Config}()
const DIRECTORIES_LOCK = ReentrantLock()

function config_of_directory(path)
    changing(DIRECTORIES_LOCK) do
        known = get(DIRECTORIES, path, nothing)
        # One that was made during precompilation is closed.
        known !== nothing && isopen(known) && return known
        return DIRECTORIES[path] = Config(disk_directory=path)
    end
end

# Whether the values outlive this process, or are read by others: then keys do not depend on the process.
outlives_process(cache) = cache isa Union{RedisCache,DiskCache}

# The values of a memo must not outlive the code that computed them.
check_version(::DiskCache, prefix) = has_version(prefix) || throw_no_version("the memo", prefix, "")
check_version(::AbstractCache, prefix) = nothing

has_version(prefix) = prefix !== nothing && occursin(r"@[^@]+$", prefix)

@noinline throw_no_version(kind, prefix, more) = throw(PhiCacheError(ERROR_INVALID_ARGUMENT,
    "$(prefix === nothing ? "$kind has no prefix" : "the prefix $(repr(prefix)) has no version"); " *
    "values on disk outlive the code that computed them: give the function a prefix such as \"entropy@1\", " *
    "and another version when its results change$more"))

"""
    disk_sync(cache)

Waits until all values that this process has stored in a [`DiskCache`](@ref), or in a [`MICECache`](@ref) on disk, are
on the storage device, so that they survive a power cut. Throws a `PhiCacheError` (`PhiCache.ERROR_STORAGE`) if values
of the last seconds may be missing.
"""
disk_sync(cache::AbstractCache) = (check(@c phicache_cache_disk_sync(cache::Ptr{CView})::Int32); nothing)

struct CDiskHealth
    struct_size::Csize_t
    failures::UInt64
    damaged::UInt64
    segments::UInt64
    index_bytes::UInt64
    last_failure::NTuple{512,UInt8}
end

"""
    disk_health(cache) -> (failures, damaged, segments, index_bytes, last_failure)

The state of a [`DiskCache`](@ref), as this process sees it.

* `failures`: file operations that failed; `last_failure` is the message of the last one;
* `damaged`: records and files that were damaged, of another program, or removed by another process. Each is a miss;
* `segments`: the files that hold the values;
* `index_bytes`: the memory that their index takes.
"""
function disk_health(cache::AbstractCache)
    health = Ref(CDiskHealth(sizeof(CDiskHealth), 0, 0, 0, 0, ntuple(_ -> 0x00, 512)))
    check(@c phicache_cache_disk_health(cache::Ptr{CView}, health::Ptr{CDiskHealth})::Int32)
    found = health[]
    return (failures=Int(found.failures), damaged=Int(found.damaged), segments=Int(found.segments),
            index_bytes=Int(found.index_bytes), last_failure=text_of(found.last_failure))
end
