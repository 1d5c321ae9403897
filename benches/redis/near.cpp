// MICE kept near: the number of commands that the server receives, counted there, and the cost of a hit, compared
// with a cache in this process.
#include "../peers/machine.hpp"
#include "../peers/works/own.hpp"
#include "../peers/workload.hpp"
#include "requests.hpp"

namespace bench {

namespace {

constexpr std::uint64_t ENTRIES = 2'000;

std::vector<MiceKey> mice_keys() {
    std::vector<MiceKey> keys;
    for (std::uint64_t mechanism = 1; mechanism <= ENTRIES; mechanism++) keys.emplace_back(mechanism);
    return keys;
}

Mice new_redis_mice(phicache_config *config, phicache_subsystem *subsystem, phicache_mice_cache *parent) {
    phicache_cache_options options = {};
    options.struct_size = sizeof options;
    options.server_errors = 1;
    phicache_mice_cache *cache;
    expect(PHICACHE_OK, phicache_redis_mice_cache_new(config, &options, subsystem, parent, &cache));
    return Mice(cache);
}

void fill(phicache_mice_cache *cache, const std::vector<MiceKey> &keys) {
    for (std::uint64_t i = 0; i < keys.size(); i++) {
        const phicache_mice record = mice(i + 1, 0.5);
        expect(PHICACHE_OK, phicache_mice_cache_set(cache, keys[i].bytes(), &record));
    }
}

void get(phicache_mice_cache *cache, const MiceKey &key) {
    phicache_mice found;
    found.struct_size = sizeof found;
    phicache_value value;
    expect(PHICACHE_OK, phicache_mice_cache_get(cache, key.bytes(), &found, &value));
    phicache_value_release(&value);
}

// GETs that the server received for each of these lookups.
double asked(const Session &session, phicache_mice_cache *cache, const std::vector<MiceKey> &keys) {
    const std::uint64_t before = session.server.calls("get");
    for (const MiceKey &key : keys) get(cache, key);
    return static_cast<double>(session.server.calls("get") - before) / static_cast<double>(keys.size());
}

// Nanoseconds of a hit in several caches, interleaved; the ratios are the first divided by the others.
void measure_hits(Session &session, const char *form,
                  const std::vector<std::pair<const char *, phicache_mice_cache *>> &sides,
                  const std::vector<MiceKey> &keys) {
    constexpr std::size_t COUNT = 20'000;
    const auto run = [&](phicache_mice_cache *cache) {
        Random random(3);
        const std::int64_t start = now();
        for (std::size_t i = 0; i < COUNT; i++) get(cache, keys[random.below(ENTRIES)]);
        return static_cast<double>(now() - start) / COUNT;
    };
    std::vector<Name> names;
    for (const auto &side : sides) names.push_back({side.first, true}), run(side.second);
    session.report.add({"hit of a MICE", form, {}, "ns", 1}, names,
                       interleave(sides.size(), session.rounds,
                                  [&](std::size_t i, std::size_t) { return run(sides[i].second); }));
}

}  // namespace

void measure_near(Session &session) {
    pin(session.core);
    const Config config = new_config(100);
    expect(PHICACHE_OK, phicache_config_set_redis_url(config.get(), ("unix://" + session.server.socket()).c_str()));
    const Subsystem uncut = new_subsystem(false), cut = new_subsystem(true);
    const std::vector<MiceKey> keys = mice_keys();
    {
        const Mice writer = new_redis_mice(config.get(), uncut.get(), nullptr);
        fill(writer.get(), keys);
    }
    const Mice parent = new_redis_mice(config.get(), uncut.get(), nullptr);
    const Mice child = new_redis_mice(config.get(), cut.get(), parent.get());
    session.report.add({"commands per lookup of a MICE under a cut", "first", {}, "commands", 3}, {{"phicache", true}},
                       {{asked(session, child.get(), keys)}});
    session.report.add({"commands per lookup of a MICE under a cut", "again", {}, "commands", 3}, {{"phicache", true}},
                       {{asked(session, child.get(), keys)}});

    phicache_mice_cache *dict_cache, *dict_child_cache;
    expect(PHICACHE_OK, phicache_dict_mice_cache_new(config.get(), nullptr, uncut.get(), nullptr, &dict_cache));
    const Mice dict(dict_cache);
    fill(dict.get(), keys);
    expect(PHICACHE_OK, phicache_dict_mice_cache_new(config.get(), nullptr, cut.get(), dict.get(), &dict_child_cache));
    const Mice dict_child(dict_child_cache);
    measure_hits(session, "uncut", {{"near, of a Redis cache", parent.get()}, {"dict", dict.get()}}, keys);
    measure_hits(session, "under a cut",
                 {{"near, of a Redis cache", child.get()}, {"dict, under a cut", dict_child.get()},
                  {"dict, uncut", dict.get()}},
                 keys);
}

}  // namespace bench
