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

@phicache same_type(x)::typeof(x) = x
@phicache filled(x, n...; with=x)::Vector{typeof(with)} = fill(with, n...)

@testset "a return type may depend on an argument" begin
    for _ in 1:2
        @test map(same_type, (1, 1.0, "a")) === (1, 1.0, "a")
        @test filled(1, 2) == [1, 1] && filled(1, 2; with=0.5) == [0.5, 0.5] &&
            eltype(filled(1, 2; with=0.5)) == Float64
    end
    @test info(same_type) == (hits=3, misses=3, size=3) && valtype(same_type) == Any
end

@testset "a local memo is shown by its name" begin
    inner() = @phicache again(x)::Int = again(x)
    @test repr(inner()) == "Memo{Int64}(again)"
    error = try inner()(1) catch exception; exception end
    @test occursin("the computation of again(1)", error.message)
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

@testset "a definition leaves the values of others, and those that outlive the process" begin
    mktempdir() do directory
        chmod(directory, 0o700)
        disk = DiskCache{Int}("definitions"; directory=directory)
        here = DictCache{Int}()
        within = Module()
        Core.eval(within, :(using PhiCache))
        for cache in (here, disk), name in (:one, :other)
            called = Symbol(name, cache === disk)
            define(body) = Core.eval(within, :(@phicache cache=$cache prefix=$("$name@1") $called(x) = $body))
            Base.invokelatest(define(1), 5)
            length(cache) == 2 || continue
            # `other` is defined again.
            @test Base.invokelatest(define(2), 5) == (cache === disk ? 1 : 2)
            @test length(cache) == 2
        end
        @test length(here) == length(disk) == 2
        close(disk)
    end
end

@testset "a new definition may have other options" begin
    mktempdir() do directory
        chmod(directory, 0o700)
        within = Module()
        Core.eval(within, :(using PhiCache))
        # As a file that is edited and included again: each time with another handle of the cache.
        define(options, body) = Base.invokelatest(Core.eval(within, :(@phicache $(options...) f(x) = $body)), 5)
        disk(version) = (:(cache = DiskCache{Int}("options"; directory=$directory)), :(prefix = $("f@$version")))
        @test define(disk(1), 1) == define(disk(1), 2) == 1
        @test define(disk(2), 2) == 2 && define(disk(1), 3) == 1 && define((), 3) == 1
        @test status_of(() -> define((:(prefix = "f"),), 4)) == PhiCache.ERROR_INVALID_ARGUMENT
        @test_throws ArgumentError define((:(cache = DictCache{Int}()),), 4)
        @test Base.invokelatest(within.f, 5) == 1
        close(within.f.cache)
    end
    first, second, within = DictCache{Int}(), DictCache{Int}(), Module()
    Core.eval(within, :(using PhiCache))
    define(name, options...) = Base.invokelatest(Core.eval(within, :(@phicache $(options...) $name(x) = 1)), 5)
    define(:f, :(cache = $first))
    define(:f, :(cache = $second), :(prefix = "f"))
    @test isempty(first) && length(second) == 1
    define(:g, :(cache = $first))
    @test status_of(() -> define(:g, :(cache = $second), :(prefix = "f"))) == PhiCache.ERROR_INVALID_ARGUMENT
    @test within.g.cache === first && length(second) == 1
    # The limit of a private cache.
    define(:h)
    @test info(within.h).size == 1 && define(:h, :(maximum_memory_percent = 0)) == 1 && info(within.h).size == 0
    @test_throws ArgumentError define(:h, :(cache = $first))
end

@testset "anything but a definition is refused at macro expansion" begin
    for code in (:(@phicache), :(@phicache 5), :(@phicache x -> x), 
                 :(@phicache Base.sin(x) = 1), :(@phicache typed f(x) = x), :(@phicache x = 1))
        exception = try macroexpand(@__MODULE__, code) catch exception; exception end
        exception = exception isa LoadError ? exception.error : exception
        @test exception isa ArgumentError && startswith(exception.msg, "@phicache")
    end
end

