@testset "the quickstart prints what it should" begin
    lines = split(read(julia(joinpath(ROOT, "examples", "quickstart.jl")), String), '\n', keepempty=false)
    # The second call computes nothing.
    @test count(line -> startswith(line, "computing"), lines) == 1
    @test lines[2:4] == ["[0.5, 0.5]", "they sum to 1.0", "distance: 1.0, (hits = 1, misses = 1, size = 1)"]
    @test lines[5] == "stored? Status(REFUSED_MEMORY)"
    @test lines[6] == "repertoires: (hits = 2, misses = 1, size = 1)"
end

@testset "the examples of $(relpath(folder, ROOT))/README.md run" for folder in (ROOT, PACKAGE)
    blocks = [match[1] for match in eachmatch(r"```julia\n(.*?)```"s, read(joinpath(folder, "README.md"), String))]
    @test !isempty(blocks)
    # Each in its own module; processes would take much longer to start.
    for block in blocks
        @test (include_string(Module(:Example), block); true)
    end
end
