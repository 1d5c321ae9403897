# The settings of caches.

"""
    Config(; settings...)

Settings for caches: the library's defaults, overridden by the environment (`PHICACHE_...`), overridden by the keyword
arguments. They are also properties of a `Config`, which may be read and set at any time:

* `maximum_memory_percent`: the memory limit. Caches stop storing while the process uses more than this percentage of
  the memory that it may use: 0 to 100, or `PhiCache.UNLIMITED`;
* `on_full`: what full caches do if their `on_full` is `:configured`: `:refuse` refuses new values, `:evict` evicts
  others instead, and `:configured`, the default, evicts in a cache that has reached its `max_bytes` and refuses at the
  memory limit;
* `cache_repertoires`: whether repertoire methods ([`CachedMethod`](@ref)) use their cache;
* `cache_potential_purviews`: whether a [`PurviewCache`](@ref) stores;
* `redis_cache`: whether a [`MICECache`](@ref) with `kind=:configured` is in Redis.

These are read when a cache is created:

* `redis_url`: the server (reading it masks the password);
* `redis_login`: a tuple `(user, password)` that replaces the login of the URL; cannot be read;
* `redis_namespace`: the prefix of all keys at the server;
* `redis_timeout`: the time limit of one operation, in seconds;
* `redis_whole_database`: as in PyPhi the whole database belongs to the caches, and `empty!` deletes everything in it;
* `disk_directory`: the directory of disk caches, an absolute path. `nothing` is the default: `phicache` in the user's
  cache directory if that is on a local disk, or else `/var/tmp/phicache-UID`.

Caches take a configuration as `config=`; the default is `default_config()`.
"""
mutable struct Config <: Handle
    pointer::Ptr{Cvoid}
    live::Threads.Atomic{Bool}

    function Config(; settings...)
        config = free_when_collected(new(new_handle(out -> @c phicache_config_new(out::Ptr{Ptr{Cvoid}})::Int32),
                               Threads.Atomic{Bool}(true)))
        foreach(setting -> setproperty!(config, setting...), pairs(settings))
        return config
    end
end

Config(arguments...; settings...) = throw_no_method("Config", arguments, "Config(; settings...)")

free_handle(::Type{Config}, pointer) = @c phicache_config_free(pointer::Ptr{Cvoid})::Int32

# The configuration of the process: NULL in C.
struct DefaultConfig end

Base.cconvert(::Type{Ptr{Cvoid}}, ::DefaultConfig) = C_NULL

const AnyConfig = Union{Config,DefaultConfig}

"""
    default_config()

The configuration of this process, with the properties of a [`Config`](@ref).
"""
default_config() = DefaultConfig()

"The value of `maximum_memory_percent` that means no limit."
const UNLIMITED = -1.0

# Seconds as milliseconds for C; a time above zero becomes at least one.
function milliseconds(seconds)
    0 <= seconds <= 1e11 || throw(ArgumentError("the time is $seconds seconds; expected 0 to 1e11"))
    return seconds == 0 ? UInt64(0) : max(UInt64(1), round(UInt64, 1000seconds))
end

# What a full cache does; the index is one more than C's number.
const ON_FULL = (:configured, :refuse, :evict)

function on_full_number(choice)
    index = findfirst(==(choice), ON_FULL)
    index === nothing &&
        throw(ArgumentError("on_full is $(repr(choice)); expected one of $(join(map(repr, ON_FULL), ", "))"))
    return Int32(index - 1)
end

const SETTINGS = (:maximum_memory_percent, :on_full, :cache_repertoires, :cache_potential_purviews, :redis_cache,
                  :redis_url, :redis_namespace, :redis_timeout, :redis_whole_database,
                  :disk_directory)

# What settings may be set to.
const SETTING_TYPES = (
    maximum_memory_percent=(Real, "a number from 0 to 100, or PhiCache.UNLIMITED"),
    on_full=(Symbol, ":configured, :refuse or :evict"), cache_repertoires=(Bool, "true or false"),
    cache_potential_purviews=(Bool, "true or false"), redis_cache=(Bool, "true or false"),
    redis_url=(AbstractString, "text"), redis_namespace=(AbstractString, "text"),
    redis_timeout=(Real, "a number of seconds"), redis_whole_database=(Bool, "true or false"),
    disk_directory=(Union{Nothing,AbstractString}, "an absolute path, or nothing for the default"),
    redis_login=(Tuple{Any,Any}, "a tuple (user, password)"))

Base.propertynames(::AnyConfig, private::Bool=false) = SETTINGS
Base.show(io::IO, config::DefaultConfig) = print(io, "default_config(", description(config), ")")
description(config::AnyConfig) = join(("$name=$(repr(getproperty(config, name)))" for name in SETTINGS), ", ")

