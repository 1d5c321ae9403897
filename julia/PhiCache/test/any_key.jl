# Any value with a meaning is a key: bare, in a tuple, and as an argument of a memo. Values of different types are
# different arguments.

module AnyKey
struct Point
    x::Int
    y::Float64
end
struct Wrapped{T}
    content::T
end
struct Empty end
@enum Color red = 1 green
@enum Shape round = 1 square
mutable struct Changing
    x::Int
end
# Like a Tridiagonal, which has room for a second diagonal only after lu.
struct Partial
    x::Any
    more::Vector{Int}
    Partial() = new()
    Partial(x) = new(x)
    Partial(x, more) = new(x, more)
end
end

# By their types, and within a type by value, no two are equal.
const VALUES = Any[
    1, 2, Int8(1), 0x01, typemax(UInt64), Int128(1), big(1), big(2)^70, -big(2)^70, 1.5, 1.0, 1f0, Float16(1), big(1.5),
    NaN, Inf, true, false, 1//2, 1//1, 1 + 2im, 1.0 + 2.0im, missing, nothing,
    :a, "a", 'a', Symbol("\xff"), "\xff\xfe", SubString("a"), r"a",
    (), (1, 2), ((1, 2),), (1.0, 2), (a=1, b=2), (b=2, a=1), (a=1,), 1 => 2, "a" => :b, Some(1), Some(nothing),
    Dict(1 => 2), Dict(1 => 2.0), Dict("a" => 1, "b" => 2), Set([1, 2]), Set([1.0, 2.0]), BitSet([1, 2]),
    [1, 2], [1.0, 2.0], [1 2; 3 4], [true, false], trues(2), 1:2,
    AnyKey.Point(1, 2.0), AnyKey.Wrapped(1), AnyKey.Wrapped(1.0), AnyKey.Wrapped(AnyKey.Wrapped(1)), AnyKey.Empty(),
    AnyKey.red, AnyKey.green, AnyKey.round, Ref(1), v"1.2.3", Base.UUID(1), sin, Main,
    Int, Float64, Vector{Int}, Vector, Tuple{Int}, Union{Int,Nothing}, Val(1), Val(2), Val(:a), Val{1}]

# Julia compiles everything anew for each type of key, so only some of them are nested deeper.
@testset "bare, and in tuples to any depth" begin
    keys = Any[VALUES..., ((value, 1) for value in VALUES)...]
    for value in VALUES[1:8:end]
        push!(keys, ("x", (value,)), (nested=value,))
    end
    for key in keys
        cache = DictCache{Int}()
        cache[key] = 5
        @test cache[key] == get!(() -> 0, cache, key) == 5 && haskey(cache, key) && length(cache) == 1
        delete!(cache, key)
        @test isempty(cache)
    end
end

@testset "a memo tells them all apart" begin
    numbers = Memo(x -> objectid(x); returns=UInt)
    in_tuples = Memo(x -> objectid(x); returns=UInt)
    for (count, value) in enumerate(VALUES)
        first, nested = numbers(value), in_tuples((value,))
        @test info(numbers) == info(in_tuples) == (hits=count - 1, misses=count, size=count)
        @test numbers(value) == first && in_tuples((value,)) == nested
    end
end

@testset "a field without a value is part of the key" begin
    memo = Memo(x -> isdefined(x, :x) + isdefined(x, :more); returns=Int)
    partial = (AnyKey.Partial(), AnyKey.Partial(1), AnyKey.Partial(1, Int[]), AnyKey.Partial(nothing),
               AnyKey.Partial(:undef))
    @test map(memo, partial) == map(memo, partial) == (0, 1, 2, 1, 1)
    @test info(memo) == (hits=5, misses=5, size=5)
end

@testset "what is refused says in one line what to do" begin
    cache = DictCache{Int}()
    captured = let count = 0; () -> count += 1 end
    for value in Any[AnyKey.Changing(1), Threads.Atomic{Int}(1), Ptr{Int}(5), IOBuffer(), captured, Task(() -> 1)]
        for key in (value, (value,), [value], (1, (value,)))
            message = try cache[key] = 1 catch exception; sprint(showerror, exception) end
            @test message isa String && occursin("cannot be part of a key, because it", message)
            @test occursin("pass a number, a name or a tuple", message)
            @test !occursin('\n', message) && length(message) < 240
            @test occursin("add!", message) == (value isa AnyKey.Changing)
        end
    end
    @test isempty(cache)
end
