# Saved caches, in a new directory.

struct Corner
    x::Int
    y::Int
end

mktempdir() do directory
    file = joinpath(directory, "values.phi")

    @testset "values are loaded, and keys keep theirs" begin
        cache = DictCache{Vector{Float64}}()
        cache["key"] = [0.25, 0.75]
        cache["two", NodeSet(1)] = Float64[]
        @test save_cache(cache, file, "version 1") == 2
        other = DictCache{Vector{Float64}}()
        other["key"] = [1.0]
        @test load_cache!(other, file, "version 1") == (loaded=1, kept=1, refused=0, damaged=0)
        @test other["key"] == [1.0] && other[("two", NodeSet(1))] == Float64[]
        found = describe_saved(file; verify=true)
        @test (found.role, found.context) == ("values", "version 1 (Julia: Vector{Float64})")
        @test (found.records, found.damaged) == (2, 0)
        @test found.bytes == filesize(file)
    end

    @testset "another context loads nothing" begin
        cache = DictCache{Vector{Float64}}()
        error = try load_cache!(cache, file, "version 2") catch error; error end
        @test error isa PhiCacheError && error.status == PhiCache.ERROR_INVALID_ARGUMENT
        @test occursin("\"version 1 (", error.message) && occursin("\"version 2 (", error.message)
        @test isempty(cache)
        @test status_of(() -> DiskCache{Vector{Float64}}("version 2"; file=file)) == PhiCache.ERROR_INVALID_ARGUMENT
        @test status_of(() -> load_cache!(cache, joinpath(directory, "no"), "c")) == PhiCache.ERROR_STORAGE
        @test status_of(() -> describe_saved("/etc/passwd")) == PhiCache.ERROR_DAMAGED
        @test status_of(() -> save_cache(cache, joinpath(directory, "no", "file"), "c")) == PhiCache.ERROR_STORAGE
    end

    @testset "a file is read in place" begin
        cache = DiskCache{Vector{Float64}}("version 1"; file=file, name="saved")
        @test cache["key"] == [0.25, 0.75] && length(cache) == 2
        @test get(cache, "other", nothing) === nothing
        @test set!(cache, "other", [1.0]) == PhiCache.REFUSED_DISABLED
        @test get!(() -> [5.0], cache, "computed") == [5.0]
        @test status_of(() -> delete!(cache, "key")) == PhiCache.ERROR_UNSUPPORTED
        @test disk_health(cache).segments == 1
        @test sort([sum(value) for (key, value) in cache]) == [0.0, 1.0]
        @test status_of(() -> save_cache(cache, file, "version 1")) == PhiCache.ERROR_UNSUPPORTED
        close(cache)
    end

    @testset "a memo reads its results in place" begin
        stored = DictCache{Float64}()
        let
            @phicache cache=stored prefix="extent@1" extent(corner::Corner)::Float64 = corner.x + corner.y
            @test extent(Corner(1, 2)) == 3 && save_cache(stored, file, "extents") == 1
        end
        saved = DiskCache{Float64}("extents"; file=file)
        let
            @phicache cache=saved prefix="extent@1" extent(corner::Corner)::Float64 = error("it is not found")
            @test extent(Corner(1, 2)) == 3
        end
        close(saved)
    end

    # The output of a program that loads what the program before it has saved, if anything, and saves its own cache.
    function run_after(saved, program)
        script = joinpath(directory, "program.jl")
        write(script, """
            using PhiCache
            cache = DictCache{Float64}()
            isfile($(repr(saved))) && load_cache!(cache, $(repr(saved)), "version 1")
            $program
            save_cache(cache, $(repr(saved)), "version 1")
            """)
        return read(julia(script), String)
    end

    @testset "another process does not find values under anonymous functions of its own" begin
        run_with(f, change) = run_after(file * "2", """
            print(get!(() -> 1.0, cache, ("named", sqrt)), " ", get!(() -> $change, cache, ("f", $f)))""")
        @test run_with("x -> 2x", 2.0) == "1.0 2.0"
        # Julia gives this function the name that the other one had.
        @test run_with("x -> x + 7", 7.0) == "1.0 7.0"
    end

    @testset "another process does not find the values of a function that has changed" begin
        run_with(change) = run_after(file * "3", """
            compute(x) = $change
            memo = Memo(compute; cache=cache, prefix="compute")
            print(memo(1.0), " ", info(memo).hits)""")
        @test run_with("2x") == "2.0 0"
        # Its definition has the world age that the other one had.
        @test run_with("x + 7") == "8.0 0"
    end

    @testset "another process does not find values under types of a replaced module" begin
        run_with(x) = run_after(file * "4", """
            new_kind() = Core.eval(Module(:Replaced), :(struct Kind end; Kind))
            get!(() -> 1.0, cache, ("of", new_kind()))
            print(get!(() -> $x, cache, ("of", new_kind())))""")
        @test run_with(2.0) == "2.0"
        @test run_with(3.0) == "3.0"
    end

    @testset "structs and enums that have changed are other keys" begin
        run_with(definitions) = run_after(file * "5", """
            $definitions
            struct Two; one::One; end
            struct Tree; below::Vector{Tree}; end
            @phicache cache=cache prefix="memo" memo(x)::Float64 = 1.0
            method = CachedMethod((object, x) -> 1.0; prefix="method")
            request(key) = (get!(() -> 1.0, cache, ("key", key)); memo(key); method(cache, nothing, key))
            one = One(1, 2)
            foreach(request, (one, Two(one), (1, one), Tree([])))
            memo(Color(1)), method(cache, nothing, [Color(1)])
            print(info(cache).hits)""")
        @test run_with("struct One; a::Int; b::Int; end; @enum Color red=1 green=2") == "0"
        @test run_with("struct One; a::Int; b::Int; end; @enum Color red=1 green=2") == "14"
        # Only the tree is the same.
        @test run_with("struct One; b::Int; a::Int; end; @enum Color red=2 green=1") == "3"
    end

    @testset "MICE belong to their subsystem" begin
        network = Fingerprint(fill(0.5, 8, 3), trues(3, 3), "saved test")
        system, other = Subsystem(network, (1, 0, 0), NodeSet(1, 2, 3)), Subsystem(network, (0, 0, 0), NodeSet(1, 2, 3))
        cache = MICECache{Vector{Float64}}(system)
        cache["k"] = Mice(CAUSE, NodeSet(1), NodeSet(2), 0.5, [1.0])
        @test save_cache(cache, file, "L1") == 1
        again = MICECache{Vector{Float64}}(system)
        @test load_cache!(again, file, "L1").loaded == 1
        @test again["k"].phi == 0.5
        @test status_of(() -> load_cache!(MICECache{Vector{Float64}}(other), file, "L1")) ==
              PhiCache.ERROR_INVALID_ARGUMENT
    end
end
