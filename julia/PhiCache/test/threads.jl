# Several threads, while the garbage collector runs continuously.

Threads.nthreads() > 1 || @warn "one thread only: set JULIA_NUM_THREADS=4"

# Calls `work(n)` in tasks on all threads, while others collect garbage.
function storm(work, count)
    done = Threads.Atomic{Bool}(false)
    collector = Threads.@spawn while !done[]
        GC.gc(rand(1:10) == 1)
        sleep(0.001)
    end
    tasks = [Threads.@spawn(work(n)) for n in 1:count]
    try
        return map(fetch, tasks)
    finally
        done[] = true
        wait(collector)
    end
end

value_of(n) = [Float64(n + k) for k in 1:(n % 50)]

@testset "get!, views, stores and removals of one cache from all threads" begin
    cache = DictCache{Vector{Float64}}()
    wrong = storm(16) do task
        wrong = 0
        for _ in 1:2000
            n = rand(1:200)
            choice = rand(1:10)
            if choice <= 4
                wrong += get!(() -> value_of(n), cache, ("key", n)) != value_of(n)
            elseif choice <= 7
                found = withvalue(view -> view == value_of(n), cache, ("key", n))
                wrong += found === false
            elseif choice == 8
                cache["key", n] = value_of(n)
            elseif choice == 9
                delete!(cache, ("key", n))
            else
                wrong += !(get(cache, ("key", n), value_of(n)) == value_of(n))
            end
            rand(1:500) == 1 && empty!(cache)
        end
        wrong
    end
    @test sum(wrong) == 0
    @test length(cache) <= 200
end

@testset "values written in place from all threads, with exceptions" begin
    cache = DictCache{Vector{Float64}}()
    wrong = storm(16) do task
        wrong = 0
        for _ in 1:500
            n = rand(1:500)
            thrown = ErrorException("$n")
            try
                value = memoize!(cache, ("key", n), n) do entry
                    rand(1:3) == 1 && throw(thrown)
                    entry .= n
                end
                wrong += value != fill(Float64(n), n)
            catch exception
                wrong += exception !== thrown
            end
        end
        wrong
    end
    @test sum(wrong) == 0
end

@testset "each value is computed once, while garbage is collected" begin
    cache, calls = DictCache{Int}(), Threads.Atomic{Int}(0)
    found = storm(16) do task
        sum(get!(() -> (Threads.atomic_add!(calls, 1); GC.gc(false); yield(); n), cache, ("key", n)) for n in 1:50)
    end
    @test all(==(50 * 51 / 2), found) && calls[] == 50
    @test info(cache) == (hits=15 * 50, misses=50, size=50)
end

@testset "recursive computations that wait for each other" begin
    cache, calls = DictCache{Int}(), Threads.Atomic{Int}(0)
    # n needs n-1 and n-2, in an order that differs from task to task.
    function fibonacci(n, order)
        get!(cache, ("fibonacci", n)) do
            Threads.atomic_add!(calls, 1)
            n < 2 ? n : sum(k -> (yield(); fibonacci(n - k, order)), order)
        end
    end
    found = storm(task -> fibonacci(60, isodd(task) ? (1, 2) : (2, 1)), 16)
    @test all(==(1548008755920), found)
    # Tasks request only smaller numbers than they compute, so there is no wait cycle.
    @test calls[] == 61
    @test isempty(PhiCache.FLIGHTS) && isempty(PhiCache.WAITS)
end

@testset "computations that would wait in cycles" begin
    cache = DictCache{Int}()
    # Each key needs its neighbor, up to a depth: tasks that begin at different keys wait for each other.
    around(n, depth) = get!(() -> (yield(); depth == 0 ? 0 : around(mod(n + 1, 8), depth - 1)), cache, ("around", n))
    for _ in 1:50
        @test storm(n -> around(n, 7), 8) == zeros(8)
        empty!(cache)
    end
    @test isempty(PhiCache.FLIGHTS) && isempty(PhiCache.WAITS)
end

@testset "memos count every call, from any thread" begin
    memo = Memo(n -> n + 1, returns=Int)
    wrong = storm(8) do task
        count(_ -> (n = rand(1:100); memo(n) != n + 1), 1:1000)
    end
    @test sum(wrong) == 0
    @test info(memo).hits + info(memo).misses == 8000 && info(memo).size == 100
end

@testset "caches created, used and dropped on all threads" begin
    before = memory_usage().held
    storm(8) do task
        for n in 1:200
            cache = DictCache{Vector{UInt8}}()
            cache["key"] = rand(UInt8, 1000)
            rand(Bool) && close(cache)
        end
    end
    for _ in 1:3
        GC.gc()
    end
    @test memory_usage().held <= before + 100_000
end

@testset "an error message belongs to the call that failed" begin
    config = Config()
    wrong = storm(8) do task
        count(1:200) do _
            percent = 101 + rand(1:1000)
            message = try config.maximum_memory_percent = percent catch exception; exception.message end
            !occursin(string(percent), message)
        end
    end
    @test sum(wrong) == 0
end
