# The works whose instructions make/count_instructions.py counts: without an argument it prints their names, with a
# COUNT it executes each of them COUNT times under callgrind.
#
# Before and after each work it calls `phicache_features`, before which callgrind dumps its counters.

using PhiCache

@phicache distance(x::Float64, y::Float64)::Float64 = abs(x - y)
@phicache distance(x::Vector{Float64}, y::Vector{Float64})::Float64 = sum(abs, x .- y)

const KEY = ("cause", NodeSet(1, 3), NodeSet(2))
const RAW = collect(0x00:0x0f)
const P, Q = rand(8), rand(8)
const NUMBERS, VECTORS = DictCache{Float64}(), DictCache{Vector{Float64}}()
for key in (KEY, RAW, KeyParts(P, Q))
    NUMBERS[key] = 1.5
    VECTORS[key] = rand(8)
end

no_value() = error("this is a hit")

# All return a number.
const WORKS = (
    "the loop" => () -> 1.0,
    "get!, 16 raw bytes, a number" => () -> get!(no_value, NUMBERS, RAW),
    "get!, text and two node sets, a number" => () -> get!(no_value, NUMBERS, KEY),
    "get, the same" => () -> get(NUMBERS, KEY, 0.0),
    "get!, the same, a vector of 8" => () -> get!(no_value, VECTORS, KEY)[1],
    "withvalue, the same" => () -> withvalue(first, VECTORS, KEY),
    "get!, KeyParts of two vectors of 8" => () -> get!(no_value, NUMBERS, KeyParts(P, Q)),
    "@phicache, two numbers" => () -> distance(0.25, 0.75),
    "@phicache, two vectors of 8" => () -> distance(P, Q),
)

function repeated(work, count)
    total = 0.0
    for _ in 1:count
        total += work()
    end
    return total
end

boundary() = ccall(BOUNDARY, UInt32, ())

if isempty(ARGS)
    foreach(work -> println(first(work)), WORKS)
else
    const BOUNDARY = PhiCache.Libdl.dlsym(PhiCache.LIBRARY[], :phicache_features)
    for (_, work) in WORKS
        repeated(work, 100)
        boundary()
        repeated(work, parse(Int, ARGS[1]))
        boundary()
    end
end
