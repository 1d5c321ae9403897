# Caches in Redis, at a real server that the test starts.

# A server in a new folder. The shell that starts it stops it when its input ends, so also when this process ends.
mutable struct RedisServer
    folder::String
    program::String
    shell::Base.Process
end

url(server) = "unix://$(server.folder)/socket"

function start(folder, program)
    script = raw"""folder=$1; shift; "$@" > /dev/null & read -r line; kill -9 $!; rm -f "$folder/socket" """
    options = `--port 0 --unixsocket $folder/socket --dir $folder --save "" --appendonly no`
    shell = open(`sh -c $script sh $folder $program $options`, "w", devnull)
    server = RedisServer(folder, program, shell)
    began = time()
    while !redis_available(Config(redis_url=url(server)))
        time() - began < 20 || error("$program does not start")
        sleep(0.01)
    end
    return server
end

function stop(server)
    close(server.shell.in)
    wait(server.shell)
end

restart(server) = server.shell = start(server.folder, server.program).shell

function redis_program()
    named = get(ENV, "PHICACHE_REDIS_SERVER", "")
    isempty(named) || return named
    for name in ("redis-server", "valkey-server")
        Sys.which(name) === nothing || return name
    end
    return nothing
end

small_system() = Subsystem(Fingerprint(fill(0.5, 8, 3), trues(3, 3), "redis test"), [0, 0, 0], 1:3)

