# Keys: the vectors that all languages read, and Julia's own rules.

import Dates
import Libdl

# A set with repeated items, as the vectors have it; Julia's sets have none.
struct Items <: AbstractSet{Any}
    items::Vector{Any}
end
Base.iterate(set::Items, state...) = iterate(set.items, state...)
Base.length(set::Items) = length(set.items)
PhiCache.add!(key::KeyBuilder, set::Items) = PhiCache.add_set!(key, set)

from_hex(hex) = hex2bytes(hex)
text_from_hex(hex) = String(from_hex(hex))

function element_of(operation)
    kind, value = occursin(':', operation) ? split(operation, ':', limit=2) : (operation, "")
    kind == "none" && return nothing
    kind == "bool" && return value == "1"
    kind == "int" && return parse(Int64, value)
    kind == "uint" && return parse(UInt64, value)
    kind == "double" && return reinterpret(Float64, parse(UInt64, value, base=16))
    kind == "bytes" && return from_hex(value)
    kind == "string" && return text_from_hex(value)
    kind == "direction" && return Direction(parse(Int, value))
    kind == "doubles" &&
        return Float64[reinterpret(Float64, parse(UInt64, bits, base=16))
                       for bits in split(value, ',', keepempty=false)]
    kind == "nodes" && return NodeSet(mask=parse(UInt64, value, base=16))
    error("no operation: $operation")
end

# A named value, as the vectors have it.
struct Named
    name::String
    value::Any
end
function PhiCache.add!(key::KeyBuilder, named::Named)
    PhiCache.begin_named!(key, named.name)
    add!(key, named.value)
    PhiCache.end_named!(key)
end

# The arguments that a vector's operations describe, one after the other: (keyword or nothing, value).
function arguments_of(operations)
    finished, open, keyword = [], [], nothing
    add(value) = isempty(open) ? (push!(finished, (keyword, value)); keyword = nothing) : push!(last(open)[2], value)
    for operation in operations
        if operation in ("(", "{")
            push!(open, (operation, []))
        elseif startswith(operation, "<:")
            push!(open, (operation, []))
        elseif operation == ">"
            kind, items = pop!(open)
            add(Named(text_from_hex(kind[3:end]), only(items)))
        elseif operation in (")", "}")
            kind, items = pop!(open)
            add(kind == "(" ? Tuple(items) : Items(items))
        elseif startswith(operation, "kw:")
            keyword = Symbol(text_from_hex(operation[4:end]))
        else
            add(element_of(operation))
        end
    end
    return finished
end

@testset "the vectors that all languages read" begin
    builder = KeyBuilder()
    count = 0
    for line in eachline(joinpath(DATA, "key_vectors.txt"))
        startswith(line, '#') && continue
        kind, hex = split(line)
        empty!(builder)
        for (keyword, value) in arguments_of(split(line)[3:end])
            keyword === nothing ? add!(builder, value) : add!(builder; keyword => value)
        end
        key = Vector{UInt8}(builder; typed=kind == "typed")
        key == from_hex(hex) || println("differs: ", line)
        @test key == from_hex(hex)
        count += 1
    end
    @test count > 50
end

# The bytes of the same keys in C++ are in c-tests/test_keys.cpp.
@testset "complex numbers, bits and times have the keys of C++" begin
    for (value, hex) in (
        1.0 + 2.5im => "a10e10000000436f6d706c65787b466c6f617436347d0a02000000030100000000000000050000000000000440",
        1.0f0 + 2.0f0im => "a10e10000000436f6d706c65787b466c6f617433327d0a02000000030100000000000000030200000000000000",
        [1.0 + 2.5im] =>
            "a10a010000000e10000000436f6d706c65787b466c6f617436347d0a02000000030100000000000000050000000000000440",
        BitVector([true, false]) => "a10a02000000030100000000000000030000000000000000",
        Dates.Second(1) => "a10e0c00000044617465732e5365636f6e640a01000000030100000000000000")
        @test encode_key(value) == from_hex(hex)
    end
    for unit in ("Nanosecond", "Microsecond", "Millisecond", "Minute", "Hour", "Day", "Week")
        @test encode_key(getfield(Dates, Symbol(unit))(2)) == encode_key(Named("Dates.$unit", (2,)))
    end
