network() = Fingerprint(rand(8, 3), trues(3, 3), "mice test")
uncut() = Subsystem(network(), [0, 0, 0], 1:3)
const SPLIT = Cut(3, NodeSet(1) => NodeSet(2, 3))

@testset "MICE are stored if the subsystem is uncut and phi is positive" begin
    cache = MICECache(uncut())
    key = mice_key("mice", CAUSE, NodeSet(1))
    mice = Mice(CAUSE, NodeSet(1), NodeSet(1, 2), 0.25, Dict("repertoire" => [0.5, 0.5]))
    @test get(cache, key, nothing) === nothing
    @test set!(cache, key, mice) == PhiCache.OK
    @test cache[key] == mice && cache["mice", CAUSE, NodeSet(1), nothing] == mice
    @test info(cache) == (hits=2, misses=1, size=1)
    for phi in (0, -1.5)
        @test would_store(cache, phi) == PhiCache.REFUSED_PHI
        @test set!(cache, "other", Mice(CAUSE, 1, 2, phi)) == PhiCache.REFUSED_PHI
    end
    @test would_store(cache, 0.5) == PhiCache.OK
    @test !haskey(cache, "other") && stats(cache).refused_phi == 2
    @test status_of(() -> set!(cache, key, Mice(CAUSE, 1, 2, NaN))) == PhiCache.ERROR_INVALID_ARGUMENT
    @test status_of(() -> set!(cache, key, Mice(BIDIRECTIONAL, 1, 2, 0.5))) == PhiCache.ERROR_INVALID_ARGUMENT
    @test pop!(cache, key) == mice && isempty(cache)
    @test set!(cache, key, mice; cost=0.5) == PhiCache.OK && pop!(cache, key) == mice
    @test set!(cache, key, Mice(CAUSE, 1, 2, 0); cost=0.5) == PhiCache.REFUSED_PHI && isempty(cache)

    cut = MICECache(Subsystem(uncut(), SPLIT))
    @test would_store(cut, 0) == set!(cut, key, mice) == PhiCache.REFUSED_CUT
    @test get!(() -> mice, cut, key) == mice && isempty(cut) && stats(cut).refused_cut == 2

    full = MICECache(uncut(); config=Config(maximum_memory_percent=0))
    @test would_store(full, 0.5) == set!(full, key, mice) == PhiCache.REFUSED_MEMORY
    @test would_store(full, 0) == PhiCache.REFUSED_PHI
end

@testset "get! computes a MICE once" begin
    cache = MICECache{Vector{Float64}}(uncut())
    calls = 0
    for _ in 1:2
        mice = get!(cache, mice_key(nothing, EFFECT, 2)) do
            calls += 1
            Mice(EFFECT, 2, [1, 3], 0.5, 1:2)
        end
        @test mice.payload isa Vector{Float64} && mice.payload == [1, 2]
        @test mice.direction == EFFECT && mice.mechanism == NodeSet(2)
        @test mice.purview == NodeSet(1, 3) && mice.phi == 0.5
    end
    @test calls == 1
    bytes = MICECache{Vector{UInt8}}(uncut())
    bytes["key"] = Mice(CAUSE, 1, 1, 0.1, UInt8[])
    @test bytes["key"].payload == UInt8[]
end

@testset "a child inherits what its cut does not damage" begin
    system = uncut()
    parent = MICECache{Float64}(system)
    undamaged, damaged = Mice(CAUSE, 1, 2, 0.5, 1.0), Mice(EFFECT, 1, 2, 0.25, 2.0)
    parent["undamaged"], parent["damaged"] = undamaged, damaged
    child = MICECache{Float64}(Subsystem(system, SPLIT); parent=parent)
    @test child["undamaged"] == undamaged && get(child, "damaged", nothing) === nothing
    @test haskey(child, "undamaged") && !haskey(child, "damaged")
    @test length(child) == 1 && info(child) == (hits=1, misses=1, size=1)
    @test info(parent) == (hits=0, misses=0, size=2)
    # The child sees records that the parent stores later, and keeps those that the parent removes.
    parent["later"] = Mice(CAUSE, 2, 1, 0.5, 3.0)
    @test !haskey(child, "later") == damages(Subsystem(system, SPLIT), CAUSE, 2, 1)
    parent["later"] = Mice(CAUSE, 1, 3, 0.5, 3.0)
    @test haskey(child, "later")
    close(parent)
    @test child["undamaged"] == undamaged && length(child) == 2
    empty!(child)
    @test !haskey(child, "undamaged") && length(child) == 0
end

@testset "a parent must be uncut, of the same system, and have the same payloads" begin
    system = uncut()
    cut = Subsystem(system, SPLIT)
    @test status_of(() -> MICECache(cut; parent=MICECache(cut))) == PhiCache.ERROR_INVALID_ARGUMENT
    @test status_of(() -> MICECache(cut; parent=MICECache(uncut()))) == PhiCache.ERROR_INVALID_ARGUMENT
    @test_throws ArgumentError MICECache{Float64}(cut; parent=MICECache(system))
    parent = MICECache(system)
    close(parent)
    @test status_of(() -> MICECache(cut; parent=parent)) == PhiCache.ERROR_INVALID_HANDLE
end

@testset "the configuration chooses where MICE are stored" begin
    config = Config(redis_cache=true)
    @test MICECache(uncut(); config=config, kind=:dict) isa MICECache{Any}
    @test status_of(() -> redis_health(MICECache(uncut(); config=config, kind=:dict))) == PhiCache.ERROR_INVALID_HANDLE
    @test redis_health(MICECache(uncut(); config=config)) ==
        redis_health(MICECache(uncut(); config=config, kind=:redis))
    @test_throws ArgumentError MICECache(uncut(); kind=:other)
    @test_throws ArgumentError MICECache{Real}(uncut())
end

@testset "a method may use a MICE cache" begin
    compute(_, direction, mechanism) = Mice(direction, mechanism, 1, 0.5, nothing)
    find_mice = CachedMethod(compute; prefix="find_mice")
    cache = MICECache(uncut())
    @test find_mice(cache, nothing, CAUSE, NodeSet(2)) == find_mice(cache, nothing, CAUSE, NodeSet(2))
    @test info(cache) == (hits=1, misses=1, size=1)
end
