@testset "a function is computed once for each argument list" begin
    calls = 0
    square = Memo(x -> (calls += 1; x^2))
    @test [square(3), square(3), square(4)] == [9, 9, 16]
    @test calls == 2
    @test info(square) == (hits=1, misses=2, size=2)
    @test original(square)(3) == 9 && calls == 3
    @test empty!(square) === square && info(square) == (hits=0, misses=0, size=0)
    @test square(3) == 9 && calls == 4
    @test info(Memo(identity)) == (hits=0, misses=0, size=0)
    @test stats(Memo(identity)).stores == 0 && stats(square).stores == 1
    @test isempty(info(empty!(Memo(identity)))) == false
end

@testset "keyword arguments, arrays and node sets are arguments" begin
    seen = []
    f = Memo((arguments...; keywords...) -> (push!(seen, (arguments, keywords)); length(seen)))
    @test f(1; a=1, b=2) == f(1; b=2, a=1) == 1
    @test f(1; a=1) == 2
    @test f([0.5, 0.5], [1.0, 0.0]) == f([0.5, 0.5], [1.0, 0.0]) == 3
    @test f([0.5, 0.5], [0.0, 1.0]) == 4
    @test f(NodeSet(1), CAUSE) == 5 == f(NodeSet(1), CAUSE)
    @test f() == f() == 6
    @test f(sin) == f(sin) == 7 != f(cos)
    @test_throws ArgumentError f(stdout)
end

@testset "typed and untyped keys" begin
    untyped, typed = Memo(typeof, typed=false), Memo(typeof)
    @test untyped(3) == untyped(3.0) == Int
    @test typed(3) == Int && typed(3.0) == Float64 && typed(true) == Bool
end

@testset "values have the type that it returns" begin
    halves = Memo(x -> [x / 2], returns=Vector{Float64})
    @test @inferred(halves(3)) == [1.5] == @inferred(halves(3))
    @test valtype(halves) == Vector{Float64}
    @test_throws ArgumentError Memo(identity, returns=Vector{Any})
    @test Memo(x -> x, returns=Float64)(3) === 3.0
end

@testset "an exception is passed on unchanged, and counts a miss" begin
    thrown = ErrorException("mine")
    fails = Memo(_ -> throw(thrown))
    for _ in 1:2
        @test (try fails(1) catch exception; exception end) === thrown
    end
    @test info(fails) == (hits=0, misses=2, size=0)
end

@testset "memory limits" begin
    never = Memo(identity, maximum_memory_percent=0)
    @test never(1) == never(1) == 1 && info(never) == (hits=0, misses=2, size=0)
    always = Memo(identity, maximum_memory_percent=PhiCache.UNLIMITED, config=Config(maximum_memory_percent=0))
    @test always(1) == always(1) == 1 && info(always) == (hits=1, misses=1, size=1)
    configured = Memo(identity, config=Config(maximum_memory_percent=0))
    @test configured(1) == 1 && info(configured).size == 0
    cache = DictCache()
    on_a_cache = Memo(identity, cache=cache, maximum_memory_percent=0)
    @test on_a_cache(1) == 1 && isempty(cache)
end

@testset "memos on one cache have prefixes" begin
    cache = DictCache{Int}()
    double = Memo(x -> 2x, cache=cache, prefix="double", typed=false)
    triple = Memo(x -> 3x, cache=cache, prefix="triple")
    bare = Memo(x -> 4x, cache=cache)
    @test (double(5), triple(5), bare(5)) == (10, 15, 20)
    @test (double(5), triple(5), bare(5)) == (10, 15, 20)
    @test info(double) == info(triple) == (hits=1, misses=1, size=3)
    all = stats(double)
    @test (all.hits, all.misses, all.size, all.stores) == (1, 1, 3, 3)
    @test cache["double", 5] == 10
    for prefix in ("double", nothing)
        @test status_of(() -> Memo(x -> 5x, cache=cache, prefix=prefix)) == PhiCache.ERROR_INVALID_ARGUMENT
    end
    @test_throws ArgumentError Memo(x -> 2x, prefix="double@1")   # without a cache
    # The same function has the same values.
    @test Memo(double.original, cache=cache, prefix="double", typed=false)(5) == 10 && info(double).hits == 1
    # On another handle of the same cache, too.
    network = Fingerprint(fill(0.5, 8, 3), trues(3, 3), "prefixes")
    one, other = DictCache{Float64}(network, "r"), DictCache{Float64}(network, "r")
    sine = Memo(sin; cache=one, prefix="f")
    @test status_of(() -> Memo(cos; cache=other, prefix="f")) == PhiCache.ERROR_INVALID_ARGUMENT
    @test sine(1.0) == sin(1.0)
    empty!(double)
    @test isempty(cache) && info(triple).hits == 1
    @test_throws ArgumentError Memo(identity, cache=cache, returns=String)
