# Disk caches, in a new directory.

import Dates

struct DiskHolds
    f::Function
    number::Any
end
(held::DiskHolds)(x) = held.f(x) + first(held.number)

struct DiskPoint
    x::Int
end

# Functions with a constant or a function in the type, and with a constant in a field.
struct Shift{S} end
(::Shift{S})(x) where {S} = x + S
struct Apply{F} end
(::Apply{F})(x) where {F} = F.instance(x)
struct ShiftBy <: Function
    by::Float64
end
(shift::ShiftBy)(x) = x + shift.by

small_identity() = Fingerprint(fill(0.5, 8, 3), trues(3, 3), "disk test")

function test_disk(directory)
    open_cache(V, context; options...) =
        DiskCache{V}(context; directory=directory, refresh=:always, storage_errors=true, options...)

    @testset "the next handle finds the values" begin
        cache = open_cache(Vector{Float64}, "values")
        @test get(cache, "key", nothing) === nothing
        cache["key"] = [0.25, 0.75]
        cache["two", NodeSet(1)] = Float64[]
        @test disk_sync(cache) === nothing
        close(cache)
        other = open_cache(Vector{Float64}, "values")
        @test other["key"] == [0.25, 0.75] && other[("two", NodeSet(1))] == Float64[]
        @test haskey(other, "key") && !haskey(other, "other") && length(other) == 2
        @test info(other) == (hits=2, misses=0, size=2)
        @test withvalue(sum, other, "key", Float64) == 1.0
        @test sort([sum(value) for (key, value) in other]) == [0.0, 1.0]
        @test sort(map(String, filter(key -> length(key) == 3, collect(keys(other))))) == ["key"]
        delete!(other, "key")
        @test !haskey(other, "key") && occursin("1 values", repr(other))
        @test !haskey(open_cache(Vector{Float64}, "other values"), ("two", NodeSet(1)))
        empty!(other)
        @test isempty(other)
        any = DiskCache("any"; directory=directory)
        any["key"] = (1, "two")
        @test any["key"] == (1, "two")
    end

    @testset "functions run once, also in the next process" begin
        calls = 0
        compute() = (calls += 1; [calls])
        for run in 1:2
            cache = open_cache(Vector{Int}, "functions")
            @test get!(compute, cache, "key") == [1]
            @test memoize!(view -> (calls += 1; view .= 1:3), cache, "in place", 3) == 1:3
            @test_throws ErrorException get!(() -> error("its own"), cache, "fails")
            memo = Memo(n -> (calls += 1; [n, n]); cache=cache, prefix="twice@1")
            @test memo(5) == [5, 5]
            @test calls == 3
            @test set_many!(cache, ["many" => [7], "more" => Int[]]) == [PhiCache.OK, PhiCache.OK]
            @test get_many(cache, ["many", "unknown"]) == [[7], nothing]
            for prefix in ("twice", "twice@", nothing)
                @test status_of(() -> Memo(n -> [n]; cache=cache, prefix=prefix)) == PhiCache.ERROR_INVALID_ARGUMENT
            end
            close(cache)
        end
        child = """using PhiCache; cache = DiskCache{Vector{Int}}("functions"; directory="$directory");
                   print(get!(() -> [9], cache, "key"), Memo(n -> [0]; cache=cache, prefix="twice@1")(5))"""
        @test read(julia("-e", child), String) == "[1][5, 5]"
    end

    @testset "anonymous and local functions, and their types, are not part of a key" begin
        cache = open_cache(Int, "functions in keys")
        memo = Memo(f -> 1; cache=cache, prefix="memo@1")
        method = CachedMethod((object, f) -> 1; prefix="method@1")
        by_key(key) = get!(() -> 1, cache, key)
        by_method(argument) = method(cache, nothing, argument)
        number = 1
        inner(x) = x + number
        for f in (x -> x + 1, inner), key in (f, (f, 1), typeof(f), Val(f), [f], Dict(1 => f))
            for request in (memo, by_key, by_method)
                @test occursin("anonymous", message_of(() -> request(key)))
            end
            # The key of a cache does not name the type of elements.
            @test occursin("anonymous", message_of(() -> memo(typeof(f)[])))
        end
        @test isempty(cache)
        for (prefix, reason) in (nothing => "the method has no prefix", "method" => r"prefix .*method.* has no version")
            message = message_of(() -> CachedMethod((object, x) -> 1; prefix=prefix)(cache, nothing, 1))
            @test occursin(reason, message) && occursin("The key of a method lacks the object", message)
        end
        for key in (sin, typeof(sin), Val(sin), [sin]), request in (memo, by_key, by_method)
            @test request(key) == 1
        end
        within = Module(Symbol("##test#253"))
        @eval within struct Point
            x::Int
        end
        @test by_key(Base.invokelatest(within.Point, 1)) == 1
    end

    @testset "a struct or an enum with other fields is another argument" begin
        script(definitions) = """
            using PhiCache; $definitions
            struct Two; one::One; end
            struct Tree; below::Vector{Tree}; end
            first_of(x) = string(x)
            cache = DiskCache{String}("fields"; directory="$directory")
            memo = Memo(first_of; cache=cache, prefix="first@1")
            method = CachedMethod((object, x) -> first_of(x); prefix="method@1")
            one = One(1, 2)
            print(map(memo, (one, Two(one), [one], (1, one), Tree([]), Color(1), [Color(1)], Act(1, 2), Val(one))))
            hits() = info(cache).hits
            of_cache(request) = (before = hits(); foreach(request, (one, ("x", Two(one)))); hits() - before)
            print(of_cache(key -> get!(() -> "", cache, key)), of_cache(x -> method(cache, nothing, x)))
            print(info(memo).hits)"""
        act = "struct Act <: Function"
        before = "struct One; a::Int; b::Int; end; @enum Color red=1 green=2; $act; a::Int; b::Int; end"
        after = "struct One; b::Int; a::Int; end; @enum Color red=2 green=1; $act; b::Int; a::Int; end"
        run_with(definitions) = read(julia("-e", script(definitions)), String)
        @test endswith(run_with(before), "000") && endswith(run_with(before), "229")
        output = run_with(after)
        @test endswith(output, "001") && occursin("\"green\"", output)  # only the tree is the same
    end

    @testset "a value with a struct or an enum that has changed is an error" begin
        values = ("One(1, 2)", "Any[3, One(1, 2)]", "[One(1, 2)]", "Dict(:one => One(1, 2))", "Holds(One(1, 2))",
                  "(Color(1), 2)", "Color(1)", "Act(1, 2)", "Val(One(1, 2))", "Holds(Val(Color(1)))", "Val{Color(1)}",
                  "Any[Vector{Val{(3, One(1, 2))}}]")
        script(definitions) = """
            using PhiCache; $definitions
            struct Holds; held::Any; end
            cache = DiskCache("definitions"; directory="$directory")
            print(get!(() -> "same", cache, "other"))
            for (key, value) in pairs(($(join(values, ", ")),))
                try
                    print(string(get!(() -> value, cache, key)) == string(value))
                catch error
                    print(occursin(r"definition has changed|types .* have changed", error.message) ? 'x' : error)
                end
            end"""
        run_with(definitions) = read(julia("-e", script(definitions)), String)
        act = "struct Act <: Function"
        before = "struct One; a::Int; b::Int; end; @enum Color red=1 green=2; $act; a::Int; b::Int; end"
        @test run_with(before) == run_with(before) == "same" * "true"^length(values)
        for after in ("struct One; b::Int; a::Int; end; @enum Color red=2 green=1; $act; b::Int; a::Int; end",
                      "struct One; a::Int; b::Float64; end; One(a::Int, b::Int) = One(a, Float64(b)); " *
                      "@enum Color green=1; $act; a::Int; b::Float64; end; Act(a::Int, b::Int) = Act(a, Float64(b))")
            @test run_with(after) == "same" * 'x'^length(values)
        end
    end

    @testset "a value with a closure of a module is an error in the next run" begin
        script(definition) = """
            using PhiCache
            module Closures; f = $definition; end
            cache = DiskCache("closures of modules"; directory="$directory")
            print(try get!(() -> (Closures.f, 1), cache, "key")[1](1) catch error; error.message end)"""
        @test read(julia("-e", script("x -> x + 1")), String) == "2"
        @test occursin("whose definition has changed", read(julia("-e", script("x -> x + 5")), String))
    end

    @testset "a key has the same bytes as everywhere" begin
        cache = open_cache(Int, "keys")
        arguments = (DiskPoint(1), Dates.Second(1), [1.0 + 2.5im], :symbol)
        cache[arguments] = 1
        @test collect(keys(cache)) == [encode_key(arguments...)]
        cache[arguments[2:3]] = 2
        @test cache[encode_key(arguments[2:3]...)] == 2
        close(cache)
    end

    @testset "values that are parameters of types differ also if they print the same" begin
        script(values) = """
            using PhiCache
            struct Quiet; number::Int; end
            Base.show(io::IO, ::Quiet) = print(io, "quiet")
            number_of(::Val{V}) where {V} = V isa Tuple ? first(V).number : V.number
            memo = Memo(number_of; cache=DiskCache{Int}("parameters"; directory="$directory"), prefix="number@1")
            print([memo(Val(value)) for value in $values], info(memo).hits)
            struct Unit{U}; size::Float64; end
            print(PhiCache.layout(Unit{Quiet(1)}) == PhiCache.layout(Unit{Quiet(2)}))"""
        run_with(values) = read(julia("-e", script(values)), String)
        @test run_with("(Quiet(1), Quiet(2), (Quiet(3),))") == "[1, 2, 3]0false"
        @test run_with("((Quiet(4),), (Quiet(3),), Quiet(2), Quiet(1))") == "[4, 3, 2, 1]3false"
    end

    @testset "closures with other captured values are other functions" begin
        cache = open_cache(Float64, "closures")
        @noinline plus(shift) = Memo(x -> x + shift; cache=cache, prefix="plus@1")(1.0)
        @noinline function local_plus(shift)
            @phicache cache=cache prefix="local@1" f(x)::Float64 = x + shift
            return f(1.0)
        end
        @noinline applied(f, x) = Memo(x -> f(x); cache=cache, prefix="applied@1")(x)
        for shift in (1.0, 2.0)
            @test plus(shift) == local_plus(shift) == 1.0 + shift
        end
        @test applied(sin, 1.0) == sin(1.0) && applied(cos, 1.0) == cos(1.0)
        # In tuples and structs, in functions, in memos, in fields of any type.
        @noinline of_pair(pair) = Memo(x -> pair[1](x) + pair[2]; cache=cache, prefix="pair@1")(1.0)
        @noinline of_struct(held) = Memo(held; cache=cache, prefix="struct@1")(1.0)
        @noinline of_type(T) = Memo(x -> Float64(T(x)); cache=cache, prefix="type@1")(0.1)
        @noinline of_inner(shift) = (inner(x) = x + shift; Memo(x -> inner(x); cache=cache, prefix="inner@1")(1.0))
        @noinline function of_memo(shift)
            @phicache inner(x) = x + shift
            return Memo(x -> inner(x); cache=cache, prefix="memo@1")(1.0)
        end
        @noinline of_keyword(shift) =
            Memo((x; more=1.0) -> x + more + shift; cache=cache, prefix="keyword@1")(1.0; more=2.0)
        @noinline function local_keyword(shift)
            @phicache cache=cache prefix="local keyword@1" f(x; more=1.0)::Float64 = x + more + shift
            return f(1.0; more=2.0)
        end
        @noinline of_static(::Val{N}) where {N} = Memo(x -> x + N; cache=cache, prefix="static@1")(1.0)
        @noinline static_keyword(::Val{N}) where {N} =
            Memo((x; more=1.0) -> x + more + N; cache=cache, prefix="static keyword@1")(1.0; more=2.0)
        for f in (sin, cos), number in (1, 2), make in (tuple, (f, number) -> (first=f, second=number),
                                                        (f, number) -> (f, (number, sin)[1]), Pair)
            @test of_pair(make(f, number)) == f(1.0) + number
            @test of_struct(DiskHolds(f, number)) == of_struct(DiskHolds(f, (number,))) == f(1.0) + number
        end
        @test of_type(Float32) == Float64(0.1f0) && of_type(Float64) == 0.1
        for number in 1.0:3.0, f in (of_inner, of_memo)
            @test f(number) == 1 + number
        end
        for number in 1.0:3.0, f in (of_keyword, local_keyword)
            @test f(number) == 3 + number
        end
        for number in 1:3
            @test of_static(Val(number)) == 1 + number && static_keyword(Val(number)) == 3 + number
        end
        # Functions that have captured themselves and each other.
        function of_itself(first)
            @phicache cache=cache prefix="fibonacci@1" f(n)::Float64 = n < 2 ? first : f(n - 1) + f(n - 2)
            return f(10)
        end
        function of_each_other(last)
            @phicache cache=cache prefix="even@1" even(n)::Float64 = n == 0 ? last : odd(n - 1)
            @phicache cache=cache prefix="odd@1" odd(n)::Float64 = n == 0 ? -last : even(n - 1)
            return even(11)
        end
        for misses in (46, 0)
            before = info(cache).misses
            @test of_itself(1.0) == 89 && of_itself(2.0) == 178 && of_each_other(1.0) == -1 && of_each_other(2.0) == -2
            @test info(cache).misses - before == misses
        end
        # Other processes could not tell one anonymous function from another.
        for captured in (x -> x + 1, x -> x + 2), run in (() -> applied(captured, 1.0), () -> of_pair((captured, 1)))
            @test occursin("has captured an anonymous function", message_of(run))
        end
        # Nor where a type says which function it is.
        for f in (x -> x + 1, x -> x + 2), made in (Shift{f}(), Apply{typeof(f)}(), (let T = typeof(f); x -> T; end))
            @test occursin("an anonymous function",
                           message_of(() -> Memo(made; cache=cache, prefix="in a type@1")(1.0)))
        end
        # The next run may have captured other constants, alone or inside functions, tuples and structs.
        @noinline held_by(f) = applied(f, 2.0)
        @noinline text_of(value) = Memo(x -> string(value); cache=other, prefix="text@1")(1)
        @noinline second_of(pair) = Memo(x -> pair[2]; cache=other, prefix="second@1")(1)
        other = open_cache(String, "constants of closures")
        for shift in (1.0, 2.0)
            adding = Base.Fix2(+, shift)
            for f in (adding, (let g = adding; inner(x) = g(x); end), Shift{shift}(), ShiftBy(shift), Memo(adding))
                @test held_by(f) == 2.0 + shift
            end
            @test Memo(Shift{shift}(); cache=cache, prefix="shift@1")(2.0) == 2.0 + shift
            @test Memo(ShiftBy(shift); cache=cache, prefix="shiftby@1")(2.0) == 2.0 + shift
        end
        itself(x) = x
        for value in Any[big(1), big(2), big"1.5", big"2.5", r"a", r"b", v"1.0", v"2.0", Int8, Int16, Base, Core,
                         1 // big(2), 1 // big(3), Some(big(1)), Some{Any}(1), Some{Any}(2), Some{Any}(1.0),
                         (1, [2]), (2, [2]), (itself, 1), itself => 1, (first=itself, second=1), (first=itself, last=1)]
            @test text_of(value) == string(value)
        end
        for text in ("one", "two")
            @test second_of(([1], text)) == text
        end
    end

    @testset "handles of one context are one cache, with the same options" begin
        one, other = open_cache(Int, "handles"; name="disk"), open_cache(Int, "handles"; name="disk")
        started = Channel{Nothing}(1)
        task = Threads.@spawn get!(() -> (put!(started, nothing); sleep(0.1); 7), one, "key")
        take!(started)
        @test get!(() -> 8, other, "key") == fetch(task) == 7
        @test (name="disk", kind=:disk) in [(name=item.name, kind=item.kind) for item in named_caches()]
        @test status_of(() -> open_cache(Int, "handles"; near_bytes=1 << 20)) == PhiCache.ERROR_INVALID_ARGUMENT
        foreach(close, (one, other))  # the tests of the registry must not find it
        @test_throws ArgumentError open_cache(Int, "handles"; config=Config())
        @test_throws ArgumentError open_cache(Int, "handles"; near_bytes=-1)
        @test_throws ArgumentError DiskCache{Int}("handles"; directory=directory, refresh=-1)
        @test status_of(() -> open_cache(Int, "")) == PhiCache.ERROR_INVALID_ARGUMENT
        @test status_of(() -> DiskCache{Int}("c"; directory="relative")) == PhiCache.ERROR_INVALID_ARGUMENT
    end

    @testset "a reader refuses stores" begin
        writer = open_cache(Int, "read")
        writer["key"] = 1
        close(writer)
        reader = open_cache(Int, "read"; read_only=true)
        @test reader["key"] == 1 && set!(reader, "key", 2) == PhiCache.REFUSED_DISABLED
        @test get!(() -> 3, reader, "new") == get!(() -> 4, reader, "new") == 3  # in the memory of this process
        close(reader)
        @test !haskey(open_cache(Int, "read"), "new")
    end

    @testset "MICE outlive their cache, and cut children inherit them" begin
        system = Subsystem(small_identity(), [1, 0, 0], 1:3)
        key = mice_key(nothing, EFFECT, NodeSet(2))
        kept = Mice(EFFECT, NodeSet(2), NodeSet(3), 0.5, [1.0])
        for config in (Config(disk_directory=joinpath(directory, "mice")), nothing)
            where = config === nothing ? (directory=joinpath(directory, "mice"), kind=:disk) : (config=config,)
            parent = MICECache{Vector{Float64}}(system; name="mice", where...)
            @test (kind=:disk_mice, name="mice") in [(kind=item.kind, name=item.name) for item in named_caches()]
            config === nothing || set!(parent, key, kept)
            @test disk_sync(parent) === nothing
            severed = Subsystem(system, Cut(3, NodeSet(1) => NodeSet(2, 3)))
            child = MICECache{Vector{Float64}}(severed; parent=parent, where...)
            @test child[key] == kept && parent[key] == kept && length(parent) == 1
            foreach(close, (child, parent))
        end
    end

    @testset "failures are refusals or errors" begin
        below = joinpath(directory, "below")
        quiet = DiskCache{Int}("quiet"; directory=below)
        strict = DiskCache{Int}("strict"; directory=below, storage_errors=true)
        mv(below, below * ".moved")
        write(below, "")  # a file, so that the directory cannot be made again
        @test set!(quiet, "key", 1) == PhiCache.REFUSED_STORAGE && get!(() -> 7, quiet, "key") == 7
        @test stats(quiet).refused_storage == 2
        @test disk_health(quiet).failures > 0 && occursin(below, disk_health(quiet).last_failure)
        @test status_of(() -> set!(strict, "key", 1)) == PhiCache.ERROR_STORAGE
        @test repr(PhiCache.ERROR_STORAGE) == "Status(ERROR_STORAGE)"
        @test repr(PhiCache.REFUSED_STORAGE) == "Status(REFUSED_STORAGE)"
        @test repr(strict) isa String
        rm(below)
        mv(below * ".moved", below)
        @test set!(quiet, "key", 1) == PhiCache.OK
    end

    @testset "a directory that others may change is refused" begin
        group = mkdir(joinpath(directory, "group"); mode=0o700)
        chmod(group, 0o770)
        @test status_of(() -> DiskCache{Int}("c"; directory=group)) == PhiCache.ERROR_STORAGE
        cache = DiskCache{Int}("c"; directory=group, trust_group=true, sync=true, max_bytes=1 << 20)
        @test set!(cache, "key", 1) == PhiCache.OK
    end

    @testset "a directory is listed, and an identity removed" begin
        config = Config(disk_directory=joinpath(directory, "list"))
        @test status_of(() -> disk_list(config)) == PhiCache.ERROR_STORAGE  # it does not exist
        @test !occursin("phicache_", message_of(() -> DiskCache{Int}("x"; directory="here/below")))
        @test occursin("\"the option max_bytes is 5;",
                       message_of(() -> DiskCache{Int}("x"; config=config, max_bytes=5)))
        cache = DiskCache{Int}(small_identity(), "role"; config=config)
        same = DiskCache{Int}(small_identity(), "role"; config=config)
        @test isempty(disk_list(config))
        foreach(key -> cache[key] = key, 1:10)
        @test same[7] == 7
        item = only(disk_list(config; verify=true))
        @test (item.fingerprint, item.role) == (small_identity(), "role")
        @test (item.segments, item.writers, item.records, item.damaged) == (1, 1, 10, 0) && item.bytes > 0
        @test disk_health(cache).segments == 1 && disk_health(cache).index_bytes > 0
        @test item.context == ""
        DiskCache{Int}("entropy, version 1"; directory=joinpath(directory, "list"))["k"] = 1
        @test any(item -> item.context == "entropy, version 1" && item.role == "values", disk_list(config))
        disk_remove(first(item.fingerprint for item in disk_list(config) if item.role == "values"), config)
        @test disk_list(joinpath(directory, "list")) == disk_list(config)
        disk_remove(small_identity(), joinpath(directory, "list"))
        @test isempty(disk_list(config))
        @test status_of(() -> disk_health(DictCache())) == PhiCache.ERROR_INVALID_HANDLE
    end
end

mktempdir() do directory
    chmod(directory, 0o700)
    test_disk(directory)
end
