@testset "settings are read, set, and checked" begin
    config = Config(maximum_memory_percent=30, cache_repertoires=false)
    @test config.maximum_memory_percent == 30
    @test !config.cache_repertoires
    config.cache_repertoires = true
    @test config.cache_repertoires
    config.cache_potential_purviews = false
    @test !config.cache_potential_purviews
    @test config.on_full == :configured
    for choice in (:evict, :refuse, :configured)
        config.on_full = choice
        @test config.on_full == choice
    end
    for choice in (:keep, 1, "evict")
        @test_throws ArgumentError config.on_full = choice
    end
    config.maximum_memory_percent = PhiCache.UNLIMITED
    @test config.maximum_memory_percent == PhiCache.UNLIMITED
    config.redis_url = "redis://user:secret@localhost:6379/1"
    @test occursin("localhost", config.redis_url) && !occursin("secret", config.redis_url)
    config.redis_namespace = "φ"^0 * "mine"
    @test config.redis_namespace == "mine"
    @test config.redis_timeout == 1 && !config.redis_whole_database
    config.redis_timeout, config.redis_whole_database = 0.25, true
    @test config.redis_timeout == 0.25 && config.redis_whole_database
    config.redis_login = ("user", "secret")
    config.redis_login = (nothing, nothing)
    @test_throws ArgumentError config.redis_login
    @test !occursin("secret", repr(config))
    @test propertynames(config) == PhiCache.SETTINGS
    default = config.disk_directory
    config.disk_directory = "/a/directory"
    @test config.disk_directory == "/a/directory"
    @test status_of(() -> config.disk_directory = "relative") == PhiCache.ERROR_INVALID_ARGUMENT
    config.disk_directory = nothing
    @test config.disk_directory == default != "/a/directory"

    for percent in (-3, 100.5, NaN, Inf)
        @test status_of(() -> config.maximum_memory_percent = percent) == PhiCache.ERROR_INVALID_ARGUMENT
    end
    @test status_of(() -> config.redis_namespace = "not a name") == PhiCache.ERROR_INVALID_ARGUMENT
    for seconds in (0, 3601)
        @test status_of(() -> config.redis_timeout = seconds) == PhiCache.ERROR_INVALID_ARGUMENT
    end
    @test_throws ArgumentError config.redis_timeout = -1
    @test_throws ArgumentError config.unknown
    @test_throws ArgumentError config.unknown = 1
    @test_throws ArgumentError Config(unknown=1)
    @test_throws Exception config.cache_repertoires = 2
end

@testset "the process default is a configuration" begin
    config = default_config()
    before = config.maximum_memory_percent
    @test 0 <= before <= 100
    try
        config.maximum_memory_percent = 0
        @test set!(DictCache(), "key", 1) == PhiCache.REFUSED_MEMORY
    finally
        config.maximum_memory_percent = before
    end
    @test set!(DictCache(), "key", 1) == PhiCache.OK
end

@testset "a long text setting is read completely" begin
    config = Config()
    url = "redis://localhost/" * "?x=" * "y"^5000
    outcome = status_of(() -> config.redis_url = url)
    @test outcome === nothing ? config.redis_url == url : outcome == PhiCache.ERROR_INVALID_ARGUMENT
end

@testset "memory is measured" begin
    usage = memory_usage()
    @test 0 < usage.resident <= usage.physical && 0 < usage.limit <= usage.physical
    @test usage.percent ≈ 100 * usage.resident / usage.limit
    @test usage.held isa Int && usage.resident isa Int
    @test 0 < memory_percent() < 100
    @test memory_full(Config(maximum_memory_percent=0))
    @test !memory_full(Config(maximum_memory_percent=PhiCache.UNLIMITED))
    cache = DictCache{Vector{UInt8}}()
    before = memory_usage().held
    cache["key"] = zeros(UInt8, 100_000)
    @test memory_usage().held >= before + 100_000
end

@testset "all limits on memory are listed" begin
    limits = memory_limits(Config(maximum_memory_percent=0))
    @test first(limits).name == "physical memory" && first(limits).bytes == memory_usage().physical
    @test first(limits).room == 0 && first(limits).counts && first(limits).used > 0
    @test issubset(("RLIMIT_AS", "RLIMIT_DATA"), [limit.name for limit in limits])
    @test count(limit -> limit.counts, limits) == 1
    unlimited = memory_limits(Config(maximum_memory_percent=PhiCache.UNLIMITED))
    @test first(unlimited).room == typemax(Int) && !first(unlimited).counts
    @test length(memory_limits()) == length(limits)
end

@testset "an error names the invalid environment variable" begin
    command = setenv(julia("-e", "using PhiCache; DictCache()"),
                     merge(ENV, Dict("PHICACHE_CACHE_REPERTOIRES" => "perhaps")))
    output = IOBuffer()
    @test !success(pipeline(command, stdout=devnull, stderr=output))
    @test occursin("PHICACHE_CACHE_REPERTOIRES", String(take!(output)))
end
