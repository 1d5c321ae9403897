# The output that the first comment of an example shows, below a line "It prints".
function announced(path)
    comment = Iterators.takewhile(line -> startswith(line, "#"), eachline(path))
    shown = Iterators.dropwhile(line -> line != "# It prints", comment)
    return [line[7:end] for line in shown if startswith(line, "#     ")]
end

@testset "$name prints what it says" for name in ("quickstart.jl", "memoize.jl")
    path = joinpath(ROOT, "examples", name)
    @test split(read(julia(path), String), '\n', keepempty=false) == announced(path) != []
end

@testset "the examples of $(relpath(folder, ROOT))/README.md run" for folder in (ROOT, PACKAGE)
    blocks = [match[1] for match in eachmatch(r"```julia\n(.*?)```"s, read(joinpath(folder, "README.md"), String))]
    @test !isempty(blocks)
    # Each in its own module; processes would take much longer to start.
    for block in blocks
        @test (include_string(Module(:Example), block); true)
    end
end
