struct System
    factor::Int
    cache::DictCache{Vector{Float64}}
    calls::Base.RefValue{Int}
end
System(factor, config=Config()) = System(factor, DictCache{Vector{Float64}}(config=config), Ref(0))

scaled(system, x; shift=0) = (system.calls[] += 1; [system.factor * x + shift])

@testset "a method uses the cache of its object" begin
    method = CachedMethod(scaled; prefix="scaled")
    two, three = System(2), System(3)
    @test method(two.cache, two, 5) == [10] == method(two.cache, two, 5)
    @test method(three.cache, three, 5) == [15]
    @test method(two.cache, two, 5; shift=1) == [11]
    @test two.calls[] == 2 && three.calls[] == 1
    @test info(two.cache) == (hits=1, misses=2, size=2)
    @test two.cache["scaled", 5] == [10]
    @test original(method) === scaled
    @test @inferred(method(two.cache, two, 5)) == [10]
end

told(system, x::Int) = [1.0]
told(system, x::Float64) = [2.0]
told(system, x::Bool) = [3.0]
told(system, x::Vector{Int}) = [4.0]
told(system, x::Tuple) = [5.0]

@testset "different methods have different keys" begin
    system, method = System(1), CachedMethod(told; prefix="told")
    for _ in 1:2, (expected, x) in enumerate((1, 1.0, true, [1], (1,)))
        @test method(system.cache, system, x) == [expected]
    end
    @test info(system.cache) == (hits=5, misses=5, size=5)
end

@testset "methods of different prefixes share a cache" begin
    system = System(2)
    plus = CachedMethod((s, x) -> [s.factor + x]; prefix="plus")
    minus = CachedMethod((s, x) -> [s.factor - x]; prefix="minus")
    @test plus(system.cache, system, 1) == [3] && minus(system.cache, system, 1) == [1]
    @test CachedMethod((s, x) -> [0.0])(system.cache, system, 1) == [0]
    @test length(system.cache) == 3
end

cause(s, x) = [s.factor + x]
effect(s, x) = [s.factor - x]

@testset "two methods with one prefix on one cache are an error" begin
    system = System(5)
    for prefix in (nothing, "phi")
        one, two = CachedMethod(cause; prefix), CachedMethod(effect; prefix)
        @test one(system.cache, system, 1) == [6]
        failure = @test_throws PhiCacheError two(system.cache, system, 2)
        @test contains(failure.value.message, "method of cause on this cache has")
        @test one(system.cache, system, 2) == [7]
        @test CachedMethod(cause; prefix)(system.cache, system, 3) == [8]
        @test two(System(5).cache, system, 2) == [3]
    end
    empty!(system.cache)
    @test CachedMethod(effect; prefix="phi")(system.cache, system, 1) == [4]
end

@testset "a repertoire method does not use its cache while repertoire caching is off" begin
    config = Config(cache_repertoires=false)
    system = System(2, config)
    repertoire = CachedMethod(scaled; prefix="repertoire", repertoire=true)
    other = CachedMethod(scaled; prefix="other")
    @test repertoire(system.cache, system, 1) == repertoire(system.cache, system, 1) == [2]
    @test system.calls[] == 2 && info(system.cache) == (hits=0, misses=0, size=0)
    @test other(system.cache, system, 1) == other(system.cache, system, 1) == [2] && system.calls[] == 3
    config.cache_repertoires = true
    @test repertoire(system.cache, system, 1) == repertoire(system.cache, system, 1) == [2] && system.calls[] == 4
end

@testset "a method is shown, and named if it requests itself" begin
    method = CachedMethod(scaled; prefix="scaled")
    for shown in (repr(method), string(method), sprint(show, MIME("text/plain"), method))
        @test shown == "CachedMethod(scaled; prefix=\"scaled\", repertoire=false)"
    end
    system = System(2)
    itself(system, x) = recursive(system.cache, system, x)
    recursive = CachedMethod(itself)
    error = try recursive(system.cache, system, 5) catch exception; exception end
    @test error.status == PhiCache.ERROR_RECURSION && startswith(error.message, "the computation of itself(5) requests")
end

@testset "a call without a cache or an object says what is missing" begin
    method, system = CachedMethod(scaled), System(2)
    for arguments in ((), (system, 5), (system.cache,))
        @test occursin("is called as f(cache, object, arguments...)", message_of(() -> method(arguments...)))
    end
    @test occursin("arguments of the types System, Int64", message_of(() -> method(system, 5)))
end

@testset "an exception is passed on unchanged" begin
    system, thrown = System(2), ErrorException("mine")
    fails = CachedMethod((_, _) -> throw(thrown))
    @test (try fails(system.cache, system, 1) catch exception; exception end) === thrown
    @test isempty(system.cache)
end
