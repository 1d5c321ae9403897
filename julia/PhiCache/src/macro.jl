# `@phicache`: defines a function as a Memo.

"""
    @phicache [options...] function f(arguments...) ... end

Defines `f` as a [`Memo`](@ref) of the function that follows; recursive calls use the cache too. The options are those
of `Memo`. A return type in the signature, such as `f(x)::Vector{Float64}`, is `returns` if a cache can hold it.

    @phicache function distance(a, b)::Float64
        ...
    end
    info(distance)          # (hits = ..., misses = ..., size = ...)
    empty!(distance)        # clears it
    original(distance)      # the function without its cache

Define more methods of `f` in the same way. They share the cache and the options, but calls of different methods have
different keys, and each method has its own return type. Options that a later definition names replace those of earlier
ones; `typed` and the type of the cache cannot change. Defining or redefining a method removes what the memo has stored
in this process. Values on disk and in Redis stay: they belong to the version in the prefix, which you change when
results change. An omitted argument has its default: with `f(x, y=2.0)`, `f(1)` and `f(1, 2.0)` are the same call. Write
other macros, such as `@inline`, after `@phicache`. The name of an ordinary function cannot become a memo, nor a memo an
ordinary function: restart Julia, or choose another name.

Inside a function, `f` is a local memo: each run of the function creates it anew, with a new cache. Define a memo that
must live longer, with all its methods, at the top level of a module.

The calls of a type are defined in the same way. All objects of the type share a cache, and the object, which must be a
value that [`add!`](@ref) takes, is part of the key. The memo is what `@phicache` returns:

    const adding = @phicache (a::Adder)(x)::Int = a.y + x
    Adder(1)(2)
    info(adding)
"""
macro phicache(expressions...)
    isempty(expressions) && throw(ArgumentError("@phicache needs a function definition"))
    definition, wrap = unwrapped(expressions[end])
    is_call_of_type(definition) &&
        return call_of_type(definition, wrap, expressions[1:end-1], __source__, __module__)
    options = map(option, expressions[1:end-1])
    name, returns, has_parameters = signature(definition)
    explicit = findfirst(option -> option.args[1] == :returns, options)
    returns = explicit === nothing ? returns : options[explicit].args[2]
    options = Expr[option for option in options if option.args[1] != :returns]
    # A type that depends on a parameter or an argument is known only when `f` is called.
    depends = has_parameters || any(name -> mentions(returns, name), argument_names(definition.args[1]))
    explicit === nothing && push!(options, Expr(:kw, :returns, depends ? Any : storable_type(returns)))
    explicit === nothing || push!(options, Expr(:kw, :returns, returns))
    hidden, prepare = hidden_name(name), Symbol(name, " (memo)")
    renamed = wrap(Expr(definition.head, rename(definition.args[1], hidden), definition.args[2:end]...))
    make = Expr(:call, GlobalRef(PhiCache, :make_memo), Expr(:parameters, options...), hidden, prepare)
    return esc(quote
        $renamed
        $(preparation(definition.args[1], prepare, __module__, name, returns, __source__))
        # Inside a function the new definition is a local variable. (`locals` does not list names with #.)
        if haskey($(Expr(:locals)), $(QuoteNode(prepare)))
            $name = $make
        else
            $(GlobalRef(PhiCache, :define))($__module__, $(QuoteNode(name)),
                                            $(Expr(:call, make.args..., __module__, QuoteNode(name))))
        end
        Core.@__doc__ $name
        $name
    end)
end

function option(expression)
    Meta.isexpr(expression, :(=), 2) && expression.args[1] isa Symbol ||
        throw(ArgumentError("@phicache: expected an option such as typed=true, not $(one_line(expression))"))
    # `cache=a, prefix="f" f(x) = x` assigns to a tuple.
    Meta.isexpr(expression.args[2], :(=)) && throw(ArgumentError(
        "@phicache: options have spaces between them, not commas: @phicache cache=c prefix=\"f\" f(x) = …"))
    return Expr(:kw, expression.args...)
end

# The definition inside leading macros such as `@inline`, and a function that puts these macros around another
# definition.
function unwrapped(expression)
    Meta.isexpr(expression, :macrocall) || return expression, identity
    definition, wrap = unwrapped(expression.args[end])
    return definition, inner -> Expr(:macrocall, expression.args[1:end-1]..., wrap(inner))
end

# The name of the function in a definition, its return type or nothing, and whether it has type parameters.
function signature(definition)
    Meta.isexpr(definition, (:function, :(=)), 2) || throw_no_definition(definition)
    call, returns, has_parameters = definition.args[1], nothing, false
    while Meta.isexpr(call, (:where, :(::)))
        call.head == :(::) ? (returns = call.args[2]) : (has_parameters = true)
        call = call.args[1]
    end
    Meta.isexpr(call, :call) || throw_no_definition(definition)
    call.args[1] isa Symbol || throw_no_definition(definition)
    return call.args[1], returns, has_parameters
end

