import Libdl

@testset "lists of purviews by direction and mechanism" begin
    cache = PurviewCache()
    purviews = [NodeSet(1), NodeSet(1, 2), NodeSet()]
    cache[CAUSE, NodeSet(1, 2)] = purviews
    @test cache[CAUSE, NodeSet(1, 2)] == purviews
    @test cache[CAUSE, [1, 2]] == purviews
    @test get(cache, (EFFECT, NodeSet(1, 2)), nothing) === nothing
    @test info(cache) == (hits=2, misses=1, size=1)
    @test haskey(cache, (CAUSE, NodeSet(1, 2))) && !haskey(cache, (EFFECT, NodeSet(1, 2)))
    calls = 0
    for _ in 1:2
        @test get!(() -> (calls += 1; NodeSet[]), cache, (EFFECT, NodeSet(3))) == NodeSet[]
    end
    @test calls == 1 && length(cache) == 2
    delete!(cache, (EFFECT, NodeSet(3)))
    @test length(cache) == 1
    cache[CAUSE, NodeSet(4)] = [[1, 2], [3]]
    @test cache[CAUSE, NodeSet(4)] == [NodeSet(1, 2), NodeSet(3)]
    @test isempty(empty!(cache))
    for key in ("text", (CAUSE,), (1, 2), (BIDIRECTIONAL, NodeSet(1)))
        @test_throws ArgumentError cache[key]
    end
end

@testset "C sees the same lists" begin
    cache = PurviewCache()
    cache[EFFECT, NodeSet(2)] = [NodeSet(1, 3)]
    get_c = Libdl.dlsym(PhiCache.LIBRARY[], :phicache_purview_cache_get)
    masks, count, value = Ref{Ptr{UInt64}}(), Ref{Csize_t}(), Ref(PhiCache.CValue())
    status = ccall(get_c, Int32, (Ptr{Cvoid}, Int32, UInt64, Ptr{Ptr{UInt64}}, Ptr{Csize_t}, Ptr{PhiCache.CValue}),
                   cache, 1, 0b10, masks, count, value)
    @test Status(status) == PhiCache.OK && count[] == 1 && unsafe_load(masks[]) == 0b101
    ccall(Libdl.dlsym(PhiCache.LIBRARY[], :phicache_value_release), Cvoid, (Ptr{PhiCache.CValue},), value)
end

@testset "nothing is stored while purview caching is off" begin
    config = Config(cache_potential_purviews=false)
    cache = PurviewCache(config=config)
    @test set!(cache, (CAUSE, NodeSet(1)), [NodeSet(1)]) == PhiCache.REFUSED_DISABLED
    @test isempty(cache) && stats(cache).refused_disabled == 1
    config.cache_potential_purviews = true
    @test set!(cache, (CAUSE, NodeSet(1)), [NodeSet(1)]) == PhiCache.OK
end
