# The shared library: finding it, checking it, and calling its functions.

# The version of the package is only in Project.toml.
const PROJECT_FILE = joinpath(@__DIR__, "..", "Project.toml")
include_dependency(PROJECT_FILE)
const PACKAGE_VERSION = VersionNumber(match(r"^version *= *\"(.*)\""m, read(PROJECT_FILE, String))[1])

# The names of all functions that the package calls, collected by `@c`, and their addresses.
const FUNCTION_NAMES = Symbol[]
const FUNCTION_POINTERS = Ptr{Cvoid}[]

# `@c name(argument::CType, ...)::CType` calls a function of the library. It converts each argument to its C type and
# protects it from the garbage collector during the call: no other code takes pointers to Julia objects.
macro c(expression)
    call, result = expression.args
    name, arguments = call.args[1], call.args[2:end]
    index = findfirst(==(name), FUNCTION_NAMES)
    if index === nothing
        push!(FUNCTION_NAMES, name)
        index = length(FUNCTION_NAMES)
    end
    pointer = :(@inbounds $(GlobalRef(PhiCache, :FUNCTION_POINTERS))[$index])
    return esc(:(@ccall $(Expr(:(::), Expr(:call, Expr(:$, pointer), arguments...), result))))
end

# C's `phicache_bytes`. An argument of this type may be any object with bytes.
struct CBytes
    data::Ptr{UInt8}
    len::Csize_t
end

Base.cconvert(::Type{CBytes}, bytes::Union{String,Array}) = bytes
Base.unsafe_convert(::Type{CBytes}, bytes::Union{String,Array}) = CBytes(Ptr{UInt8}(pointer(bytes)), sizeof(bytes))

# `nothing` is NULL in C.
optional_text(text) = text === nothing ? Cstring(C_NULL) : String(text)
optional_array(array) = array === nothing ? C_NULL : array

# The names that the system's loader knows, and a file in the package's folder, where a packager may put the library.
const LIBRARY_FILE = "libphicache." * Libdl.dlext
const LIBRARY_SONAME = Sys.isapple() ? "libphicache.0.$(PACKAGE_VERSION.minor).dylib" :
                       "libphicache.so.$(PACKAGE_VERSION.major).$(PACKAGE_VERSION.minor)"
const LIBRARY_IN_PACKAGE = normpath(joinpath(@__DIR__, "..", "deps", LIBRARY_FILE))

const LIBRARY = Ref{Ptr{Cvoid}}(C_NULL)
const LIBRARY_PATH = Ref("")

function load_library()
    library = open_library()
    path = Libdl.dlpath(library)
    check_library(library, path)
    LIBRARY[] = library
    LIBRARY_PATH[] = path
    resize!(FUNCTION_POINTERS, length(FUNCTION_NAMES))
    for (index, name) in enumerate(FUNCTION_NAMES)
        pointer = Libdl.dlsym(library, name; throw_error=false)
        pointer === nothing &&
            error("PhiCache: $path has no function $name; use a library of this package's version, $PACKAGE_VERSION")
        FUNCTION_POINTERS[index] = pointer
    end
end

# PHICACHE_LIBRARY, else the package's folder, else the system. If PHICACHE_LIBRARY names a file that does not exist,
# that is an error.
function open_library()
    chosen = get(ENV, "PHICACHE_LIBRARY", "")
    if !isempty(chosen)
        isfile(chosen) || error("PhiCache: PHICACHE_LIBRARY is \"$chosen\", which is not a file; expected the path " *
                                "of libphicache.$(Libdl.dlext)")
        return open_file(abspath(chosen))
    end
    isfile(LIBRARY_IN_PACKAGE) && return open_file(LIBRARY_IN_PACKAGE)
    for name in (LIBRARY_SONAME, LIBRARY_FILE)
        library = Libdl.dlopen(name; throw_error=false)
        library === nothing || return library
    end
    error("PhiCache: the phicache library is not found: set PHICACHE_LIBRARY to its path, put it at " *
          "$LIBRARY_IN_PACKAGE, or install $LIBRARY_SONAME or $LIBRARY_FILE where the system's loader finds it")
end

function open_file(path)
    try
        return Libdl.dlopen(path)
    catch exception
        error("PhiCache: $path is not a library that can be loaded here: $(sprint(showerror, exception))")
    end
end

function check_library(library, path)
    Libdl.dlsym(library, :phicache_version_number; throw_error=false) === nothing && error("PhiCache: $path is a " *
        "library, but not the phicache library; set PHICACHE_LIBRARY to the path of libphicache.$(Libdl.dlext)")
    # Julia's unwinder hides the one that Rust's panics need. In a library without its own unwinder, such as the one
    # that cargo builds, a caught panic would abort the process.
    Libdl.dlsym(library, :phicache_relinked; throw_error=false) === nothing &&
        error("PhiCache: $path does not contain its own unwinder, which it needs inside Julia; use the library that " *
              "`make` or the CMake package builds, not the one that cargo builds")
    function_pointer = Libdl.dlsym(library, :phicache_version_number)
    number = ccall(function_pointer, UInt32, ())
    version = VersionNumber(number >> 16, number >> 8 & 0xff, number & 0xff)
    # While the major version is 0, every minor version may be incompatible.
    compatible = version.major == PACKAGE_VERSION.major && version.minor == PACKAGE_VERSION.minor
    compatible || error("PhiCache: $path is version $version; this package is $PACKAGE_VERSION and needs " *
                        "$(PACKAGE_VERSION.major).$(PACKAGE_VERSION.minor)")
end

"""
    PhiCache.library_version() -> VersionNumber

The version of the shared library.
"""
library_version() = VersionNumber(unsafe_string(@c phicache_version()::Cstring))

"""
    PhiCache.library_path() -> String

The file that the shared library was loaded from.
"""
library_path() = LIBRARY_PATH[]
