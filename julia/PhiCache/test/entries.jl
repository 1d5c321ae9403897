@testset "all entries come once, as keys, values and pairs, and nothing is counted" begin
    cache = DictCache{Int}()
    for n in 1:1000
        cache["key $n"] = n
    end
    expected = Dict("key $n" => n for n in 1:1000)
    @test sort!(map(String, keys(cache))) == sort!(collect(keys(expected)))
    @test sort!(collect(values(cache))) == 1:1000
    @test length(collect(pairs(cache))) == length(collect(cache)) == 1000
    @test Dict(String(key) => value for (key, value) in cache) == expected
    @test Dict(String(key) => value for (key, value) in pairs(cache)) == expected
    @test info(cache) == (hits=0, misses=0, size=1000)
    @test eltype(cache) == eltype(pairs(cache)) == Pair{Vector{UInt8},Int}
    @test eltype(keys(cache)) == keytype(cache) == Vector{UInt8} && eltype(values(cache)) == Int
    @test collect(cache) isa Vector{Pair{Vector{UInt8},Int}}
    @test isempty(collect(DictCache{Int}())) && iterate(DictCache{Int}()) === nothing
end

@testset "a key finds its value again" begin
    cache = DictCache{Float64}()
    cache[("cause", NodeSet(1, 3), 2)] = 0.5
    @test cache[only(collect(keys(cache)))] == 0.5
    purviews = PurviewCache()
    purviews[CAUSE, NodeSet(1)] = [NodeSet(1), NodeSet(1, 2)]
    @test purviews[only(collect(keys(purviews)))] == only(collect(values(purviews))) == [NodeSet(1), NodeSet(1, 2)]
end

@testset "a pair is in a cache, and nothing else" begin
    cache = DictCache{Float64}()
    cache["a"], cache[1, 2] = 1.0, 2.0
    for pairs in (cache, pairs(cache))
        @test ("a" => 1) in pairs && ((1, 2) => 2.0) in pairs && first(collect(cache)) in pairs
        @test !(("a" => 2.0) in pairs) && !(("b" => 1.0) in pairs)
        @test occursin("keys(cache)", message_of(() -> "a" in pairs))
    end
    @test info(cache) == (hits=0, misses=0, size=2)
end

@testset "entries tell their size" begin
    cache = DictCache{Vector{Float64}}()
    cache["small"] = zeros(1)
    cache["large"] = zeros(1000)
    large, small = sort!(collect(entries(cache)); by=entry -> entry.bytes, rev=true)
    @test String(large.key) == "large" && large.value == zeros(1000) && large.bytes >= 8000 > small.bytes > 8
    @test small.cost_ns >= 0
    @test eltype(entries(cache)) == typeof(small)
end

@testset "the body of a loop may change the cache" begin
    cache = DictCache{Int}()
    for n in 1:500
        cache[n] = n
    end
    seen, next = Int[], 1000
    for (key, value) in cache
        push!(seen, value)
        for _ in 1:20
            next < 20_000 && (cache[next] = next)
            next += 1
        end
        value == 1 || delete!(cache, key)
    end
    @test issubset(1:500, seen) && allunique(seen)
    @test haskey(cache, 1) && !haskey(cache, 2)
end

@testset "a loop may end early, by an exception, or after its cache is closed" begin
    cache = DictCache{Int}()
    for n in 1:500
        cache[n] = n
    end
    @test first(cache) isa Pair{Vector{UInt8},Int}
    @test_throws ErrorException foreach(_ -> error("on purpose"), cache)
    count = 0
    for _ in values(cache)
        count += 1
        count == 10 && close(cache)
    end
    @test count == 500
    @test status_of(() -> collect(cache)) == PhiCache.ERROR_INVALID_HANDLE
    damaged = DictCache{Vector{UInt8}}()
    damaged["key"] = zeros(UInt8, 3)
    @test_throws Exception collect(PhiCache.Entries{Int}((_, _, value) -> PhiCache.decode(Int, value), damaged))
    @test haskey(damaged, "key")
end

@testset "entries that stay come once while tasks change others" begin
    cache = DictCache{Int}()
    for n in 1:500
        cache[n] = n
    end
    # They end by themselves: with tasks that yield until they are told to end, Julia 1.5's collector can wait forever.
    tasks = map(1:2) do task
        Threads.@spawn for n in 0:49_999
            number = 1000task + n % 1000
            isodd(n ÷ 1000) ? delete!(cache, number) : (cache[number] = number)
        end
    end
    walks = [collect(values(cache)) for _ in 1:20]
    foreach(wait, tasks)
    @test all(seen -> issubset(1:500, seen) && allunique(seen), walks)
end

@testset "a child is iterated without what it inherits, and peek sees it" begin
    network = Fingerprint([0.0 0.0; 0.0 1.0; 1.0 0.0; 1.0 1.0], trues(2, 2), "entries test")
    system = Subsystem(network, [1, 0], NodeSet(1, 2))
    cut = Subsystem(system, Cut(2, NodeSet(1) => NodeSet(2)))
    whole = MICECache{Float64}(system; kind=:dict)
    part = MICECache{Float64}(cut; parent=whole, kind=:dict)
    key = mice_key(nothing, CAUSE, NodeSet(1))
    mice = Mice(CAUSE, NodeSet(1), NodeSet(1), 0.5, 0.25)
    whole[key] = mice
    @test collect(values(whole)) == [mice] && whole[only(collect(keys(whole)))] == mice
    @test isempty(collect(part))
    @test peek(part, key) == mice == peek(whole, key)
    @test info(part) == (hits=0, misses=0, size=1)
end

@testset "iterators have a length, and say what they are" begin
    cache = DictCache{Int}()
    cache["key"], cache["other"] = 1, 2
    for iterator in (keys, values, pairs, entries)
        @test length(iterator(cache)) == 2 && !isempty(iterator(cache))
        @test repr(iterator(cache)) == "$(nameof(iterator))(DictCache{Int64}(2 values))"
    end
    @test isempty(keys(DictCache{Int}()))
    cache[(1, :a)] = 3
    @test "key" in keys(cache) && codeunits("key") in keys(cache) && (1, :a) in keys(cache) && !("none" in keys(cache))
    @test info(cache) == (hits=0, misses=0, size=3) && 3 in values(cache)
end

@testset "peek counts nothing" begin
    cache = DictCache{Int}()
    cache["key"] = 1
    @test peek(cache, "key") == 1 && peek(cache, "none") === nothing && peek(cache, "none", 5) == 5
    @test peek(cache, ("none", 1), 5) == 5
    @test info(cache) == (hits=0, misses=0, size=1)
end

@testset "a cache in Redis cannot be iterated" begin
    config = Config(redis_url="unix:///nowhere/socket")
    for iterator in (identity, keys, values, pairs, entries)
        @test status_of(() -> collect(iterator(RedisCache{Int}(config=config)))) == PhiCache.ERROR_UNSUPPORTED
    end
end
