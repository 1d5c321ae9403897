# The tests of PhiCache.jl, one file for each idea. Run them with several threads:
#
#   PHICACHE_LIBRARY=build/libphicache.so JULIA_NUM_THREADS=4 \
#       julia --project=julia/PhiCache julia/PhiCache/test/runtests.jl [file... | optimized | others]

using PhiCache
using Random
using Serialization
using Test

const FILES = ["library", "nodes", "config", "keys", "any_key", "allocations", "values", "dict", "views", "compute",
               "verify", "inplace", "interrupts", "purview", "memo", "macro", "method", "subsystem", "mice", "batch",
               "entries", "redis", "disk", "saved", "sharing", "options", "registry", "handles", "threads",
               "precompile", "example"]

# Most of the time is compilation. So CTest runs two halves at the same time: these files, which depend on the optimizer
# (allocations, stack frames, pointers into entries), and the others with -O1.
const OPTIMIZED = ["allocations", "values", "dict", "views", "compute", "verify", "inplace", "memo", "macro", "batch",
                   "entries", "handles", "threads"]

chosen(arguments) = isempty(arguments) ? FILES : arguments == ["optimized"] ? OPTIMIZED :
                    arguments == ["others"] ? setdiff(FILES, OPTIMIZED) : arguments

# The package, the repository, and its data.
const PACKAGE = normpath(joinpath(@__DIR__, ".."))
const ROOT = normpath(joinpath(PACKAGE, "..", ".."))
const DATA = joinpath(ROOT, "c-tests", "data")

# Another run of Julia with this project and these options.
julia(arguments...) = `$(Base.julia_cmd()) --startup-file=no --project=$PACKAGE $arguments`

# The status of the PhiCacheError that `f` throws.
function status_of(f)
    try
        f()
    catch exception
        return exception isa PhiCacheError ? exception.status : exception
    end
    return nothing
end

# The message of the ArgumentError that `f` throws.
message_of(f) = try f() catch exception; exception isa ArgumentError ? exception.msg : string(exception) end

# A value as another process receives it.
function sent(value)
    bytes = IOBuffer()
    serialize(bytes, value)
    return deserialize(seekstart(bytes))
end

seed = parse(UInt32, get(ENV, "PHICACHE_TEST_SEED", string(rand(UInt32))))
println("PhiCache ", PhiCache.library_version(), " from ", PhiCache.library_path(), ", Julia ", VERSION, ", ",
        Threads.nthreads(), " threads, PHICACHE_TEST_SEED=", seed)
Random.seed!(seed)

@testset "PhiCache" begin
    for file in chosen(ARGS)
        @testset "$file" begin
            include("$file.jl")
        end
    end
end
