# Objects that live in the library. Each is freed once, by `close` or by the garbage collector.

"""
    PhiCache.Handle

An object that lives in the library: a cache, a configuration or a subsystem. `close` frees it now and may be called
more than once; otherwise the garbage collector frees it.
"""
abstract type Handle end

# Every handle has a `pointer`, NULL after `close`, and a flag `live` that decides which of two concurrent `close` frees
# it. Julia writes pointers as NULL to precompiled images and when it serializes. So a handle that was created during
# precompilation is closed when the package is loaded, and a handle that is sent to another process is closed there.

# Calls `make(out)` and returns the handle that it stores in `out`.
function new_handle(make)
    out = Ref{Ptr{Cvoid}}(C_NULL)
    check(make(out))
    return out[]
end

# Lets the garbage collector free the handle. A finalizer may run at any point of the program: it must not wait, switch
# tasks or print, and no `free_handle` does.
free_when_collected(handle::Handle) = finalizer(close, handle)

function Base.close(handle::Handle)
    pointer = take_pointer(handle)
    pointer == C_NULL || (free_handle(typeof(handle), pointer); free_parts(handle))
    return nothing
end

# Frees what belongs to a handle besides.
free_parts(::Handle) = nothing

# The pointer for the first caller, which has to free it; NULL for all later ones.
function take_pointer(handle::Handle)
    Threads.atomic_xchg!(handle.live, false) || return C_NULL
    pointer = handle.pointer
    handle.pointer = C_NULL
    return pointer
end

Base.isopen(handle::Handle) = handle.pointer != C_NULL

Base.cconvert(::Type{Ptr{Cvoid}}, handle::Handle) = handle
function Base.unsafe_convert(::Type{Ptr{Cvoid}}, handle::Handle)
    pointer = handle.pointer
    pointer == C_NULL && throw_closed(handle)
    return pointer
end

# A copy would be freed a second time.
Base.deepcopy_internal(handle::Handle, ::IdDict) =
    throw(ArgumentError("a $(nameof(typeof(handle))) cannot be copied; create another one"))

Base.show(io::IO, handle::Handle) =
    print(io, typeof(handle), "(", isopen(handle) ? description(handle) : "closed", ")")
description(::Handle) = "open"

@noinline throw_closed(handle) = throw(PhiCacheError(ERROR_INVALID_HANDLE,
    "this $(nameof(typeof(handle))) is closed, or was created in another process: during precompilation of its " *
    "package (create it in __init__ instead), or by another process of Distributed (send a function by its name, " *
    "which uses a cache of its own process)"))
