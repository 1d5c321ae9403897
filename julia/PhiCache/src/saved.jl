# A cache saved to one file.

# The context of a saved cache, followed by the type of its values. A reader that asks for another type gets an error
# that names both.
saved_context(cache::AbstractCache{V}, context) where {V} = typed_context(V, context)
# In every language a list of node sets.
saved_context(::PurviewCache, context) = context_bytes(context)

context_bytes(context) = Vector{UInt8}(raw_key(context))

function typed_context(V, context)
    bytes = context_bytes(context)
    return isempty(bytes) ? bytes : [bytes; codeunits(" (Julia: $(layout(V)))")]
end

# Calls `use(context)` with the context of a file that Julia has saved, or else of one that another language has saved,
# which has no type.
function with_context(use, typed, context)
    try
        return use(typed)
    catch error
        plain = context_bytes(context)
        error isa PhiCacheError && error.status == ERROR_INVALID_ARGUMENT && plain != typed || rethrow()
        try
            return use(plain)
        catch again
            again isa PhiCacheError && again.status == ERROR_INVALID_ARGUMENT || rethrow()
            throw(error)
        end
    end
end

"""
    save_cache(cache, file, context) -> number of values

Saves the values of a cache in this process (a [`DictCache`](@ref), [`PurviewCache`](@ref) or [`MICECache`](@ref)) to
one file, with what they cost to compute. Another program, machine or user loads it with [`load_cache!`](@ref), or
reads a saved `DictCache` in place with [`DiskCache`](@ref).

`context` is text or bytes that say what the values are and how they are computed (algorithm, settings, version); the
file is used with the same context only, and MICE with the same subsystem and cut only. The file has the type of the
values in its context, as in `"version 1 (Julia: Float64)"`, so that it is read as that type only. A program in C or C++
gives the whole text, which [`describe_saved`](@ref) returns. Files of such programs have no type. Save a `DictCache`
whose values have a plain type `V`: serialized values of `DictCache{Any}` may not be read by other versions of Julia.
To save the results of a memo, define it with [`@phicache`](@ref), with the cache and a prefix: the keys of a
`Memo(f; cache)` in this process also have the definition of `f`, which another process does not find, because its `f`
may be another. The same holds for anonymous and inner functions in keys, and for types of a module that was replaced.

The file appears when it is complete. If saving fails, an older file of that name stays.
"""
function save_cache(cache::AbstractCache, file::AbstractString, context::Union{AbstractString,Vector{UInt8}})
    refuse_addresses("saved file", valtype(cache))
    count, path, bytes = Ref(UInt64(0)), String(file), saved_context(cache, context)
    check(@c phicache_cache_save(cache::Ptr{CView}, path::Cstring, bytes::CBytes, count::Ptr{UInt64})::Int32)
    return Int(count[])
end

struct CLoadCounts
    struct_size::Csize_t
    loaded::UInt64
    kept::UInt64
    refused::UInt64
    damaged::UInt64
end

"""
    load_cache!(cache, file, context) -> (loaded, kept, refused, damaged)

Loads the values of a file that [`save_cache`](@ref) has written into a cache of the same type, and returns what has
become of them: `loaded` were stored; the keys of `kept` had values, which stay; `refused` found no room; `damaged`
could not be used. Throws a `PhiCacheError` (`PhiCache.ERROR_INVALID_ARGUMENT`) that names both contexts if the file
was saved with another one, or if it has the MICE of another subsystem or cut, or the values of a shared cache of
another fingerprint, if this one is shared; nothing is loaded then.
"""
function load_cache!(cache::AbstractCache, file::AbstractString, context::Union{AbstractString,Vector{UInt8}})
    counts, path = Ref(CLoadCounts(sizeof(CLoadCounts), 0, 0, 0, 0)), String(file)
    with_context(saved_context(cache, context), context) do bytes
        check(@c phicache_cache_load(cache::Ptr{CView}, path::Cstring, bytes::CBytes, counts::Ptr{CLoadCounts})::Int32)
    end
    found = counts[]
    return (loaded=Int(found.loaded), kept=Int(found.kept), refused=Int(found.refused), damaged=Int(found.damaged))
end

"""
    describe_saved(file; verify=false) -> (fingerprint, role, context, bytes, records, damaged)

What a file is that [`save_cache`](@ref) has written, and what it contains. With `verify` all values are read, and the
damaged ones are counted.
"""
function describe_saved(file::AbstractString; verify::Bool=false)
    item, path = Ref(EMPTY_ITEM), String(file)
    check(@c phicache_bundle_describe(path::Cstring, verify::Int32, item::Ptr{CDiskItem})::Int32)
    found = item[]
    return (fingerprint=Fingerprint(found.fingerprint), role=text_of(found.role), context=text_of(found.context),
            bytes=Int(found.bytes), records=Int(found.records), damaged=Int(found.damaged))
end
