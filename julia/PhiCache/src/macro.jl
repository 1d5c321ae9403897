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

More methods of `f` are defined in the same way, and share its cache and the options of the first; without `typed=true`
there, methods for `Int` and for `Float64` share the values of equal numbers too. Defining a method again clears the
cache. A name that stands for an ordinary function already cannot become a memo. For the top level of a module only.
"""
macro phicache(expressions...)
    isempty(expressions) && throw(ArgumentError("@phicache needs a function definition"))
    definition = expressions[end]
    options = map(option, expressions[1:end-1])
    name, returns = signature(definition)
    hidden = hidden_name(name)
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
    memo = defined_memo(f, within, name)
    if memo !== nothing
        check_same(memo, name; options...)
        return empty!(memo)
    end
    return Memo(f; options...)
end

# A memo's options are those of its first definition; that it cannot take others is better said than overheard.
function check_same(memo, name; returns=Any, typed=memo.typed, options...)
    returns === Any || valtype(memo) in (Any, returns) || throw(ArgumentError(
        "@phicache: the cache of $name holds values of type $(valtype(memo)), as its first definition says, and no " *
        "$returns; give that one returns=Any, or restart Julia"))
    typed == memo.typed || throw(ArgumentError(
        "@phicache: $name has typed=$(memo.typed), as its first definition says; restart Julia to change it"))
end
