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

More methods of `f` are defined in the same way, and share its cache and the options of the first. Defining a method
again clears the cache. For the top level of a module only.
"""
macro phicache(expressions...)
    isempty(expressions) && throw(ArgumentError("@phicache needs a function definition"))
    definition = expressions[end]
    options = map(option, expressions[1:end-1])
    name, returns = signature(definition)
    hidden = Symbol("#", name, "#original")
    if returns !== nothing && !any(option -> option.args[1] == :returns, options)
        options = (options..., Expr(:kw, :returns, :($PhiCache.storable_or_any($returns))))
    end
    renamed = Expr(definition.head, rename(definition.args[1], hidden), definition.args[2:end]...)
    remember = Expr(:call, GlobalRef(PhiCache, :remember), Expr(:parameters, options...), hidden, __module__,
                    QuoteNode(name))
    return esc(quote
        $renamed
        Core.@__doc__ const $name = $remember
    end)
end

function option(expression)
    Meta.isexpr(expression, :(=), 2) && expression.args[1] isa Symbol ||
        throw(ArgumentError("@phicache: expected an option such as typed=true, not $expression"))
    return Expr(:kw, expression.args...)
end

# The name of the function that a definition defines, and the type it says it returns, if it does without parameters.
function signature(definition)
    Meta.isexpr(definition, (:function, :(=)), 2) || no_definition(definition)
    call, returns, has_parameters = definition.args[1], nothing, false
    while Meta.isexpr(call, (:where, :(::)))
        call.head == :where ? (has_parameters = true) : (returns = call.args[2])
        call = call.args[1]
    end
    Meta.isexpr(call, :call) && call.args[1] isa Symbol || no_definition(definition)
    return call.args[1], has_parameters ? nothing : returns
end

no_definition(expression) =
    throw(ArgumentError("@phicache: expected the definition of a function with a plain name, not $expression"))

rename(call, name) = call.head == :call ? Expr(:call, name, call.args[2:end]...) :
                     Expr(call.head, rename(call.args[1], name), call.args[2:end]...)

storable_or_any(T) = T isa Type && is_storable(T) ? T : Any

# The memo that the name stands for already, cleared because its function has changed, or a new one.
function remember(f, within::Module, name::Symbol; options...)
    if isdefined(within, name)
        memo = getfield(within, name)
        memo isa Memo && original(memo) === f && return empty!(memo)
    end
    return Memo(f; options...)
end
