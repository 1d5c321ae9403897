"""
Memory-limited caching for integrated information theory: the Julia face of the phicache library.

    using PhiCache
    cache = DictCache{Vector{Float64}}()
    repertoire = get!(cache, ("cause", NodeSet(1, 3), NodeSet(2))) do
        compute_repertoire()                  # runs on a miss only
    end

What to take:

* a pure function, called again with equal arguments: [`@phicache`](@ref), or [`Memo`](@ref) for one that exists;
* results by mechanism and purview, or by any key: [`DictCache`](@ref); [`AbstractCache`](@ref) says what all caches can
  do;
* large arrays, or arrays that are only looked at: [`withvalue`](@ref) and [`memoize!`](@ref), which copy nothing;
* a type whose methods are costly: [`CachedMethod`](@ref), with a cache in each object;
* the MICE of a [`Subsystem`](@ref) and of its cuts: [`MICECache`](@ref), with it as `parent` for each [`Cut`](@ref);
* other results of a system and of its cuts: one `DictCache`, with [`cut_scoped_key`](@ref);
* the candidate purviews of a network: [`PurviewCache`](@ref);
* several processes or machines: [`RedisCache`](@ref), and `MICECache` with `kind=:redis`.

[`Config`](@ref) has the memory limit and the other settings; [`info`](@ref), [`stats`](@ref) and
[`named_caches`](@ref) tell how caches are doing; [`add!`](@ref) says what can be part of a key.

The shared library is the file that the environment variable `PHICACHE_LIBRARY` names, or else `deps/libphicache.so` in
the package's own folder (where a packager may put it, or a link to it), or else the system's. It must be the one that
the project's CMake build makes, of the package's minor version.
"""
module PhiCache

# The map of the package; each file holds one idea, and uses only those above it:
#
# | file            | what lives there                                                      |
# |-----------------|-----------------------------------------------------------------------|
# | `library.jl`    | finding and checking the shared library; calling its functions        |
# | `status.jl`     | what a call answers, and `PhiCacheError`                              |
# | `handle.jl`     | what the library gives and takes back: `close`, finalizers            |
# | `nodes.jl`      | `NodeSet` and `Direction`                                             |
# | `config.jl`     | `Config` and the process default                                      |
# | `memory.jl`     | how much memory the process uses and may use                          |
# | `keys.jl`       | `KeyBuilder`: what C has too as canonical keys                        |
# | `types.jl`      | Julia's own types in keys                                             |
# | `values.jl`     | Julia values as bytes, and bytes as Julia values                      |
# | `views.jl`      | `ValueView`: a cache's own bytes as an array                          |
# | `cache.jl`      | what all caches can do                                                |
# | `batch.jl`      | many keys at once                                                     |
# | `dict.jl`       | `DictCache`                                                           |
# | `redis.jl`      | `RedisCache`, and how its server is doing                             |
# | `flight.jl`     | who computes a missing value, and how others wait for it              |
# | `compute.jl`    | how a missing value gets into a cache: `get!`                         |
# | `inplace.jl`    | `memoize!`: a computation that writes straight into the entry         |
# | `purview.jl`    | `PurviewCache`                                                        |
# | `memo.jl`       | `Memo`: a function with its cache                                     |
# | `macro.jl`      | `@phicache`: `Memo` around a function's definition                    |
# | `method.jl`     | `CachedMethod`: a function that uses its object's cache               |
# | `subsystem.jl`  | `Fingerprint`, `Cut`, `Subsystem`                                     |
# | `mice.jl`       | `Mice` and `MICECache`                                                |
# | `registry.jl`   | all caches that have a name                                           |

import Libdl
import Serialization

export AbstractCache, DictCache, RedisCache, PurviewCache, MICECache, Mice
export Memo, CachedMethod, @phicache, info, stats, original
export NodeSet, Direction, CAUSE, EFFECT, BIDIRECTIONAL, mask
export Config, default_config, memory_full, memory_percent, memory_usage
export KeyBuilder, add!, encode_key, encode_typed_key, repertoire_key, mice_key, joined_key
export set!, get_many, set_many!, withvalue, ValueView, memoize!
export redis_available, redis_ping, redis_health
export Fingerprint, Cut, Subsystem, damages, cut_scoped_key, fingerprint, iscut, nodes, would_store
export named_caches, Status, PhiCacheError

include("library.jl")
include("status.jl")
include("handle.jl")
include("nodes.jl")
include("config.jl")
include("memory.jl")
include("keys.jl")
include("types.jl")
include("values.jl")
include("views.jl")
include("cache.jl")
include("batch.jl")
include("dict.jl")
include("redis.jl")
include("flight.jl")
include("compute.jl")
include("inplace.jl")
include("purview.jl")
include("memo.jl")
include("macro.jl")
include("method.jl")
include("subsystem.jl")
include("mice.jl")
include("registry.jl")

__init__() = load_library()

end
