@testset "the value is written directly into the entry" begin
    cache = DictCache{Vector{Float64}}()
    calls = 0
    fill_it(entry) = (calls += 1; @test entry == zeros(3); entry .= [1.0, 2.0, 3.0])
    @test memoize!(fill_it, cache, ("key", 1), 3) == [1.0, 2.0, 3.0]
    @test memoize!(fill_it, cache, ("key", 1), 3) == [1.0, 2.0, 3.0]
    @test calls == 1 && cache["key", 1] == [1.0, 2.0, 3.0]
    @test info(cache) == (hits=2, misses=1, size=1)
    matrices = DictCache{Matrix{Float64}}()
    @test memoize!(entry -> entry[2, 3] = 5, matrices, "key", 2, 3) == [0 0 0; 0 0 5]
    @test matrices["key"] == [0 0 0; 0 0 5]
    @test memoize!(identity, cache, "empty", 0) == Float64[]
    @test_throws ArgumentError memoize!(identity, cache, "negative", -1)
    for sizes in ((2^40, 2^40), (2^62, 2))  # their products overflow to 0, and to a negative number
        @test occursin("has more bytes",
                       message_of(() -> memoize!(entry -> fill!(entry, 3), matrices, "large", sizes...)))
    end
    @test !haskey(matrices, "large")
    @test occursin("expected integers", message_of(() -> memoize!(identity, cache, "fraction", 1.5)))
    @test_throws DimensionMismatch memoize!(identity, cache, ("key", 1), 4)
    @test_throws DimensionMismatch memoize!(identity, matrices, "key", 3, 2)
    @test occursin("has the size (3,); memoize! got the size (4,)",
                   message_of(() -> memoize!(identity, cache, ("key", 1), 4)))
    @test @inferred(memoize!(identity, cache, "inferred", 1)) == [0.0]
end

struct Theirs <: Exception
    n::Int
end

@testset "an exception is passed on unchanged, and nothing is cached" begin
    cache = DictCache{Vector{Float64}}()
    thrown = Theirs(4)
    for _ in 1:100
        caught = try
            memoize!(_ -> throw(thrown), cache, "key", 2)
        catch exception
            exception
        end
        @test caught === thrown
    end
    @test !haskey(cache, "key") && info(cache) == (hits=0, misses=100, size=0)
    @test_throws InterruptException memoize!(_ -> throw(InterruptException()), cache, "key", 2)
    @test_throws StackOverflowError memoize!(_ -> (f(x) = f(x + 1) + 1; f(0)), cache, "key", 2)
    @test_throws DimensionMismatch memoize!(entry -> entry .= [1.0, 2.0, 3.0], cache, "key", 2)
    @test memoize!(entry -> entry .= 1, cache, "key", 2) == [1.0, 1.0]
end

@testset "a computation may use the cache, and collect garbage" begin
    cache = DictCache{Vector{Float64}}()
    function powers(n)
        memoize!(cache, ("powers", n), 2) do entry
            GC.gc(false)
            entry[1] = n
            entry[2] = n == 0 ? 1 : 2 * powers(n - 1)[2]
        end
    end
    @test powers(40) == [40, 2.0^40]
    @test length(cache) == 41
end

@testset "a value that cannot be stored is returned anyway" begin
    cache = DictCache{Vector{Float64}}(config=Config(maximum_memory_percent=0))
    @test memoize!(entry -> entry .= 3, cache, "key", 2) == [3.0, 3.0]
    @test isempty(cache) && stats(cache).refused_memory == 1
end

@testset "the entry is empty after the block" begin
    cache = DictCache{Vector{Float64}}()
    escaped = Ref{Any}()
    memoize!(entry -> escaped[] = entry, cache, "key", 2)
    @test_throws BoundsError escaped[][1] = 1.0
    @test cache["key"] == [0.0, 0.0]
end

@testset "a task that cannot wait fills an array of its own" begin
    cache = DictCache{Matrix{Float64}}()
    waiting = Channel{Nothing}(1)
    outer = @async memoize!(cache, "outer", 1, 2) do entry
        take!(waiting)
        entry .= memoize!(view -> view .= 1, cache, "inner", 1, 2) .+ 1
    end
    yield()
    inner = memoize!(cache, "inner", 1, 2) do entry
        put!(waiting, nothing)
        entry .= memoize!(view -> view .= 5, cache, "outer", 1, 2) .+ 1
    end
    # This task waits for the outer computation, so that cannot wait for the inner one.
    @test (fetch(outer), inner) == ([2 2], [3 3])
    @test cache["inner"] == [3 3]
end
