# The arguments of constructors. An option that does not exist or has the wrong type is refused in one line, which names
# the option and those that exist.

# The options of all constructors: the type of each, and its description.
const OPTIONS = (
    config=(AnyConfig, "a Config or default_config()"),
    name=(Union{Nothing,AbstractString}, "text"),
    max_bytes=(Integer, "an integer, in bytes"),
    on_full=(Symbol, ":configured, :refuse or :evict"),
    verify_every=(Integer, "an integer"),
    same=(Any, "a function of two values"),
    ondifference=(Any, "a function of a key and two values"),
    ttl=(Real, "a number of seconds"),
    lease=(Real, "a number of seconds"),
    server_errors=(Bool, "true or false"),
    no_checksum=(Bool, "true or false"),
    scan_timeout=(Real, "a number of seconds"),
    directory=(Union{Nothing,AbstractString}, "an absolute path"),
    file=(Union{Nothing,AbstractString}, "the path of a file"),
    near_bytes=(Integer, "an integer, in bytes"),
    refresh=(Union{Real,Symbol}, "a number of seconds, or :always"),
    read_only=(Bool, "true or false"),
    sync=(Bool, "true or false"),
    trust_group=(Bool, "true or false"),
    storage_errors=(Bool, "true or false"),
    parent=(Any, "a MICECache"),
    kind=(Symbol, ":configured, :dict, :redis or :disk"),
    returns=(Type, "a type"),
    typed=(Bool, "true or false"),
    maximum_memory_percent=(Union{Nothing,Real}, "a number from 0 to 100, or PhiCache.UNLIMITED"),
    cache=(Any, "a DictCache, RedisCache or DiskCache"),
    prefix=(Union{Nothing,AbstractString}, "text"),
    repertoire=(Bool, "true or false"),
    connections=(Any, "a list of node sets, or a matrix"),
    cut=(Any, "a Cut"))

const VERIFY_OPTIONS = (:verify_every, :same, :ondifference)
const LOCAL_OPTIONS = (:config, :name, :max_bytes, :on_full, VERIFY_OPTIONS...)
const SERVER_OPTIONS = (:ttl, :lease, :server_errors, :no_checksum, :scan_timeout)
const FILE_OPTIONS = (:near_bytes, :refresh, :read_only, :sync, :trust_group, :storage_errors, :lease)
const DISK_OPTIONS = (:directory, :config, :name, :max_bytes, FILE_OPTIONS..., VERIFY_OPTIONS...)
const SAVED_OPTIONS = (:file, :config, :name, FILE_OPTIONS..., VERIFY_OPTIONS...)
const REDIS_OPTIONS = (LOCAL_OPTIONS..., SERVER_OPTIONS...)
const MICE_OPTIONS = Tuple(union((:parent, :kind, :directory), LOCAL_OPTIONS, SERVER_OPTIONS, FILE_OPTIONS))
const MEMO_OPTIONS = (:cache, :prefix, :returns, :typed, :maximum_memory_percent, :config)

# The options of `type`, if all of them are among `existing` and have the right type.
function checked(type, existing, options)
    for (option, value) in pairs(options)
        option in existing || throw_no_option(type, existing, option)
        expected, description = OPTIONS[option]
        value isa expected && !(value isa Bool && expected in (Integer, Real)) || throw(ArgumentError(
            "$type: the option $option is $(described(value)); expected $description"))
    end
    return options
end

# The configuration among the options of `type`, or the default; and the other options.
split_options(type, existing, options) = (get(checked(type, existing, options), :config, default_config()),
                                          Base.structdiff(values(options), NamedTuple{(:config,)}))

function throw_no_option(type, existing, option)
    remedy = type in ("Memo", "@phicache") && option in (LOCAL_OPTIONS..., DISK_OPTIONS..., REDIS_OPTIONS...) ?
             "; $option belongs to its cache: cache=DictCache($option=...)" : ""
    throw(ArgumentError("$type has no option $option; its options are $(join(existing, ", "))$remedy"))
end

# A constructor or a call that does not exist.
@noinline throw_no_method(name, arguments, expected) =
    throw(ArgumentError("there is no $name($(join(map(shown_type, arguments), ", "))); expected $expected"))

shown_type(argument) = string("::", cropped(string(typeof(argument))))

# A value as text of one line, for messages.
shortened(value) = cropped(sprint((io, value) -> show(IOContext(io, :limit => true, :compact => true), value), value))

function cropped(text, longest=100)
    text = replace(text, '\n' => ' ')
    return length(text) <= longest ? text : string(first(text, longest), "…")
end

is_callable(f) = f isa Base.Callable || !isempty(methods(f))

described(value) = "$(shortened(value)), of type $(cropped(string(typeof(value))))"

# The value as a `V`, from a caller or a computation.
@inline converted(::Type{V}, value) where {V} = value isa V ? value : convert_or_refuse(V, value)::V

@noinline function convert_or_refuse(::Type{V}, value) where {V}
    try
        return convert(V, value)
    catch error
        error isa Union{MethodError,InexactError} || rethrow()
        throw(ArgumentError("the value is $(described(value)), which cannot be converted to $V, the type of the " *
                            "cached values"))
    end
end