ordinary_function(x) = 1
ordinary_value = 1
const ordinary_memo = Memo(ordinary_function)

@testset "the name of something else is refused with a reason" begin
    for definition in (:(@phicache ordinary_function(x) = 2), :(@phicache ordinary_value(x) = 2),
                       :(@phicache ordinary_memo(x) = 2))
        message = message_of(() -> Core.eval(Main, definition))
        @test startswith(message, "@phicache: the name ordinary_") && occursin("is in use in Main", message)
    end
    @test ordinary_function(1) == ordinary_value == 1
end

@phicache requests_itself(x; y=1)::Int = requests_itself(x; y=y)

@testset "a call without a method says where the methods are" begin
    error = try requests_itself() catch exception; sprint(showerror, exception) end
    @test startswith(error, "MethodError: no method matching requests_itself (memo)()")
    @test occursin(basename(@__FILE__), error) && !occursin("none:", error)
end

@testset "a call that requests itself is named" begin
    error = try requests_itself([0.5], y=2) catch exception; exception end
    @test error isa PhiCacheError && error.status == PhiCache.ERROR_RECURSION
    call = "requests_itself([0.5], y=2)"
    @test error.message == "the computation of $call requests $call itself, so it would never end"
end

@testset "a definition with options that the memo cannot take is refused" begin
    for code in (:(@phicache typed=false kind(x::String) = x), :(@phicache returns=Vector{Any} kind(x::String) = [x])) 
        @test_throws ArgumentError Core.eval(Definitions, code)
    end
    listed = Meta.parse("@phicache cache=cache, prefix=\"kind\" kind(x) = x")
    error = try macroexpand(Definitions, listed) catch exception; exception end
    @test occursin("spaces between them, not commas", sprint(showerror, error))
    Core.eval(Definitions, :(@phicache shape(x::Symbol)::String = "name"))
    @test Base.invokelatest(shape, :a) == "name"
end

@testset "a defined memo has a name, and in another process becomes the memo of that name" begin
    @test repr(fibonacci) == string(fibonacci) == "Memo{Int64}(fibonacci)"
    @test sent(fibonacci) === fibonacci
end

module Methods
using PhiCache
@enum Fruit Apple Pear
@enum Tool Saw Axe
const calls = Ref(0)

@phicache which_method(::Int)::Int = 1
@phicache which_method(::Float64)::String = "two"
@phicache which_method(::Int32) = 3
@phicache which_method(::Bool) = 4
@phicache which_method(::Fruit) = 5
@phicache which_method(::Tool) = 6
@phicache which_method(::Vector{Int}) = 7
@phicache which_method(::Vector{Float64}) = 8
@phicache which_method(::Tuple) = 9
@phicache which_method(::Type{Int}) = 10
@phicache which_method(::Type{Float64}) = 11
@phicache which_method(::Val{N}) where {N} = 11 + N
@phicache which_method(::Nothing) = 14
@phicache which_method(::Missing) = 15
@phicache which_method(x::T, y::Vector{T}) where {T<:Real} = 16
@phicache which_method(x, y::Vector) = 17

@phicache defaults(x, y=x + 1.0; k=3)::Float64 = (calls[] += 1; x + y + k)
@phicache @inline inlined(x)::Int = x
@phicache unused(_, x)::Int = x
@phicache unnamed(::Any, ::Int, (a, b), rest...; key=1, args...)::Int = a + b + length(rest) + key + length(args)
@phicache changing(x)::Int = x + 1
@phicache twice_defined(x)::Int = 1
@phicache typed=false loose(x::Int) = "Int"
@phicache typed=false loose(x::Float64) = "Float64"
@phicache parametric(values::Vector{T}) where {T} = sum(values)
@phicache depth(n)::Int = n == 0 ? 0 : depth(n - 1) + 1

function counter(step)
    @phicache next(x)::Int = x + step
    return next
end
end

