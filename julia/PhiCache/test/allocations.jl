# What a hit leaves for the garbage collector.

# The bytes that a call allocates when it has been called before.
function garbage(f::F, arguments::Vararg{Any,N}) where {F,N}
    foreach(_ -> f(arguments...), 1:3)
    return @allocated f(arguments...)
end

@enum Kind Small Large
struct Setting
    kind::Kind
    scale::Float32
    name::String
end

# Keys of all kinds.
const KEYS = ("text", b"bytes", Vector{UInt8}("bytes"), 5, 2.5, (1, 2.5), ("cause", NodeSet(1, 3), NodeSet(2)),
              (CAUSE, nothing, true, UInt8(3), "φ"), ([1.0, 2.0], [3.0]), ([1, 2, 3], ((1, 2), "a")), zeros(200),
              (Small, 1.5f0, 'a', :symbol, 1//2), Setting(Large, 1.0f0, "name"), 1 => 2.5, KeyParts([1.0], "ab"))

no_value() = error("a hit computes nothing")
found(cache, key) = get!(no_value, cache, key)

@testset "a hit with a value of a bits type allocates nothing" begin
    for cache in (DictCache{Float64}(), DictCache{NodeSet}(), DictCache{Tuple{Int,Bool}}())
        V = valtype(cache)
        value = V === Float64 ? 1.5 : V === NodeSet ? NodeSet(2) : (1, true)
        for key in KEYS
            # The bytes of other vectors are copied to one of Julia's.
            copied = key isa Base.CodeUnits ? garbage(Vector{UInt8}, key) : 0
            cache[key] = value
            @test garbage(found, cache, key) == copied
            @test garbage(getindex, cache, key) == copied
            @test garbage(get, cache, key, value) == copied
            @test garbage(haskey, cache, key) == copied
            @test cache[key] === value
        end
    end
end

@testset "a miss of get allocates nothing" begin
    cache = DictCache{Float64}()
    @test garbage(get, cache, ("no", 1), 0.0) == 0
end

@testset "a hit with an array allocates the copy" begin
    for value in (rand(8), rand(1000), rand(4, 4), UInt8[], NodeSet[NodeSet(1)])
        cache = DictCache{typeof(value)}()
        for key in KEYS[3:end]
            cache[key] = value
            @test garbage(found, cache, key) == garbage(copy, value)
            @test garbage(getindex, cache, key) == garbage(copy, value)
        end
    end
    texts = DictCache{String}()
    texts["key"] = "some text"
    @test garbage(found, texts, "key") == garbage(text -> unsafe_string(pointer(text)), "some text")
end

@testset "a view allocates nothing" begin
    vectors, matrices = DictCache{Vector{Float64}}(), DictCache{Matrix{Float64}}()
    first_and_sum(view) = view[1] + sum(view)
    for key in KEYS[3:end]
        vectors[key] = rand(100)
        @test garbage((cache, key) -> withvalue(first_and_sum, cache, key), vectors, key) == 0
        @test garbage((cache, key) -> withvalue(length, cache, key, UInt8), vectors, key) == 0
        matrices[key] = rand(4, 4)
        @test garbage((cache, key) -> withvalue(view -> view[2, 3], cache, key), matrices, key) == 0
    end
end

@phicache distance(x::Float64, y::Float64)::Float64 = abs(x - y)
@phicache distance(x::Vector{Float64}, y::Vector{Float64})::Float64 = sum(abs, x .- y)
@phicache distance(x::Setting, y, z, kinds::Kind...; scale=1, shift=0)::Int = scale + shift
@phicache half_twice(x::Float64)::Vector{Float64} = [x / 2, x / 2]

@testset "a hit of a memo allocates no more than its value" begin
    @test garbage(distance, 1.0, 2.0) == 0
    @test garbage(distance, rand(8), rand(8)) == 0
    @test garbage(distance, Setting(Small, 1.0f0, "a"), 2, 3.0) == 0
    @test garbage((x, y) -> distance(x, y, 3.0, Small, Large; scale=2), Setting(Small, 1.0f0, "a"), 0x02) == 0
    @test garbage(half_twice, 3.0) == garbage(copy, [1.5, 1.5])
    @test info(distance).misses == 4
    method = CachedMethod((object, x, y) -> x + y; prefix="sum")
    cache = DictCache{Float64}()
    @test garbage(method, cache, "object", 1.5, 2.5) == 0
    plain = Memo((x, y) -> x + y; returns=Float64, cache=cache, prefix="plain", typed=false)
    @test garbage(plain, 1.5, 2.5) == 0
end

@testset "a hit of a MICE cache allocates no more than its payload" begin
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "allocations"), [0, 0], 1:2)
    key = mice_key(nothing, CAUSE, 1)
    numbers, vectors = MICECache{Float64}(system), MICECache{Vector{Float64}}(system)
    numbers[key] = Mice(CAUSE, 1, 2, 0.5, 1.5)
    vectors[key] = Mice(CAUSE, 1, 2, 0.5, [1.5])
    @test garbage(getindex, numbers, key) == 0
    @test garbage(getindex, vectors, key) <= garbage(copy, [1.5]) + 64 # the Mice itself
end

@testset "threads and tasks have buffers of their own" begin
    cache = DictCache{Int}()
    foreach(n -> cache["key", n] = n, 1:100)
    tasks = [Threads.@spawn(all(n -> cache["key", n] == n, repeat(1:100, 100))) for _ in 1:8]
    @test all(fetch, tasks)
end

# A type whose `add!` does something else in between.
struct Interrupted{F}
    between::F
    name::String
end
PhiCache.add!(key::KeyBuilder, value::Interrupted) =
    PhiCache.tuple!(() -> (add!(key, "before"); value.between(); add!(key, value.name)), key)

@testset "a key that is being made belongs to its task" begin
    cache = DictCache{Int}()
    nested(n) = Interrupted(() -> cache[("nested", Interrupted(yield, "$n"), n)], "n")
    interrupted(n) = Interrupted(() -> (yield(); sleep(0.001)), "$n")
    for n in 1:50
        cache[("nested", ("before", "$n"), n)] = n
        cache[("nested", Interrupted(yield, "$n"), n)] = n
        cache[(interrupted(n), n)] = n
    end
    tasks = [Threads.@spawn(sum(n -> cache[(interrupted(n), n)] == n, 1:50)) for _ in 1:8]
    @test all(==(50) ∘ fetch, tasks)
    cache[("outer", nested(7))] = 7
    @test cache[("outer", nested(7))] == 7
    @test cache[("outer", nested(7))] == cache[("outer", nested(8))]
end

@testset "an exception while a key is made leaves the buffers usable" begin
    cache = DictCache{Int}()
    cache[("a", 1)] = 1
    for n in 1:10
        wrong = Interrupted(() -> error("mine $n"), "name")
        for use in (() -> cache[((1, (2, wrong)),)], () -> get!(() -> 1, cache, (wrong,)),
                    () -> withvalue(sum, cache, (wrong,), Int), () -> cache[(stdout, 1)], () -> cache[Set([wrong])])
            @test_throws Exception use()
            marks = [0x40; zeros(UInt8, length(encode_key("a", 1)) - 1)]
            @test cache[("a", 1)] == 1 && encode_key("a", 1) == encode_typed_key("a", 1) .- marks
        end
    end
    @test length(cache) == 1
end
