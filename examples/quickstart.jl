# phicache in Julia, from the first cache to a view without a copy:
#
#     PHICACHE_LIBRARY=build/libphicache.so julia --project=julia/PhiCache examples/quickstart.jl
#
# It prints
#
#     computing the cause repertoire of NodeSet(1, 2) over NodeSet(3)
#     [0.5, 0.5]
#     they sum to 1.0
#     distance: 1.0, (hits = 1, misses = 1, size = 1)
#     stored? Status(REFUSED_MEMORY)
#     repertoires: (hits = 2, misses = 1, size = 1)

using PhiCache

# A cache of repertoires with any arguments as keys. The block runs only on a miss.
repertoires = DictCache{Vector{Float64}}()

function cause_repertoire(mechanism, purview)
    get!(repertoires, ("cause", mechanism, purview)) do
        println("computing the cause repertoire of ", mechanism, " over ", purview)
        fill(1 / 2^length(purview), 2^length(purview))
    end
end

cause_repertoire(NodeSet(1, 2), NodeSet(3))
println(cause_repertoire(NodeSet(1, 2), NodeSet(3)))

# The cached numbers in place, without a copy; valid until the block ends, whatever happens to the cache.
total = withvalue(sum, repertoires, ("cause", NodeSet(1, 2), NodeSet(3)))
println("they sum to ", total)

# A memoized function.
@phicache function distance(p::Vector{Float64}, q::Vector{Float64})::Float64
    sum(abs.(p .- q))
end

distance([0.5, 0.5], [1.0, 0.0])
println("distance: ", distance([0.5, 0.5], [1.0, 0.0]), ", ", info(distance))

# If memory is full, that is not an error: the value is returned, but not stored.
forgetful = DictCache{Float64}(config=Config(maximum_memory_percent=0))
println("stored? ", set!(forgetful, "phi", 0.25))

println("repertoires: ", info(repertoires))
