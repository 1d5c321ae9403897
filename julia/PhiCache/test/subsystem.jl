# Fingerprints, cuts and subsystems.

connected(n) = trues(n, n)

@testset "a fingerprint depends on network and context" begin
    tpm = rand(8, 3)
    base = Fingerprint(tpm, connected(3), "L1")
    @test base == Fingerprint(copy(tpm), [NodeSet(1:3) for _ in 1:3], b"L1")
    @test length(Vector{UInt8}(base)) == 32
    @test base != Fingerprint(tpm, connected(3), "EMD")
    @test base != Fingerprint(tpm[:, [2, 1, 3]], connected(3), "L1")
    @test base != Fingerprint(tpm, Bool[1 1 1; 1 1 1; 1 1 0], "L1")
    # Connections go from row to column.
    @test Fingerprint(tpm, [0 1 0; 0 0 0; 0 0 0], "L1") == Fingerprint(tpm, [NodeSet(2), NodeSet(), NodeSet()], "L1")
    @test Fingerprint([0 0; 0 1; 1 0; 1 1], connected(2), "L1") ==
          Fingerprint([0.0 -0.0; 0 1; 1 0; 1 1], connected(2), "L1")
    @test_throws DimensionMismatch Fingerprint(tpm[1:7, :], connected(3), "L1")
    @test_throws DimensionMismatch Fingerprint(tpm, connected(2), "L1")
    @test_throws DimensionMismatch Fingerprint(tpm, trues(3, 2), "L1")
    @test status_of(() -> Fingerprint(tpm, connected(3), "")) == PhiCache.ERROR_INVALID_ARGUMENT
    for wrong in (NaN, 1.5, -0.5)
        probabilities = copy(tpm)
        probabilities[2, 3] = wrong
        @test message_of(() -> Fingerprint(probabilities, connected(3), "L1")) ==
              "the TPM has $wrong in row 2, for node 3; expected a probability, 0 to 1"
    end
    @test message_of(() -> Fingerprint(tpm, [NodeSet(4), NodeSet(), NodeSet()], "L1")) ==
          "node 1 is connected to node 4; expected nodes of the network, 1 to 3"
    @test occursin("expected Fingerprint(tpm, connections, context)", message_of(() -> Fingerprint(tpm, connected(3))))
end

@testset "a cut is created from a bipartition, a matrix or a partition" begin
    cut = Cut(3, NodeSet(1) => NodeSet(2, 3))
    @test cut.severed == [NodeSet(2, 3), NodeSet(), NodeSet()]
    @test cut == Cut([0 1 1; 0 0 0; 0 0 0]) && hash(cut) == hash(Cut(Bool[0 1 1; 0 0 0; 0 0 0]))
    @test cut == Cut(3, 1 => [2, 3])
    @test Cut(3, EFFECT, [NodeSet(1) => NodeSet(1), NodeSet(2, 3) => NodeSet(2, 3)]).severed ==
          [NodeSet(2, 3), NodeSet(1), NodeSet(1)]
    @test_throws DimensionMismatch Cut(trues(2, 3))
    @test message_of(() -> Cut(2, NodeSet(3) => NodeSet(1))) ==
          "the cut severs from node 3; expected nodes of the network, 1 to 2"
    @test message_of(() -> Cut(2, NodeSet(1) => NodeSet(1, 2))) ==
          "the cut has node 1 on both sides; expected two sets without common nodes"
    @test_throws ArgumentError Cut(2, EFFECT, [NodeSet(3) => NodeSet(1)])
    @test_throws ArgumentError Cut([NodeSet(3), NodeSet()])
    @test_throws ArgumentError Cut(2, 1, 2)
    @test_throws ArgumentError Cut(65, NodeSet(1) => NodeSet(2))
    @test_throws ArgumentError Cut(0, NodeSet() => NodeSet())
end

