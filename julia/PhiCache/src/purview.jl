# The potential purviews of a network: PyPhi's PurviewCache.

"""
    PurviewCache(; config=default_config(), name=nothing, max_bytes=0, on_full=:configured, verify_every=0,
                 same=isequal, ondifference=nothing)

The potential purviews of a network: lists of node sets by direction and mechanism.

A key contains neither network nor subsystem: make a cache for each network, with the candidates among all of its nodes,
or one for each subsystem.

    cache[CAUSE, NodeSet(1, 2)] = [NodeSet(1), NodeSet(1, 2)]
    get!(cache, (CAUSE, mechanism)) do ... end

The options are those of a [`DictCache`](@ref).

While the configuration has `cache_potential_purviews` off, every store is refused.
"""
mutable struct PurviewCache <: AbstractCache{Vector{NodeSet}}
    pointer::Ptr{Cvoid}
    view::Ptr{CView}
    live::Threads.Atomic{Bool}
    config::AnyConfig
    identity::Any
    verification::Verification

    function PurviewCache(; options...)
        config, local_options = split_options("PurviewCache", LOCAL_OPTIONS, options)
        verification, pointer = new_cache(; local_options...) do options, out
            @c phicache_purview_cache_new(config::Ptr{Cvoid}, options::Ptr{COptions}, out::Ptr{Ptr{Cvoid}})::Int32
        end
        view = new_handle(out -> @c phicache_purview_cache_as_cache(pointer::Ptr{Cvoid}, out::Ptr{Ptr{Cvoid}})::Int32)
        return free_when_collected(new(pointer, view, Threads.Atomic{Bool}(true), config, pointer, verification))
    end
end

PurviewCache(arguments...; options...) = throw_no_method("PurviewCache", arguments, "PurviewCache(; options...)")

free_handle(::Type{PurviewCache}, pointer) = @c phicache_purview_cache_free(pointer::Ptr{Cvoid})::Int32

# The key is the argument list (direction, mechanism).
function prepare_key(::PurviewCache, (direction, mechanism)::Tuple{Direction,Any})
    check_direction(direction)
    return make_key((direction, NodeSet(mechanism)), false)
end

# The bytes of a key, from `keys(cache)`.
prepare_key(::PurviewCache, key::Vector{UInt8}) = key

prepare_key(::PurviewCache, key) = throw(ArgumentError(
    "the key of a purview cache is a $(typeof(key)); expected (direction, mechanism)"))
