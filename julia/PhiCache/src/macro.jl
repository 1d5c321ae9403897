# `@phicache`: a Memo around a function's definition.

"""
    @phicache [options...] function f(arguments...) ... end

Defines `f` as a [`Memo`](@ref) of the function that follows; recursive calls use the cache too. The options are those
of `Memo`; a return type in the signature, such as `f(x)::Vector{Float64}`, is `returns`, where a cache can hold it.

    @phicache function distance(a, b)::Float64
        ...
    end
    info(distance)          # (hits = ..., misses = ..., size = ...)
    empty!(distance)        # clears it
    original(distance)      # the function without its cache

More methods of `f` are defined in the same way. They share its cache and the options of the first, but never answer for
each other; each has a return type of its own. Defining a method, or defining it again, clears the cache. An argument that
is left out is its default: with `f(x, y=2.0)`, `f(1)` and `f(1, 2.0)` are one call. Macros such as `@inline` stand behind
`@phicache`. A name that stands for an ordinary function already cannot become a memo.

Inside a function, `f` is a local memo, made anew with its cache by each run of the function: define all methods
of a memo that lives longer at the top level of a module. A callable type takes a function with a name:

    @phicache add(a::Adder, x)::Int = a.y + x
    (a::Adder)(x) = add(a, x)
"""
macro phicache(expressions...)
    isempty(expressions) && throw(ArgumentError("@phicache needs a function definition"))
    options = map(option, expressions[1:end-1])
    definition, wrap = unwrapped(expressions[end])
    name, returns, has_parameters = signature(definition)
    explicit = findfirst(option -> option.args[1] == :returns, options)
    returns = explicit === nothing ? returns : options[explicit].args[2]
    options = Expr[option for option in options if option.args[1] != :returns]
    # A type that is a parameter's is known when `f` is called.
    explicit === nothing && push!(options, Expr(:kw, :returns, has_parameters ? Any : stored(returns)))
    explicit === nothing || push!(options, Expr(:kw, :returns, returns))
    hidden, prepare = hidden_name(name), Symbol(name, " (prepared)")
    renamed = wrap(Expr(definition.head, rename(definition.args[1], hidden), definition.args[2:end]...))
    make = Expr(:call, GlobalRef(PhiCache, :remember), Expr(:parameters, options...), hidden, prepare)
    return esc(quote
        $renamed
        $(preparation(definition.args[1], prepare, __module__, name, returns))
        # In a function, what was just defined is a local variable. (A name with # would not be listed.)
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
        throw(ArgumentError("@phicache: expected an option such as typed=true, not $expression"))
    return Expr(:kw, expression.args...)
end

# The definition inside macros that stand in front of it, such as `@inline`, and what puts these around another one.
function unwrapped(expression)
    Meta.isexpr(expression, :macrocall) || return expression, identity
    definition, wrap = unwrapped(expression.args[end])
    return definition, inner -> Expr(:macrocall, expression.args[1:end-1]..., wrap(inner))
end

# The name of the function that a definition defines, the type it says it returns, or nothing, and whether it has
# parameters.
function signature(definition)
    Meta.isexpr(definition, (:function, :(=)), 2) || no_definition(definition)
    call, returns, has_parameters = definition.args[1], nothing, false
    while Meta.isexpr(call, (:where, :(::)))
        call.head == :(::) ? (returns = call.args[2]) : (has_parameters = true)
        call = call.args[1]
    end
    Meta.isexpr(call, :call) || no_definition(definition)
    Meta.isexpr(call.args[1], :(::)) && throw(ArgumentError(
        "@phicache: a callable type takes a function with a name: @phicache call_it(object::T, x) = ..., and " *
        "(object::T)(x) = call_it(object, x)"))
    call.args[1] isa Symbol || no_definition(definition)
    return call.args[1], returns, has_parameters
end

no_definition(expression) =
    throw(ArgumentError("@phicache: expected the definition of a function with a plain name, not $expression"))

rename(call, name) = call.head == :call ? Expr(:call, name, call.args[2:end]...) :
                     Expr(call.head, rename(call.args[1], name), call.args[2:end]...)

# A function with the signature of the definition, which dispatch therefore chooses where it would choose that method, and
# which makes a `Call`: the method's name, and all arguments with their defaults.
function preparation(head, name, within, function_name, returns)
    wheres = []
    while Meta.isexpr(head, (:where, :(::)))
        head.head == :where && pushfirst!(wheres, head.args[2:end]...)
        head = head.args[1]
    end
    parameters, values, keywords = [], [], []
    for argument in head.args[2:end]
        if Meta.isexpr(argument, :parameters)
            foreach(keyword -> push!(keywords, passed_keyword(keyword)), argument.args)
            push!(parameters, argument)
        else
            parameter, value = passed(argument)
            push!(parameters, parameter)
            push!(values, value)
        end
    end
    method = string(join(fullname(within), '.'), '.', function_name, spelled(head, wheres, returns))
    call = Expr(:call, GlobalRef(PhiCache, :Call), stored(returns), method, Expr(:tuple, values...),
                isempty(keywords) ? :($NamedTuple()) : Expr(:tuple, Expr(:parameters, keywords...)))
    signature = Expr(:call, name, parameters...)
    isempty(wheres) || (signature = Expr(:where, signature, wheres...))
    return Expr(:function, signature, Expr(:block, Expr(:meta, :inline), call))
end

stored(returns) = returns === nothing ? Any : Expr(:call, GlobalRef(PhiCache, :storable_or_any), returns)

# A parameter that has a name, and how it is passed on.
function passed(argument)
    if argument isa Symbol && any(!=('_'), String(argument))
        return argument, argument
    elseif argument isa Symbol || Meta.isexpr(argument, :tuple)
        name = gensym("argument")
        return name, name
    elseif Meta.isexpr(argument, :(::), 1)
        name = gensym("argument")
        return Expr(:(::), name, argument.args[1]), name
    elseif Meta.isexpr(argument, :(::), 2)
        parameter, value = passed(argument.args[1])
        return Expr(:(::), parameter, argument.args[2]), value
    elseif Meta.isexpr(argument, :kw)
        parameter, value = passed(argument.args[1])
        return Expr(:kw, parameter, argument.args[2]), value
    elseif Meta.isexpr(argument, :...)
        parameter, value = passed(argument.args[1])
        return Expr(:..., parameter), Expr(:..., value)
    elseif Meta.isexpr(argument, :macrocall)
        # Such as @nospecialize: this function is to see the type all the same.
        return passed(argument.args[end])
    end
    throw(ArgumentError("@phicache: no argument of a function: $argument"))
end

function passed_keyword(keyword)
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

# A type that a cache holds as plain bytes, or Any. The compiler knows it when it knows the type.
Base.@pure storable_or_any(@nospecialize(T)) = T isa Type && is_storable(T) ? T : Any

# What a memo is made of when it is defined, and its name at the top level of a module: a constant.
define(within::Module, name::Symbol, memo) =
    isdefined(within, name) && getfield(within, name) === memo ? memo :
    Core.eval(within, Expr(:const, Expr(:(=), name, memo)))

# A local memo.
remember(f, prepare; options...) = Memo(f; prepare=prepare, options...)

# The memo that the name stands for already, cleared because its function has changed, or a new one.
function remember(f, prepare, within::Module, name::Symbol; options...)
    memo = defined_memo(f, within, name)
    memo === nothing && return Memo(f; prepare=prepare, options...)
    check_same(memo, name; options...)
    # A task that still computes with the old function may look values up, but stores none. (The worlds of a process
    # that precompiles are no other's.)
    memo.world = ccall(:jl_generating_output, Cint, ()) == 0 ? ccall(:jl_get_world_counter, UInt, ()) : 0
    return empty!(memo)
end

# A memo's options are those of its first definition, but for the type of its values, which each method has of its own;
# that it cannot take others is better said than overheard.
function check_same(memo, name; returns, typed=memo.typed, options...)
    check_storable(returns)
    typed == memo.typed || throw(ArgumentError(
        "@phicache: $name has typed=$(memo.typed), as its first definition says; restart Julia to change it"))
    memo.returns = length(methods(memo.original)) == 1 || returns === memo.returns ? returns : Any
end
