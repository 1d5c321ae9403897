# Measures hits of PhiCache beside Dict, LRUCache.jl and Memoize.jl, and prints a page of Markdown.
#
#   PHICACHE_LIBRARY=build/libphicache.so julia --project=julia/PhiCache benches/julia/main.jl [ROUNDS]
#
# `make bench-julia` runs it. The peers take turns in every round, so a change of the machine's speed meets all of them.
# A ratio is that of two peers in one round; the table has its median, and its 10th and 90th percentile.

using PhiCache
using Random
using Statistics

include("peers.jl")

const ROUNDS = isempty(ARGS) ? 60 : parse(Int, ARGS[1])
const ENTRIES = 2_000

# A way to look up: its name, and `find(key)`, which returns a number of the value.
struct Peer{F}
    name::String
    find::F
end

no_value() = error("this is a hit")

# Keys are equal to those that were stored, but not identical: as in a program that computes them.
function lookups(peer::Peer, keys)
    total = 0.0
    for key in keys
        total += peer.find(key)
    end
    return total
end

function nanoseconds(peer, keys)
    began = time_ns()
    lookups(peer, keys)
    return (time_ns() - began) / length(keys)
end

# The first peer is what the ratios refer to.
function compare(title, keys, peers...)
    keys = shuffle(deepcopy(keys))
    expected = lookups(peers[1], keys)
    for peer in peers
        lookups(peer, keys) ≈ expected || error("$(peer.name) has other values")
    end
    garbage = [@allocated(lookups(peer, keys)) / length(keys) for peer in peers]
    times = [nanoseconds(peer, keys) for _ in 1:ROUNDS, peer in peers]
    println("| **", title, "** | | | |")
    for (index, peer) in enumerate(peers)
        ratios = times[:, index] ./ times[:, 1]
        low, middle, high = [round(quantile(ratios, q); digits=2) for q in (0.1, 0.5, 0.9)]
        println("| ", peer.name, " | ", round(median(times[:, index]); digits=1), " | ",
                index == 1 ? "1" : "$middle ($low to $high)", " | ", round(Int, garbage[index]), " |")
    end
end

function fill_in(cache, keys, value)
    foreach(key -> get!(() -> value(key), cache, key), keys)
    return cache
end

const BY_HAND = Dict{Tuple{Float64,Float64},Float64}()
by_hand(x, y) = get!(() -> abs(x - y), BY_HAND, (x, y))
const VECTORS = Tuple{Vector{Float64},Vector{Float64}}
const VECTORS_BY_HAND = Dict{VECTORS,Float64}()
by_hand(x::Vector, y::Vector) = get!(() -> sum(abs, x .- y), VECTORS_BY_HAND, (x, y))

if HAS_MEMOIZE
    @eval Memoize.@memoize by_identity(x::Float64, y::Float64) = abs(x - y)
else
    const BY_IDENTITY = IdDict()
    by_identity(x, y) = get!(() -> abs(x - y), BY_IDENTITY, (x, y))::Float64
end

@phicache distance(x::Float64, y::Float64)::Float64 = abs(x - y)
@phicache distance(x::Vector{Float64}, y::Vector{Float64})::Float64 = sum(abs, x .- y)

function main()
    println("# Hits in Julia\n\nWritten by `make bench-julia`. $ENTRIES entries, in random order; Julia $VERSION, one ",
            "thread; nanoseconds are medians\nof $ROUNDS rounds. A ratio is the time divided by that of the first ",
            "row of its block, in the same round: its median (10th\nto 90th percentile). Garbage is what a hit ",
            "allocates. Dict and IdDict are for one thread; threads may share\nall others.\n")
    missing = setdiff(["LRUCache", "Memoize"], PACKAGES)
    isempty(missing) || println("Not installed here: ", join(missing, ", "), ". `benches/julia/peers.jl` has their ",
                                "steps in a few lines.\n")
    println("| lookup | ns | ratio | garbage, bytes |\n|---|---:|---:|---:|")

    # Sets of nodes as numbers: the hash of a set would take most of a Dict's time.
    tuples = [("cause", rand(0:2^20), rand(0:2^20)) for _ in 1:ENTRIES]
    K = eltype(tuples)
    number(key) = Float64(key[2] % 1000)
    dict, locked, lru, cache = [fill_in(each, tuples, number) for each in (
        Dict{K,Float64}(), LockedDict{K,Float64}(), new_lru(K, Float64, ENTRIES), DictCache{Float64}())]
    compare("a tuple of text and two integers; a number", tuples,
            Peer("Dict", key -> get!(no_value, dict, key)),
            Peer("Dict and ReentrantLock", key -> get!(no_value, locked, key)),
            Peer(LRU_NAME, key -> get!(no_value, lru, key)), Peer("PhiCache, get!", key -> get!(no_value, cache, key)),
            Peer("PhiCache, get", key -> get(cache, key, 0.0)))

    repertoire(key) = rand(MersenneTwister(key[2] % 1000), 8)
    dicts = fill_in(Dict{K,Vector{Float64}}(), tuples, repertoire)
    caches = fill_in(DictCache{Vector{Float64}}(), tuples, repertoire)
    compare("the same tuple; a vector of 8 numbers", tuples,
            Peer("Dict, shared array", key -> get!(no_value, dicts, key)[1]),
            Peer("Dict, copied array", key -> copy(get!(no_value, dicts, key))[1]),
            Peer("PhiCache, copied array", key -> get!(no_value, caches, key)[1]),
            Peer("PhiCache, view", key -> withvalue(first, caches, key)))

    raw = [rand(UInt8, 64) for _ in 1:ENTRIES]
    byte(key) = Float64(key[1])
    raw_dict = fill_in(Dict{Vector{UInt8},Float64}(), raw, byte)
    raw_cache = fill_in(DictCache{Float64}(), raw, byte)
    compare("64 raw bytes; a number", raw,
            Peer("Dict", key -> get!(no_value, raw_dict, key)), Peer("PhiCache", key -> get!(no_value, raw_cache, key)))

    numbers = [(rand(), rand()) for _ in 1:ENTRIES]
    foreach(key -> (by_hand(key...); by_identity(key...); distance(key...)), numbers)
    compare("a function of two numbers", numbers,
            Peer("Dict", key -> by_hand(key[1], key[2])),
            Peer(MEMOIZE_NAME, key -> by_identity(key[1], key[2])::Float64),
            Peer("@phicache", key -> distance(key[1], key[2])))

    vectors = [(rand(8), rand(8)) for _ in 1:ENTRIES]
    foreach(key -> (by_hand(key...); distance(key...)), vectors)
    l1(key) = sum(abs, key[1] .- key[2])
    parts = DictCache{Float64}()
    foreach(key -> parts[KeyParts(key...)] = l1(key), vectors)
    compare("a function of two vectors of 8 numbers", vectors,
            Peer("Dict", key -> by_hand(key[1], key[2])), Peer("@phicache", key -> distance(key[1], key[2])),
            Peer("PhiCache, get! with KeyParts", key -> get!(no_value, parts, KeyParts(key[1], key[2]))))
end

main()
