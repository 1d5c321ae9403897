@testset "it is used like a dictionary" begin
    cache = DictCache{Vector{Float64}}()
    @test isempty(cache) && length(cache) == 0
    @test_throws KeyError cache["key"]
    cache["key"] = [1.0]
    @test cache["key"] == [1.0] && length(cache) == 1 && !isempty(cache)
    cache["key"] = [2.0]
    @test cache["key"] == [2.0] && length(cache) == 1
    @test get(cache, "none", nothing) === nothing
    @test get(cache, "key", nothing) == [2.0]
    @test get(() -> "computed", cache, "none") == "computed" && !haskey(cache, "none")
    @test pop!(cache, "key") == [2.0] && !haskey(cache, "key")
    @test_throws KeyError pop!(cache, "key")
    @test pop!(cache, "key", 5) == 5
    cache["a"] = [1.0]
    @test delete!(cache, "a") === cache && delete!(cache, "a") === cache && isempty(cache)
    @test valtype(cache) == Vector{Float64}
end

@testset "get counts, haskey does not, empty! resets the counts" begin
    cache = DictCache{Int}()
    cache["key"] = 1
    cache["key"]
    get(cache, "none", 0)
    get(cache, "none", 0)
    haskey(cache, "key")
    haskey(cache, "none")
    @test info(cache) == (hits=1, misses=2, size=1)
    @test stats(cache).stores == 1 && stats(cache).bytes > 0
    @test empty!(cache) === cache
    @test info(cache) == (hits=0, misses=0, size=0) && stats(cache).stores == 0
end

@testset "an empty value is a value" begin
    cache = DictCache{Vector{Float64}}()
    cache["key"] = Float64[]
    @test haskey(cache, "key") && cache["key"] == Float64[]
    @test get!(() -> error("not called"), cache, "key") == Float64[]
end

@testset "a refusal is a normal outcome and leaves the older value" begin
    config = Config()
    cache = DictCache{Int}(config=config)
    @test set!(cache, "key", 1) == PhiCache.OK
    config.maximum_memory_percent = 0
    @test set!(cache, "key", 2) == PhiCache.REFUSED_MEMORY
    cache["other"] = 3
    @test cache["key"] == 1 && !haskey(cache, "other")
    @test stats(cache).refused_memory == 2
    @test get!(() -> 4, cache, "other") == 4 && !haskey(cache, "other")
    config.maximum_memory_percent = PhiCache.UNLIMITED
    @test set!(cache, "key", 2) == PhiCache.OK && cache["key"] == 2

    small = DictCache{Vector{UInt8}}(max_bytes=10_000)
    @test set!(small, "small", zeros(UInt8, 10)) == PhiCache.OK
    @test set!(small, "large", zeros(UInt8, 20_000)) == PhiCache.REFUSED_CAPACITY
    @test stats(small).bytes <= 10_000 && stats(small).refused_capacity == 1
end

@testset "a cache says what it does when it is full" begin
    for on_full in (:configured, :refuse, :evict)
        cache = DictCache{Int}(max_bytes=10_000, on_full=on_full)
        @test set!(cache, "key", 1) == PhiCache.OK
        @test (stats(cache).evictions, stats(cache).evicted_bytes, stats(cache).evicted_ns) == (0, 0, 0)
        @test 0 < stats(cache).live_bytes <= stats(cache).bytes
    end
    @test_throws ArgumentError DictCache(on_full=:forget)
    @test_throws ArgumentError PurviewCache(on_full=:forget)
    full = DictCache{Vector{UInt8}}(max_bytes=10_000, on_full=:refuse)
    outcomes = [set!(full, n, zeros(UInt8, 500)) for n in 1:100]
    @test PhiCache.REFUSED_CAPACITY in outcomes && all(haskey(full, n) == (outcomes[n] == PhiCache.OK) for n in 1:100)
end

@testset "a value may have a cost" begin
    cache = DictCache{Int}()
    for (n, cost) in enumerate((0, 1e-12, 2.5, 3600))
        @test set!(cache, "key", n; cost=cost) == PhiCache.OK && cache["key"] == n
    end
    for cost in (-1, NaN, Inf)
        @test_throws ArgumentError set!(cache, "key", 0; cost=cost)
    end
    @test cache["key"] == 4 && stats(cache).stores == 4
    purviews = PurviewCache()
    @test set!(purviews, (CAUSE, NodeSet(1)), [NodeSet(1, 2)]; cost=1) == PhiCache.OK
    @test purviews[CAUSE, NodeSet(1)] == [NodeSet(1, 2)]
end

@testset "names are unique while their cache lives" begin
    cache = DictCache(name="julia-test")
    @test status_of(() -> DictCache(name="julia-test")) == PhiCache.ERROR_NAME_IN_USE
    close(cache)
    close(DictCache(name="julia-test"))
    @test status_of(() -> DictCache(name="x"^64)) == PhiCache.ERROR_INVALID_ARGUMENT
    @test_throws ArgumentError DictCache(name="nul\0inside")
end

@testset "equal fingerprints share a cache" begin
    tpm = rand(4, 2)
    fingerprint = Fingerprint(tpm, trues(2, 2), "dict test")
    a = DictCache{Float64}(fingerprint, "repertoires")
    b = DictCache{Float64}(Fingerprint(tpm, trues(2, 2), "dict test"), "repertoires")
    other = DictCache{Float64}(fingerprint, "distances")
    a["key"] = 0.5
    @test b["key"] == 0.5 && !haskey(other, "key")
    close(a)
    @test b["key"] == 0.5
    close(b)
    @test isempty(DictCache{Float64}(fingerprint, "repertoires"))
end

@testset "the default cache holds any value" begin
    cache = DictCache()
    cache["key"] = Dict(:a => [1, 2])
    @test cache["key"] == Dict(:a => [1, 2])
    @test occursin("1 values", repr(cache))
    @test_throws ArgumentError withvalue(sum, cache, "key", Float64)
end

@testset "many entries" begin
    cache = DictCache{Int}()
    for n in 1:20_000
        cache[("entry", n)] = n
    end
    @test length(cache) == 20_000
    @test all(cache[("entry", n)] == n for n in 1:20_000)
end

@testset "a cache is a key of other dictionaries, like any object" begin
    cache = DictCache{Int}()
    for dictionary in (Dict{Any,Any}(cache => 1), IdDict{Any,Any}(cache => 1))
        @test get(dictionary, cache, 0) == 1 == get!(dictionary, cache, 0)
        @test get(dictionary, DictCache{Int}(), 0) == 0
    end
    @test isempty(cache)
end

@testset "a limit below zero is refused" begin
    @test_throws ArgumentError DictCache(max_bytes=-1)
end
