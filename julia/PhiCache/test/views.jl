using LinearAlgebra

@testset "a view is the memory of the cache" begin
    cache = DictCache{Vector{Float64}}()
    value = rand(1000)
    cache["key"] = value
    @test withvalue(sum, cache, "key") ≈ sum(value)
    @test withvalue(copy, cache, "key", Float64) == value
    @test withvalue(view -> dot(view, value), cache, "key") ≈ dot(value, value)
    @test withvalue(view -> UInt(pointer(view)) % 16, cache, "key") == 0
    @test withvalue(view -> reinterpret(UInt64, collect(view)), cache, "key") == reinterpret(UInt64, value)
    @test withvalue(length, cache, "key", UInt8) == 8000
    address() = withvalue(view -> UInt(pointer(view)), cache, "key")
    @test address() == address()
    @test withvalue(sum, cache, "none") === nothing
    @test info(cache).misses == 1
end

@testset "a view of a matrix has its shape, and works in linear algebra" begin
    cache = DictCache{Matrix{Float64}}()
    a, x = rand(3, 4), rand(4)
    cache["key"] = a
    @test withvalue(size, cache, "key") == (3, 4)
    @test withvalue(view -> view * x, cache, "key") ≈ a * x
    @test withvalue(view -> view[2, 3], cache, "key") == a[2, 3]
    @test withvalue(collect, cache, "key") == a
    @test withvalue(strides, cache, "key") == (1, 3)
end

@testset "a view stays valid whatever happens to the cache" begin
    cache = DictCache{Vector{Float64}}()
    cache["key"] = fill(1.0, 100_000)
    withvalue(cache, "key") do view
        cache["key"] = fill(2.0, 100_000)
        @test all(==(1.0), view)
        empty!(cache)
        @test all(==(1.0), view)
        close(cache)
        GC.gc()
        @test all(==(1.0), view)
    end
end

@testset "a view is read-only, and cannot be used after its block" begin
    cache = DictCache{Vector{Float64}}()
    cache["key"] = [1.0, 2.0]
    escaped = withvalue(cache, "key") do view
        @test_throws ArgumentError view[1] = 5.0
        @test string(view) == "[1.0, 2.0]" && occursin("2-element ValueView", repr("text/plain", view))
        @test_throws BoundsError view[3]
        error = try view[3] catch exception; sprint(showerror, exception) end
        @test occursin("2-element ValueView{Float64,1} at index [3]", error)
        view
    end
    for use in (sum, length, collect, copy, isempty, view -> view[1], view -> [2x for x in view], view -> view .+ 1)
        @test_throws BoundsError use(escaped)
    end
    @test occursin("its block has ended", repr(escaped)) && repr("text/plain", escaped) == repr(escaped)
    error = try escaped[1] catch exception; sprint(showerror, exception) end
    @test occursin("its block has ended; copy a view inside its block", error)
    @test cache["key"] == [1.0, 2.0]
end

@testset "an exception of the block is passed on, and the value is released" begin
    cache = DictCache{Vector{UInt8}}()
    cache["key"] = zeros(UInt8, 1_000_000)
    held = memory_usage().held
    @test_throws ErrorException("mine") withvalue(_ -> error("mine"), cache, "key")
    empty!(cache)
    @test memory_usage().held <= held - 1_000_000
end

@testset "only caches of arrays can be viewed without a type" begin
    for cache in (DictCache(), DictCache{Float64}(), DictCache{String}())
        @test_throws ArgumentError withvalue(length, cache, "key")
    end
end
