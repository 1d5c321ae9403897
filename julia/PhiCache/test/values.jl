# Julia values as bytes, and back.

struct Point
    x::Float64
    y::Int32
end

# A value after a cache of this type has stored it.
function round_trip(::Type{V}, value) where {V}
    cache = DictCache{V}()
    cache["key"] = value
    found = cache["key"]
    @test found isa V
    return found
end

@testset "values come back as they were" begin
    for value in (Float64[], [0.25, 0.75], rand(1000))
        @test round_trip(Vector{Float64}, value) == value
    end
    @test round_trip(Vector{UInt8}, b"bytes") == b"bytes"
    @test round_trip(Vector{Point}, [Point(1, 2), Point(3, 4)]) == [Point(1, 2), Point(3, 4)]
    @test round_trip(Vector{NodeSet}, [NodeSet(1), NodeSet()]) == [NodeSet(1), NodeSet()]
    @test round_trip(Vector{ComplexF32}, [1.0f0im, 2]) == [1.0f0im, 2]
    for text in ("", "φ", "a\0b", SubString("hello", 2, 3))
        @test round_trip(String, text) == text
    end
    for value in (1.5, 7, true, 'φ', Point(1, 2), (1, 2.5), NodeSet(3), CAUSE)
        @test round_trip(typeof(value), value) == value
    end
    for value in (nothing, missing, 1.5, "text", :symbol, [1 2; 3 4], Dict("a" => [1, 2]), Any[1, "b"], NodeSet(1, 2),
                  sum, big(2)^100, Mice(CAUSE, 1, 2, 0.5, [1.0]), Point(1, 2), Any[Point(1, 2), 3], [Point(1, 2)],
                  Dict(:p => Point(1, 2)), (Point(1, 2), CAUSE), view(Any[Point(1, 2), 3], 1:1), Point,
                  Set([Point(1, 2)]))
        @test isequal(round_trip(Any, value), value)
    end
    # `Dict(keywords)` and `collect(keys(keywords))` without keywords.
    for value in (Dict{Union{},Union{}}(), Union{}[], Vector{Vector{Union{}}}(), Set{Union{}}(), Any[1, Union{}[]],
                  Array{Union{}}(undef, 0, 3), Dict(:a => Union{}[]))
        found = round_trip(Any, value)
        @test typeof(found) === typeof(value)
        @test repr(found) == repr(value)
    end
end

mutable struct Linked
    next::Any
end

@testset "structs that refer to themselves or have fields without values come back" begin
    linked = Linked(nothing)
    linked.next = [linked, Point(1, 2)]
    found = round_trip(Any, linked)
    @test found.next[1] === found && found.next[2] == Point(1, 2)
    partial = Vector{Any}(undef, 2)
    partial[2] = Point(1, 2)
    found = round_trip(Any, partial)
    @test !isassigned(found, 1) && found[2] == Point(1, 2)
    @test round_trip(Any, Any[ReentrantLock(), 1])[2] == 1
end

@testset "arrays keep their shape" begin
    for size in ((2, 3), (0, 5), (2, 3, 4), ())
        value = rand(size...)
        value isa Array || (value = fill(value))
        @test round_trip(Array{Float64,length(size)}, value) == value
    end
    @test round_trip(Matrix{Float64}, [1 2; 3 4]) == [1 2; 3 4]
    @test round_trip(Matrix{Float64}, transpose([1 2; 3 4])) == [1 3; 2 4]
    @test round_trip(Matrix{Bool}, BitMatrix([true false])) == [true false]
    # The elements come first, as C reads them.
    cache = DictCache{Matrix{Float64}}()
    cache["key"] = [1.0 3.0; 2.0 4.0]
    @test withvalue(view -> collect(view[1:4]), cache, "key", Float64) == [1, 2, 3, 4]
end

@testset "values are converted to the cache's type, or refused" begin
    @test round_trip(Vector{Float64}, 1:3) == [1.0, 2.0, 3.0]
    @test round_trip(Vector{Float64}, view([1.0, 2.0, 3.0], 2:3)) == [2.0, 3.0]
    @test round_trip(Float64, 3) === 3.0
    cache = DictCache{Vector{Float64}}()
    @test message_of(() -> cache["key"] = "text") ==
          "the value is \"text\", of type String, which cannot be converted to Array{Float64,1}, the type " *
          "of the cached values"
    @test_throws ArgumentError DictCache{Int}()["key"] = 1.5
    @test_throws ArgumentError get!(() -> "text", cache, "key")
    @test_throws ArgumentError Memo(x -> "text"; returns=Int)(1)
    @test !haskey(cache, "key")
end

@testset "a cache of values that have no bytes is refused" begin
    for T in (Vector{Any}, Vector{String}, Vector, Array{Float64}, Real, Symbol, Nothing, Vector{Nothing},
              Union{Nothing,Float64}, Dict{Int,Int})
        @test_throws ArgumentError DictCache{T}()
    end
end

# Stores bytes as another language may store them.
store_bytes(cache, key, bytes) = PhiCache.check(PhiCache.@c phicache_cache_set(
    cache::Ptr{PhiCache.CView}, key::PhiCache.CBytes, bytes::PhiCache.CBytes)::Int32)