end

# The library's own builder, as a second encoder.
function library_keys(arguments)
    key = Ref(C_NULL)
    @test ccall(address(:phicache_key_new), Int32, (Ptr{Ptr{Cvoid}},), key) == 0
    for (keyword, value) in arguments
        keyword === nothing ||
            (@test ccall(address(:phicache_key_add_keyword), Int32, (Ptr{Cvoid}, Cstring), key[], keyword) == 0)
        add_to_library(key[], value)
    end
    bytes = map((0, 1)) do typed
        slice = Ref(PhiCache.CBytes(C_NULL, 0))
        @test ccall(address(:phicache_key_bytes), Int32, (Ptr{Cvoid}, Int32, Ptr{PhiCache.CBytes}), key[], typed,
                    slice) == 0
        copy(unsafe_wrap(Array, slice[].data, slice[].len))
    end
    ccall(address(:phicache_key_free), Int32, (Ptr{Cvoid},), key[])
    return bytes
end
address(name) = Libdl.dlsym(PhiCache.LIBRARY[], name)
group(key, kind, items) = begin
    @test ccall(address(Symbol(:phicache_key_begin_, kind)), Int32, (Ptr{Cvoid},), key) == 0
    foreach(item -> add_to_library(key, item), items)
    ccall(address(Symbol(:phicache_key_end_, kind)), Int32, (Ptr{Cvoid},), key)
end
add_to_library(key, value) = @test 0 == (
    value === nothing ? ccall(address(:phicache_key_add_none), Int32, (Ptr{Cvoid},), key) :
    value isa Bool ? ccall(address(:phicache_key_add_bool), Int32, (Ptr{Cvoid}, Int32), key, value) :
    value isa Int64 ? ccall(address(:phicache_key_add_int), Int32, (Ptr{Cvoid}, Int64), key, value) :
    value isa UInt64 ? ccall(address(:phicache_key_add_uint), Int32, (Ptr{Cvoid}, UInt64), key, value) :
    value isa Float64 ? ccall(address(:phicache_key_add_double), Int32, (Ptr{Cvoid}, Float64), key, value) :
    value isa Vector{UInt8} ?
        ccall(address(:phicache_key_add_bytes), Int32, (Ptr{Cvoid}, PhiCache.CBytes), key, value) :
    value isa String ? ccall(address(:phicache_key_add_string), Int32, (Ptr{Cvoid}, PhiCache.CBytes), key, value) :
    value isa Direction ? ccall(address(:phicache_key_add_direction), Int32, (Ptr{Cvoid}, Int32), key, Int32(value)) :
    value isa NodeSet ? ccall(address(:phicache_key_add_nodes), Int32, (Ptr{Cvoid}, UInt64), key, mask(value)) :
    value isa Vector{Float64} ?
        ccall(address(:phicache_key_add_doubles), Int32, (Ptr{Cvoid}, Ptr{Float64}, Csize_t), key, value,
              length(value)) :
    value isa Union{Tuple,Vector{Any}} ? group(key, :tuple, value) :
    value isa Items ? group(key, :set, value.items) :
    begin
        @test ccall(address(:phicache_key_begin_named), Int32, (Ptr{Cvoid}, Cstring), key, value.name) == 0
        add_to_library(key, value.value)
        ccall(address(:phicache_key_end_named), Int32, (Ptr{Cvoid},), key)
    end)

collect_any(items) = Any[items...]

