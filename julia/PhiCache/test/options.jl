# What a constructor does not take, it says in one line.

@testset "an option that does not exist, or has the wrong type, is named" begin
    network = Fingerprint(rand(4, 2), trues(2, 2), "options")
    system = Subsystem(network, [0, 0], 1:2)
    makers = ((DictCache, (; options...) -> DictCache(; options...)),
              (DictCache, (; options...) -> DictCache{Int}(fingerprint(system), "role"; options...)),
              (RedisCache, (; options...) -> RedisCache{Int}(; options...)),
              (RedisCache, (; options...) -> RedisCache{Int}(fingerprint(system), "role"; options...)),
              (DiskCache, (; options...) -> DiskCache{Int}("context"; options...)),
              (DiskCache, (; options...) -> DiskCache{Int}("context"; file="/nowhere", options...)),
              (DiskCache, (; options...) -> DiskCache{Int}(fingerprint(system), "role"; options...)),
              (PurviewCache, (; options...) -> PurviewCache(; options...)),
              (MICECache, (; options...) -> MICECache{Int}(system; options...)),
              (Memo, (; options...) -> Memo(abs; options...)),
              (CachedMethod, (; options...) -> CachedMethod(abs; options...)),
              (Subsystem, (; options...) -> Subsystem(network, [0, 0], 1:2; options...)))
    for (T, make) in makers
        message = message_of(() -> make(maxbytes=1))
        @test startswith(message, "$(nameof(T)) has no option maxbytes; its options are ") && !occursin('\n', message)
        T in (Memo, CachedMethod, Subsystem) && continue
        message = message_of(() -> make(name=:symbol))
        @test message == "$(nameof(T)): the option name is :symbol, of type Symbol; expected text"
    end
    for (option, value) in (:max_bytes => 1e9, :max_bytes => true, :on_full => "evict", :verify_every => "2",
                            :config => 1)
        @test occursin("the option $option is $(repr(value)), of type", message_of(() -> DictCache(; option => value)))
    end
    for (option, value) in (:ttl => "1", :lease => "1", :server_errors => 1, :scan_timeout => nothing)
        @test_throws ArgumentError RedisCache(; option => value)
    end
    for (option, value) in (:refresh => "always", :sync => 1, :directory => 5, :near_bytes => 1.5)
        @test_throws ArgumentError DiskCache("context"; option => value)
    end
    for (option, value) in (:returns => 5, :typed => 1, :cache => 5, :prefix => 5, :maximum_memory_percent => "5")
        @test_throws ArgumentError Memo(abs; option => value)
    end
    @test_throws ArgumentError CachedMethod(abs; prefix=5)
    @test_throws ArgumentError MICECache(system; kind="redis")
    @test_throws ArgumentError MICECache(system; directory="/tmp", config=Config())
    @test occursin("exclude each other", message_of(() -> DiskCache("context"; file="/nowhere", directory="/tmp")))
    @test occursin("max_bytes exclude each other", message_of(() -> DiskCache("context"; file="/nowhere", max_bytes=1)))
end

@testset "limits belong to the cache of a memo" begin
    for make in (() -> Memo(abs; max_bytes=1 << 20), () -> @eval @phicache max_bytes=5 limited(x) = x)
        error = try make() catch error; error end
        error isa LoadError && (error = error.error)
        @test error isa ArgumentError && occursin("has no option max_bytes", error.msg)
        @test endswith(error.msg, "max_bytes belongs to its cache: cache=DictCache(max_bytes=...)")
    end
end

