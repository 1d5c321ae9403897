# Handles, processes and runs that share values must agree on their type: bytes that are read as another type would be a
# wrong value.

module Shared
struct Point
    x::Float64
    y::Float64
end
@enum Color red = 1 green = 2
end
# A type of the same name with other fields, as after an edit of the program.
module Edited
struct Point
    x::Float64
    y::Int
end
@enum Color red = 2 green = 1
end

@testset "handles of one cache in this process have one type" begin
    network, role = Fingerprint(fill(0.5, 8, 3), trues(3, 3), "sharing $(rand(UInt64))"), "numbers"
    doubles = DictCache{Float64}(network, role)
    doubles["key"] = 1.5
    value_of_other() = DictCache{Float64}(network, role)["key"]
    for V in (Int, Any, Vector{Float64}, String)
        message = message_of(() -> DictCache{V}(network, role))
        @test occursin("the cache \"numbers\" of", message) && occursin("has values of type Float64", message)
        @test occursin("use Float64 here too, close its other handles first, or choose another role", message)
    end
    @test value_of_other() == 1.5
    @test_throws ArgumentError DictCache(network, role)
    other_role = DictCache{Int}(network, "other")
    other_role["key"] = 2
    @test doubles["key"] == 1.5
    close(doubles)
    # The handles above that are garbage now do not count.
    @test DictCache{Int}(network, role) isa DictCache{Int}
    # Identities whose handles are closed are forgotten.
    for n in 1:PhiCache.SHARED_FULL[] + 1
        close(DictCache{Int}(network, "role $n"))
    end
    @test length(PhiCache.SHARED) < PhiCache.SHARED_FULL[] / 2
    # At a server: no handle connects before it is used.
    config = Config(redis_url="redis://localhost:1")
    remote = RedisCache{Float64}(network, role; config=config)
    @test_throws ArgumentError RedisCache{Int}(network, role; config=config)
    elsewhere = Config(redis_url="redis://localhost:1", redis_namespace="other")
    @test RedisCache{Int}(network, role; config=elsewhere) isa RedisCache
    system = Subsystem(network, [1, 0, 0], 1:3)
    mice = MICECache{Float64}(system; config=config, kind=:redis)
    @test_throws ArgumentError MICECache{Int}(system; config=config, kind=:redis)
    foreach(close, (remote, mice))
    # Caches of this process only are not shared.
    @test MICECache{Float64}(system; kind=:dict) isa MICECache && MICECache{Int}(system; kind=:dict) isa MICECache
end

