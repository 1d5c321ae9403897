# The system that a result belongs to: fingerprints, cuts, subsystems.

"""
    Fingerprint(tpm, connections, context)

The identity of a network, and of how results about it are computed.

* `tpm`: transition probabilities, state by node: a matrix with 2^n rows and n columns, one for each node. The row of a
  state has the number 1 plus the sum of 2^(k-1) for each node k that is on.
* `connections`: for each node the `NodeSet` that it acts on, or an n by n matrix (from row to column; zero
  means no connection).
* `context`: text or bytes that identify how results are computed (algorithm, measure, settings, version). Must not be
  empty: programs that compute differently must not read each other's values.

`Vector{UInt8}(fingerprint)` returns its 32 bytes.
"""
struct Fingerprint
    # C reads and writes these bytes only.
    bytes::NTuple{32,UInt8}
    # The number of nodes of the network, or 0 if that is not known.
    size::Int
    Fingerprint(bytes::NTuple{32,UInt8}, size=0) = new(bytes, size)
end

function Fingerprint(tpm::AbstractMatrix{<:Real}, connections, context::Union{AbstractString,AbstractVector{UInt8}})
    size = Base.size(tpm, 2)
    1 <= size <= 64 || throw(ArgumentError("the TPM has $size columns; expected one for each node, 1 to 64"))
    Base.size(tpm, 1) == Int128(1) << size || throw(DimensionMismatch(
        "the TPM has $(Base.size(tpm, 1)) rows for $size nodes; expected 2^$size"))
    masks = connection_masks(connections, size)
    probabilities = convert(Matrix{Float64}, tpm)
    foreach(index -> check_probability(probabilities, index), CartesianIndices(probabilities))
    out = Ref(Fingerprint(NO_BYTES, size))
    check(@c phicache_network_fingerprint(
        probabilities::Ptr{Cdouble}, size::Csize_t, COLUMN_MAJOR::Int32, masks::Ptr{UInt64}, raw_key(context)::CBytes,
        out::Ptr{Fingerprint})::Int32)
    return out[]
end

Fingerprint(::AbstractMatrix{<:Real}, connections, context) = throw(ArgumentError(
    "the context is $(described(context)); expected text, or a vector of bytes, that says how results are computed"))
Fingerprint(arguments...) = throw_no_method("Fingerprint", arguments, "Fingerprint(tpm, connections, context)")

const NO_BYTES = ntuple(_ -> 0x00, 32)

check_probability(tpm, index) = 0 <= tpm[index] <= 1 || throw(ArgumentError(
    "the TPM has $(tpm[index]) in row $(index[1]), for node $(index[2]); expected a probability, 0 to 1"))

Base.:(==)(a::Fingerprint, b::Fingerprint) = a.bytes == b.bytes
Base.hash(fingerprint::Fingerprint, seed::UInt) = hash(fingerprint.bytes, seed)
add!(key::KeyBuilder, fingerprint::Fingerprint) =
    add_typed!((key, fingerprint) -> add!(key, (fingerprint.bytes,)), key, fingerprint)
as_bytes(fingerprint::Fingerprint) = Vector{UInt8}(fingerprint)

const COLUMN_MAJOR = Int32(1)

Base.Vector{UInt8}(fingerprint::Fingerprint) = collect(fingerprint.bytes)
Base.show(io::IO, fingerprint::Fingerprint) =
    print(io, "Fingerprint(", bytes2hex(Vector{UInt8}(fingerprint)[1:4]), "…)")

# For each node the mask of the nodes that it is connected to.
function connection_masks(connections, size)
    masks = node_masks(connections)
    length(masks) == size ||
        throw(DimensionMismatch("there are connections for $(length(masks)) nodes; the network has $size"))
    for (node, targets) in enumerate(masks)
        check_nodes("node $node is connected to", NodeSet(mask=targets), size)
    end
    return masks
end

# The mask of nodes, which must be among 1 to `size`. (The library's messages number them from 0.)
check_nodes(what, nodes, size) = mask(check_within(what, NodeSet(nodes), NodeSet(1:size),
                                                   size == 1 ? "node 1" : "nodes of the network, 1 to $size"))

check_within(what, set::NodeSet, whole::NodeSet, expected) = issubset(set, whole) ? set :
    throw(ArgumentError("$what $(shown_nodes(set)); expected $expected"))

shown_nodes(set) = isempty(set) ? "no nodes" : length(set) == 1 ? "node $(only(set))" : "nodes $(join(set, ", "))"