@testset "a constructor that does not exist is answered with those that do" begin
    for (make, expected) in (
        (() -> DictCache("x"), "there is no DictCache(::String); expected DictCache{V}(; options...)"),
        (() -> DictCache{1}(), "a cache cannot hold values of type 1; expected an Array of a bits type"),
        (() -> DiskCache{1}("x"), "values of type 1"), (() -> DiskCache{:V}("x"; file="/file"), "values of type V"),
        (() -> RedisCache{1}(), "values of type 1"), (() -> Memo(sin; returns=1), "returns is 1"),
        (() -> DictCache{1}(Fingerprint([0.0 1.0]', [1], "x"), "role"), "values of type 1"),
        (() -> Fingerprint([0.0 1.0]', [1], :x), "the context is :x, of type Symbol; expected text"),
        (() -> DictCache{Int}("x", 1), "expected DictCache{V}(; options...)"),
        (() -> DiskCache(), "expected DiskCache{V}(context"),
        (() -> DiskCache{Int}(5), "expected DiskCache{V}(context"),
        (() -> RedisCache("x"), "expected RedisCache{V}(; options...)"),
        (() -> PurviewCache(1), "expected PurviewCache(; options...)"),
        (() -> MICECache(), "expected MICECache{P}(subsystem"),
        (() -> MICECache(DictCache()), "expected MICECache{P}(subsystem"),
        (() -> Memo(), "expected Memo(f; options...)"),
        (() -> Memo(3), "3, of type Int64, cannot be called; expected a function"),
        (() -> close(Memo(sin)), "cannot be closed; empty!(memo) removes its values"),
        (() -> close(Memo(sin; cache=DictCache{Float64}())), ", and close(cache) closes the cache"),
        (() -> CachedMethod(), "expected CachedMethod(f; options...)"),
        (() -> Config("x"), "expected Config(; settings...)"),
        (() -> Mice(1, 2), "expected Mice(direction"), (() -> NodeSet("a"), "the node is 'a', of type Char"),
        (() -> NodeSet(1.5), "the node is 1.5, of type Float64; expected an integer, 1 to 64"),
        (() -> NodeSet(mask=-1), "the mask is -1"))
        @test occursin(expected, message_of(make))
    end
end

@testset "a call that does not exist is answered in one line with those that do" begin
    cache, system = DictCache{Float64}(), Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "calls"), [0, 0], 1:2)
    memo, method = Memo(abs; cache=cache, prefix="calls"), CachedMethod(abs)
    for (call, expected) in (
        (() -> stats(abs), "expected stats(cache), stats(memo) or stats(name)"),
        (() -> stats(method), "a cached method is a function, and its values are in the cache of each object"),
        (() -> info(method), "a cached method is a function, and its values are in the cache of each object"),
        (() -> empty!(method), "a cached method is a function"),
        (() -> delete!(memo, 3), "there is no delete!(::Memo, ::Int64); expected a call f(arguments...), info(f) for"),
        (() -> memo[3], "a memo is a function"), (() -> memo[3] = 1, "a memo is a function"),
        (() -> length(memo), "info(f) for its counts"), (() -> get!(() -> 1.0, memo, 3), "a memo is a function"),
        (() -> copy(memo), "a memo is a function"), (() -> peek(memo, 3), "a memo is a function"),
        (() -> push!(cache, "key" => 1.0), "no push!(::DictCache{Float64}, ::Pair{String,Float64}); expected cache["),
        (() -> merge!(cache, Dict("key" => 1.0)), "expected set_many!(cache, pairs)"),
        (() -> merge(cache, cache), "expected set_many!(cache, pairs)"),
        (() -> mergewith!(+, cache, Dict("key" => 1.0)), "expected set_many!(cache, pairs)"),
        (() -> copy(cache), "expected Dict(cache) for its pairs, or set_many!(other, cache)"),
        (() -> empty(cache), "expected another cache, or empty!(cache)"),
        (() -> filter!(last, cache), "|| delete!(cache, key); end"),
        (() -> filter(last, cache), "expected filter(f, Dict(cache))"),
        (() -> get(cache, "key"), "expected get(cache, key, default), peek(cache, key), or cache[key]"),
        (() -> get!(cache, "key"), "expected get!(cache, key) do ... end"), (() -> cache[], "expected cache[key]"),
        (() -> haskey(cache), "expected haskey(cache, key)"), (() -> delete!(cache), "expected delete!(cache, key)"),
        (() -> pop!(cache), "expected pop!(cache, key) or pop!(cache, key, default)"),
        (() -> setindex!(cache, 1.0), "expected cache[key] = value"),
        (() -> entries(memo), "expected entries(cache)"), (() -> original(sin), "expected original(memo)"),
        (() -> set!(cache, "key"), "expected set!(cache, key, value; cost=0)"),
        (() -> set_many!(cache, ["a"], [1.0]), "such as a dictionary or zip(keys, values)"),
        (() -> set_many!(cache, ["a", "b"]),
         "set_many! got \"a\", of type String, among its pairs; expected key => value"),
        (() -> get_many(cache, "key"), "get_many got the text \"key\"; expected a list of keys"),
        (() -> withvalue(cache, "key"), "expected withvalue(f, cache, key) or"),
        (() -> memoize!(identity, memo, 1, 2), "expected memoize!(fill!, cache, key, sizes...)"),
        (() -> save_cache(cache, "file"), "expected save_cache(cache, file, context)"),
        (() -> load_cache!("file", cache, "context"), "expected load_cache!(cache, file, context)"),
        (() -> redis_ping(cache), "there is no redis_ping(::DictCache{Float64}); expected redis_ping(config=default"),
        (() -> redis_ping("redis://localhost"), "with the Config of a cache"),
        (() -> disk_remove("directory"), "expected disk_remove(fingerprint, config) or"),
        (() -> nodes(cache), "expected nodes(subsystem)"),
        (() -> damages(system, :cause, 1, 2), "expected damages(cut, direction, mechanism, purview) or"),
        (() -> would_store(cache, 1.0), "with a MICECache"), (() -> mask(3), "with a NodeSet"),
        (() -> memory_full(cache), "expected memory_full(config=default_config())"),
        (() -> repertoire_key(CAUSE, 1, 2), "where the prefix may be nothing"),
        (() -> mice_key(nothing, CAUSE, 1, NodeSet(1, 2)), "a list in order, such as [NodeSet(1), NodeSet(1, 2)]"),
        (() -> mice_key(nothing, CAUSE, 1, Set([NodeSet(1)])), "a list in order, such as [NodeSet(1), NodeSet(1, 2)]"),
        (() -> add!(3), "with a KeyBuilder first"), (() -> joined_key(3), "with text and vectors"),
        (() -> KeyParts(3), "with text and vectors"),
        (() -> Direction(:cause), "expected CAUSE, EFFECT or BIDIRECTIONAL"),
        (() -> NodeSet(:a), "the node is :a, of type Symbol; expected an integer, 1 to 64"),
        (() -> CachedMethod(3), "CachedMethod: 3, of type Int64, cannot be called; expected a function"))
        message = message_of(call)
        @test occursin(expected, message) && !occursin('\n', message)
    end
    for call in (() -> get(memo, 3, nothing), () -> get!(memo, 3, 1.0), () -> get(method, 3, nothing))
        @test occursin("is a function, and", sprint(showerror, try call() catch error; error end))
    end
    # A memo may compute.
    @test get!(Memo(() -> 2.0), cache, "key") == get(Memo(() -> 2.0), cache, "other") == 2.0
    @test set_many!(cache, "a" => 1.0) == set_many!(cache, zip(["a"], [1.0])) == [PhiCache.OK]
    # All functions that the package exports have an answer, but those that take anything.
    for name in names(PhiCache)
        f = getfield(PhiCache, name)
        f isa Function && parentmodule(f) == PhiCache && !startswith(String(name), '@') || continue
        @test name in keys(PhiCache.CALLS) || name in (:encode_key, :encode_typed_key)
    end
end

struct Address
    at::Ptr{Int}
end

@testset "values with addresses stay in this process" begin
    for V in (Address, Ptr{Int}, Cstring, Vector{Address}, Tuple{Int,Address})
        cache = DictCache{V}()
        for make in (() -> DiskCache{V}("addresses"), () -> RedisCache{V}(),
                     () -> save_cache(cache, "file", "addresses"))
            @test occursin("because they contain addresses", message_of(make))
        end
    end
end

@testset "an option that must be a function, or one of few symbols, is checked when the cache is made" begin
    for (option, value) in (:same => 1e-3, :same => nothing, :ondifference => "stop")
        message = message_of(() -> DictCache{Float64}(; verify_every=1, option => value))
        @test occursin("the option $option is $(repr(value)), of type", message)
    end
    @test occursin("or :always", message_of(() -> DiskCache{Float64}("options"; directory=mktempdir(), refresh=:never)))
end

@testset "messages have one line" begin
    for definition in (:(@phicache struct Shape; x; end), :(@phicache x -> x + 1), :(@phicache Base.sin(x::String) = x),
                       :(@phicache begin; 1; 2; end f(x) = x))
        message = message_of(() -> try macroexpand(@__MODULE__, definition) catch error; throw(error.error) end)
        @test occursin("expected", message) && !occursin('\n', message) && !occursin("#=", message)
    end
end

@testset "a setting of the wrong type is named" begin
    config = Config()
    for (name, value) in (:cache_repertoires => 2, :maximum_memory_percent => "30", :redis_timeout => "1",
                          :redis_url => 5, :disk_directory => 5, :on_full => "evict")
        message = message_of(() -> setproperty!(config, name, value))
        @test occursin("the setting $name is $(repr(value)), of type", message)
    end
    message = message_of(() -> config.redis_login = "secret")
    @test occursin("expected a tuple (user, password)", message) && !occursin("secret", message)
end

@testset "a name that is in use says what to do when a file is included again" begin
    cache = DictCache(name="included")
    error = try DictCache(name="included") catch error; error end
    @test error isa PhiCacheError && error.status == PhiCache.ERROR_NAME_IN_USE
    @test occursin("\"included\" exists; close that one first, with close(cache)", error.message)
    close(cache)
end
