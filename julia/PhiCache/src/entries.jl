# What a cache holds, without a trace in its counts: one value, or all entries one by one.
#
# C's walk returns entry after entry. (A callback from C could neither switch tasks nor throw.)

mutable struct Walk <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}

    function Walk(cache::AbstractCache)
        pointer = new_handle(out -> @c phicache_walk_new(cache::Ptr{CView}, out::Ptr{Ptr{Cvoid}})::Int32)
        return free_when_collected(new(pointer, Threads.Atomic{Bool}(true)))
    end
end

free_handle(::Type{Walk}, pointer) = @c phicache_walk_free(pointer::Ptr{Cvoid})::Int32

# C's `phicache_entry`.
struct CEntry
    struct_size::Csize_t
    key::CBytes
    bytes::UInt64
    cost_ns::UInt64
end
CEntry() = CEntry(sizeof(CEntry), CBytes(C_NULL, 0), 0, 0)

# An iterator over the entries of a cache; `pick(cache, entry, value)` makes its elements of type E.
struct Entries{E,C<:AbstractCache,F}
    cache::C
    pick::F
end
Entries{E}(pick::F, cache::C) where {E,C,F} = Entries{E,C,F}(cache, pick)

# Other tasks may change the cache, so a loop may have more or fewer elements than `length` says.
Base.IteratorSize(::Type{<:Entries}) = Base.SizeUnknown()
Base.length(entries::Entries) = length(entries.cache)
Base.isempty(entries::Entries) = isempty(entries.cache)
Base.eltype(::Type{<:Entries{E}}) where {E} = E

function Base.iterate(entries::Entries, walk::Walk=Walk(entries.cache))
    entry = Ref(CEntry())
    found = with_pinned(value -> entries.pick(entries.cache, entry[], value), value ->
        @c phicache_walk_next(walk::Ptr{Cvoid}, entry::Ptr{CEntry}, value::Ptr{CValue})::Int32)
    found === nothing || return (something(found), walk)
    close(walk)
    return nothing
end

Base.show(io::IO, entries::Entries) = print(io, iterator_name(entries.pick), "(", entries.cache, ")")

entry_key(entry::CEntry) = copy(unsafe_wrap(Array, entry.key.data, entry.key.len))
pick_key(_, entry, _) = entry_key(entry)
pick_value(cache, _, value) = from_bytes(cache, value)
pick_pair(cache, entry, value) = entry_key(entry) => from_bytes(cache, value)
pick_entry(cache, entry, value) = (key=entry_key(entry), value=from_bytes(cache, value), bytes=Int(entry.bytes),
                                   cost_ns=Int(entry.cost_ns))

# A key is in any of its forms, not only as bytes.
Base.in(key, keys::Entries{Vector{UInt8},<:AbstractCache,typeof(pick_key)}) = haskey(keys.cache, key)

# A cache has pairs, as a dictionary has.
function Base.in(pair::Pair, cache::AbstractCache)
    found = peek(cache, first(pair), Absent())
    return !(found isa Absent) && found == last(pair)
end
Base.in(item, cache::AbstractCache) = throw(ArgumentError(
    "a cache contains pairs; use key => value in cache, key in keys(cache), or value in values(cache)"))
Base.in(item, pairs::Entries{<:Pair,<:AbstractCache,typeof(pick_pair)}) = item in pairs.cache

iterator_name(::typeof(pick_key)) = "keys"
iterator_name(::typeof(pick_value)) = "values"
iterator_name(::typeof(pick_pair)) = "pairs"
iterator_name(::typeof(pick_entry)) = "entries"

"""
    keys(cache), values(cache), pairs(cache)

Iterators over the keys, the values, or the `key => value` pairs of a cache in this process. Iterating over the cache
itself yields its pairs.

    for (key, value) in cache
        sum(value) > 1 && delete!(cache, key)
    end

A key is the bytes that C sees: those of a text as they are (`String(key)`), and those of a tuple of arguments in the
canonical encoding. It finds its value again: `cache[key]`. Values are copies.

Nothing is counted. Other tasks, and the body of the loop, may read and change the cache. An entry that is there during
the whole loop comes exactly once, any other at most once; one that was just removed may still come. The order has no
meaning. A cache in Redis cannot be iterated, because its entries are at the server. What a `MICECache` inherits are the
entries of its parent, and does not come.
"""
Base.keys(cache::AbstractCache) = Entries{Vector{UInt8}}(pick_key, cache)
Base.values(cache::AbstractCache{V}) where {V} = Entries{V}(pick_value, cache)
Base.pairs(cache::AbstractCache{V}) where {V} = Entries{Pair{Vector{UInt8},V}}(pick_pair, cache)

"""
    entries(cache)

An iterator over the entries of a cache, as [`pairs`](@ref), with all that is known of each: `key`, `value`, `bytes`
(the memory that the entry takes, overhead included), and `cost_ns` (the nanoseconds that the computation took; 0 if
that is not known).

    sort!(collect(entries(cache)); by=entry -> entry.bytes, rev=true)     # the largest first
"""
entries(cache::AbstractCache{V}) where {V} =
    Entries{NamedTuple{(:key, :value, :bytes, :cost_ns),Tuple{Vector{UInt8},V,Int,Int}}}(pick_entry, cache)

Base.IteratorSize(::Type{<:AbstractCache}) = Base.SizeUnknown()
Base.eltype(::Type{<:AbstractCache{V}}) where {V} = Pair{Vector{UInt8},V}
Base.keytype(::Type{<:AbstractCache}) = Vector{UInt8}
Base.keytype(cache::AbstractCache) = keytype(typeof(cache))
Base.iterate(cache::AbstractCache, walk::Walk=Walk(cache)) = iterate(pairs(cache), walk)

"""
    peek(cache, key, default=nothing)

The value of `key`, or `default`. Unlike `get`, it counts neither a hit nor a miss, and does not make the entry count as
used.
"""
function Base.peek(cache::AbstractCache, key, default=nothing)
    prepared = prepare_key(cache, key)
    value = Ref(CValue())
    code = @c phicache_cache_peek(cache::Ptr{CView}, prepared::CBytes, value::Ptr{CValue})::Int32
    release_key(prepared)
    return check(code) == OK ? take_value(valtype(cache), cache, value) : default
end
