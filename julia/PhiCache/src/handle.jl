# What the library gives and takes back. A handle is taken back once: by `close`, or by the garbage collector.

"""
    PhiCache.Handle

Something that lives in the library: a cache, a configuration, a subsystem, a key builder. `close` frees it at once, and
more than one `close` is fine; otherwise the garbage collector does.
"""
abstract type Handle end

# Every handle has a `pointer`, NULL after `close`, and a flag `live` that says who frees it when two try at once.
# Julia writes pointers as NULL, into precompiled images and wherever it serializes them. So a handle that was made while
# a package was precompiled is closed when the package is loaded, and one that is sent to another process is closed there;
# neither is ever mistaken for a live one.

# Calls `make(out)`, and gives the handle that it puts there.
function new_handle(make)
    out = Ref{Ptr{Cvoid}}(C_NULL)
    check(make(out))
    return out[]
end

# From now on the garbage collector frees the handle. A finalizer runs anywhere, in the middle of anything: it may not
# wait, switch tasks or print, and no `free_handle` does.
collected(handle::Handle) = finalizer(close, handle)

function Base.close(handle::Handle)
    pointer = taken(handle)
    pointer == C_NULL || free_handle(typeof(handle), pointer)
    return nothing
end

# The pointer for the one who frees it, NULL for all others.
function taken(handle::Handle)
    Threads.atomic_xchg!(handle.live, false) || return C_NULL
    pointer = handle.pointer
    handle.pointer = C_NULL
    return pointer
end

Base.isopen(handle::Handle) = handle.pointer != C_NULL

Base.cconvert(::Type{Ptr{Cvoid}}, handle::Handle) = handle
function Base.unsafe_convert(::Type{Ptr{Cvoid}}, handle::Handle)
    pointer = handle.pointer
    pointer == C_NULL && closed(handle)
    return pointer
end

# A copy would be freed a second time.
Base.deepcopy_internal(handle::Handle, ::IdDict) =
    throw(ArgumentError("a $(nameof(typeof(handle))) cannot be copied; make another one"))

Base.show(io::IO, handle::Handle) =
    print(io, typeof(handle), "(", isopen(handle) ? description(handle) : "closed", ")")
description(::Handle) = "open"

@noinline closed(handle) = throw(PhiCacheError(ERROR_INVALID_HANDLE,
    "this $(nameof(typeof(handle))) is closed, or was made by another process, such as the one that precompiled its " *
    "package (make it in __init__)"))