node_masks(sets::AbstractVector) = UInt64[mask(NodeSet(set)) for set in sets]

function node_masks(matrix::AbstractMatrix)
    check_square(matrix)
    return UInt64[mask(NodeSet(findall(!iszero, row))) for row in eachrow(matrix)]
end

check_square(matrix) = size(matrix, 1) == size(matrix, 2) ||
    throw(DimensionMismatch("the matrix is $(join(size(matrix), " by ")); expected a square one"))

"""
    Cut(size, from => to)
    Cut(matrix)
    Cut(size, direction, parts)

The severed connections of a network of `size` nodes (1 to 64). Given by:

* `from => to`: all connections from one set of nodes to the other;
* a square matrix: a nonzero entry severs the connection from the row's node to the column's;
* PyPhi's K-partition: `parts` are pairs `mechanism => purview`.

`cut.severed` has for each node the `NodeSet` that it is severed from. A cut that severs nothing is still a cut; no cut
is `nothing`.
"""
struct Cut
    severed::Vector{NodeSet}

    function Cut(severed::Vector{NodeSet})
        check_cut_size(length(severed))
        foreach(row -> check_nodes("node $(row[1]) is severed from", row[2], length(severed)), enumerate(severed))
        return new(severed)
    end
end

Cut(arguments...) = throw_no_method("Cut", arguments,
    "Cut(size, from => to), Cut(matrix), or Cut(size, direction, parts)")

function Cut(size::Integer, (from, to)::Pair)
    check_cut_size(size)
    from, to = check_nodes("the cut severs from", from, size), check_nodes("the cut severs to", to, size)
    from & to == 0 || throw(ArgumentError("the cut has $(shown_nodes(NodeSet(mask=from & to))) on both sides; " *
                                          "expected two sets without common nodes"))
    return cut(size, severed -> @c phicache_cut_bipartition(
        size::Csize_t, from::UInt64, to::UInt64, severed::Ptr{NodeSet})::Int32)
end

function Cut(matrix::AbstractMatrix)
    check_square(matrix)
    entries = UInt8[!iszero(entry) for entry in matrix]
    return cut(size(matrix, 1), severed -> @c phicache_cut_matrix(
        size(matrix, 1)::Csize_t, entries::Ptr{UInt8}, COLUMN_MAJOR::Int32, severed::Ptr{NodeSet})::Int32)
end

function Cut(size::Integer, direction::Direction, parts)
    check_cut_size(size)
    mechanisms = UInt64[check_nodes("a part's mechanism has", first(part), size) for part in parts]
    purviews = UInt64[check_nodes("a part's purview has", last(part), size) for part in parts]
    return cut(size, severed -> @c phicache_cut_partition(
        size::Csize_t, Int32(direction)::Int32, mechanisms::Ptr{UInt64}, purviews::Ptr{UInt64},
        length(mechanisms)::Csize_t, severed::Ptr{NodeSet})::Int32)
end

# A cut with the rows that `sever(severed)` writes.
function cut(size, sever)
    check_cut_size(size)
    severed = fill(NodeSet(), size)
    check(sever(severed))
    return Cut(severed)
end

check_cut_size(size) = 1 <= size <= 64 || throw(ArgumentError("the cut has $size nodes; expected 1 to 64"))

Base.:(==)(a::Cut, b::Cut) = a.severed == b.severed
Base.hash(cut::Cut, seed::UInt) = hash(cut.severed, seed)

"""
    Subsystem(network::Fingerprint, state, nodes; connections=nothing, cut=nothing)
    Subsystem(subsystem, cut)

The `nodes` of a network in a `state` (0 or 1 for each node of the network), under a [`Cut`](@ref) or uncut; or the same
system under another cut. With `connections`, as for [`Fingerprint`](@ref), cut-scoped keys ignore severed
connections that do not exist.
"""
mutable struct Subsystem <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}
    # The number of nodes of the network, and of the masks that C reads.
    size::Int
    nodes::NodeSet

    Subsystem(pointer::Ptr{Cvoid}, size::Int, nodes::NodeSet) =
        free_when_collected(new(pointer, Threads.Atomic{Bool}(true), size, nodes))
end

