// MICE caches: a child of a full parent against one of an empty parent, an inherited hit against a plain hit, refused
// stores against a miss.
#include "../loops.hpp"
#include "duel.hpp"
#include "own.hpp"

namespace bench {

namespace {

constexpr std::uint64_t ENTRIES = 10'000;

std::vector<MiceKey> mice_keys() {
    std::vector<MiceKey> keys;
    for (std::uint64_t mechanism = 1; mechanism <= ENTRIES; mechanism++) keys.emplace_back(mechanism);
    return keys;
}

void fill(phicache_mice_cache *cache, const std::vector<MiceKey> &keys) {
    for (std::uint64_t i = 0; i < keys.size(); i++) {
        const phicache_mice record = mice(i + 1, 0.5);
        expect(PHICACHE_OK, phicache_mice_cache_set(cache, keys[i].bytes(), &record));
    }
}

Side hits(const std::string &name, phicache_mice_cache *cache, const std::vector<MiceKey> &keys) {
    return {name, [cache, &keys](std::size_t count) {
                Random random(3);
                for (std::size_t i = 0; i < count; i++) {
                    phicache_mice found;
                    found.struct_size = sizeof found;
                    phicache_value value;
                    expect(PHICACHE_OK,
                           phicache_mice_cache_get(cache, keys[random.below(ENTRIES)].bytes(), &found, &value));
                    phicache_value_release(&value);
                }
            }};
}

Side new_children(const std::string &name, phicache_subsystem *cut, phicache_mice_cache *parent) {
    return {name, [=](std::size_t count) {
                for (std::size_t i = 0; i < count; i++) new_mice(cut, parent);
            }};
}

}  // namespace

void measure_children(Session &session) {
    const Subsystem uncut = new_subsystem(false), cut = new_subsystem(true);
    const Mice full = new_mice(uncut.get(), nullptr), empty = new_mice(uncut.get(), nullptr);
    const std::vector<MiceKey> keys = mice_keys();
    fill(full.get(), keys);
    const Mice child = new_mice(cut.get(), full.get());
    measure_duel(session, {"child MICE cache", "new + free", {}, "ns", 1},
                 new_children("of a parent with 10,000 entries", cut.get(), full.get()),
                 new_children("of an empty parent", cut.get(), empty.get()));
    measure_duel(session, {"child MICE cache", "hit", {}, "ns", 1}, hits("inherited hit", child.get(), keys),
                 hits("plain hit", full.get(), keys));
}

void measure_refusals(Session &session) {
    const Config config = new_config(0.001);
    const Subsystem uncut = new_subsystem(false), cut = new_subsystem(true);
    const Mice open = new_mice(uncut.get(), nullptr), closed = new_mice(cut.get(), nullptr);
    const Dict full = new_dict(config.get());
    const std::vector<MiceKey> keys = mice_keys();
    fill(open.get(), keys);

    // The miss that refusals are compared with is that of a dict cache with the real load.
    void *const table = session.peers[0]->make();
    const Stream entries = Stream::all(REAL_LOAD), misses = Stream::misses(REAL_LOAD, REAL_LOAD.entries);
    const Scratch scratch(REAL_LOAD.value_len);
    const bench_work all = entries.work(0, entries.length(), scratch);
    session.peers[0]->insert(table, &all);
    const Side miss = {"miss", [&](std::size_t count) {
                           for (std::size_t done = 0, part; done < count; done += part) {
                               part = std::min(count - done, misses.length());
                               const bench_work work = misses.work(0, part, scratch);
                               session.peers[0]->hit[BENCH_COUNTED](table, &work);
                           }
                       }};
    const auto refused_mice = [&](const char *name, phicache_mice_cache *cache, double phi, phicache_status status) {
        // Each key names its mechanism.
        std::vector<phicache_mice> records;
        for (std::uint64_t i = 0; i < keys.size(); i++) records.push_back(mice(i + 1, phi));
        return Side{name, [=, &keys](std::size_t count) {
                        for (std::size_t i = 0; i < count; i++)
                            expect(status, phicache_mice_cache_set(cache, keys[i % ENTRIES].bytes(),
                                                                   &records[i % ENTRIES]));
                    }};
    };
    const Side refused_memory = {"refused: memory", [&](std::size_t count) {
                                     for (std::size_t i = 0; i < count; i++)
                                         expect(PHICACHE_REFUSED_MEMORY,
                                                phicache_dict_cache_set(full.get(), keys[i % ENTRIES].bytes(),
                                                                        {scratch.value(), REAL_LOAD.value_len}));
                                 }};
    measure_duel(session, {"refused store", "cut", {}, "ns", 1},
                 refused_mice("refused: cut", closed.get(), 0.5, PHICACHE_REFUSED_CUT), miss);
    measure_duel(session, {"refused store", "phi", {}, "ns", 1},
                 refused_mice("refused: phi", open.get(), 0.0, PHICACHE_REFUSED_PHI), miss);
    measure_duel(session, {"refused store", "memory", {}, "ns", 1}, refused_memory, miss);
    session.peers[0]->free(table);
}

// Stores overwrite. With and without a memory limit they differ only in the check of the memory.
void measure_gauge(Session &session) {
    const Config limited = new_config(100), unlimited = new_config(PHICACHE_MEMORY_UNLIMITED);
    const Dict watched = new_dict(limited.get()), free = new_dict(unlimited.get());
    const Stream entries = Stream::all(REAL_LOAD);
    const Scratch scratch(REAL_LOAD.value_len);
    const auto stores = [&](const char *name, phicache_dict_cache *cache) {
        return Side{name, [&, cache](std::size_t count) {
                        for (std::size_t done = 0, part; done < count; done += part) {
                            part = std::min(count - done, entries.length());
                            const bench_work work = entries.work(0, part, scratch);
                            session.peers[0]->insert(cache, &work);
                        }
                    }};
    };
    measure_duel(session, {"store", "memory check", REAL_LOAD, "ns", 1}, stores("with a memory limit", watched.get()),
                 stores("without", free.get()));
}

}  // namespace bench
