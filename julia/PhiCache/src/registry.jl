# All live caches of this process that have a name, whichever language made them.

struct CRegistryItem
    struct_size::Csize_t
    name::NTuple{64,UInt8}
    kind::Int32
    reserved::UInt32
    info::CInfo
end

const KINDS = Dict(1 => :dict, 2 => :purview, 3 => :mice, 4 => :redis, 5 => :redis_mice)

"""
    named_caches() -> Vector of (name, kind, info)

The live caches that were given a name, in order of their names. `kind` is `:dict`, `:purview`, `:mice`, `:redis`,
`:redis_mice`, or a number
that this version does not know.
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
        # Others may make caches meanwhile.
        items = fill(CRegistryItem(sizeof(CRegistryItem), ntuple(_ -> 0x00, 64), 0, 0, CInfo(0, 0, 0)), count[] + 8)
    end
    return map(described, items[1:count[]])
end

described(item) = (name=text_of(item.name),
                   kind=get(KINDS, item.kind, Int(item.kind)), info=map(Int, fields(item.info)))

"""
    info(name::AbstractString)
    stats(name::AbstractString)

As for a cache, for the live cache of this name.
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

Clears the live cache of this name, or all that have one.
"""
empty_named(name::AbstractString) = (check(@c phicache_registry_clear(name::Cstring)::Int32); nothing)
empty_all_named() = (check(@c phicache_registry_clear_all()::Int32); nothing)