# The names of the arguments in a head, and whether an expression has such a name.
function argument_names(head)
    _, values, keywords = forwarded_arguments(call_in(head).args[2:end])
    return [Meta.isexpr(value, (:..., :kw)) ? value.args[1] : value for value in [values; keywords]]
end
mentions(expression, name) =
    expression === name || expression isa Expr && any(part -> mentions(part, name), expression.args)

throw_no_definition(expression) =
    throw(ArgumentError("@phicache: expected the definition of a function with a plain name, not " *
                        one_line(expression)))

one_line(expression) = cropped(replace(string(Base.remove_linenums!(deepcopy(expression))), r"\s+" => " "))

# The call `f(x)` of a head such as `f(x::T)::R where {T}`.
function call_in(head)
    while Meta.isexpr(head, (:where, :(::)))
        head = head.args[1]
    end
    return head
end

# Whether it defines the calls of a type: `(object::T)(x) = ...`.
is_call_of_type(definition) = Meta.isexpr(definition, (:function, :(=)), 2) &&
    (call = call_in(definition.args[1]); Meta.isexpr(call, :call) && Meta.isexpr(call.args[1], :(::)))

# The memo of a function whose first argument is the object, and a method of the type that calls it.
function call_of_type(definition, wrap, options, source, within)
    head, body = definition.args
    object, rest = call_in(head).args[1], call_in(head).args[2:end]
    type = object.args[end]
    name = Symbol("(::", Meta.isexpr(type, :curly) ? type.args[1] : type, ")")
    first_of(more) = Meta.isexpr(get(more, 1, nothing), :parameters) ? 1 : 0
    arguments = [rest[1:first_of(rest)]; object; rest[first_of(rest)+1:end]]
    function_head = replace_call(head, Expr(:call, name, arguments...))
    parameters, values, keywords = forwarded_arguments(rest)
    parameter, value = forwarded(object)
    forward = Expr(:call, name, Expr(:parameters, keywords...), value, values...)
    method_head = replace_call(head, Expr(:call, parameter, parameters...))
    # The type of the result is the memo's.
    while Meta.isexpr(method_head, :(::))
        method_head = method_head.args[1]
    end
    memo = Expr(:macrocall, GlobalRef(PhiCache, Symbol("@phicache")), source, options...,
                wrap(Expr(definition.head, function_head, body)))
    return esc(Expr(:block, memo, Expr(:(=), method_head, Expr(:block, forward)), name))
end

# The head with another call inside.
replace_call(head, call) =
    head.head == :call ? call : Expr(head.head, replace_call(head.args[1], call), head.args[2:end]...)

rename(call, name) = call.head == :call ? Expr(:call, name, call.args[2:end]...) :
                     Expr(call.head, rename(call.args[1], name), call.args[2:end]...)

# Generates a function with the signature of the definition, which makes a `Call`: the name of the method, and all
# arguments with their defaults. Dispatch chooses it whenever it would choose that method.
function preparation(head, name, within, function_name, returns, source)
    wheres = []
    while Meta.isexpr(head, (:where, :(::)))
        head.head == :where && pushfirst!(wheres, head.args[2:end]...)
        head = head.args[1]
    end
    parameters, values, keywords = forwarded_arguments(head.args[2:end])
    method = string(join(fullname(within), '.'), '.', function_name, spelled(head, wheres, returns))
    call = Expr(:call, GlobalRef(PhiCache, :Call), storable_type(returns), method, Expr(:tuple, values...),
                isempty(keywords) ? :($NamedTuple()) : Expr(:tuple, Expr(:parameters, keywords...)))
    signature = Expr(:call, name, parameters...)
    isempty(wheres) || (signature = Expr(:where, signature, wheres...))
    return Expr(:function, signature, Expr(:block, source, Expr(:meta, :inline), call))
end

# The parameters of a signature, each with a name, and the expressions that forward them.
function forwarded_arguments(arguments)
    parameters, values, keywords = [], [], []
    for argument in arguments
        if Meta.isexpr(argument, :parameters)
            foreach(keyword -> push!(keywords, forwarded_keyword(keyword)), argument.args)
            push!(parameters, argument)
        else
            parameter, value = forwarded(argument)
            push!(parameters, parameter)
            push!(values, value)
        end
    end
    return parameters, values, keywords
end

storable_type(returns) = returns === nothing ? Any : Expr(:call, GlobalRef(PhiCache, :storable_or_any), returns)