function Subsystem(network::Fingerprint, state, nodes; options...)
    checked("Subsystem", (:connections, :cut), options)
    connections, cut = get(options, :connections, nothing), get(options, :cut, nothing)
    states = node_states(state)
    size = length(states)
    network.size in (0, size) || throw(DimensionMismatch(
        "the state is of $size nodes; the network has $(network.size)"))
    1 <= size <= 64 || throw(ArgumentError("the state is of $size nodes; expected 1 to 64"))
    nodes = NodeSet(mask=check_nodes("the system has", nodes, size))
    masks = connections === nothing ? nothing : connection_masks(connections, size)
    pointer = new_handle(out -> @c phicache_subsystem_new(
        Ref(network)::Ptr{Fingerprint}, size::Csize_t, states::Ptr{Int32}, mask(nodes)::UInt64,
        optional_array(masks)::Ptr{UInt64}, severed(cut, size)::Ptr{NodeSet}, out::Ptr{Ptr{Cvoid}})::Int32)
    return Subsystem(pointer, size, nodes)
end

function Subsystem(subsystem::Subsystem, cut::Union{Nothing,Cut})
    pointer = new_handle(out -> @c phicache_subsystem_cut(
        subsystem::Ptr{Cvoid}, severed(cut, subsystem.size)::Ptr{NodeSet}, out::Ptr{Ptr{Cvoid}})::Int32)
    return Subsystem(pointer, subsystem.size, subsystem.nodes)
end

Subsystem(arguments...; options...) = throw_no_method("Subsystem", arguments,
    "Subsystem(network, state, nodes; connections, cut) with a network's Fingerprint, or Subsystem(subsystem, cut)")

# The state of each node, for C.
function node_states(state)
    state isa Union{AbstractVector,Tuple} || throw(ArgumentError(
        "the state is $(described(state)); expected a vector or tuple with 0 or 1 for each node"))
    for (node, value) in enumerate(state)
        value isa Real && value in (0, 1) ||
            throw(ArgumentError("the state of node $node is $(shortened(value)); expected 0 or 1"))
    end
    return Int32[value for value in state]
end

check_direction(direction) =
    direction == BIDIRECTIONAL && throw(ArgumentError("the direction is BIDIRECTIONAL; expected CAUSE or EFFECT"))

# The mask of some nodes of a subsystem.
check_in_subsystem(what, set, subsystem) = mask(check_within(
    what, NodeSet(set), subsystem.nodes, "nodes of the subsystem, which has $(shown_nodes(subsystem.nodes))"))

description(subsystem::Subsystem) = string(nodes(subsystem), iscut(subsystem) ? ", cut" : "")

# Immutable, so it need not be copied.
Base.deepcopy_internal(subsystem::Subsystem, ::IdDict) = subsystem

free_handle(::Type{Subsystem}, pointer) = @c phicache_subsystem_free(pointer::Ptr{Cvoid})::Int32

# The rows of a cut for C; no cut is NULL.
severed(::Nothing, size) = C_NULL

severed(cut, size) =
    throw(ArgumentError("the cut is $(described(cut)); expected a Cut, or nothing for the uncut system"))

function severed(cut::Cut, size)
    length(cut.severed) == size ||
        throw(DimensionMismatch("the cut has $(length(cut.severed)) nodes; the network has $size"))
    return cut.severed
end

"""
    fingerprint(subsystem) -> Fingerprint

The identity of the uncut system: network and context, state, nodes. All cuts of a system have the same one.
"""
function fingerprint(subsystem::Subsystem)
    out = Ref(Fingerprint(NO_BYTES, subsystem.size))
    check(@c phicache_subsystem_fingerprint(subsystem::Ptr{Cvoid}, out::Ptr{Fingerprint})::Int32)
    return out[]
end

"""
    nodes(subsystem) -> NodeSet

The nodes of the subsystem.
"""
function nodes(subsystem::Subsystem)
    out = Ref(NodeSet())
    check(@c phicache_subsystem_nodes(subsystem::Ptr{Cvoid}, out::Ptr{NodeSet})::Int32)
    return out[]
end

"""
    iscut(subsystem) -> Bool

Whether the system is under a cut, even one that severs nothing.
"""
function iscut(subsystem::Subsystem)
    out = Ref(Int32(0))
    check(@c phicache_subsystem_is_cut(subsystem::Ptr{Cvoid}, out::Ptr{Int32})::Int32)
    return out[] != 0
end