@testset "different methods have different keys" begin
    arguments = [(1,), (1.0,), (Int32(1),), (true,), (Methods.Pear,), (Methods.Axe,), ([1],), ([1.0],), ((1,),), (Int,),
                 (Float64,), (Val(1),), (Val(2),), (nothing,), (missing,), (1, [1]), (1.0, [1])]
    for _ in 1:2, (expected, list) in zip([1, "two", 3:17...], arguments)
        @test Methods.which_method(list...) == expected
    end
    @test info(Methods.which_method) == (hits=17, misses=17, size=17)
    @test Methods.loose(1) == "Int" && Methods.loose(1.0) == "Float64"
end

@testset "an omitted argument has its default" begin
    defaults = Methods.defaults
    @test defaults(1) == defaults(1, 2.0) == defaults(1; k=3) == defaults(1, 2.0; k=3) == 6.0
    @test Methods.calls[] == 1 && defaults(1, 2) == 6.0 && Methods.calls[] == 2
    @test @inferred(defaults(1)) == 6.0
end

@testset "every form of signature" begin
    @test Methods.inlined(3) == Methods.inlined(3) == 3
    @test Methods.unnamed(0, 0, (1, 2)) == 4 && Methods.unnamed(0, 0, (1, 2), 0, 0; key=5, a=1) == 11
    @test info(Methods.unnamed).misses == 2 && Methods.unused(1, 2) == 2
    @test Methods.parametric([1, 2]) === 3 && Methods.parametric([1.0, 2.0]) === 3.0
    for name in (:key, :args, :memo, :result, :f, :value, :call, :kwargs, :typed, :prefix, :self, :T, :arguments,
                 :keywords)
        f = Symbol(:with_, name)
        Core.eval(Methods, :(@phicache $f($name; y=1)::Int = $name + y))
        @test Core.eval(Methods, :(($f(1), $f(1; y=2), $f(1)))) == (2, 3, 2)
    end
end

@testset "a definition with another return type" begin
    @test Methods.changing(1) === 2
    Core.eval(Methods, :(@phicache changing(x)::Float64 = x + 0.5))
    @test Base.invokelatest(Methods.changing, 1) === 1.5 && valtype(Methods.changing) == Float64
end

module Callable
using PhiCache
struct Adder{T}
    y::T
end
const calls = Ref(0)
const adding = @phicache (a::Adder)(x::Int, z=1; scale::Int=2)::Int = (calls[] += 1; scale * (a.y + x + z))
@phicache (a::Adder{T})(x::T) where {T<:AbstractString} = a.y * x
@phicache @inline (::Adder)(::Nothing)::Int = 7
@phicache function (a::Adder)(x::Float64)::Float64
    return x < 1 ? 0.0 : a(x - 1) + a.y
end
end

@testset "the calls of a type" begin
    one, two = Callable.Adder(1), Callable.Adder(2)
    @test one(1) == one(1, 1) == one(1; scale=2) == Callable.Adder(1)(1) == 6 && Callable.calls[] == 1
    @test two(1) == 8 && one(1, 2) == 8 && one(1; scale=3) == 9 && Callable.calls[] == 4
    @test Callable.Adder("a")("b") == "ab" && Callable.Adder("a")("b") == "ab" && one(nothing) == 7
    @test one(3.0) == 3.0
    @test info(Callable.adding) == (hits=4, misses=10, size=10)
    @test repr(Callable.adding) == "Memo{Any}((::Adder))"
    @test_throws MethodError one(:a)
end

@testset "a task that computes with an old definition stores nothing" begin
    function in_the_old_world()
        Core.eval(Methods, :(@phicache twice_defined(x)::Int = 2))
        return Methods.twice_defined(0)
    end
    @test in_the_old_world() == 1 && Base.invokelatest(Methods.twice_defined, 0) == 2
    @test info(Methods.twice_defined).size == 1
end

@testset "inside a function, each run has its own memo" begin
    one, two = Methods.counter(1), Methods.counter(2)
    @test (one(1), two(1), one(1), two(1)) == (2, 3, 2, 3)
    @test info(one) == info(two) == (hits=1, misses=1, size=1) && !isdefined(Methods, :next)
end

@testset "10,000 levels of recursion through a definition" begin
    @test Methods.depth(10) == 10 && Methods.depth(10_000) == 10_000
end
