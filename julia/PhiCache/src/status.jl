# The status that a call returns, and the exception for negative statuses.

"""
    Status(code)

The status that a call of the library returns: `PhiCache.OK` (0), a normal outcome such as `PhiCache.MISS` or
`PhiCache.REFUSED_MEMORY` (positive), or an error (negative). It may have a code that this version does not know.
"""
struct Status
    code::Int32
end

for (name, code) in (
    :OK => 0, :MISS => 1, :REFUSED_CUT => 2, :REFUSED_PHI => 3, :REFUSED_MEMORY => 4, :REFUSED_DISABLED => 5,
    :REFUSED_CAPACITY => 6, :REFUSED_CLEARED => 7, :LEASE => 8, :BUSY => 9, :TIMEOUT => 10,
    :REFUSED_SERVER => 11, :REFUSED_STORAGE => 12,
    :ERROR_INVALID_ARGUMENT => -1, :ERROR_INVALID_HANDLE => -2, :ERROR_CALLBACK => -3, :ERROR_RECURSION => -4,
    :ERROR_BUFFER_TOO_SMALL => -5, :ERROR_OUT_OF_MEMORY => -6, :ERROR_REDIS => -7, :ERROR_UNSUPPORTED => -8,
    :ERROR_PANIC => -9, :ERROR_CONFIGURATION => -10, :ERROR_NAME_IN_USE => -11, :ERROR_DAMAGED => -12,
    :ERROR_STORAGE => -13)
    @eval const $name = Status($code)
end

function Base.show(io::IO, status::Status)
    name = unsafe_string(@c phicache_status_name(status.code::Int32)::Cstring)
    print(io, "Status(", name == "UNKNOWN" ? status.code : name, ")")
end

"""
    PhiCacheError(status, message)

An error of the library. `status` is the kind of error (such as `PhiCache.ERROR_NAME_IN_USE`); `message` says what was
wrong and what was expected.
"""
struct PhiCacheError <: Exception
    status::Status
    message::String
end

Base.showerror(io::IO, exception::PhiCacheError) =
    print(io, "PhiCacheError: ", exception.message, " (", exception.status, ")")

# Throws errors and returns all other statuses, known or not. The error message belongs to the thread: it must be read
# before a task switch can happen.
function check(code::Int32)
    code < 0 && throw_error(code)
    return Status(code)
end

@noinline function throw_error(code)
    message = in_julia(unsafe_string(@c phicache_last_error()::Cstring))
    # The library shows sets of nodes as masks.
    occursin(r"\b0x[0-9a-f]+", message) && (message *= " (bit 0 of a mask is Julia's node 1)")
    throw(PhiCacheError(Status(code), message))
end

# A message without the name of the C function, which nobody has called, and with Julia's words for C's.
in_julia(message) = foldl(replace, (r"^phicache_[a-z0-9_]+: " => "", "options->" => "the option ",
                                         "or free it first" => "or close it first"); init=message)

# The bytes that `write(buffer, capacity, len)` writes, into a buffer of `capacity` bytes or, if they do not fit, of the
# size that they need. (Text is followed by a NUL, which its length does not count.)
function written_bytes(capacity, write)
    buffer, len = Vector{UInt8}(undef, capacity), Ref(Csize_t(0))
    code = write(buffer, length(buffer), len)
    if Status(code) == ERROR_BUFFER_TOO_SMALL
        resize!(buffer, len[] + 1)
        code = write(buffer, length(buffer), len)
    end
    check(code)
    return resize!(buffer, len[])
end
