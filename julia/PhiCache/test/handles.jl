# close, finalizers, and handles that were closed.

@testset "close may be called twice, and every later call is an error" begin
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "handles"), [0, 0], 1:2)
    handles = (DictCache(), PurviewCache(), MICECache(system), Config(), system)
    for handle in handles
        @test isopen(handle)
        @test close(handle) === nothing === close(handle)
        @test !isopen(handle)
    end
    dict, purview, mice, config, _ = handles
    @test all(handle -> endswith(repr(handle), "(closed)"), (dict, purview, mice, config))
    for use in (() -> dict["key"], () -> dict["key"] = 1, () -> haskey(dict, "key"), () -> length(dict),
                () -> empty!(dict), () -> get!(() -> 1, dict, "key"), () -> info(dict),
                () -> Memo(identity, cache=dict)(1), () -> purview[CAUSE, NodeSet(1)], () -> mice["key"],
                () -> config.redis_cache, () -> DictCache(config=config), () -> nodes(system), () -> MICECache(system))
        @test status_of(use) == PhiCache.ERROR_INVALID_HANDLE
    end
end

@testset "only one of many closes frees" begin
    for _ in 1:200
        cache = DictCache()
        foreach(fetch, [Threads.@spawn(close(cache)) for _ in 1:4])
        @test !isopen(cache)
    end
end

@testset "the second close frees nothing, even if the pointer is not cleared yet" begin
    cache = DictCache()
    pointer = cache.pointer
    @test Threads.atomic_xchg!(cache.live, false)  # another task has just begun to close it
    @test PhiCache.take_pointer(cache) == C_NULL && cache.pointer == pointer
    cache.live[] = true
    @test close(cache) === nothing && !isopen(cache)
end

@testset "the garbage collector frees what is not closed" begin
    function leave()
        for n in 1:50
            cache = DictCache{Vector{UInt8}}(name="leave-$n")
            cache["key"] = zeros(UInt8, 10_000)
        end
    end
    before = memory_usage().held
    leave()
    @test memory_usage().held > before
    for _ in 1:3
        GC.gc()
    end
    @test memory_usage().held <= before + 20_000
    close(DictCache(name="leave-1"))
end

@testset "a configuration outlives its handle" begin
    config = Config(maximum_memory_percent=0)
    cache = DictCache{Int}(config=config)
    close(config)
    @test set!(cache, "key", 1) == PhiCache.REFUSED_MEMORY
end

@testset "a computation may free its own cache" begin
    cache = DictCache{Int}()
    @test get!(() -> (close(cache); 1), cache, "key") == 1 && !isopen(cache)
    arrays = DictCache{Vector{Int}}()
    @test memoize!(entry -> (entry[1] = 1; close(arrays)), arrays, "key", 1) == [1]
    @test !isopen(arrays)
end

@testset "a handle cannot be copied" begin
    cache = DictCache{Int}()
    for copied in (cache, PurviewCache(), Config(), [cache])
        @test_throws ArgumentError deepcopy(copied)
    end
    # A subsystem is immutable.
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "handles"), [0, 0], 1:2)
    @test deepcopy(system) === system
end

@testset "a handle that is sent to another process is closed there" begin
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "handles"), [0, 0], 1:2)
    cache = DictCache{Int}()
    cache["key"] = 1
    memo = Memo(abs; cache=cache)
    for handle in (cache, PurviewCache(), MICECache(system), RedisCache{Int}(), Config(), system)
        arrived = sent(handle)
        @test typeof(arrived) == typeof(handle) && !isopen(arrived) && close(arrived) === nothing
        @test isopen(handle)
    end
    @test status_of(() -> sent(cache)["key"]) == PhiCache.ERROR_INVALID_HANDLE
    @test status_of(() -> sent(memo)(1)) == PhiCache.ERROR_INVALID_HANDLE
    @test occursin("Distributed (send a function by its name", message_of(() -> sent(cache)["key"]))
    @test cache["key"] == 1 && memo(-2) == 2
end

@testset "show prints what a handle is, not its pointer" begin
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "handles"), [0, 0], 1:2)
    @test repr(system) == "Subsystem(NodeSet(1, 2))"
    @test repr(Subsystem(system, Cut(2, 1 => 2))) == "Subsystem(NodeSet(1, 2), cut)"
    @test repr(DictCache{Int}()) == "DictCache{Int64}(0 values)"
    close(system)
    @test repr(system) == "Subsystem(closed)"
end
