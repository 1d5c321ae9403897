# Maximally irreducible causes and effects, and their caches, which cut subsystems inherit from: PyPhi's MICECache.

"""
    Mice(direction, mechanism, purview, phi, payload=nothing)

The maximally irreducible cause or effect of a mechanism: the purview with the largest small phi, that phi, and a
payload with any other data of the caller (repertoires, the partition).
"""
struct Mice{P}
    direction::Direction
    mechanism::NodeSet
    purview::NodeSet
    phi::Float64
    payload::P
end

Mice(direction::Direction, mechanism, purview, phi::Real, payload=nothing) =
    Mice{typeof(payload)}(direction, NodeSet(mechanism), NodeSet(purview), phi, payload)
Mice(arguments...) =
    throw_no_method("Mice", arguments, "Mice(direction, mechanism, purview, phi, payload) with CAUSE or EFFECT")

Base.convert(::Type{Mice{P}}, mice::Mice{P}) where {P} = mice
Base.convert(::Type{Mice{P}}, mice::Mice) where {P} =
    Mice{P}(mice.direction, mice.mechanism, mice.purview, mice.phi, convert(P, mice.payload))

Base.:(==)(a::Mice, b::Mice) =
    a.direction == b.direction && a.mechanism == b.mechanism && a.purview == b.purview && a.phi == b.phi &&
    a.payload == b.payload
Base.hash(mice::Mice, seed::UInt) = hash((mice.direction, mice.mechanism, mice.purview, mice.phi, mice.payload), seed)