# A parameter with a name, generated if it has none, and the expression that forwards it.
function forwarded(argument)
    if argument isa Symbol && any(!=('_'), String(argument))
        return argument, argument
    elseif argument isa Symbol || Meta.isexpr(argument, :tuple)
        name = gensym("argument")
        return name, name
    elseif Meta.isexpr(argument, :(::), 1)
        name = gensym("argument")
        return Expr(:(::), name, argument.args[1]), name
    elseif Meta.isexpr(argument, :(::), 2)
        parameter, value = forwarded(argument.args[1])
        return Expr(:(::), parameter, argument.args[2]), value
    elseif Meta.isexpr(argument, :kw)
        parameter, value = forwarded(argument.args[1])
        return Expr(:kw, parameter, argument.args[2]), value
    elseif Meta.isexpr(argument, :...)
        parameter, value = forwarded(argument.args[1])
        return Expr(:..., parameter), Expr(:..., value)
    elseif Meta.isexpr(argument, :macrocall)
        # A macro such as @nospecialize: the generated function needs the type anyway.
        return forwarded(argument.args[end])
    end
    throw(ArgumentError("@phicache: expected an argument of a function, not $(one_line(argument))"))
end

function forwarded_keyword(keyword)
    Meta.isexpr(keyword, :...) && return keyword
    while keyword isa Expr
        keyword = keyword.args[1]
    end
    return Expr(:kw, keyword, keyword)
end

# A signature as text: the types of its arguments, its parameters, and the type of its value.
function spelled(head, wheres, returns)
    types = [spelled_type(argument) for argument in head.args[2:end] if !Meta.isexpr(argument, :parameters)]
    parameters = isempty(wheres) ? "" : string(" where {", join(wheres, ", "), "}")
    return string("(", join(types, ", "), ")", returns === nothing ? "" : string("::", returns), parameters)
end

function spelled_type(argument)
    Meta.isexpr(argument, :...) && return string(spelled_type(argument.args[1]), "...")
    Meta.isexpr(argument, :kw) && return spelled_type(argument.args[1])
    Meta.isexpr(argument, :macrocall) && return spelled_type(argument.args[end])
    return Meta.isexpr(argument, :(::)) ? string("::", argument.args[end]) : "_"
end

# T if a cache can hold it as plain bytes, else Any. Pure, so the compiler evaluates it for a known T.
Base.@pure storable_or_any(@nospecialize(T)) = T isa Type && is_storable(T) ? T : Any

# Defines the memo as a constant at the top level of a module.
function define(within::Module, name::Symbol, memo)
    isdefined(within, name) && getfield(within, name) === memo && return memo
    try
        return Core.eval(within, Expr(:const, Expr(:(=), name, memo)))
    catch error
        error isa ErrorException && isdefined(within, name) || rethrow()
        throw(ArgumentError("@phicache: the name $name is in use in $within, not for a function that @phicache has " *
                            "defined there; choose another name, or restart Julia if the name is yours"))
    end
end

# A local memo.
make_memo(f, prepare; options...) = new_memo(f, prepare; checked("@phicache", MEMO_OPTIONS, options)...)

# The memo that is bound to the name already, without its values, because its function has changed; or a new one.
function make_memo(f, prepare, within::Module, name::Symbol; options...)
    memo = defined_memo(f, within, name)
    memo === nothing && return make_memo(f, prepare; options...)
    checked("@phicache", MEMO_OPTIONS, options)
    check_same_types(memo, name; options...)
    # A task that still computes with the old function may look up values, but stores none. (World ages of a process
    # that precompiles mean nothing in another one.)
    memo.world = ccall(:jl_generating_output, Cint, ()) == 0 ? ccall(:jl_get_world_counter, UInt, ()) : 0
    forget!(memo)
    take_options!(memo; options...)
    return memo
end

# Julia cannot give a memo another type.
function check_same_types(memo, name; returns, typed=memo.typed, cache=nothing, options...)
    check_storable(returns)
    typed == memo.typed || throw(ArgumentError(
        "@phicache: $name has typed=$(memo.typed), as its first definition says; restart Julia to change it"))
    kind = cache_type(memo)
    cache === nothing || cache isa kind || throw(ArgumentError("@phicache: the cache of $name is " *
        "$(is_private(memo) ? "its own" : "a $kind"), as its first definition says; restart Julia to change it to " *
        "a $(typeof(cache))"))
    is_private(memo) || returns in (Any, valtype(kind)) || throw_other_returns(returns, valtype(kind))
end

# Takes the options that a new definition names; the others stay as they are. Otherwise a function that got another
# version in its prefix would find the values of the old one.
function take_options!(memo; returns, typed=memo.typed, cache=memo.cache, prefix=memo.prefix, config=memo.config,
                       maximum_memory_percent=memo.maximum_memory_percent)
    memo.returns = length(methods(memo.original)) == 1 || returns === memo.returns ? returns : Any
    prefix = prefix === nothing ? nothing : String(prefix)
    is_private(memo) || cache === memo.cache && prefix == memo.prefix || register_memo(memo, cache, prefix)
    memo.cache, memo.prefix = cache, prefix
    config === memo.config && maximum_memory_percent === memo.maximum_memory_percent && return
    memo.config, memo.maximum_memory_percent = config, maximum_memory_percent
    limit = maximum_memory_percent === nothing ? nothing : config_with_limit(maximum_memory_percent)
    # The next call creates another private cache.
    is_private(memo) ? (memo.cache = nothing) : (memo.limit = limit)
    return
end
