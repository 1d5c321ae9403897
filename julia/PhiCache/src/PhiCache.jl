"""
The Julia package of the phicache library: results of expensive computations, kept in memory below a limit, on disk or
in Redis.

    using PhiCache
    cache = DictCache{Vector{Float64}}()
    repertoire = get!(cache, ("cause", NodeSet(1, 3), NodeSet(2))) do
        compute_repertoire()                  # runs only on a miss
    end

Which type to use:

* for a pure function: [`@phicache`](@ref) on its definition, or [`Memo`](@ref) for an existing function;
* for results by mechanism and purview, or by any other key: [`DictCache`](@ref). [`AbstractCache`](@ref) describes what
  all caches can do;
* for large arrays, or arrays that are only read: [`withvalue`](@ref) and [`memoize!`](@ref), which copy nothing;
* for the expensive methods of a type: [`CachedMethod`](@ref), with a cache in each object;
* for the MICE of a [`Subsystem`](@ref) and of its cuts: a [`MICECache`](@ref) of the subsystem, which is the `parent`
  of the `MICECache` of each [`Cut`](@ref);
* for other results of a system and of its cuts: one `DictCache` with [`cut_scoped_key`](@ref);
* for the candidate purviews of a network: [`PurviewCache`](@ref);
* for the next run of the program, or processes that share a directory: [`DiskCache`](@ref);
* to pass results on in one file: [`save_cache`](@ref);
* for several processes or machines with a server: [`RedisCache`](@ref), and `MICECache` with `kind=:redis`.

[`Config`](@ref) has the memory limit and the other settings. [`info`](@ref), [`stats`](@ref) and
[`named_caches`](@ref) return statistics. [`add!`](@ref) describes what can be part of a key.

The package loads the shared library from the file in the environment variable `PHICACHE_LIBRARY`; if that is not set,
from `deps/libphicache.so` in the package's folder (a file or a link); if that does not exist, from the system's library
path. The library must come from the project's CMake build, and its minor version must be that of the package.
"""
module PhiCache

# The map of the package. Each file holds one idea and uses only those above it:
#
# | file            | its idea                                                              |
# |-----------------|-----------------------------------------------------------------------|
# | `library.jl`    | finding and checking the shared library; calling its functions        |
# | `status.jl`     | the status of a call, and `PhiCacheError`                             |
# | `handle.jl`     | objects that the library owns: `close`, finalizers                    |
# | `interrupts.jl` | code that Ctrl-C must not interrupt                                   |
# | `nodes.jl`      | `NodeSet` and `Direction`                                             |
# | `config.jl`     | `Config` and the process default                                      |
# | `options.jl`    | the arguments of constructors: what is unknown or mistyped is refused |
# | `memory.jl`     | how much memory the process uses and may use                          |
# | `spares.jl`     | objects that are used again: one spare for each thread                |
# | `encoding.jl`   | `KeyBuilder`: the canonical encoding, element by element              |
# | `keys.jl`       | keys of the types that all languages share                            |
# | `types.jl`      | Julia's own types in keys                                             |
# | `values.jl`     | Julia values as bytes, and bytes as Julia values                      |
# | `serialized.jl` | the bytes of any Julia value, with the definitions of its structs     |
# | `views.jl`      | `ValueView`: the bytes of a cache entry as an array                   |
# | `verify.jl`     | verified mode: every n-th hit is computed again and compared          |
# | `cache.jl`      | what all caches can do                                                |
# | `sharing.jl`    | handles, processes and runs that share values have one type of values |
# | `batch.jl`      | many keys at once                                                     |
# | `entries.jl`    | all entries of a cache, one by one; a look that counts nothing        |
# | `dict.jl`       | `DictCache`                                                           |
# | `redis.jl`      | `RedisCache`, and the state of its server                             |
# | `disk.jl`       | `DiskCache`, and the state of its files                               |
# | `flight.jl`     | single flight: one task computes a missing value, the others wait     |
# | `compute.jl`    | how a computed value gets into a cache: `get!`                        |
# | `inplace.jl`    | `memoize!`: a computation that writes directly into the entry         |
# | `purview.jl`    | `PurviewCache`                                                        |
# | `memo.jl`       | `Memo`: a function with a cache                                       |
# | `macro.jl`      | `@phicache`: `Memo` around a function's definition                    |
# | `method.jl`     | `CachedMethod`: a function that uses the cache of its object          |
# | `subsystem.jl`  | `Fingerprint`, `Cut`, `Subsystem`                                     |
# | `contents.jl`   | what is in the directory of disk caches                               |
# | `saved.jl`      | a cache saved to one file                                             |
# | `mice.jl`       | `Mice` and `MICECache`                                                |
# | `registry.jl`   | all caches that have a name                                           |
# | `misuse.jl`     | calls that no method takes, answered with those that exist            |

import Libdl
import Serialization

export AbstractCache, DictCache, RedisCache, DiskCache, PurviewCache, MICECache, Mice
export Memo, CachedMethod, @phicache, info, stats, original
export NodeSet, Direction, CAUSE, EFFECT, BIDIRECTIONAL, mask
export Config, default_config, memory_full, memory_limits, memory_percent, memory_usage
export KeyBuilder, add!, encode_key, encode_typed_key, repertoire_key, mice_key, joined_key, KeyParts
export set!, get_many, set_many!, entries, withvalue, ValueView, memoize!
export redis_available, redis_ping, redis_health
export disk_sync, disk_health, disk_list, disk_remove
export save_cache, load_cache!, describe_saved
export Fingerprint, Cut, Subsystem, damages, cut_scoped_key, fingerprint, iscut, nodes, would_store
export named_caches, Status, PhiCacheError

include("library.jl")
include("status.jl")
include("handle.jl")
include("interrupts.jl")
include("nodes.jl")
include("config.jl")
include("options.jl")
include("memory.jl")
include("spares.jl")
include("encoding.jl")
include("keys.jl")
include("types.jl")
include("values.jl")
include("serialized.jl")
include("views.jl")
include("verify.jl")
include("cache.jl")
include("sharing.jl")
include("batch.jl")
include("entries.jl")
include("dict.jl")
include("redis.jl")
include("disk.jl")
include("flight.jl")
include("compute.jl")
include("inplace.jl")
include("purview.jl")
include("memo.jl")
include("macro.jl")
include("method.jl")
include("subsystem.jl")
include("contents.jl")
include("saved.jl")
include("mice.jl")
include("registry.jl")
include("misuse.jl")

function __init__()
    load_library()
    number_process()
    make_slots(BUILDERS)
    make_slots(LIFETIMES)
    Base.Experimental.register_error_hint(hint_at_calls, MethodError)
end

end