@testset "bytes of another length are an error" begin
    doubles, number, matrix = DictCache{Vector{Float64}}(), DictCache{Float64}(), DictCache{Matrix{Float64}}()
    for cache in (doubles, number, matrix)
        store_bytes(cache, "key", zeros(UInt8, 12))
        @test status_of(() -> cache["key"]) == PhiCache.ERROR_DAMAGED
    end
    @test status_of(() -> withvalue(sum, doubles, "key")) == PhiCache.ERROR_DAMAGED
    # Sizes with a product that overflows.
    store_bytes(matrix, "key", collect(reinterpret(UInt8, [typemax(UInt64), UInt64(1) << 61])))
    @test status_of(() -> matrix["key"]) == PhiCache.ERROR_DAMAGED
end

@testset "a value from a cache is a copy" begin
    cache = DictCache{Vector{Float64}}()
    value = [1.0, 2.0]
    cache["key"] = value
    value[1] = 5
    cache["key"][2] = 7
    @test cache["key"] == [1.0, 2.0]
end

# The closures of a module have names there.
module WithClosures
plus(number) = x -> x + number
end

module FoundByName
using PhiCache
@phicache cache=DictCache() prefix="double" double(number) = 2 * number
end

@testset "what cannot be read back says so" begin
    cache = DictCache()
    error_of(f) = try f(); "" catch error; sprint(showerror, error) end
    @test occursin("a struct that can be called", error_of(() -> cache["key"] = x -> x))
    @test occursin("return fetch(task)", error_of(() -> cache["key"] = @async 1))
    # Also in what contains it, before anything is stored.
    plus(number) = x -> x + number
    keyword(x; y=1) = x + y
    for value in ((plus(1), 2), Any[1, plus(1)], [plus(1)], Linked(plus(1)), Dict(1 => plus(1)), Ref{Any}(plus(1)),
                  (keyword, 1), sin ∘ plus(1), Memo(plus(1)), Linked(Any[(plus(1),)]))
        @test occursin("a struct that can be called", error_of(() -> get!(() -> value, cache, "in a value")))
        @test !haskey(cache, "in a value")
    end
    @test occursin("return collect(iterator)", error_of(() -> cache["key"] = (x + 1 for x in 1:3)))
    @test occursin("return fetch(task)", error_of(() -> cache["key"] = (1, @async 1)))
    # So would be the type of one: what is read back is another type.
    closure = typeof(plus(1))
    for value in (closure, Union{closure,Int}, Vector{closure}, Vector{<:closure}, Any[closure], (1, closure),
                  Ref{Any}(closure), typeof(x -> x))
        @test occursin("the type of a closure", error_of(() -> cache["key"] = value))
    end
    for value in (Union{closure,Int}[1], Vector{closure}[], Vector{<:closure}[], Type{closure}[], Val(closure))
        @test occursin("a struct that can be called", error_of(() -> cache["key"] = value))
    end
    for value in (typeof(sin), typeof(WithClosures.plus), typeof(WithClosures.plus(1)), Vector{<:Integer},
                  Union{Int,typeof(sin)}[1])
        cache["type"] = value
        @test typeof(cache["type"]) === typeof(value)
        @test cache["type"] == value
    end
    # These have names that stay the same in this process.
    for value in (WithClosures.plus(1), (WithClosures.plus(2), 1), Any[WithClosures.plus(3)], sin ∘ cos)
        @test get!(() -> value, cache, value isa Function ? "f" : (value[1], 1)) == value
        @test cache[value isa Function ? "f" : (value[1], 1)] == value
        delete!(cache, "f")
    end
    for value in (open(@__FILE__), Base.PipeEndpoint(), Timer(10))
        for stored in (value, (1, value), Any[value], Ref{Any}(value))
            @test occursin("copy refers to nothing", error_of(() -> cache["key"] = stored))
        end
        close(value)
    end
    # So does a handle, as in a struct that has its own cache: its copy would be closed.
    handles = DictCache{Int}(), Config(), Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "values"), [0, 0], 1:2)
    for handle in handles, stored in (handle, (1, handle), [handle], Linked(handle), Dict(:a => handle))
        @test occursin("its copy is closed", error_of(() -> get!(() -> stored, cache, "handle")))
        @test !haskey(cache, "handle")
    end
    for memo in (Memo(cos; cache=DictCache(), prefix="cos"), Memo(cos; config=Config()))
        @test occursin("its copy is closed", error_of(() -> cache["memo"] = memo))
    end
    # A memo with its own cache is read without values, and one that `@phicache` has defined is found by its name.
    private = Memo(cos)
    @test private(0.0) == 1
    cache["memo"] = private
    @test cache["memo"](0.0) == 1
    cache["memo"] = FoundByName.double
    @test cache["memo"] === FoundByName.double
    cache["buffer"] = IOBuffer("text")
    @test read(cache["buffer"], String) == "text"
    cache["key"] = sin
    @test cache["key"] === sin && !haskey(cache, "other")
    store_bytes(cache, "key", [1.0, 2.0])
    @test occursin("read it as the type that was stored", error_of(() -> cache["key"]))
    @test error_of(() -> get!(() -> 0, cache, "key")) != ""
end
