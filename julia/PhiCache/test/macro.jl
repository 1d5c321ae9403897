module Definitions
using PhiCache

const calls = Ref(0)

"Twice x."
@phicache double(x) = (calls[] += 1; 2x)

@phicache function fibonacci(n::Int)::Int
    n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)
end

@phicache typed=true kind(x) = string(typeof(x))
@phicache maximum_memory_percent=0 forgetful(x) = (calls[] += 1; x)
@phicache function sum_of(values::Vector{T}; scale=1, shift::Int=0)::T where {T}
    sum(values) * scale + shift
end
@phicache returns=Vector{Float64} halves(x, y=1) = [x / 2, y / 2]

@phicache shape(x::Number) = "number"
@phicache shape(x::AbstractString) = "text"
end

using .Definitions: double, fibonacci, kind, forgetful, sum_of, halves, shape

@testset "a definition becomes a memo" begin
    @test double(4) == double(4) == 8 && Definitions.calls[] == 1
    @test info(double) == (hits=1, misses=1, size=1)
    @test original(double)(4) == 8 && Definitions.calls[] == 2
    empty!(double)
    @test double(4) == 8 && info(double) == (hits=0, misses=1, size=1)
    @test occursin("Twice x", string(Base.Docs.doc(Base.Docs.Binding(Definitions, :double))))
    @test isconst(Definitions, :double)
end

@testset "a recursive call uses the cache, and the return type is the value's" begin
    @test fibonacci(90) == 2880067194370816120
    @test info(fibonacci).misses == 91
    @test valtype(fibonacci) == Int && @inferred(fibonacci(90)) == 2880067194370816120
    @test_throws MethodError fibonacci("text")
end

@testset "options, keyword and optional arguments, type parameters" begin
    @test kind(1) == "Int64" && kind(1.0) == "Float64"
    before = Definitions.calls[]
    @test forgetful(1) == forgetful(1) && Definitions.calls[] == before + 2
    @test sum_of([1, 2]; scale=2) == 6 && sum_of([1, 2]; shift=1) == 4 && sum_of([1.5]) == 1.5
    @test halves(1) == [0.5, 0.5] && halves(1, 2) == [0.5, 1.0] && valtype(halves) == Vector{Float64}
end

@testset "more methods share the cache" begin
    @test shape(1) == "number" && shape("a") == "text"
    @test info(shape).size == 2
end

@testset "a new definition clears the cache" begin
    @eval Definitions @phicache double(x) = 20x
    @test Base.invokelatest(double, 4) == 80
end

@testset "what is no definition is refused when the macro is expanded" begin
    for code in (:(@phicache), :(@phicache 5), :(@phicache x -> x), 
                 :(@phicache Base.sin(x) = 1), :(@phicache typed f(x) = x), :(@phicache x = 1))
        exception = try macroexpand(@__MODULE__, code) catch exception; exception end
        exception = exception isa LoadError ? exception.error : exception
        @test exception isa ArgumentError && startswith(exception.msg, "@phicache")
    end
end

@testset "a definition that the memo cannot follow is refused" begin
    for code in (:(@phicache fibonacci(n::String)::String = n), :(@phicache returns=Float64 fibonacci(n::String) = 1.0),
                 :(@phicache typed=false kind(x::String) = x))
        @test_throws ArgumentError Core.eval(Definitions, code)
    end
    Core.eval(Definitions, :(@phicache shape(x::Symbol)::String = "name"))
    @test Base.invokelatest(shape, :a) == "name"
end

@testset "a memo of a definition has its name, and is in another process the one that is defined there" begin
    @test repr(fibonacci) == "Memo{Int64}(fibonacci)"
    @test sent(fibonacci) === fibonacci
end