Base.getproperty(config::AnyConfig, name::Symbol) =
    name in (:pointer, :live) ? getfield(config, name) : setting(config, Val(name))
Base.setproperty!(config::AnyConfig, name::Symbol, value) =
    name in (:pointer, :live) ? setfield!(config, name, value) : set_checked!(config, name, value)

function set_checked!(config, name, value)
    haskey(SETTING_TYPES, name) || throw_no_setting(name)
    expected, description = SETTING_TYPES[name]
    value isa expected && !(value isa Bool && expected === Real) || throw(ArgumentError(
        "the setting $name is $(name === :redis_login ? "of type $(typeof(value))" : described(value)); " *
        "expected $description"))
    return setting!(config, Val(name), value)
end

setting(::AnyConfig, ::Val{name}) where {name} = throw_no_setting(name)
throw_no_setting(name) =
    throw(ArgumentError("there is no setting \"$name\"; expected one of $(join(keys(SETTING_TYPES), ", "))"))

function setting(config::AnyConfig, ::Val{:maximum_memory_percent})
    percent = Ref(0.0)
    check(@c phicache_config_get_maximum_memory_percent(config::Ptr{Cvoid}, percent::Ptr{Cdouble})::Int32)
    return percent[]
end

setting!(config::AnyConfig, ::Val{:maximum_memory_percent}, percent) =
    (check(@c phicache_config_set_maximum_memory_percent(config::Ptr{Cvoid}, percent::Cdouble)::Int32); percent)

function setting(config::AnyConfig, ::Val{:on_full})
    choice = Ref(Int32(0))
    check(@c phicache_config_get_on_full(config::Ptr{Cvoid}, choice::Ptr{Int32})::Int32)
    return ON_FULL[choice[] + 1]
end

setting!(config::AnyConfig, ::Val{:on_full}, choice) =
    (check(@c phicache_config_set_on_full(config::Ptr{Cvoid}, on_full_number(choice)::Int32)::Int32); choice)

# The getter and the setter of each switch and each text.
for name in (:cache_repertoires, :cache_potential_purviews, :redis_cache, :redis_whole_database)
    @eval function setting(config::AnyConfig, ::Val{$(QuoteNode(name))})
        enabled = Ref(Int32(0))
        check(@c $(Symbol(:phicache_config_get_, name))(config::Ptr{Cvoid}, enabled::Ptr{Int32})::Int32)
        return enabled[] != 0
    end
    @eval setting!(config::AnyConfig, ::Val{$(QuoteNode(name))}, enabled::Bool) =
        (check(@c $(Symbol(:phicache_config_set_, name))(config::Ptr{Cvoid}, enabled::Int32)::Int32); enabled)
end

for name in (:redis_url, :redis_namespace)
    @eval setting(config::AnyConfig, ::Val{$(QuoteNode(name))}) =
        String(written_bytes(256, (buffer, capacity, len) -> @c $(Symbol(:phicache_config_get_, name))(
            config::Ptr{Cvoid}, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32))
    @eval setting!(config::AnyConfig, ::Val{$(QuoteNode(name))}, text::AbstractString) =
        (check(@c $(Symbol(:phicache_config_set_, name))(config::Ptr{Cvoid}, text::Cstring)::Int32); text)
end

# `nothing` if none was set and the machine has no directory for a default.
function setting(config::AnyConfig, ::Val{:disk_directory})
    try
        return String(written_bytes(256, (buffer, capacity, len) -> @c phicache_config_get_disk_directory(
            config::Ptr{Cvoid}, buffer::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32))
    catch exception
        exception isa PhiCacheError && exception.status == ERROR_INVALID_ARGUMENT || rethrow()
        return nothing
    end
end

setting!(config::AnyConfig, ::Val{:disk_directory}, path) = (check(
    @c phicache_config_set_disk_directory(config::Ptr{Cvoid}, optional_text(path)::Cstring)::Int32); path)

function setting(config::AnyConfig, ::Val{:redis_timeout})
    time = Ref(UInt64(0))
    check(@c phicache_config_get_redis_timeout_ms(config::Ptr{Cvoid}, time::Ptr{UInt64})::Int32)
    return time[] / 1000
end

setting!(config::AnyConfig, ::Val{:redis_timeout}, seconds::Real) = (check(
    @c phicache_config_set_redis_timeout_ms(config::Ptr{Cvoid}, milliseconds(seconds)::UInt64)::Int32); seconds)

setting(::AnyConfig, ::Val{:redis_login}) = throw(ArgumentError("redis_login cannot be read, only set"))

setting!(config::AnyConfig, ::Val{:redis_login}, (user, password)::Tuple{Any,Any}) =
    (check(@c phicache_config_set_redis_login(
        config::Ptr{Cvoid}, optional_text(user)::Cstring, optional_text(password)::Cstring)::Int32); nothing)
