# What is in the directory of disk caches.

struct CDiskItem
    struct_size::Csize_t
    fingerprint::NTuple{32,UInt8}
    role::NTuple{256,UInt8}
    segments::UInt64
    writers::UInt64
    bytes::UInt64
    records::UInt64
    damaged::UInt64
    context::NTuple{256,UInt8}
end

const EMPTY_ITEM = CDiskItem(sizeof(CDiskItem), NO_BYTES, ntuple(_ -> 0x00, 256), 0, 0, 0, 0, 0,
                             ntuple(_ -> 0x00, 256))

"""
    disk_list(config=default_config(); verify=false) -> Vector of (fingerprint, role, segments, writers, bytes, records,
                                                                   damaged, context)
    disk_list(directory; verify=false)

What is in a directory, or in that of a configuration: one item for each identity and role, ordered by them. With
`verify` every record and value is read, and the damaged ones are counted. `context` is that of a
`DiskCache(context)`, and empty for other identities.
"""
function disk_list(config::AnyConfig=default_config(); verify::Bool=false)
    count = Ref(Csize_t(0))
    items = CDiskItem[]
    while true
        code = @c phicache_disk_list(config::Ptr{Cvoid}, (verify && !isempty(items))::Int32, items::Ptr{CDiskItem},
                                     length(items)::Csize_t, count::Ptr{Csize_t})::Int32
        if Status(code) != ERROR_BUFFER_TOO_SMALL
            check(code)
            break
        end
        # Other processes may store meanwhile.
        items = fill(EMPTY_ITEM, count[] + 8)
    end
    return [(fingerprint=Fingerprint(item.fingerprint), role=text_of(item.role), segments=Int(item.segments),
             writers=Int(item.writers), bytes=Int(item.bytes), records=Int(item.records), damaged=Int(item.damaged),
             context=text_of(item.context))
            for item in items[1:count[]]]
end
disk_list(directory::AbstractString; options...) = disk_list(Config(disk_directory=directory); options...)

"""
    disk_remove(fingerprint, config=default_config())
    disk_remove(fingerprint, directory)

Removes all values of an identity, of all roles, from a directory, or from that of a configuration. Processes that use
it go on, and find nothing.
"""
function disk_remove(fingerprint::Fingerprint, config::AnyConfig=default_config())
    check(@c phicache_disk_remove(config::Ptr{Cvoid}, Ref(fingerprint)::Ptr{Fingerprint})::Int32)
    return nothing
end
disk_remove(fingerprint::Fingerprint, directory::AbstractString) =
    disk_remove(fingerprint, Config(disk_directory=directory))
