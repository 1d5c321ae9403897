# Installs the packages that main.jl compares with phicache into the first depot of JULIA_DEPOT_PATH and the project
# JULIA_PROJECT. Without a network it fails, and main.jl leaves the packages out.

import Pkg

Pkg.add(["LRUCache", "Memoize"])
