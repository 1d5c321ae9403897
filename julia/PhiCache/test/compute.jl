@testset "a value is computed once" begin
    cache = DictCache{Vector{Float64}}()
    calls = 0
    for _ in 1:3
        value = get!(cache, ("key", 1)) do
            calls += 1
            [1.0, 2.0]
        end
        @test value == [1.0, 2.0]
    end
    @test calls == 1
    @test info(cache) == (hits=2, misses=1, size=1)
    @test get!(cache, "default", [5.0]) == [5.0] == cache["default"]
    @test @inferred(get!(() -> [1.0], cache, "inferred")) == [1.0]
end

struct Mine <: Exception
    n::Int
end

@testset "an exception is passed on unchanged, and nothing is cached" begin
    cache = DictCache{Int}()
    thrown = Mine(3)
    caught = try
        get!(() -> throw(thrown), cache, "key")
    catch exception
        exception
    end
    @test caught === thrown
    @test !haskey(cache, "key")
    @test get!(() -> 5, cache, "key") == 5
end

@testset "a computation may use the cache itself" begin
    cache = DictCache{Int}()
    fibonacci(n) = get!(() -> n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2), cache, ("fibonacci", n))
    @test fibonacci(80) == 23416728348467685
    @test length(cache) == 81
    # But requesting its own key would be a deadlock.
    recursion = try get!(() -> get!(() -> 7, cache, "own"), cache, "own") catch exception; exception end
    @test recursion.status == PhiCache.ERROR_RECURSION
    @test recursion.message ==
          "the computation of the key \"own\" requests the key \"own\" itself, so it would never end"
    @test get!(() -> 7, cache, "own") == 7
end

@testset "what a task waits for another is not part of its computation" begin
    wait_seconds = 0.2
    outer, inner = DictCache{Int}(), DictCache{Int}()
    begun, asked = Channel{Nothing}(1), Channel{Nothing}(1)
    slow = @async get!(inner, "key") do
        put!(begun, nothing)
        take!(asked)
        # The other task waits by now: it runs on this thread, and has yielded in `get!`.
        sleep(wait_seconds)
        1
    end
    take!(begun)
    waited = Ref(0.0)
    @test get!(outer, "key") do
        put!(asked, nothing)
        began = time_ns()
        found = get!(() -> error("the other task computes it"), inner, "key")
        waited[] = (time_ns() - began) / 1e9
        found
    end == 1
    @test fetch(slow) == 1
    # The slow task's own time includes the sleep.
    @test stats(inner).compute_ns >= wait_seconds * 1e9
    @test stats(outer).compute_ns / 1e9 < waited[]
end

@testset "a computation may switch tasks" begin
    cache = DictCache{Int}()
    first_has_begun, second_has_ended = Channel{Nothing}(1), Channel{Nothing}(1)
    first = @async get!(cache, "first") do
        put!(first_has_begun, nothing)
        take!(second_has_ended)
        1
    end
    second = @async get!(cache, "second") do
        take!(first_has_begun)
        put!(second_has_ended, nothing)
        2
    end
    @test fetch(first) == 1 && fetch(second) == 2
    @test cache["first"] == 1 && cache["second"] == 2
end

@testset "if many tasks miss a key, one computes, and the others wait without blocking a thread" begin
    cache, calls, begun = DictCache{Int}(), Threads.Atomic{Int}(0), Channel{Nothing}(Inf)
    gate = Channel{Int}(1)
    compute() = (Threads.atomic_add!(calls, 1); take!(gate))
    ask() = get!(compute, cache, "key")
    tasks = [n % 2 == 0 ? @async(ask()) : Threads.@spawn(ask()) for n in 1:50]
    # This thread is free while tasks on it wait.
    @test get!(() -> 1, cache, "other") == 1
    put!(gate, 7)
    @test all(==(7), map(fetch, tasks)) && calls[] == 1
    @test info(cache) == (hits=49, misses=2, size=2)
    @test isempty(PhiCache.FLIGHTS) && isempty(PhiCache.WAITS)
end

@testset "when a computation fails, another waiting task computes" begin
    cache, gate = DictCache{Int}(), Channel{Nothing}(1)
    failing = @async get!(() -> (take!(gate); error("first")), cache, "key")
    yield()
    waiting = [@async(get!(() -> 2, cache, "key")) for _ in 1:5]
    yield()
    put!(gate, nothing)
    @test all(==(2), map(fetch, waiting))
    @test (try wait(failing) catch; failing.exception end) == ErrorException("first")
    @test info(cache).misses == 2
end

@testset "a task that waited for a refused value computes it itself" begin
    cache, gate = DictCache{Int}(config=Config(maximum_memory_percent=0)), Channel{Nothing}(10)
    tasks = [@async(get!(() -> (take!(gate); n), cache, "key")) for n in 1:3]
    foreach(_ -> put!(gate, nothing), 1:3)
    @test sort(map(fetch, tasks)) == [1, 2, 3]
    @test isempty(cache) && info(cache) == (hits=0, misses=3, size=0)
end

@testset "tasks that would wait for each other compute" begin
    for ring in 2:4
        cache, begun = DictCache{Int}(), [Channel{Nothing}(1) for _ in 1:ring]
        next(n) = n % ring + 1
        tasks = [@async(get!(cache, ("key", n)) do
            put!(begun[n], nothing)
            fetch(begun[next(n)])
            1 + get!(() -> 10, cache, ("key", next(n)))
        end) for n in 1:ring]
        values = map(fetch, tasks)
        # The last task of the cycle computes its neighbor's value; the others wait for theirs.
        @test sort(values) == 11:(10 + ring)
        @test [cache["key", n] for n in 1:ring] == values
        @test isempty(PhiCache.FLIGHTS) && isempty(PhiCache.WAITS)
    end
end

@testset "a value that was being computed during empty! is not stored" begin
    cache, gate = DictCache{Int}(), Channel{Nothing}(1)
    old = @async get!(() -> (take!(gate); 1), cache, "key")
    yield()
    empty!(cache)
    @test get!(() -> 2, cache, "key") == 2
    put!(gate, nothing)
    @test fetch(old) == 1 && cache["key"] == 2
    @test stats(cache).refused_cleared == 1
    @test get!(() -> (empty!(cache); 3), cache, "within") == 3 && !haskey(cache, "within")
end

@testset "a task waits for a computation of another language" begin
    cache = DictCache{Int}()
    lease = Ref{Ptr{Cvoid}}(C_NULL)
    @test PhiCache.begin_computation(cache, "key", Ref(PhiCache.CValue()), lease) == PhiCache.LEASE.code
    waiting = @async get!(() -> 1, cache, "key")
    sleep(0.02)
    @test !istaskdone(waiting)
    foreign = PhiCache.Lease(lease[])
    PhiCache.write_value(foreign, Ref(5))
    @test !PhiCache.complete(foreign)
    @test fetch(waiting) == 5
end

@testset "handles of one shared cache are one cache" begin
    fingerprint = Fingerprint(rand(4, 2), trues(2, 2), "compute test")
    a, b = DictCache{Int}(fingerprint, "r"), DictCache{Int}(fingerprint, "r")
    gate = Channel{Nothing}(1)
    first = @async get!(() -> (take!(gate); 1 + get!(() -> 10, b, "second")), a, "first")
    yield()
    second = get!(() -> (put!(gate, nothing); yield(); 1 + get!(() -> 20, b, "first")), a, "second")
    @test (fetch(first), second) in ((22, 21), (11, 12))
end
