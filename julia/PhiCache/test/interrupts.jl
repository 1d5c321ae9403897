# Interrupts (Ctrl-C) at random moments, mostly in the code of the package, because the computations are short. A
# program of its own gets them, one at a time.
interrupted_program(definitions, result) = """
    using PhiCache
    Base.exit_on_sigint(false)
    $definitions
    const kept = Any[]
    function until_interrupted(f)
        began = time_ns()
        while time_ns() - began < 10^10
            f(Float64(length(push!(kept, [0]))))
            length(kept) > 1000 && empty!(kept)
        end
    end
    foreach(compute, 1.0:20.0)
    sender = open(`sh -c "while read pause; do sleep \\\$pause; kill -INT \$(getpid()) || exit; done"`, "w")
    const caught = String[]
    disable_sigint() do
        for round in 1:60
            write(sender, "0.00", string(rand(100:999)), "\n")
            flush(sender)
            exception = try reenable_sigint(() -> until_interrupted(compute)) catch exception; exception end
            exception isa InterruptException && continue
            push!(caught, exception === nothing ? "no interrupt" : sprint(showerror, exception))
            try reenable_sigint(() -> until_interrupted(identity)) catch end
        end
    end
    close(sender)
    println(unique(caught), " ", $result)
    """

@testset "an interrupt leaves no key reserved" begin
    program = interrupted_program("""
        @phicache fibonacci(n)::Int = n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)
        const numbers, any, verified = DictCache{Vector{Float64}}(), DictCache{Any}(), DictCache{Int}(verify_every=1)
        const method = CachedMethod((object, x) -> [x]; prefix="method")
        function compute(n)
            foreach(empty!, (fibonacci, numbers, any))
            fibonacci(50) == 12586269025 && get!(() -> [n], numbers, "get!") == [n] &&
                get!(() -> Dict(n => 1), any, n) == Dict(n => 1) && get!(() -> 1, verified, 1) == 1 &&
                method(numbers, nothing, n) == [n] && memoize!(x -> fill!(x, n), numbers, "memoize!", 2) == [n, n] ||
                error("another value")
        end""", "(compute(1.0); (length(PhiCache.FLIGHTS), length(PhiCache.WAITS)))")
    @test readlines(julia("-e", program)) == ["String[] (0, 0)"]
end

@testset "an interrupt leaves no value pinned" begin
    program = interrupted_program("""
        const cache = DictCache{Vector{Float64}}()
        foreach(n -> cache[n] = rand(500), 1:1000)
        compute(n) = length(cache[Int(n) % 1000 + 1]) == 500 || error("another value")
        """, "(foreach(n -> delete!(cache, n), 1:1000); stats(cache).bytes)")
    kept, bytes = split(only(readlines(julia("-e", program))))
    @test kept == "String[]" && parse(Int, bytes) < 20_000
end