@testset "random arguments have the same bytes as in the library" begin
    doubles = (0.0, -0.0, 1.0, 0.5, -1.5, NaN, -NaN, Inf, -Inf, 2.0^53, 2.0^63, -2.0^63, 2.0^64, 1e300, 5e-324,
               prevfloat(2.0^64))
    leaf() = rand((() -> nothing, () -> rand(Bool), () -> rand((0, 1, -1, typemin(Int64), typemax(Int64))),
                   () -> rand((UInt64(1), typemax(UInt64), UInt64(2)^63)), () -> rand(doubles),
                   () -> rand(UInt8, rand(0:300)), () -> randstring("aφ", rand(0:40)), () -> Direction(rand(0:2)),
                   () -> NodeSet(mask=rand(UInt64)), () -> Float64[rand(doubles) for _ in 1:rand(0:40)]))()
    # Julia compiles the encoder anew for each type of tuple. A vector has the same encoding.
    tuples = (Tuple, collect_any, collect_any, collect_any)
    random(depth) = depth == 0 || rand(Bool) ? leaf() :
        rand((() -> rand(tuples)(random(depth - 1) for _ in 1:rand(0:4)),
              () -> Items(repeat(Any[random(depth - 1) for _ in 1:rand(0:4)], rand(1:2))),
              () -> Named(randstring("aφ", rand(1:9)), random(depth - 1))))()
    builder = KeyBuilder()
    for _ in 1:500
        arguments = Any[(nothing, random(4)) for _ in 1:rand(0:4)]
        append!(arguments, [(name, random(2)) for name in shuffle([:b, :a, :ab, :φ])[1:rand(0:4)]])
        empty!(builder)
        for (keyword, value) in arguments
            keyword === nothing ? add!(builder, value) : add!(builder; keyword => value)
        end
        @test (Vector{UInt8}(builder), Vector{UInt8}(builder; typed=true)) == library_keys(arguments)
    end
end