"""
    MICECache{P}(subsystem; parent=nothing, config=default_config(), name=nothing, max_bytes=0, on_full=:configured,
                 kind=:configured, verify_every=0, same=isequal, ondifference=nothing, ttl=0, lease=0,
                 server_errors=false, no_checksum=false, directory=nothing, ...)
    MICECache(subsystem; ...)

The [`Mice`](@ref) of a subsystem, with payloads of type `P` (stored as in a [`DictCache`](@ref); the default `Any` is
any Julia value). [`mice_key`](@ref) makes the standard keys.

A MICE is stored only if the subsystem is uncut, its phi is positive, and memory is not full. `set!` returns which of
these refused it, and `would_store` tells before it is computed. A cache of a cut subsystem may have a `parent`: a cache
of the same system, uncut. On a miss it inherits the parent's MICE, unless its cut damages that. Inheritance is a live
view and copies nothing; the parent may be closed. It is exact for cuts that divide all nodes of the system in two
parts; a cut that severs only some of the connections between two parts needs a cache without a parent.

`max_bytes`, `on_full`, `verify_every`, `same` and `ondifference` are those of a [`DictCache`](@ref). A MICE that a
parent evicts is a miss for its children. Inherited MICE are verified too, and the parent's stays.

`kind` is `:dict` for a cache in this process, `:redis` for a cache at the configured server, shared by all processes
that compute the same system, and `:configured` for the kind of its parent, or, without a parent, the kind that the
configuration says. In Redis and on disk, only a cut refuses a MICE, whatever its phi; a near cache in this process
holds every record that was fetched or stored, so no record is fetched twice; the parent must be in Redis too; and
`ttl`, `lease`, `server_errors` and `no_checksum` are those of a [`RedisCache`](@ref).
`:disk` is a cache in files, in the configuration's directory, or in `directory`: later runs find its records. All
caches of one process for the same system, uncut, in one directory are one, with the same options. The parent must be on
disk too, and the options are those of a [`DiskCache`](@ref). A configuration whose `disk_directory` was set chooses it;
then `max_bytes` bounds the memory in this process and, only together with `near_bytes`, the directory.

In Redis and on disk, use `Any` for `P` only if all processes have the same version of Julia and of the packages that
define the stored types.
"""
mutable struct MICECache{P} <: AbstractCache{Mice{P}}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    verification::Verification
    # The nodes of the subsystem.
    nodes::NodeSet
    # The file with the type of the payloads of a cache on disk.
    type_file::Union{Nothing,TypeFile}

    function MICECache{P}(subsystem::Subsystem; options...) where {P}
        check_storable(P)
        checked("MICECache", MICE_OPTIONS, options)
        parent, kind = get(options, :parent, nothing), get(options, :kind, :configured)
        config, outside = split_directory("MICECache", MICE_OPTIONS, options)
        outside = Base.structdiff(outside, NamedTuple{(:parent, :kind)})
        kind in (:configured, :dict, :redis, :disk) ||
            throw(ArgumentError("kind is :$kind; expected :configured, :dict, :redis or :disk"))
        parent isa Union{Nothing,MICECache{P}} ||
            throw(ArgumentError("the parent is a $(typeof(parent)); expected a MICECache{$P}"))
        inherited = parent === nothing ? C_NULL : parent
        verification, pointer = new_cache(; outside...) do options, out
            kind == :dict ?
                (@c phicache_dict_mice_cache_new(
                    config::Ptr{Cvoid}, options::Ptr{COptions}, subsystem::Ptr{Cvoid}, inherited::Ptr{Cvoid},
                    out::Ptr{Ptr{Cvoid}})::Int32) :
            kind == :redis ?
                (@c phicache_redis_mice_cache_new(
                    config::Ptr{Cvoid}, options::Ptr{COptions}, subsystem::Ptr{Cvoid}, inherited::Ptr{Cvoid},
                    out::Ptr{Ptr{Cvoid}})::Int32) :
            kind == :disk ?
                (@c phicache_disk_mice_cache_new(
                    config::Ptr{Cvoid}, options::Ptr{COptions}, subsystem::Ptr{Cvoid}, inherited::Ptr{Cvoid},
                    out::Ptr{Ptr{Cvoid}})::Int32) :
                (@c phicache_mice_cache_new(
                    config::Ptr{Cvoid}, options::Ptr{COptions}, subsystem::Ptr{Cvoid}, inherited::Ptr{Cvoid},
                    out::Ptr{Ptr{Cvoid}})::Int32)
        end
        view = new_handle(out -> @c phicache_mice_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        cache = free_when_collected(
            new{P}(pointer, view, Threads.Atomic{Bool}(true), config, pointer, verification, subsystem.nodes, nothing))
        return iscut(subsystem) ? cache : check_shared_mice(cache, subsystem, get(options, :read_only, false))
    end
end

MICECache(arguments...; options...) = MICECache{Any}(arguments...; options...)
MICECache{P}(arguments...; options...) where {P} = throw_no_method("MICECache", arguments,
    "MICECache{P}(subsystem; options...) with the type P of its payloads and a Subsystem")

# Caches of one system on disk or at a server have the same records.
function check_shared_mice(cache, subsystem, read_only)
    kind, system = kind_of(cache), fingerprint(subsystem)
    what = "the MICE cache of $system"
    if kind == :redis_mice
        join_shared(cache, (kind, server_of(cache.config), system), what, "change the context of its network")
    elseif kind == :disk_mice
        directory = realpath(cache.config.disk_directory)
        join_shared(cache, (kind, directory, system), "$what in $directory", "change the context of its network")
        check_type_in_directory(cache, directory, [as_bytes(system); codeunits("phicache.mice")], "$what in $directory";
                                read_only=read_only)
    end
    return cache
end

# Where its records are.
function kind_of(cache)
    health = Ref(CDiskHealth(sizeof(CDiskHealth), 0, 0, 0, 0, ntuple(_ -> 0x00, 512)))
    code = @c phicache_cache_disk_health(cache::Ptr{CView}, health::Ptr{CDiskHealth})::Int32
    Status(code) == OK && return :disk_mice
    server = Ref(CHealth(sizeof(CHealth), 0, 0, 0, 0, 0, 0, ntuple(_ -> 0x00, 256)))
    code = @c phicache_cache_redis_health(cache::Ptr{CView}, server::Ptr{CHealth})::Int32
    return Status(code) == OK ? :redis_mice : :mice
end

free_handle(::Type{<:MICECache}, pointer) = @c phicache_mice_cache_free(pointer::Ptr{Cvoid})::Int32
free_parts(cache::MICECache) = cache.type_file === nothing || close(cache.type_file)

# What C calls `phicache_mice`.
struct CMice
    struct_size::Csize_t
    direction::Int32
    reserved::UInt32
    mechanism::UInt64
    purview::UInt64
    phi::Cdouble
    payload::CBytes
end

CMice() = CMice(sizeof(CMice), 0, 0, 0, 0, 0, CBytes(C_NULL, 0))
CMice(mice::Mice, payload::CBytes) = CMice(sizeof(CMice), Int32(mice.direction), 0, mask(mice.mechanism),
                                           mask(mice.purview), mice.phi, payload)

Mice{P}(found::CMice) where {P} = Mice{P}(Direction(found.direction), NodeSet(mask=found.mechanism),
                                          NodeSet(mask=found.purview), found.phi, decode(P, found.payload))

@inline function lookup(cache::MICECache{P}, key) where {P}
    found, value = Ref(CMice()), Ref(CValue())
    code = @c phicache_mice_cache_get(cache::Ptr{Cvoid}, key::CBytes, found::Ptr{CMice}, value::Ptr{CValue})::Int32
    code == OK.code && return take_mice(cache, found[], value)
    check(code)
    return Absent()
end

# A copy of a pinned MICE, which is released: flat code if nothing can be thrown.
@inline function take_mice(cache::MICECache{P}, found::CMice, value) where {P}
    is_just_copied(P, cache, found.payload) || return take_mice_carefully(P, found, value[])
    mice = Mice{P}(found)
    @c phicache_value_release(value::Ptr{CValue})::Cvoid
    return mice
end

@noinline function take_mice_carefully(::Type{P}, found, value) where {P}
    try
        return Mice{P}(found)
    finally
        release(value)
    end
end

# Their records are decoded by the library.
@inline is_just_copied(::Type{Mice{P}}, ::MICECache{P}, record) where {P} = false

# A MICE of the subsystem.
function check_mice(cache, mice::Mice)
    expected = "nodes of the subsystem, which has $(shown_nodes(cache.nodes))"
    check_within("the mechanism of the MICE has", mice.mechanism, cache.nodes, expected)
    check_within("the purview of the MICE has", mice.purview, cache.nodes, expected)
end
check_mice(cache, other) =
    throw(ArgumentError("the value is $(described(other)); expected Mice(direction, mechanism, purview, phi, payload)"))

# The encoded record.
function to_bytes(cache::MICECache{P}, mice) where {P}
    check_mice(cache, mice)
    payload = Base.cconvert(CBytes, encode(P, mice.payload))
    GC.@preserve payload begin
        given = Ref(CMice(mice, Base.unsafe_convert(CBytes, payload)))
        return written_bytes(1024, (buffer, capacity, len) -> @c phicache_mice_encode(
            given::Ptr{CMice}, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)
    end
end

function from_bytes(::MICECache{P}, record) where {P}
    found = Ref(CMice())
    check(@c phicache_mice_decode(record::CBytes, found::Ptr{CMice})::Int32)
    return Mice{P}(found[])
end

function store(cache::MICECache{P}, key, mice) where {P}
    check_mice(cache, mice)
    # Most MICE are refused because of the cut or of phi, and always will be: do not serialize their payload. (A refusal
    # because of memory may end at any moment.)
    refused = would_store(cache, mice.phi) in (REFUSED_CUT, REFUSED_PHI)
    payload = Base.cconvert(CBytes, refused ? UInt8[] : encode(P, mice.payload))
    GC.@preserve payload begin
        given = Ref(CMice(mice, Base.unsafe_convert(CBytes, payload)))
        return check(@c phicache_mice_cache_set(cache::Ptr{Cvoid}, key::CBytes, given::Ptr{CMice})::Int32)
    end
end

"""
    would_store(cache::MICECache, phi) -> Status

The status that `set!` would return for a MICE with this phi: `PhiCache.OK`, `PhiCache.REFUSED_CUT`,
`PhiCache.REFUSED_PHI`, `PhiCache.REFUSED_MEMORY` or, of a cache on disk that is read only,
`PhiCache.REFUSED_DISABLED`. Counts nothing.
"""
would_store(cache::MICECache, phi::Real) =
    check(@c phicache_mice_cache_would_store(cache::Ptr{Cvoid}, phi::Cdouble)::Int32)
