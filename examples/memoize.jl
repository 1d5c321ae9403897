# A pure function with its cache in Julia: a memo.
#
#     PHICACHE_LIBRARY=build/libphicache.so julia --project=julia/PhiCache examples/memoize.jl
#
# A memo is for a function whose result depends on its arguments alone. A call makes a key of the arguments and looks it
# up; the function runs only on a miss.
#
# It prints
#
#     computing
#     the distance is 0.5
#     the distance is 0.5
#     cannot compute it: the lengths differ
#     1 hit, 2 misses, 1 value
#     the weighted distance is 1.0
#     the weighted distance is 1.0, computed 1 time

using PhiCache

# The return type says how values are stored: as plain bytes here. Without it values are serialized, which is slower.
@phicache function distance(p::Vector{Float64}, q::Vector{Float64})::Float64
    length(p) == length(q) || throw(DimensionMismatch("the lengths differ"))
    println("computing")
    sum(abs.(p .- q))
end

for _ in 1:2
    println("the distance is ", distance([0.25, 0.75], [0.5, 0.5]))
end

# An exception of the function reaches the caller unchanged, and nothing is cached.
try
    distance([0.25, 0.75], [1.0])
catch exception
    println("cannot compute it: ", exception.msg)
end
counts = info(distance)
println(counts.hits, " hit, ", counts.misses, " misses, ", counts.size, " value")

# A mutable type as an argument: this method says which data identify a value. Immutable types need none.
mutable struct Metric
    weights::Vector{Float64}
end
PhiCache.add!(key::KeyBuilder, metric::Metric) = add!(key, metric.weights)

# An existing function becomes a memo without a new definition. Each memo has a cache of its own.
const computed = Ref(0)
weighted(metric::Metric, p, q) = (computed[] += 1; sum(metric.weights .* abs.(p .- q)))
const memoized = Memo(weighted; returns=Float64)

println("the weighted distance is ", memoized(Metric([1.0, 3.0]), [0.25, 0.75], [0.5, 0.5]))
answer = memoized(Metric([1.0, 3.0]), [0.25, 0.75], [0.5, 0.5])      # an equal object is the same argument
println("the weighted distance is ", answer, ", computed ", computed[], " time")
