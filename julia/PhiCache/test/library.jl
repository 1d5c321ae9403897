# Finding the library; a panic inside it.

import Libdl

@testset "the versions of package, library and crate are one" begin
    crate = match(r"^version *= *\"(.*)\""m, read(joinpath(ROOT, "Cargo.toml"), String))[1]
    @test PhiCache.PACKAGE_VERSION == VersionNumber(crate) == PhiCache.library_version()
end

# The message of `using PhiCache` with this PHICACHE_LIBRARY.
function load_message(library)
    output = IOBuffer()
    command = setenv(julia("-e", "using PhiCache"), merge(ENV, Dict("PHICACHE_LIBRARY" => library)))
    @test !success(pipeline(command, stdout=devnull, stderr=output))
    return String(take!(output))
end

@testset "a file that is not our library is refused with a reason" begin
    @test occursin("PHICACHE_LIBRARY is \"/nowhere/libphicache.so\", which is not a file",
                   load_message("/nowhere/libphicache.so"))
    other = first(filter(path -> occursin(Libdl.dlext, path) && isfile(path), Libdl.dllist()))
    @test occursin("$other is a library, but not the phicache library", load_message(other))
    @test occursin("is not a library that can be loaded here", load_message(@__FILE__))
    # The library that cargo builds lacks the symbol of the relinked one.
    compiler = Sys.which("cc")
    compiler === nothing || mktempdir() do folder
        path = joinpath(folder, "libother.$(Libdl.dlext)")
        write(joinpath(folder, "other.c"), "unsigned phicache_version_number(void) { return 0; }")
        run(`$compiler -shared -fPIC $(joinpath(folder, "other.c")) -o $path`)
        @test occursin("does not contain its own unwinder", load_message(path))
    end
end

@testset "a panic in the library is an error, and the process continues" begin
    panic = Libdl.dlsym(PhiCache.LIBRARY[], :phicache_test_panic)
    for _ in 1:3
        exception = try
            PhiCache.check(ccall(panic, Int32, ()))
        catch exception
            exception
        end
        @test exception.status == PhiCache.ERROR_PANIC
        @test exception.status.code == -9
        @test occursin("on purpose", exception.message)
    end
    # Also on another thread, and within a computation.
    @test fetch(Threads.@spawn ccall(panic, Int32, ())) == -9
    cache = DictCache{Vector{Float64}}()
    panicking(_) = PhiCache.check(ccall(panic, Int32, ()))
    @test status_of(() -> memoize!(panicking, cache, "key", 1)) == PhiCache.ERROR_PANIC
end

@testset "statuses have names, and unknown ones do not throw" begin
    @test repr(PhiCache.REFUSED_MEMORY) == "Status(REFUSED_MEMORY)"
    @test repr(Status(12345)) == "Status(12345)"
    @test PhiCache.check(Int32(12345)) == Status(12345)
    @test status_of(() -> PhiCache.check(Int32(-12345))) == Status(-12345)
    text = sprint(showerror, PhiCacheError(PhiCache.ERROR_NAME_IN_USE, "taken"))
    @test text == "PhiCacheError: taken (Status(ERROR_NAME_IN_USE))"
end

@testset "every public name has a docstring" begin
    for name in names(PhiCache)
        binding = Base.Docs.Binding(PhiCache, name)
        @test haskey(Base.Docs.meta(PhiCache), binding)
    end
end