@testset "damage by cuts agrees with PyPhi's" begin
    node_list(text) = text == "-" ? NodeSet() : NodeSet(parse.(Int, split(text, ',')) .+ 1)
    rows = split(read(`gzip -dc $(joinpath(DATA, "damaged_by_cut.txt.gz"))`, String), '\n', keepempty=false)
    columns = Dict(name => k for (k, name) in enumerate(split(split(rows[1], ": ")[2])))
    differences, damaged_rows = 0, 0
    for row in rows[2:end]
        field(name) = split(row)[columns[name]]
        severed = [NodeSet(mask=parse(UInt64, text, base=16)) for text in split(field("cut_rows_hex"), ',')]
        direction = field("direction") == "CAUSE" ? CAUSE : EFFECT
        expected = field("damaged") == "1"
        damaged_rows += expected
        cut = Cut(severed)
        differences += damages(cut, direction, node_list(field("mechanism")), node_list(field("purview"))) != expected
    end
    @test length(rows) > 10_000 && damaged_rows > 1000
    @test differences == 0
end

@testset "a subsystem has an identity, nodes, and possibly a cut" begin
    network = Fingerprint(rand(8, 3), connected(3), "L1")
    system = Subsystem(network, [1, 0, 1], NodeSet(1, 2, 3))
    cut = Cut(3, NodeSet(1) => NodeSet(2, 3))
    under = Subsystem(system, cut)
    @test nodes(system) == NodeSet(1, 2, 3)
    @test !iscut(system) && iscut(under) && !iscut(Subsystem(under, nothing))
    @test iscut(Subsystem(system, Cut(falses(3, 3))))
    @test fingerprint(system) == fingerprint(under) == fingerprint(Subsystem(network, (1, 0, 1), 1:3; cut=cut))
    @test fingerprint(system) != fingerprint(Subsystem(network, [0, 0, 1], 1:3))
    @test fingerprint(system) != fingerprint(Subsystem(network, [1, 0, 1], [1, 2]))
    @test !damages(system, EFFECT, NodeSet(1), NodeSet(2))
    @test damages(under, EFFECT, NodeSet(1), NodeSet(2)) == damages(cut, EFFECT, NodeSet(1), NodeSet(2)) == true
    @test !damages(under, CAUSE, NodeSet(1), NodeSet(2))
    @test_throws DimensionMismatch Subsystem(system, Cut(2, NodeSet(1) => NodeSet(2)))
    @test_throws DimensionMismatch Subsystem(network, [1, 0, 1], 1:3; connections=connected(2))
    @test Subsystem(network, [1, 0, 1], NodeSet()) isa Subsystem
    for (wrong, expected) in (
        (() -> Subsystem(network, [1, 0, 1], 4), "the system has node 4; expected nodes of the network, 1 to 3"),
        (() -> Subsystem(network, "101", 1:3), "the state is \"101\", of type String; expected a vector or tuple"),
        (() -> Subsystem(network, [1, 2, 0], 1:3), "the state of node 2 is 2; expected 0 or 1"),
        (() -> Subsystem(network, [1, 0, 1], 1:3; cut=[1]), "expected a Cut"),
        (() -> Subsystem(network, [1, 0, 1], 1:3; state=1), "Subsystem has no option state"),
        (() -> Subsystem(network, [1, 0, 1]), "expected Subsystem(network, state, nodes"),
        (() -> damages(system, BIDIRECTIONAL, 1, 2), "expected CAUSE or EFFECT"),
        (() -> damages(cut, CAUSE, 4, 1), "the mechanism has node 4; expected nodes of the network, 1 to 3"))
        @test occursin(expected, message_of(wrong))
    end
    @test_throws DimensionMismatch Subsystem(network, [1, 0], 1:2)
    @test_throws DimensionMismatch Subsystem(sent(network), [1, 0], 1:2)
end

