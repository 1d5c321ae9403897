# A package that defines memos at its top level, and uses them while it is precompiled.

@testset "memos work in a precompiled package" begin
    mktempdir() do depot
        folder = joinpath(depot, "UsesPhiCache")
        mkpath(joinpath(folder, "src"))
        write(joinpath(folder, "Project.toml"), """
            name = "UsesPhiCache"
            uuid = "d4f6f9c4-7a9f-4c5e-8c3b-0b8d1f6b6a11"
            [deps]
            PhiCache = "$(Base.identify_package("PhiCache").uuid)"
            """)
        write(joinpath(folder, "src", "UsesPhiCache.jl"), """
            module UsesPhiCache
            using PhiCache
            @phicache double(x)::Int = 2x
            const while_precompiling = (double(1), double(1), info(double))
            const made_too_early = DictCache()
            end
            """)
        program = """
            using UsesPhiCache, PhiCache
            @assert UsesPhiCache.while_precompiling == (2, 2, (hits=1, misses=1, size=1))
            @assert info(UsesPhiCache.double) == (hits=0, misses=0, size=0)
            @assert UsesPhiCache.double(4) == UsesPhiCache.double(4) == 8
            @assert info(UsesPhiCache.double).size == 1
            try
                UsesPhiCache.made_too_early["key"]
            catch exception
                @assert exception isa PhiCacheError && occursin("precompilation", exception.message)
                print("all well")
            end
            """
        # The first depot is new, so the package is precompiled here, by a process that ends before this one.
        # (PhiCache itself need not be precompiled again.)
        paths(of...) = join(of, Sys.iswindows() ? ';' : ':')
        command = setenv(julia("-e", program), merge(ENV, Dict(
            "JULIA_LOAD_PATH" => paths(folder, PACKAGE, "@stdlib"), "JULIA_DEPOT_PATH" => paths(depot, DEPOT_PATH...))))
        @test read(command, String) == "all well"
        @test isdir(joinpath(depot, "compiled"))
    end
end
