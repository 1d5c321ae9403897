# All live caches of this process that have a name, created in any language.

struct CRegistryItem
    struct_size::Csize_t
    name::NTuple{64,UInt8}
    kind::Int32
    reserved::UInt32
    info::CInfo
end

const KINDS = Dict(1 => :dict, 2 => :purview, 3 => :mice, 4 => :redis, 5 => :redis_mice, 6 => :disk, 7 => :disk_mice)

"""
    named_caches() -> Vector of (name, kind, info)

The live caches that have a name, ordered by name. `kind` is `:dict`, `:purview`, `:mice`, `:redis`, `:redis_mice`,
`:disk` or `:disk_mice`, or the number of a kind that this version does not know.
"""
function named_caches()
    count = Ref(Csize_t(0))
    items = CRegistryItem[]
    while true
        code = @c phicache_registry_list(items::Ptr{CRegistryItem}, length(items)::Csize_t, count::Ptr{Csize_t})::Int32
        if Status(code) != ERROR_BUFFER_TOO_SMALL
            check(code)
            break
        end
        # Other threads may create caches meanwhile.
        items = fill(CRegistryItem(sizeof(CRegistryItem), ntuple(_ -> 0x00, 64), 0, 0, CInfo(0, 0, 0)), count[] + 8)
    end
    return map(listed, items[1:count[]])
end

listed(item) = (name=text_of(item.name),
                kind=get(KINDS, item.kind, Int(item.kind)), info=map(Int, fields(item.info)))

"""
    info(name::AbstractString)
    stats(name::AbstractString)

The statistics of the live cache with this name, as for a cache.
"""
function info(name::AbstractString)
    figures = Ref(CInfo(0, 0, 0))
    check(@c phicache_registry_info(name::Cstring, figures::Ptr{CInfo})::Int32)
    return map(Int, fields(figures[]))
end

function stats(name::AbstractString)
    figures = Ref(CStats())
    check(@c phicache_registry_stats(name::Cstring, figures::Ptr{CStats})::Int32)
    return map(Int, fields(figures[]))
end

"""
    PhiCache.empty_named(name)
    PhiCache.empty_all_named()

Clears the live cache with this name, or all caches that have a name.
"""
empty_named(name::AbstractString) = (check(@c phicache_registry_clear(name::Cstring)::Int32); nothing)
empty_all_named() = (check(@c phicache_registry_clear_all()::Int32); nothing)