end

@testset "a prefix can be reused after its memo is collected" begin
    cache = DictCache{Int}()
    make() = (Memo(x -> 2x, cache=cache, prefix="p")(1); nothing)
    make()
    GC.gc()
    GC.gc()
    @test Memo(x -> 2x, cache=cache, prefix="p")(1) == 2
end

@testset "a memo may be recursive, print and switch tasks" begin
    fibonacci = Memo(n -> (yield(); n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)), returns=Int)
    @test fibonacci(60) == 1548008755920
    tasks = [@async(fibonacci(n)) for n in 61:70]
    @test fetch(last(tasks)) == 190392490709135
end

@testset "an invalid limit is refused when the memo is created" begin
    for percent in (-2, 101, NaN)
        @test status_of(() -> Memo(abs, maximum_memory_percent=percent)) == PhiCache.ERROR_INVALID_ARGUMENT
    end
end

@testset "a memo is a function, and a copy of it is the same memo" begin
    memo = Memo(abs)
    @test memo isa Function && deepcopy(memo) === memo
    scale = [2]
    scaled = Memo(x -> scale[1] * x)
    @test scaled(3) == 6
    copied = deepcopy(scaled)
    original(copied).scale[1] = 5
    @test (scaled(3), copied(3), original(copied)(3)) == (6, 15, 15)
    on_a_cache = Memo(x -> scale[1] * x, cache=DictCache{Int}(), prefix="scaled")
    @test_throws ArgumentError deepcopy(on_a_cache)
    @test repr(memo) == repr(MIME("text/plain"), memo) == "Memo{Any}(abs)"
    cache = DictCache{Int}()
    @test get!(Memo(() -> 7), cache, "key") == get(Memo(() -> 8), cache, "key") == 7
end

@testset "a memo is sent to another process without its values" begin
    memo = Memo(typeof, typed=true, maximum_memory_percent=0)
    memo(1)
    arrived = sent(memo)
    @test arrived !== memo && info(arrived) == (hits=0, misses=0, size=0)
    @test arrived(1) == Int && arrived(1.0) == Float64 && info(arrived).size == 0
    @test valtype(sent(Memo(abs, returns=Int))) == Int
    # A second memo is read where the first one ends.
    @test length(sent([memo, memo, 5])) == 3 && last(sent([memo, memo, 5])) == 5
end

of_type(x::Real) = "a real number"

@testset "a method that is defined later has other keys" begin
    memo = Memo(of_type)
    @test memo(1) == memo(1) == "a real number" && info(memo).misses == 1
    @eval of_type(x::Int) = "an Int"
    @test Base.invokelatest(memo, 1) == "an Int" && Base.invokelatest(memo, 1.0) == "a real number"
end

in_two_worlds(x::Real) = "a real number"

@testset "a task in an older world stores nothing under the name of a new method" begin
    memo = Memo(in_two_worlds)
    function in_the_old_world()
        @eval in_two_worlds(x::Int) = "an Int"
        return memo(1)
    end
    @test in_the_old_world() == "a real number"
    @test Base.invokelatest(memo, 1) == "an Int"
end

is_replaced(x) = 1

@testset "a redefined method has other keys" begin
    memo = Memo(is_replaced)
    @test memo(0) == 1
    @eval is_replaced(x) = 2
    @test Base.invokelatest(memo, 0) == 2
end

@testset "inside sets and dictionaries -0.0 is not 0.0" begin
    count = Memo(length)
    for (one, two) in (([0.0], [0.0, -0.0]), ([0f0], [0f0, -0f0]), ([[0.0]], [[0.0], [-0.0]]),
                       ([(0.0,)], [(0.0,), (-0.0,)]))
        @test count(Set(one)) == 1 && count(Set(two)) == 2
    end
    at_zero = Memo(dictionary -> dictionary[0.0])
    @test at_zero(Dict(0.0 => 1, -0.0 => 2)) == 1 && at_zero(Dict(0.0 => 2, -0.0 => 1)) == 2
    @test at_zero(IdDict(0.0 => 1, -0.0 => 2)) == 1 && at_zero(IdDict(0.0 => 2, -0.0 => 1)) == 2
    @test count(Set([-0.0])) == count(Set([-0.0])) == 1 && info(count).hits == 1