@testset "equal numbers are equal, unless typed" begin
    @test encode_key(3) == encode_key(3.0) == encode_key(Int8(3)) == encode_key(0x03) == encode_key(3.0f0)
    @test encode_key(true) == encode_key(1)
    @test encode_key(-0.0) == encode_key(0)
    @test encode_key(NaN) == encode_key(-NaN)
    @test encode_key(2^53 + 1) != encode_key(2.0^53)
    @test encode_key(typemax(UInt64)) == encode_key(Int128(typemax(UInt64)))
    @test length(Set([encode_typed_key(3), encode_typed_key(3.0)])) == 2
    @test encode_typed_key(true) != encode_typed_key(1)
    @test encode_typed_key(((1.0,),)) != encode_typed_key(((1,),))
    @test encode_key(Int128(2)^64) == encode_key(big(2)^64) != encode_key(big(2)^70) != encode_key(-big(2)^70)
    @test encode_key(1//2) == encode_key(0.5) == encode_key(big"0.5") == encode_key(0.5 + 0im)
    @test encode_key(1//3) != encode_key(1/3) != encode_key(big(1)/3)
    @test encode_key(4//2) == encode_key(2) == encode_key(big"2.0")
end

@testset "different arguments have different keys" begin
    different = [(), (nothing,), (0,), (1,), ("",), ("a",), (UInt8[],), ((),), (Set(),), ("a", "b"), ("ab",),
                 (("a", "b"),), (Set(["a", "b"]),), (:a,), (NodeSet(),), (NodeSet(1),), (NodeSet(2),), (CAUSE,),
                 (EFFECT,), (BIDIRECTIONAL,), (codeunits("a"),), ([1 2; 3 4],), ([1, 2, 3, 4],), ([1 3; 2 4],),
                 ((1, 2),), (1, 2), (0.5,), (NaN,), (Inf,), (-Inf,), (typemin(Int64),), (typemax(UInt64),)]
    @test allunique([encode_key(arguments...) for arguments in different])
    @test allunique([encode_typed_key(arguments...) for arguments in different])
    @test encode_key(x=1) != encode_key(1) != encode_key(y=1)
end

@testset "equal arguments have equal keys" begin
    @test encode_key(Set([1, 2, 3])) == encode_key(Set([3, 2, 1]))
    @test encode_key(1; a=2, b=3) == encode_key(1; b=3, a=2)
    @test encode_key(SubString("abc", 1, 2)) == encode_key("ab")
    @test encode_key([1, 2]) == encode_key((1, 2)) == encode_key(1:2) == encode_key((1.0, 2.0))
    @test encode_key([1.0, 2.0]) == encode_key(1.0:2.0) ==
        encode_key(view([0.0, 1.0, 2.0], 2:3)) != encode_key((1.0, 2.0))
    @test encode_key(Union{Nothing,Int}[nothing, 1]) == encode_key((nothing, 1))
    @test encode_key(codeunits("ab")) == encode_key(b"ab") == encode_key(Vector{UInt8}("ab"))
    @test encode_key([[1, 2], [3]]) == encode_key(((1, 2), (3,)))
end

@enum Measure EMD = 3 L1 = 7
struct Partition
    parts::Vector{NodeSet}
end
PhiCache.add!(key::KeyBuilder, partition::Partition) = add!(key, ("Partition", partition.parts))
mutable struct Unknown end

@testset "more types can be parts of keys; an error names a type that cannot" begin
    @test encode_key(L1) == encode_key(7)
    @test encode_key(Partition([NodeSet(1)])) == encode_key(("Partition", (NodeSet(1),)))
    exception = try encode_key((1, Unknown())) catch exception; exception end
    @test exception isa ArgumentError && occursin("Unknown cannot be part of a key", exception.msg)
    @test_throws ArgumentError encode_key(C_NULL)
    @test_throws ArgumentError encode_key(stdout)
    # A builder that failed halfway is not reused.
    @test encode_key(1) == encode_key(1)
    @test allunique([encode_key(String([0xff])), encode_key(String([0xfe])), encode_key([0xff]), encode_key("\u00ff")])
end

module Wrong
using PhiCache
struct Two
    x::Int
end
PhiCache.add!(key::KeyBuilder, two::Two) = (add!(key, two.x); add!(key, two.x))
struct Nothings
    x::Int
end
PhiCache.add!(key::KeyBuilder, ::Nothings) = key
struct One
    x::Any
end
PhiCache.add!(key::KeyBuilder, one::One) = add!(key, (one.x, (one.x, one.x)))
struct Node
    next::Any
end
end

@testset "an array with elements that have no value is refused in one line" begin
    memo = Memo(x -> 1)
    undefined = Vector{Any}(undef, 1)
    for array in (undefined, Vector{String}(undef, 2), Matrix{Any}(undef, 2, 2), view(undefined, 1:1), (1, undefined),
                  [undefined], Ref(undefined), undefined')
        for make in (memo, encode_key, encode_typed_key, array -> DictCache{Int}()[(array,)])
            @test occursin(r"elements have no value; assign all .*fill\(nothing, \d", message_of(() -> make(array)))
        end
    end
    # The next key is not affected.
    @test memo(Any[1]) == 1 && encode_key(Any[1]) == encode_key([1])
end

@testset "an error of add! names the type" begin
    message(key) = try Memo(x -> 1)(key) catch exception; exception.message end
    @test message(Wrong.Two(1)) == "add! for Main.Wrong.Two adds a second element; add one tuple of all elements"
    @test message(Wrong.Nothings(1)) == "add! for Main.Wrong.Nothings adds nothing; add what identifies a value"
    # In the keys of a cache too: two lists would have one key.
    for within in (identity, x -> (1, x), x -> [x], x -> (x, 1), x -> Set([x]), x -> Wrong.Node(x), x -> Dict(1 => x))
        for make in (encode_key, encode_typed_key, key -> DictCache{Int}()[(key,)])
            @test occursin("Main.Wrong.Two adds a second element", message_of(() -> make(within(Wrong.Two(1)))))
            @test occursin("Main.Wrong.Nothings adds nothing", message_of(() -> make(within(Wrong.Nothings(1)))))
        end
    end
    @test encode_key(Wrong.One(1), Wrong.One("a")) == encode_key((1, (1, 1)), ("a", ("a", "a")))
    @test startswith(message(foldl((next, _) -> Wrong.Node(next), 1:70; init=1)), "Main.Wrong.Node is nested too deep")
    @test endswith(message(foldl((next, _) -> Wrong.Node(next), 1:70; init=1)), "into an array")
    @test startswith(message(foldl((next, _) -> Any[next], 1:70; init=1)), "Array{Any,1} is nested too deep")
    deep = try encode_key(foldl((next, _) -> (next,), 1:70; init=1)) catch exception; exception.message end
    @test startswith(deep, "a tuple is nested too deep") && occursin("at most 64 deep", deep)
end

@testset "a long tuple is compiled in little time" begin
    numbers = Tuple(1:1000)
    others = ntuple(index -> isodd(index) ? Float32(index) : string(index), 200)
    @test (@elapsed encode_key(numbers)) < 20 && (@elapsed encode_key(others)) < 20
    @test encode_key(numbers) == encode_key([numbers...]) && encode_key(others) == encode_key(Any[others...])
    key_of(value) = Vector{UInt8}(PhiCache.add!(PhiCache.borrow_builder(true, PhiCache.EXACT), value))
    for length in (PhiCache.LONG_TUPLE - 1, PhiCache.LONG_TUPLE)
        @test key_of(numbers[1:length]) == encode_typed_key(numbers[1:length])
        @test key_of(others[1:length]) != key_of(others[[2; 2:length]])
    end
end

# Its indices begin after `offset`.
struct Shifted{T} <: AbstractVector{T}
    items::Vector{T}
    offset::Int
end
Base.size(vector::Shifted) = size(vector.items)
Base.axes(vector::Shifted) = (Base.IdentityUnitRange((1:length(vector.items)) .+ vector.offset),)
Base.getindex(vector::Shifted, index::Int) = vector.items[index-vector.offset]

@testset "arrays with other indices are other keys" begin
    for items in ([1, 2], [1.0, 2.0])
        vectors = (items, Shifted(items, 3), Shifted(items, 4))
        thrice = repeat(items, 3)
        parts = (view(thrice, 1:2), (view(thrice, Base.IdentityUnitRange(at:at+1)) for at in (3, 5))...)
        for arrays in (vectors, parts), encode in (encode_key, encode_typed_key)
            @test allunique(map(encode, arrays)) && encode(deepcopy(arrays[3])) == encode(arrays[3])
        end
        first_index = Memo(firstindex)
        @test first_index.(parts) == (1, 3, 5) && first_index.(vectors) == (1, 4, 5)
        @test encode_key(Shifted(items, 0)) == encode_key(items)
    end
end

@testset "a builder is reused" begin
    builder = KeyBuilder()
    for n in 1:3
        empty!(builder)
        add!(builder, "prefix", n; k=2.5)
        @test Vector{UInt8}(builder) == encode_key("prefix", n; k=2.5)
        @test Vector{UInt8}(builder; typed=true) == encode_typed_key("prefix", n; k=2.5)
    end
    cache = DictCache{Int}()
    cache[builder] = 5
    @test cache[encode_key("prefix", 3; k=2.5)] == 5
    # After an argument that could not be added there is no key until the builder is emptied.
    for wrong in (() -> add!(builder, 1), () -> add!(builder; k=1))
        @test status_of(wrong) == PhiCache.ERROR_INVALID_ARGUMENT
        @test status_of(() -> cache[builder]) == PhiCache.ERROR_INVALID_ARGUMENT
        empty!(builder)
        add!(builder, "prefix", 3; k=2.5)
        @test cache[builder] == 5
    end
end

@testset "the standard keys are those of their arguments" begin
    prefix = "p"^200
    for name in (nothing, "cause", prefix), direction in (CAUSE, EFFECT), mechanism in (NodeSet(), NodeSet(1, 64))
        purview = NodeSet(rand(1:64, 5))
        @test repertoire_key(name, direction, mechanism, purview) == encode_key(name, direction, mechanism, purview)
        @test mice_key(name, direction, mechanism) == encode_key(name, direction, mechanism, nothing)
        for purviews in (NodeSet[], [purview], [purview, NodeSet(), purview])
            @test mice_key(name, direction, mechanism, purviews) == encode_key(name, direction, mechanism, purviews)
        end
    end
    @test repertoire_key("r", CAUSE, [1, 2], 3) == repertoire_key("r", CAUSE, NodeSet(1, 2), NodeSet(3))
    @test status_of(() -> repertoire_key("r", BIDIRECTIONAL, 1, 2)) == PhiCache.ERROR_INVALID_ARGUMENT
end

@testset "a key is text, bytes or a tuple" begin
    cache = DictCache{Int}()
    cache["text"] = 1
    @test cache[b"text"] == cache[Vector{UInt8}("text")] == cache[SubString("text!", 1, 4)] == 1
    cache[("a", 1)] = 2
    @test cache["a", 1] == cache[encode_key("a", 1)] == cache[("a", 1.0)] == 2
    cache[""] = 3
    @test cache[UInt8[]] == cache[KeyParts()] == get_many(cache, [""])[1] == 3 && "" in keys(cache)
    # A list without arguments is no empty key, and an empty prefix is not the same as none.
    empty_list, without_prefix, with_empty = (DictCache{Int}() for _ in 1:3)
    empty_list[()] = 1
    @test empty_list[encode_key()] == 1 && !haskey(empty_list, "")
    @test Memo(() -> 2; cache=without_prefix)() == Memo(() -> 2; cache=with_empty, prefix="")() == 2
    @test collect(keys(without_prefix)) != collect(keys(with_empty))
    for (value, key) in enumerate((1, nothing, :symbol, [1, 2], (a=1,), [1 2; 3 4], 1//3, 'a', CAUSE, Int))
        cache[key] = value
        @test cache[key] == cache[(key,)] == value
    end
    @test cache[1] == 1 && cache[1.0] == 1 && length(cache) == 13
    @test_throws ArgumentError cache[Ref{Any}(stdout)] = 1
end

@testset "keys of several parts keep the parts apart" begin
    @test joined_key([1.0], [2.0, 3.0]) != joined_key([1.0, 2.0], [3.0])
    @test joined_key("ab", "c") == [b"abc"; 2; 0; 0; 0; 1; 0; 0; 0]
    @test allunique([joined_key(), joined_key(""), joined_key("", ""), joined_key("a", ""), joined_key("", "a")])
    @test_throws ArgumentError joined_key(Any[1])
    cache = DictCache{Int}()
    cache[KeyParts([1.0], "ab")] = 1
    @test cache[joined_key([1.0], "ab")] == cache[KeyParts(view([0.0, 1.0], 2:2), SubString("abc", 1, 2))] == 1
    @test get!(() -> 2, cache, KeyParts([1.0], "a", "b")) == 2 && length(cache) == 2
    @test allunique([joined_key(zeros(UInt8, n), zeros(UInt8, 1000 - n)) for n in 0:1000])
    # Matrices of other shapes would have equal bytes.
    for A in ([1.0 2.0; 3.0 4.0], [1.0 2.0 3.0], trues(2, 2), [1.0, 2.0]', fill(1.0))
        @test occursin("of a matrix A vec(A)", message_of(() -> KeyParts("a", A)))
        @test occursin("of a matrix A vec(A)", message_of(() -> joined_key(A)))
    end
    @test joined_key(vec([1 2; 3 4]), [2, 2]) == joined_key([1, 3, 2, 4], [2, 2])
end

# Values that dispatch tells apart: as arguments of a memo no two have equal keys.
function built(exactness, arguments)
    builder = KeyBuilder()
    builder.exactness = exactness
    PhiCache.add_each!(builder, arguments)
    return Vector{UInt8}(builder; typed=exactness == PhiCache.EXACT)
end
exact_key(@nospecialize(arguments...)) = built(PhiCache.EXACT, arguments)
untyped_exact_key(@nospecialize(arguments...)) = built(PhiCache.EXACT_UNTYPED, arguments)

@enum Color Red = 3
struct Located{T}
    x::T
    y::T
end
struct Loose
    x
end
struct Identified
    name
    ignored::Int
end
PhiCache.add!(key::KeyBuilder, value::Identified) = add!(key, value.name)
struct Other
    name
end
PhiCache.add!(key::KeyBuilder, value::Other) = add!(key, value.name)
adder(a) = x -> x + a

const DIFFERENT = Any[
    3, Int8(3), Int16(3), Int32(3), Int128(3), 0x03, UInt16(3), UInt32(3), UInt64(3), UInt128(3), big(3), 3.0, 3.0f0,
    Float16(3), big"3.0", 3//1, Int32(3)//Int32(1), 3+0im, 3.0+0im, true, L1, Red, Char(3), "3", SubString("33", 1, 1),
    "Red", :Red, b"3", UInt8[3], Int8[3], [3], [3.0], Float32[3], Any[3], Any[3.0], Real[3], Union{Int,Nothing}[3],
    reshape([3], 1, 1), reshape([3.0], 1, 1), view([3], 1:1), 3:3, 3:1:3, (3,), (3.0,), (Int32(3),), (a=3,), (b=3,),
    NamedTuple{(:a,),Tuple{Any}}((3,)), Set([3]), Set([3.0]), Set(Any[3]), BitSet([3]), Dict(3 => 3), Dict(3 => 3.0),
    Dict{Any,Any}(3 => 3), Dict(3 => 4), 3 => 3, 3 => 3.0, Ref(3), Ref(3.0), Ref{Any}(3), NodeSet(3), CAUSE,
    nothing, missing, (), [], Int[], Float64[], zeros(0, 3), zeros(3, 0), trues(1), [true], Int, Int32, Float64,
    Vector{Int}, Vector, Union{Int,Float64}, Union{}, Val(3), Val(3.0), Val(Int32(3)), Val(:a), Val(Int), sin, cos,
    adder(3), adder(3.0), adder(4), Located(3, 3), Located(3.0, 3.0), Located(Int32(3), Int32(3)), Loose(3), Loose(3.0),
    Loose(Int32(3)), Loose(Loose(3)), Identified(3, 0), Other(3), pi, ℯ, r"3", r"3"i, v"3", Base, Main, "\xff", b"\xff",
    big(2)^70, Int128(2)^70, big(2.0)^70, 2.0^70, BigFloat(0.1, precision=53), BigFloat(0.1, precision=60), [1 2; 3 4],
    [1 3; 2 4], [[3]], [[3.0]], [(3,)], Any[Int32(3)], 0.5, 1//2, -3, (3, nothing)]

@testset "arguments that dispatch tells apart have different keys" begin
    for key_of in (exact_key, untyped_exact_key)
        seen = Dict{Vector{UInt8},Any}()
        for value in DIFFERENT
            key = key_of(value)
            haskey(seen, key) && println("one key: ", repr(value), " and ", repr(seen[key]))
            @test !haskey(seen, key)
            @test key == key_of(value) != key_of((value,))
            seen[key] = value
        end
    end
    for (one, other) in ((Set([1, 2, 3]), Set([3, 2, 1])), (Dict(1 => 2, 3 => 4), Dict(3 => 4, 1 => 2)), (-0.0, 0.0),
                         (NaN, -NaN), ([1, 2], [1, 2]), (Identified("a", 1), Identified("a", 2)), ("ab", "ab"),
                         (adder(3), adder(3)))
        @test exact_key(one) == exact_key(other)
    end
    # Values that C has too have the same keys as in C.
    shared = ("a", NodeSet(1), CAUSE, nothing, 3, [0.5, 1.0], 0.25, ("b", 2))
    @test exact_key(shared...) == encode_typed_key(shared...) && untyped_exact_key(shared...) == encode_key(shared...)
end

# The processor takes subnormal numbers for zero then, in this thread.
function with_zero_subnormals(f)
    set_zero_subnormals(true) || error("the processor cannot do it")
    try
        return f()
    finally
        set_zero_subnormals(false)
    end
end

@testset "subnormal numbers keep their keys where the processor takes them for zero" begin
    numbers = [5e-324, -5e-324, 1e-310, prevfloat(floatmin(Float64)), floatmin(Float64), 0.0, -0.0, 1.0, -2.0^63, NaN,
               Inf]
    small = Any[1.0f-45, -1.0f-45, prevfloat(floatmin(Float32)), floatmin(Float32), 0.0f0, -0.0f0, Float16(6e-8),
                -Float16(6e-8), nextfloat(Float16(0))]
    arguments = Any[numbers..., small..., numbers, Float32[small[1:6]...], complex.(numbers, reverse(numbers))...,
                    complex.(1.0, numbers)..., (complex(1.0f0, x) for x in small[1:6])..., Set(numbers),
                    Set(small[1:6]), Set([numbers]), Dict(numbers .=> 1), 1.5 => numbers[1], view(numbers, 1:3)]
    encoders = (encode_key, encode_typed_key, exact_key, untyped_exact_key)
    for argument in arguments, encode in encoders
        @test encode(argument) == with_zero_subnormals(() -> encode(argument))
    end
    # Numbers of equal value are equal, whatever their types.
    @test with_zero_subnormals(() -> encode_key(small[1])) == encode_key(Float64(small[1])) == encode_key(big(small[1]))
    @test allunique(with_zero_subnormals(() -> map(encode_key, numbers[1:6])))
end

@testset "different types have different names" begin
    first_one = include_string(Main, "module Replaced; struct Thing end; end; Replaced.Thing()")
    key = exact_key(first_one)
    second = include_string(Main, "module Replaced; struct Thing end; end; Replaced.Thing()")
    @test typeof(second) !== typeof(first_one) && exact_key(second) != key == exact_key(first_one)
end

# The parts of a value that its key contains: for numbers the value, for all else the type too, for sets no order.
meaning(@nospecialize x) =
    x isa Real ? Any["number", Float64(x)] :
    x isa Tuple ? Any["tuple", map(meaning, Any[x...])...] :
    x isa Set ? Any["set", Set(map(meaning, Any[x...]))] :
    Any[string(typeof(x)), x]

@testset "a module that replaces another one is another argument" begin
    settings = [Core.eval(Module(:Settings), :(const STEP = $step; @__MODULE__)) for step in (1, 2)]
    step_of = Memo(within -> within.STEP)
    @test map(step_of, settings) == map(step_of, settings) == [1, 2] && info(step_of).hits == 2
    @test allunique([encode_key(within) for within in settings]) && encode_key(Base) == encode_key(Base)
end

@testset "random arguments have equal keys only if they are equal" begin
    random(depth) = rand((() -> nothing, () -> rand(Bool), () -> rand(-2:2), () -> rand((0.0, 1.0, 0.5, -1.0)),
                          () -> randstring("ab", rand(0:2)), () -> rand(b"ab", rand(0:2)), () -> NodeSet(rand(1:3)),
                          () -> rand((CAUSE, EFFECT)),
                          () -> depth == 0 ? () : Tuple(random(depth - 1) for _ in 1:rand(0:2)),
                          () -> depth == 0 ? Set() : Set(Any[random(depth - 1) for _ in 1:rand(0:2)])))()
    # Vectors of any type are tuples in keys, so their element type does not matter.
    arguments = [Any[random(2) for _ in 1:rand(1:2)] for _ in 1:400]
    keys = Dict()
    for list in arguments
        push!(get!(() -> Set(), keys, meaning(Tuple(list))), encode_key(list))
    end
    @test all(==(1) ∘ length, values(keys))
    @test length(reduce(union, values(keys))) == length(keys)
    @test 100 < length(keys) < length(arguments)
end
