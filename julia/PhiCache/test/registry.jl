@testset "named caches are listed, inspected and cleared" begin
    system = Subsystem(Fingerprint(rand(4, 2), trues(2, 2), "registry"), [0, 0], 1:2)
    caches = [DictCache(name="registry b"), PurviewCache(name="registry c"), MICECache(system; name="registry a")]
    listed = filter(item -> startswith(item.name, "registry"), named_caches())
    @test [(item.name, item.kind) for item in listed] ==
          [("registry a", :mice), ("registry b", :dict), ("registry c", :purview)]
    dict, purview, mice = caches
    dict["key"] = 1
    dict["key"]
    @test info("registry b") == info(dict) == (hits=1, misses=0, size=1)
    @test stats("registry b") == stats(dict)
    PhiCache.empty_named("registry b")
    @test info(dict) == (hits=0, misses=0, size=0)
    purview[CAUSE, 1] = [NodeSet(1)]
    PhiCache.empty_all_named()
    @test isempty(purview)
    @test status_of(() -> info("registry d")) == PhiCache.ERROR_INVALID_ARGUMENT
    foreach(close, caches)
    @test isempty(filter(item -> startswith(item.name, "registry"), named_caches()))
end