"""
    damages(cut, direction, mechanism, purview) -> Bool
    damages(subsystem, direction, mechanism, purview) -> Bool

Whether the cut damages a MICE of the uncut system, so that it may differ under the cut: the cut severs a connection
within the mechanism, from purview to mechanism (`CAUSE`) or from mechanism to purview (`EFFECT`). Nodes outside the
network or the subsystem are an `ArgumentError`.
"""
function damages(cut::Cut, direction::Direction, mechanism, purview)
    check_direction(direction)
    out, size = Ref(Int32(0)), length(cut.severed)
    mechanism = check_nodes("the mechanism has", mechanism, size)
    purview = check_nodes("the purview has", purview, size)
    check(@c phicache_cut_damages(
        size::Csize_t, cut.severed::Ptr{NodeSet}, Int32(direction)::Int32, mechanism::UInt64, purview::UInt64,
        out::Ptr{Int32})::Int32)
    return out[] != 0
end

function damages(subsystem::Subsystem, direction::Direction, mechanism, purview)
    check_direction(direction)
    out = Ref(Int32(0))
    mechanism = check_in_subsystem("the mechanism has", mechanism, subsystem)
    purview = check_in_subsystem("the purview has", purview, subsystem)
    check(@c phicache_subsystem_damages(
        subsystem::Ptr{Cvoid}, Int32(direction)::Int32, mechanism::UInt64, purview::UInt64, out::Ptr{Int32})::Int32)
    return out[] != 0
end

"""
    cut_scoped_key(subsystem, prefix, direction, mechanism, purview) -> Vector{UInt8}

The key of a result for a mechanism and a purview: [`repertoire_key`](@ref), followed by the severed connections between
the two, if any. With such keys one cache can hold the results of all cuts of a system. They contain neither network nor
state nor nodes of the system: other systems need other caches, such as those by its [`fingerprint`](@ref).
"""
function cut_scoped_key(subsystem::Subsystem, prefix, direction::Direction, mechanism, purview)
    check_direction(direction)
    mechanism = check_in_subsystem("the mechanism has", mechanism, subsystem)
    purview = check_in_subsystem("the purview has", purview, subsystem)
    return written_bytes(768, (buffer, capacity, len) -> @c phicache_subsystem_key(
        subsystem::Ptr{Cvoid}, optional_text(prefix)::Cstring, Int32(direction)::Int32, mechanism::UInt64,
        purview::UInt64, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32)
end

"""
    DictCache{V}(fingerprint, role; options...)

A handle of the cache that all handles with this fingerprint and role (such as `"repertoires"`) share. All must use the
same `V` and the same options, except `same` and `ondifference`. The cache is freed with its last handle.
"""
function DictCache{V}(fingerprint::Fingerprint, role::AbstractString; options...) where {V}
    cache = new_dict_cache(V, (fingerprint, String(role)); options...) do config, options, out
        @c phicache_dict_cache_shared(config::Ptr{Cvoid}, options::Ptr{COptions}, Ref(fingerprint)::Ptr{Fingerprint},
                                      String(role)::Cstring, out::Ptr{Ptr{Cvoid}})::Int32
    end
    return join_shared(cache, cache.identity, "the cache $(repr(role)) of $fingerprint", "choose another role")
end

"""
    DiskCache{V}(fingerprint, role; options...)

The values in the directory under this fingerprint and role (such as `"repertoires"`). All must use the same `V`.
"""
function DiskCache{V}(fingerprint::Fingerprint, role::AbstractString; options...) where {V}
    what = "$(repr(role)) of $fingerprint"
    return new_disk_cache(V, (fingerprint, String(role)), what; options...) do config, options, out
        @c phicache_disk_cache_shared(config::Ptr{Cvoid}, options::Ptr{COptions}, Ref(fingerprint)::Ptr{Fingerprint},
                                      String(role)::Cstring, out::Ptr{Ptr{Cvoid}})::Int32
    end
end

"""
    RedisCache{V}(fingerprint, role; options...)

The values that all processes share under this fingerprint and role (such as `"repertoires"`). `empty!` and `length`
cover only these. All processes must use the same `V`; for other handles of this process, another one is an error.
"""
function RedisCache{V}(fingerprint::Fingerprint, role::AbstractString; options...) where {V}
    cache = new_redis_cache(V, fingerprint, String(role); options...) do config, options, out
        @c phicache_redis_cache_shared(config::Ptr{Cvoid}, options::Ptr{COptions}, Ref(fingerprint)::Ptr{Fingerprint},
                                       String(role)::Cstring, out::Ptr{Ptr{Cvoid}})::Int32
    end
    return join_shared(cache, cache.place, "the cache $(repr(role)) of $fingerprint at the server",
                       "choose another role")
end