end

# Types that hold more than their items, their text or their value.
struct WithDefault{K,V} <: AbstractDict{K,V}
    items::Dict{K,V}
    default::V
end
Base.iterate(dictionary::WithDefault, state...) = iterate(dictionary.items, state...)
Base.length(dictionary::WithDefault) = length(dictionary.items)

struct Within{T} <: AbstractSet{T}
    items::Set{T}
    universe::Int
end
Base.iterate(set::Within, state...) = iterate(set.items, state...)
Base.length(set::Within) = length(set.items)

struct Modular <: Integer
    value::Int
    modulus::Int
end
Base.Int64(number::Modular) = number.value
Base.:<=(bound::Int, number::Modular) = bound <= number.value
Base.:<=(number::Modular, bound::Int) = number.value <= bound

struct Tagged <: AbstractString
    text::String
    language::Symbol
end
Base.ncodeunits(text::Tagged) = ncodeunits(text.text)
Base.codeunit(::Tagged) = UInt8
Base.codeunit(text::Tagged, index::Integer) = codeunit(text.text, index)
Base.isvalid(text::Tagged, index::Integer) = isvalid(text.text, index)
Base.iterate(text::Tagged, index::Integer=1) = iterate(text.text, index)

# Mutable ones have their items in the key, and fields that are constants, functions or types.
mutable struct Defaulting{K,V} <: AbstractDict{K,V}
    default::Any
    items::Dict{K,V}
end
Base.iterate(dictionary::Defaulting, state...) = iterate(dictionary.items, state...)
Base.length(dictionary::Defaulting) = length(dictionary.items)

mutable struct Changing{T} <: AbstractSet{T}
    universe::Int
    items::Set{T}
end
Base.iterate(set::Changing, state...) = iterate(set.items, state...)
Base.length(set::Changing) = length(set.items)

mutable struct Ordered{K,V} <: AbstractDict{K,V}
    items::Vector{Pair{K,V}}
end
Base.iterate(dictionary::Ordered, state...) = iterate(dictionary.items, state...)
Base.length(dictionary::Ordered) = length(dictionary.items)

@testset "all that an argument holds is in the key" begin
    second = Memo(value -> getfield(value, 2))
    on_a_cache = CachedMethod((object, value) -> getfield(value, 2))
    cache = DictCache{Any}()
    for make in (last -> WithDefault(Dict(1 => 2), last), last -> Within(Set([1]), last), last -> Modular(2, last)),
        last in (5, 7)
        @test second(make(last)) == on_a_cache(cache, nothing, make(last)) == last
    end
    @test [second(Tagged("gift", language)) for language in (:en, :de)] == [:en, :de]
    @test second(Modular(2, 5)) == 5 && info(second) == (hits=1, misses=8, size=8)
    first_item = Memo(dictionary -> last(first(dictionary)))
    @test first_item(Ordered([1 => 2, 3 => 4])) == 2 && first_item(Ordered([3 => 4, 1 => 2])) == 4
    @test first_item(Ordered([1 => 2, 3 => 4])) == 2 && info(first_item).hits == 1
    @test_throws ArgumentError second(Base.unsafe_convert(Cstring, "an address"))
    # So it is in the keys of a cache, if it is a set or a dictionary.
    first_field, plain = Memo(value -> getfield(value, 1)), DictCache{Any}()
    for last in (5, (1, "two"), sin, Int, :symbol), make in (default -> Defaulting(default, Dict(1 => 2)),
                                                             default -> WithDefault(Dict{Any,Any}(1 => 2), default))
        value = make(last)
        @test first_field(value) == value.items || first_field(value) == last
        @test get!(() -> last, plain, (value,)) == plain[(make(last),)] == last
    end
    for universe in (5, 7), make in (universe -> Changing(universe, Set([1])), universe -> Within(Set([1]), universe))
        @test get!(() -> universe, plain, (make(universe),)) == universe
    end
    @test length(plain) == 14
end