function test_redis(server)
    config = Config(redis_url=url(server), redis_timeout=5)

    @testset "a value that one cache stores is found by others" begin
        cache = RedisCache{Vector{Float64}}(config=config)
        @test get(cache, "key", nothing) === nothing
        cache["key"] = [0.25, 0.75]
        cache["two", NodeSet(1)] = Float64[]
        other = RedisCache{Vector{Float64}}(config=config)
        @test other["key"] == [0.25, 0.75] && other[("two", NodeSet(1))] == Float64[]
        @test haskey(other, "key") && !haskey(other, "other")
        @test info(cache) == (hits=0, misses=1, size=2) && length(other) == 2
        @test withvalue(sum, cache, "key", Float64) == 1.0
        delete!(cache, "key")
        @test !haskey(other, "key")
        @test occursin("1 values", repr(cache))
        empty!(other)
        @test isempty(cache)
    end

    @testset "without a role, length and empty! cover the namespace" begin
        all = RedisCache{Int}(config=config)
        others = (RedisCache{Float64}(config=config),
                  RedisCache{Int}(Fingerprint([0.0 0; 0 1; 1 0; 1 1], trues(2, 2), "namespace"),
                                  "counts"; config=config))
        foreach(cache -> cache["key"] = 1, others)
        @test length(all) == 2
        empty!(all)
        @test !any(cache -> haskey(cache, "key"), others)
    end

    @testset "functions run only on a miss" begin
        cache, other = (RedisCache{Vector{Int}}(config=config) for _ in 1:2)
        calls = 0
        compute() = (calls += 1; [calls])
        @test get!(compute, cache, "key") == get!(compute, other, "key") == [1]
        @test memoize!(view -> view .= 1:3, cache, "in place", 3) == other["in place"] == 1:3
        @test_throws ErrorException get!(() -> error("its own"), cache, "fails")
        twice(n) = (calls += 1; [n, n])
        memo = Memo(twice; cache=cache, prefix="twice")
        @test memo(5) == Memo(twice; cache=other, prefix="twice")(5) == [5, 5]
        # Another function, on another handle of the same values.
        @test status_of(() -> Memo(n -> [0]; cache=other, prefix="twice")) == PhiCache.ERROR_INVALID_ARGUMENT
        # Values of another type are not found.
        numbers = RedisCache{Int}(config=config)
        @test Memo(n -> n; cache=numbers, prefix="twice")(5) == 5
        @test get_many(cache, ["key", "unknown"]) == [[1], nothing]
        @test set_many!(cache, ["many" => [7], "more" => Int[]]) == [PhiCache.OK, PhiCache.OK]
        @test other["many"] == [7]
        @test calls == 2
        empty!(cache)
    end

    @testset "a cache finds only values of its type" begin
        given = Any["key", UInt8[1, 2], ("channel", 1), 5, KeyParts([1.5]), encode_key(1), repeat("long", 50),
                    add!(KeyBuilder(), 7)]
        for key in given
            caches = [RedisCache{V}(config=config) for V in (Int, Float64, NTuple{8,UInt8}, Vector{Int}, String, Any)]
            for (index, cache) in enumerate(caches)
                @test !haskey(cache, key) && get(cache, key, nothing) === peek(cache, key) === nothing
                @test get_many(cache, [key]) == [nothing]
                @test cache isa RedisCache{Any} || withvalue(identity, cache, key, UInt8) === nothing
                cache[key] = (1, 1.0, ntuple(UInt8, 8), [1], "eight ch", nothing)[index]
            end
            @test caches[1][key] === 1 && caches[2][key] === 1.0 && caches[5][key] == "eight ch"
            delete!(caches[1], key)
            @test !haskey(caches[1], key) && haskey(caches[2], key)
        end
        # What a builder, its bytes and a tuple are keys of is the same.
        cache = RedisCache{Int}(config=config)
        cache[(1, "two")] = 3
        @test cache[encode_key(1, "two")] == cache[add!(KeyBuilder(), 1, "two")] == 3
        # A method, and a memo with the keys of C.
        method = CachedMethod((object, x) -> object; prefix="m")
        @test method(cache, 1, 5) === 1 && method(RedisCache{Float64}(config=config), 2.5, 5) === 2.5
        untyped(V) = Memo(x -> V(2); cache=RedisCache{V}(config=config), prefix="untyped", typed=false)
        @test untyped(Int)(5) === 2 && untyped(Float64)(5) === 2.0
        # The callback of verified mode gets the key that finds the value.
        heard = []
        checked = RedisCache{Int}(config=config, verify_every=1, ondifference=(key, _...) -> push!(heard, key))
        get!(() -> 4, checked, (1, "two"))
        @test heard == [encode_key(1, "two")]
        # Programs in C have bytes.
        bytes = RedisCache{Vector{UInt8}}(config=config)
        PhiCache.store(bytes, "of C", [0x01, 0x02])
        @test bytes["of C"] == [0x01, 0x02] && !haskey(RedisCache{String}(config=config), "of C")
        # With no_checksum any values are as in C.
        bare = RedisCache{Float64}(config=config, no_checksum=true)
        bare["bare"] = 1.5
        @test RedisCache{Vector{UInt8}}(config=config, no_checksum=true)["bare"] == reinterpret(UInt8, [1.5])
        empty!(cache)
    end

    @testset "values with checksums and without are told apart" begin
        cache = RedisCache{Vector{Int}}(config=config)
        bare = RedisCache{Vector{Int}}(config=config, no_checksum=true)
        cache["key"], bare["key"], bare["bare"] = [1], [2], [3]
        @test cache["key"] == [1] && bare["key"] == [2] && !haskey(cache, "bare")
        @test stats(cache).damaged == stats(bare).damaged == 0
        empty!(cache)
        @test isempty(bare)
    end

    @testset "if several tasks and processes miss a key, one computes" begin
        caches = [RedisCache{Int}(config=config, lease=20) for _ in 1:3]
        calls = Threads.Atomic{Int}(0)
        compute() = (sleep(0.2); Threads.atomic_add!(calls, 1); 7)
        # Each handle stands for a process of its own.
        tasks = [Threads.@spawn get!(compute, cache, "key") for cache in repeat(caches, 4)]
        @test all(==(7), map(fetch, tasks)) && calls[] == 1
        child = """using PhiCache; cache = RedisCache{Int}(config=Config(redis_url="$(url(server))"), lease=20);
                   print(get!(() -> (sleep(1); 8), cache, "of the child"))"""
        process = open(julia("-e", child))
        wait_until(() -> length(caches[1]) == 1 && lease_exists(server))
        @test get!(() -> 9, caches[1], "of the child") == 8
        @test read(process, String) == "8"
        empty!(caches[1])
    end

    @testset "values expire" begin
        cache = RedisCache{Int}(config=config, ttl=0.2)
        cache["key"] = 1
        sleep(0.4)
        @test !haskey(cache, "key")
        @test_throws ArgumentError RedisCache{Int}(config=config, ttl=-1)
        @test_throws ArgumentError RedisCache{Int}(config=config, lease=NaN)
    end

    @testset "a cache with identity and role has only its own values" begin
        one = RedisCache{Int}(fingerprint(small_system()), "one"; config=config, name="one")
        same, other = (RedisCache{Int}(fingerprint(small_system()), role; config=config) for role in ("one", "other"))
        one["key"] = 1
        @test same["key"] == 1 && !haskey(other, "key")
        @test (name="one", kind=:redis) in [(name=item.name, kind=item.kind) for item in named_caches()]
        empty!(same)
        # Free it now: the tests of the registry must not find it.
        close(one)
    end

    @testset "MICE are shared, and inherited unless the cut damages them" begin
        system = small_system()
        parent = MICECache{Float64}(system; config=config, kind=:redis)
        child = MICECache{Float64}(Subsystem(system, Cut(3, NodeSet(1) => NodeSet(2, 3))); parent=parent, config=config,
                                   kind=:redis)
        undamaged, damaged = Mice(CAUSE, 1, 2, 0.5, 1.0), Mice(EFFECT, 1, 2, 0.25, 2.0)
        keys = [mice_key(nothing, mice.direction, mice.mechanism) for mice in (undamaged, damaged)]
        @test set_many!(parent, zip(keys, [undamaged, damaged])) == [PhiCache.OK, PhiCache.OK]
        @test get_many(child, keys) == [undamaged, nothing] && child[keys[1]] == undamaged
        @test set!(child, keys[2], damaged) == PhiCache.REFUSED_CUT
        @test set!(parent, "no phi", Mice(CAUSE, 1, 2, 0, 0.0)) == PhiCache.OK
        config.redis_cache = true
        elsewhere = MICECache{Float64}(system; config=config)
        @test elsewhere[keys[2]] == damaged && stats(elsewhere).damaged == 0
        in_process = MICECache{Float64}(system; kind=:dict)
        here = Mice(CAUSE, 1, 2, 0.5, 3.0)
        @test set!(in_process, "here", here) == PhiCache.OK
        # A child is where its parent is.
        @test MICECache{Float64}(system; parent=in_process, config=config)["here"] == here
        @test !haskey(elsewhere, "here")
        empty!(parent)
    end

    @testset "after a server failure values are still computed; with server_errors it is an error" begin
        cache = RedisCache{Int}(config=config)
        strict = RedisCache{Int}(config=config, server_errors=true)
        cache["key"] = 1
        @test redis_available(config) && redis_ping(config; timeout=2) === nothing
        stop(server)
        @test !redis_available(config; timeout=0.2)
        @test status_of(() -> redis_ping(config)) == PhiCache.ERROR_REDIS
        @test get(cache, "key", 0) == 0 && set!(cache, "key", 2) == PhiCache.REFUSED_SERVER
        @test get!(() -> 7, cache, "key") == 7 && stats(cache).refused_server >= 1
        @test get_many(cache, ["key"], 0) == [0] && set_many!(cache, ["key" => 1]) == [PhiCache.REFUSED_SERVER]
        @test status_of(() -> delete!(cache, "key")) == PhiCache.ERROR_REDIS
        @test status_of(() -> strict["key"]) == PhiCache.ERROR_REDIS
        @test repr(strict) isa String
        health = redis_health(cache)
        @test health.failures > 0 && health.connections > 0 && occursin("socket", health.last_error)
        restart(server)
        wait_until(() -> set!(cache, "key", 3) == PhiCache.OK)
        @test strict["key"] == 3 && redis_health(cache).skipping == 0
    end
end

function wait_until(is_so)
    began = time()
    while !is_so()
        time() - began < 300 || error("it does not happen")
        sleep(0.01)
    end
end

# A cache with the whole database counts leases too.
lease_exists(server) = length(RedisCache{Int}(config=Config(redis_url=url(server), redis_whole_database=true))) == 2

if redis_program() === nothing
    println("SKIPPED: redis-server is missing, so the Julia tests of Redis do not run")
else
    mktempdir() do folder
        server = start(folder, redis_program())
        try
            test_redis(server)
        finally
            stop(server)
        end
    end
end
