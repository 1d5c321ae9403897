# Sets of nodes, and directions.

"""
    Direction

`CAUSE`, `EFFECT`, or `BIDIRECTIONAL` (in keys only).
"""
@enum Direction::Int32 CAUSE = 0 EFFECT = 1 BIDIRECTIONAL = 2

@doc "Towards the past: how a mechanism constrains the past state of its purview." CAUSE
@doc "Towards the future: how a mechanism constrains the future state of its purview." EFFECT
@doc "Both directions; in keys only." BIDIRECTIONAL

"""
    NodeSet(nodes...)
    NodeSet(nodes)
    NodeSet(; mask)

A set of nodes of a network, numbered from 1 to 64 like Julia's indices. `mask(set)` has bit k - 1 for node k: node 1 in
Julia is node 0 in C. Keys contain the mask, so they are the same in all languages.

```jldoctest
julia> NodeSet(1, 3) == NodeSet([3, 1]) == NodeSet(mask=0b101)
true
```
"""
struct NodeSet <: AbstractSet{Int}
    mask::UInt64
    NodeSet(::Val{:mask}, mask::UInt64) = new(mask)
end

function NodeSet(; mask::Integer=0)
    0 <= mask <= typemax(UInt64) || throw(ArgumentError("the mask is $mask; expected 0 to 2^64 - 1"))
    return NodeSet(Val(:mask), mask % UInt64)
end
NodeSet(node::Integer, nodes::Integer...) = NodeSet((node, nodes...))
NodeSet(set::NodeSet) = set
NodeSet(node::Union{Nothing,Missing,Symbol,Function,Type}) = bit(node)
NodeSet(nodes) = NodeSet(Val(:mask), foldl((mask, node) -> mask | bit(node), nodes; init=UInt64(0)))

Base.convert(::Type{NodeSet}, nodes::Union{AbstractVector{<:Integer},AbstractSet{<:Integer},Tuple{Vararg{Integer}}}) =
    NodeSet(nodes)
Base.convert(::Type{NodeSet}, set::NodeSet) = set

function bit(node::Integer)
    1 <= node <= 64 || throw(ArgumentError("the node is $node; expected 1 to 64"))
    return UInt64(1) << (node - 1)
end
# A list of true and false is a mask or a state: all its nodes would be node 1.
bit(node::Bool) = throw(ArgumentError(
    "the node is $node; expected an integer, 1 to 64; the nodes where a vector is true are NodeSet(findall(vector))"))
bit(node) = throw(ArgumentError("the node is $(described(node)); expected an integer, 1 to 64"))

"""
    mask(set::NodeSet) -> UInt64

The set as a mask for C: bit k - 1 is node k of Julia.
"""
mask(set::NodeSet) = set.mask

Base.length(set::NodeSet) = count_ones(set.mask)
Base.isempty(set::NodeSet) = set.mask == 0
Base.in(node::Integer, set::NodeSet) = 1 <= node <= 64 && set.mask & bit(Int(node)) != 0
Base.iterate(set::NodeSet, rest::UInt64=set.mask) =
    rest == 0 ? nothing : (trailing_zeros(rest) + 1, rest & (rest - 1))
Base.:(==)(a::NodeSet, b::NodeSet) = a.mask == b.mask
Base.issubset(a::NodeSet, b::NodeSet) = a.mask & ~b.mask == 0
Base.union(a::NodeSet, b::NodeSet) = NodeSet(mask=a.mask | b.mask)
Base.intersect(a::NodeSet, b::NodeSet) = NodeSet(mask=a.mask & b.mask)
Base.setdiff(a::NodeSet, b::NodeSet) = NodeSet(mask=a.mask & ~b.mask)
Base.symdiff(a::NodeSet, b::NodeSet) = NodeSet(mask=xor(a.mask, b.mask))
Base.show(io::IO, set::NodeSet) = print(io, "NodeSet(", join(set, ", "), ")")
