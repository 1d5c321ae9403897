@testset "many values are stored and found at once" begin
    cache = DictCache{Vector{Float64}}()
    @test set_many!(cache, ["a" => [1, 2], "b" => Float64[]]) == [PhiCache.OK, PhiCache.OK]
    @test get_many(cache, ["b", "c", "a"]) == [Float64[], nothing, [1.0, 2.0]]
    @test get_many(cache, ("c",), [0.0]) == [[0.0]]
    @test info(cache) == (hits=2, misses=2, size=2)
    @test get_many(cache, String[]) == [] && set_many!(cache, Dict()) == []
    text = DictCache{String}()
    set_many!(text, Dict((k, "key") => string(k) for k in 1:500))
    @test get_many(text, ((k, "key") for k in 1:501), "none") == [string.(1:500); "none"]
end

@testset "a batch keeps its values and keys while the garbage collector runs" begin
    cache = DictCache{Any}()
    set_many!(cache, (string(k) => (GC.gc(false); fill(k, k)) for k in 1:50))
    @test get_many(cache, (string(k) for k in 1:50)) == [fill(k, k) for k in 1:50]
end

@testset "a text is no list of keys" begin
    cache = DictCache{Int}()
    cache["a"] = 1
    @test occursin("list of keys", message_of(() -> get_many(cache, "a")))
    @test get_many(cache, ["a", SubString("ab", 2)]) == [1, nothing]
    @test get.(cache, ["a", "b", "c"], 0) == [1, 0, 0] && haskey.(cache, ["a", "b"]) == [true, false]
end

@testset "a batch returns the refusal of each value" begin
    cache = DictCache{Int}(config=Config(maximum_memory_percent=0))
    @test set_many!(cache, ["a" => 1]) == [PhiCache.REFUSED_MEMORY]
    @test_throws Exception set_many!(cache, ["a" => "no number"])
    @test get_many(cache, ["a"], missing) |> first === missing
end

@testset "batches hold MICE and purviews" begin
    system = Subsystem(Fingerprint(rand(8, 3), trues(3, 3), "batch test"), [0, 0, 0], 1:3)
    cache = MICECache{Float64}(system)
    mice = Mice(CAUSE, 1, 2, 0.5, 1.0)
    @test set_many!(cache, ["a" => mice]) == [PhiCache.OK]
    @test get_many(cache, ["a", "b"]) == [mice, nothing]
    purviews = PurviewCache()
    @test set_many!(purviews, [(CAUSE, 1) => [NodeSet(1), NodeSet(1, 2)]]) == [PhiCache.OK]
    @test get_many(purviews, [(CAUSE, 1), (EFFECT, 1)]) == [[NodeSet(1), NodeSet(1, 2)], nothing]
end