@testset "a mechanism and a purview are nodes of the subsystem" begin
    system = Subsystem(Fingerprint(rand(8, 3), connected(3), "L1"), [1, 0, 1], NodeSet(1, 3))
    expected = "the purview has node 2; expected nodes of the subsystem, which has nodes 1, 3"
    @test message_of(() -> damages(system, CAUSE, 1, 2)) == expected
    @test message_of(() -> cut_scoped_key(system, "r", CAUSE, 1, 2)) == expected
    mice = MICECache{Float64}(system)
    @test_throws ArgumentError mice["key"] = Mice(CAUSE, NodeSet(1), NodeSet(2), 0.5, 1.0)
    @test_throws ArgumentError get!(() -> Mice(CAUSE, NodeSet(2), NodeSet(1), 0.5, 1.0), mice, "key")
    @test_throws ArgumentError mice["key"] = 0.5
    mice["key"] = Mice(CAUSE, NodeSet(1), NodeSet(3), 0.5, 1.0)
    @test length(mice) == 1
    # The library's own messages have masks, which begin with node 1.
    key = mice_key(nothing, CAUSE, NodeSet(1))
    error = try mice[key] = Mice(CAUSE, NodeSet(3), NodeSet(1), 0.5, 1.0) catch error; error end
    @test occursin("0x4", error.message) && occursin("bit 0 of a mask is Julia's node 1", error.message)
end

@testset "the TPM of a PyPhi program" begin
    # Two nodes that copy each other, as in docs/keys.md: tpm[s0 + 1, s1 + 1, k + 1], the axes of PyPhi.
    tpm = [Float64((s1, s0)[k]) for s0 in 0:1, s1 in 0:1, k in 1:2]
    hex(network) = bytes2hex(Vector{UInt8}(network))
    network = Fingerprint(reshape(tpm, 4, 2), [0 1; 1 0], "L1")
    @test hex(network) == "5d23b1b074e2e652b547273fb6ef99c8fe87a7f510ccac1ab9b1a4689a3b8ccc"
    # The rows as numpy writes them to a file.
    tpm, n = rand(2, 2, 2, 3), 3
    rows = [[tpm[(i & 1) + 1, (i >> 1 & 1) + 1, (i >> 2 & 1) + 1, k] for k in 1:n] for i in 0:7]
    network = Fingerprint(reshape(tpm, 2^n, n), connected(3), "L1")
    @test network == Fingerprint(permutedims(reshape(vcat(rows...), n, 2^n)), connected(3), "L1")
end

@testset "the number of nodes is not part of a fingerprint" begin
    network = Fingerprint(rand(8, 3), connected(3), "L1")
    bare = Fingerprint(network.bytes)
    @test bare == network && hash(bare) == hash(network) && encode_key(bare) == encode_key(network)
    @test Memo(fingerprint -> 1)(bare) == 1
end

@testset "a cut-scoped key contains the severed connections between mechanism and purview" begin
    network = Fingerprint(rand(8, 3), connected(3), "L1")
    system = Subsystem(network, [0, 0, 0], 1:3)
    a, b = Subsystem(system, Cut(3, 1 => [2, 3])), Subsystem(system, Cut(3, [1, 2] => 3))
    key(subsystem, direction, mechanism, purview) = cut_scoped_key(subsystem, "r", direction, mechanism, purview)
    @test key(a, EFFECT, 1, 3) == key(b, EFFECT, 1, 3) != key(system, EFFECT, 1, 3)
    @test key(a, EFFECT, 1, 2) != key(b, EFFECT, 1, 2)
    @test key(a, CAUSE, 1, 3) == key(system, CAUSE, 1, 3) == repertoire_key("r", CAUSE, 1, 3)
    ring = Subsystem(network, [0, 0, 0], 1:3; connections=[0 1 0; 0 0 1; 1 0 0])
    cut_ring = Subsystem(ring, Cut(3, 1 => [2, 3]))
    @test key(cut_ring, EFFECT, 1, 3) == key(ring, EFFECT, 1, 3)
    @test key(cut_ring, EFFECT, 1, 2) != key(ring, EFFECT, 1, 2)
end