mktempdir() do directory
    chmod(directory, 0o700)
    open_cache(V, context="squares, version 1"; options...) = DiskCache{V}(context; directory=directory, options...)

    @testset "the directory remembers the type of each cache" begin
        cache = open_cache(Float64)
        cache["key"] = 1.5
        @test occursin("close its other handles first", message_of(() -> open_cache(Int)))
        close(cache)
        message = message_of(() -> open_cache(Int))
        @test occursin("the disk cache \"squares, version 1\" in $(realpath(directory))", message)
        @test occursin("values of type Float64, which would be read as Int64", message) && !occursin('\n', message)
        @test_throws ArgumentError open_cache(Any)
        @test_throws ArgumentError open_cache(Int; read_only=true)
        # Also in another process.
        program = """using PhiCache
                     try DiskCache{Int}("squares, version 1"; directory="$directory")
                     catch error; print(error.msg) end"""
        @test read(julia("-e", program), String) == message
        cache = open_cache(Float64)
        @test cache["key"] == 1.5
        # A cache without values may get another type.
        empty!(cache)
        close(cache)
        cache = open_cache(Int)
        cache["key"] = 2
        close(cache)
        @test_throws ArgumentError open_cache(Float64)
        @test open_cache(Float64, "squares, version 2") isa DiskCache
        config = Config(disk_directory=directory)
        foreach(item -> disk_remove(item.fingerprint, config), disk_list(config))
        @test open_cache(Float64) isa DiskCache
    end

    @testset "a cache without values keeps its type while another process has it open" begin
        program = """using PhiCache
                     cache = DiskCache{Float64}("in use"; directory="$directory")
                     println("open"); readline(); cache["key"] = 1.5; println("stored"); readline()"""
        process = open(julia("-e", program), "r+")
        @test readline(process) == "open"
        @test occursin("wait until the other process", message_of(() -> open_cache(Int, "in use")))
        println(process)
        @test readline(process) == "stored"
        @test occursin("change the version in its context", message_of(() -> open_cache(Int, "in use")))
        close(open_cache(Float64, "in use"))
        println(process)
        wait(process)
        # A file is closed with its handle, and is not another one in another process.
        before = length(readdir("/proc/self/fd"))
        for _ in 1:3
            cache = open_cache(Float64, "in use")
            @test !isopen(sent(cache).type_file)
            close(cache)
            @test !isopen(cache.type_file)
        end
        @test length(readdir("/proc/self/fd")) <= before
    end

    @testset "identities and roles, and MICE, too" begin
        network = Fingerprint(fill(0.5, 8, 3), trues(3, 3), "sharing")
        system = Subsystem(network, [1, 0, 0], 1:3)
        cache = DiskCache{Float64}(network, "role"; directory=directory)
        mice = MICECache{Float64}(system; kind=:disk, directory=directory)
        cache["key"], mice["key"] = 1.5, Mice(CAUSE, NodeSet(1), NodeSet(2), 0.5, 1.5)
        for _ in 1:2
            @test_throws ArgumentError DiskCache{Int}(network, "role"; directory=directory)
            @test_throws ArgumentError MICECache{Int}(system; kind=:disk, directory=directory)
            foreach(close, (cache, mice))
        end
        @test DiskCache{Int}(network, "other role"; directory=directory) isa DiskCache
        @test MICECache{Float64}(system; kind=:disk, directory=directory)["key"].payload == 1.5
    end

    @testset "a context and its fingerprint name the same cache" begin
        cache = open_cache(Float64, "named")
        cache["key"] = 1.5
        listed = disk_list(Config(disk_directory=directory))
        identity = only(item.fingerprint for item in listed if item.context == "named")
        @test_throws ArgumentError DiskCache{Int}(identity, "values"; directory=directory)
        close(cache)
        @test_throws ArgumentError DiskCache{Int}(identity, "values"; directory=directory)
        @test DiskCache{Float64}(identity, "values"; directory=directory)["key"] == 1.5
    end

    @testset "a type is its name and its layout" begin
        cache = open_cache(Shared.Point, "points")
        cache["key"] = Shared.Point(1.0, 2.0)
        close(cache)
        @test occursin("Point(x::Float64, y::Float64), which would be read as Point(x::Float64, y::Int64)",
                       message_of(() -> open_cache(Edited.Point, "points")))
        cache = open_cache(Vector{Shared.Color}, "colors")
        cache["key"] = [Shared.red]
        close(cache)
        @test_throws ArgumentError open_cache(Vector{Edited.Color}, "colors")
        @test PhiCache.layout(Array{Float64,3}) == "Array{Float64,3}"
        @test PhiCache.layout(Tuple{Int,Bool}) == "Tuple{Int64,Bool}"
        @test PhiCache.layout(Complex{Float64}) == "Complex{Float64}(re::Float64, im::Float64)"
        @test PhiCache.layout(Mice{Any}) == "Mice{Any}" && PhiCache.layout(Mice{Float64}) == "Mice{Float64}"
    end

    @testset "a directory that cannot be written to is used nevertheless" begin
        below = mkdir(joinpath(directory, "below"); mode=0o700)
        write(joinpath(below, "julia"), "")  # a file where the types would be
        for V in (Float64, Int)
            cache = DiskCache{V}("context"; directory=below)
            @test set!(cache, "key", 1) == PhiCache.OK
            close(cache)
        end
    end

    @testset "a saved file has the type in its context" begin
        file = joinpath(directory, "saved.phi")
        cache = DictCache{Float64}()
        cache["key"] = 1.5
        save_cache(cache, file, "version 1")
        for use in (() -> load_cache!(DictCache{Int}(), file, "version 1"),
                    () -> DiskCache{Int}("version 1"; file=file), () -> load_cache!(DictCache(), file, "version 1"))
            error = try use() catch error; error end
            @test error isa PhiCacheError && error.status == PhiCache.ERROR_INVALID_ARGUMENT
            @test occursin("\"version 1 (Julia: Float64)\"", error.message)
        end
        @test load_cache!(DictCache{Float64}(), file, "version 1").loaded == 1
        # A file of another language has the context as it is.
        PhiCache.check(PhiCache.@c phicache_cache_save(
            cache::Ptr{PhiCache.CView}, file::Cstring, "version 1"::PhiCache.CBytes,
            Ref(UInt64(0))::Ptr{UInt64})::Int32)
        @test describe_saved(file).context == "version 1"
        @test load_cache!(DictCache{Float64}(), file, "version 1").loaded == 1
        @test DiskCache{Float64}("version 1"; file=file)["key"] == 1.5
        # Lists of node sets are the same in all languages.
        purviews = PurviewCache()
        purviews[CAUSE, 1] = [NodeSet(1)]
        save_cache(purviews, file, "version 1")
        @test describe_saved(file).context == "version 1" && load_cache!(PurviewCache(), file, "version 1").loaded == 1
    end
end

@testset "a view has the type of the values, or is of their bytes" begin
    for (V, value) in ((Vector{Float64}, [1.5]), (Matrix{Float64}, [1.5 2.5]), (Float64, 1.5), (String, "text"))
        cache = DictCache{V}()
        cache["key"] = value
        @test occursin("cannot be viewed as arrays of Int64", message_of(() -> withvalue(sum, cache, "key", Int)))
        @test withvalue(eltype, cache, "key", UInt8) == UInt8
    end
    numbers, matrices = DictCache{Float64}(), DictCache{Matrix{Float64}}()
    numbers["key"], matrices["key"] = 1.5, [1.5 2.5]
    @test withvalue(collect, numbers, "key", Float64) == [1.5]
    @test withvalue(collect, matrices, "key", Float64) == [1.5 2.5]
    @test withvalue(length, matrices, "key", UInt8) == 32
end

@phicache typed=false (one_of(x::T)::Vector{T}) where {T} = [x]

@testset "untyped calls with results of different types are different" begin
    @test one_of(1) == [1] && one_of(1.0) == [1.0] && one_of(1) isa Vector{Int} && one_of(1.0) isa Vector{Float64}
    @test info(one_of) == (hits=2, misses=2, size=2)
end
