@testset "the quickstart runs, and says what it should" begin
    output = read(julia(joinpath(ROOT, "examples", "quickstart.jl")), String)
    @test occursin("hits", output)
end