@testset "a stack overflow is a StackOverflowError, and the memo still works" begin
    memo = Memo(n -> n == 0 ? 0 : memo(n - 1) + 1, returns=Int)
    method = CachedMethod((object, n) -> n == 0 ? 0 : by_method(n - 1) + 1)
    cache, others = DictCache{Int}(), DictCache{Int}()
    by_method(n) = method(cache, nothing, n)
    by_get(n) = get!(() -> n == 0 ? 0 : by_get(n - 1) + 1, others, (n,))
    for recursive in (memo, by_method, by_get)
        overflows(_) = try recursive(100_000) catch exception; exception isa StackOverflowError end
        @test overflows(0) === true
        @test fetch(@async overflows(0)) === true
        @test recursive(2_000) == 2_000
    end
end

@testset "10,000 levels of recursion" begin
    depth = Memo(n -> n == 0 ? 0 : depth(n - 1) + 1, returns=Int)
    @test depth(10) == 10
    @test depth(10_000) == 10_000
end

@testset "the key is the arguments before the function changes them" begin
    grows = Memo(values -> (push!(values, 1); length(values)))
    values = [1]
    @test grows(values) == 2 && grows([1]) == 2 && grows(values) == 3
end

@testset "an anonymous function is refused in keys that processes share" begin
    shared = KeyBuilder()
    shared.shared = true
    @test_throws ArgumentError add!(shared, x -> x + 1)
end

struct Adding
    numbers::Vector{Float64}
end
(adding::Adding)(x) = adding.numbers[1] + x
struct Applying
    f::Function
    number::Any
end
(applying::Applying)(x) = applying.f(x)

@testset "closures with other captured values are other functions" begin
    cache = DictCache{Any}()
    # A memo must be garbage before another one gets its prefix.
    @noinline scaled(factor, name) = Memo(x -> (factor, name, x); cache=cache, prefix="scaled")(1)
    @noinline applied(f, x) = Memo(x -> f(x); cache=cache, prefix="applied")(x)
    @noinline converted_to(::Type{T}, x) where {T} = Memo(x -> T(x); cache=cache, prefix="converted")(x)
    for factor in (1, 1.0, (2, "two"), 'c'), name in ("a", :a, nothing)
        @test scaled(factor, name) === (factor, name, 1)
    end
    @test applied(sin, 1.0) == sin(1.0) && applied(cos, 1.0) == cos(1.0)
    @test applied(x -> x + 1, 1.0) == 2.0 && applied(x -> x + 2, 1.0) == 3.0
    @test converted_to(Int, 1) === 1 && converted_to(Float64, 1) === 1.0
    # Mutable objects are compared by identity, not by their contents.
    count, counts = Ref(0), [0]
    @noinline counted(calls, counts) = Memo(x -> (counts[1] += 1; calls[] += 1); cache=cache, prefix="counted")(1)
    @test counted(count, counts) == counted(count, counts) == 1 && count[] == counts[1] == 1
    @test counted(count, [1]) == 2
    @noinline plus(a) = Memo(x -> x + a[1]; cache=cache, prefix="plus")(1.0)
    @noinline function local_plus(a)
        @phicache cache=cache prefix="local" f(x) = x + a[1]
        return f(1.0)
    end
    @noinline added(a) = Memo(Adding(a); cache=cache, prefix="added")(1.0)
    @noinline plus_second(number) = (pair = (sin, number); Memo(x -> x + pair[2]; cache=cache, prefix="second")(1.0))
    @noinline plus_again(a) = (a = a .+ 0; Memo(x -> x + a[1]; cache=cache, prefix="again")(1.0))
    for number in 1.0:5.0, f in (plus, local_plus, added, plus_again)
        @test f([number]) == 1 + number
    end
    @test map(plus_second, (1.0, 2.0)) == (2.0, 3.0)
    @noinline of_function(f) = Memo(Applying(f, 1); cache=cache, prefix="of function")(1.0)
    @test of_function(sin) == sin(1.0) && of_function(cos) == cos(1.0)
    # A local function that calls itself finds its values again.
    function fibonacci(n)
        @phicache cache=cache prefix="fibonacci" f(n)::Any = n < 2 ? n : f(n - 1) + f(n - 2)
        return f(n)
    end
    @test fibonacci(20) == 6765
    before = info(cache).misses
    @test fibonacci(20) == 6765 && info(cache).misses == before
end
