counted(cache) = (s = stats(cache); (s.hits, s.misses, s.verified, s.differences))

@testset "every n-th hit is computed again" begin
    cache = DictCache{Float64}(verify_every=3)
    calls = 0
    for _ in 1:10
        @test get!(() -> (calls += 1; 0.5), cache, "key") == 0.5
    end
    @test calls == 1 + 3
    @test counted(cache) == (9, 1, 3, 0)
    @test get(cache, "key", 0.0) == 0.5
    @test counted(cache) == (10, 1, 3, 0)
    @test_throws ArgumentError DictCache(verify_every=-1)
end

@testset "a key that is too short is an alarm" begin
    alarms = []
    cache = DictCache{Vector{Float64}}(verify_every=1, ondifference=(alarm...) -> push!(alarms, alarm))
    repertoire(state) = get!(() -> [state, 1 - state], cache, "the key lacks the state")
    @test repertoire(0.25) == repertoire(0.25) == [0.25, 0.75]
    @test isempty(alarms)
    @test repertoire(0.5) == [0.5, 0.5]
    @test alarms == [(Vector{UInt8}("the key lacks the state"), [0.25, 0.75], [0.5, 0.5])]
    @test cache["the key lacks the state"] == [0.5, 0.5]
    @test counted(cache) == (3, 1, 2, 1)
end

@testset "same decides what is equal, and the kept value is returned" begin
    cache = DictCache{Float64}(verify_every=1, same=isapprox)
    sum_of(value) = get!(() -> value, cache, "sum")
    @test sum_of(0.3) === sum_of(0.1 + 0.2) === 0.3
    @test sum_of(0.4) === 0.4
    @test counted(cache) == (2, 1, 2, 1)
    # Any values are compared as values: equal ones may have different bytes.
    cache = DictCache(verify_every=1)
    one, other = [1], [1]
    @test get!(() -> (one, one), cache, "key") == get!(() -> (one, other), cache, "key")
    @test counted(cache) == (1, 1, 1, 0)
end

@testset "ondifference may throw; the new value has replaced the old one" begin
    cache = DictCache{Int}(verify_every=1, ondifference=(key, kept, computed) -> error("$kept is now $computed"))
    get!(() -> 1, cache, "key")
    @test_throws ErrorException("1 is now 2") get!(() -> 2, cache, "key")
    @test get!(() -> 2, cache, "key") == cache["key"] == 2
end

@testset "an exception is passed on, and the value stays" begin
    cache = DictCache{Int}(verify_every=1)
    get!(() -> 1, cache, "key")
    @test_throws ErrorException("on purpose") get!(() -> error("on purpose"), cache, "key")
    @test get!(() -> 1, cache, "key") == 1
    @test counted(cache) == (2, 1, 1, 0)
end

@testset "memos, methods and memoize! are verified" begin
    cache = DictCache{Vector{Float64}}(verify_every=1)
    factor = 2.0
    scale = Memo(x -> [factor * x]; cache=cache, prefix="scale")
    @test scale(1.0) == scale(1.0) == [2.0]
    factor = 3.0
    @test scale(1.0) == [3.0]
    @test info(scale) == (hits=2, misses=1, size=1)
    method = CachedMethod((object, x) -> [object * x]; prefix="method")
    @test method(cache, 2.0, 1.0) == [2.0]
    @test method(cache, 3.0, 1.0) == [3.0]
    filled(x) = memoize!(view -> view .= x, cache, "filled", 2)
    @test filled(1.0) == [1.0, 1.0]
    @test filled(2.0) == [2.0, 2.0] == cache["filled"]
    @test stats(cache).differences == 3
end

@testset "purviews and MICE are verified" begin
    purviews = PurviewCache(verify_every=1)
    key = (CAUSE, NodeSet(1))
    @test get!(() -> [NodeSet(1)], purviews, key) == [NodeSet(1)]
    @test get!(() -> [NodeSet(2)], purviews, key) == [NodeSet(2)]
    @test stats(purviews).differences == 1
    system = Subsystem(Fingerprint(ntuple(_ -> 0x01, 32)), [0, 1, 0], 1:3)
    mice = MICECache(system; verify_every=1)
    maximal(phi) = get!(() -> Mice(CAUSE, NodeSet(1), NodeSet(2), phi, [phi]), mice, "key")
    @test maximal(0.5) == maximal(0.5)
    @test maximal(0.25).phi == 0.25
    @test counted(mice) == (2, 1, 2, 1)
end

@testset "hits within a verification are plain hits" begin
    cache = DictCache{Int}(verify_every=1)
    calls = 0
    fibonacci(n) = get!(cache, ("fibonacci", n)) do
        calls += 1
        n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)
    end
    @test fibonacci(80) == 23416728348467685
    @test calls == 81 + 78
    @test get!(() -> get!(() -> error("not computed"), cache, ("fibonacci", 80)), cache, ("fibonacci", 80)) ==
          23416728348467685
end

@testset "many tasks may verify at once" begin
    cache = DictCache{Int}(verify_every=2)
    @sync for task in 1:50
        Threads.@spawn for _ in 1:20
            get!(() -> (yield(); 7), cache, "key") == 7 || error("another value")
        end
    end
    figures = stats(cache)
    @test figures.differences == 0 && figures.verified > 0
    # One of two hits is verified.
    foreach(_ -> get!(() -> 8, cache, "key"), 1:2)
    @test cache["key"] == 8
end

@testset "handles of a shared cache agree on verified mode" begin
    name = Fingerprint(ntuple(_ -> 0x01, 32))
    cache = DictCache{Int}(name, "verified"; verify_every=2)
    @test_throws PhiCacheError DictCache{Int}(name, "verified")
    alarms = Ref(0)
    other = DictCache{Int}(name, "verified"; verify_every=2, ondifference=(_...) -> alarms[] += 1)
    get!(() -> 1, cache, "key")
    get!(() -> 1, other, "key")
    @test get!(() -> 2, other, "key") == 2
    @test alarms[] == 1
end
