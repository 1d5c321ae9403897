@testset "Julia's node 1 is bit 0" begin
    @test mask(NodeSet(1, 3)) == 0b101
    @test mask(NodeSet(64)) == 0x8000000000000000
    @test NodeSet(1, 3) == NodeSet([3, 1, 1]) == NodeSet((1, 3)) == NodeSet(mask=0b101) == NodeSet(Set([1, 3]))
    @test NodeSet() == NodeSet(Int[]) == NodeSet(mask=0)
    @test collect(NodeSet(64, 2, 5)) == [2, 5, 64]
    @test NodeSet(1:64) == NodeSet(mask=typemax(UInt64))
end

@testset "a node outside 1 to 64 is refused" begin
    for node in (0, -1, 65)
        @test_throws ArgumentError NodeSet(node)
        @test_throws ArgumentError NodeSet([1, node])
        @test !(node in NodeSet(1:64))
    end
end

@testset "true is no node: a vector of Bool is a mask" begin
    for nodes in (true, false, [true, true], trues(3), (true,), Set([true]))
        @test occursin("NodeSet(findall(vector))", message_of(() -> NodeSet(nodes)))
        @test occursin("NodeSet(findall(vector))", message_of(() -> mice_key(nothing, CAUSE, nodes)))
    end
    @test true in NodeSet(1) && !(true in NodeSet(2)) && !(false in NodeSet(1))
end

@testset "it is a set like any other" begin
    for _ in 1:200
        a, b = Set(rand(1:64, rand(0:10))), Set(rand(1:64, rand(0:60)))
        x, y = NodeSet(a), NodeSet(b)
        @test x == a && a == x && hash(x) == hash(a)
        @test length(x) == length(a) && isempty(x) == isempty(a) && Set(x) == a
        @test union(x, y) == union(a, b) && intersect(x, y) == intersect(a, b)
        @test setdiff(x, y) == setdiff(a, b) && symdiff(x, y) == symdiff(a, b)
        @test issubset(x, y) == issubset(a, b) && issubset(intersect(x, y), x)
        @test all(node -> (node in x) == (node in a), 1:64)
        @test eval(Meta.parse(repr(x))) == x
    end
end
