// instructions.cpp: instructions WORK COUNT: does one thing COUNT times; without arguments it lists what it can do.
//
// make/count_instructions.py runs it under callgrind with two counts: what the second run executes more, divided by what it
// does more, is the number of instructions of one operation. Its loop is in it, and is a work of its own.
#include <cstdio>
#include <cstdlib>
#include <phicache.hpp>
#include <string>
#include <vector>

#include "peers/works/own.hpp"

namespace {

using namespace bench;

// The real load: what recorded runs of PyPhi look like.
constexpr std::size_t ENTRIES = 2'000, KEY_LEN = 16, VALUE_LEN = 64;
constexpr std::size_t BATCH = 50;
const std::uint8_t VALUE[VALUE_LEN] = {};

struct Key {
    std::uint64_t words[KEY_LEN / sizeof(std::uint64_t)];
    phicache_bytes bytes() const { return {reinterpret_cast<const std::uint8_t *>(words), KEY_LEN}; }
};

Key key(std::uint64_t number) { return {{number * 0x9e3779b97f4a7c15, number}}; }

struct World {
    std::vector<Key> keys;
    std::vector<MiceKey> mice_keys;
    Dict dict = new_dict(nullptr), full = nullptr;
    Subsystem uncut = new_subsystem(false), cut = new_subsystem(true);
    Mice parent = new_mice(uncut.get(), nullptr), closed = new_mice(cut.get(), nullptr);
    Mice child = new_mice(cut.get(), parent.get());
    phicache_cache *view = nullptr;
    // The same entries behind phicache.hpp, which is to cost nothing over the C call.
    phicache::dict_cache face;

    World() {
        expect(PHICACHE_OK, phicache_dict_cache_as_cache(dict.get(), &view));
        const Config tight = new_config(0.0001);
        full = new_dict(tight.get());
        for (std::uint64_t number = 0; number < ENTRIES; number++) {
            keys.push_back(key(number));
            expect(PHICACHE_OK, phicache_dict_cache_set(dict.get(), keys.back().bytes(), {VALUE, VALUE_LEN}));
            expect(PHICACHE_OK, phicache_dict_cache_set(face.handle(), keys.back().bytes(), {VALUE, VALUE_LEN}));
            mice_keys.emplace_back(number + 1);
            const phicache_mice record = mice(number + 1, 0.5);
            expect(PHICACHE_OK, phicache_mice_cache_set(parent.get(), mice_keys.back().bytes(), &record));
        }
    }
};

std::int32_t compute(void *, void *, phicache_bytes, phicache_result *) { std::abort(); }

void get_mice(phicache_mice_cache *cache, const MiceKey &key) {
    phicache_mice found;
    found.struct_size = sizeof found;
    phicache_value value;
    expect(PHICACHE_OK, phicache_mice_cache_get(cache, key.bytes(), &found, &value));
    phicache_value_release(&value);
}

struct Work {
    const char *name;
    void (*once)(World &, std::size_t place);  // `place` is one of ENTRIES
};

const Work WORKS[] = {
    {"the loop itself", [](World &, std::size_t) {}},
    {"hit and release",
     [](World &world, std::size_t place) {
         phicache_value value;
         expect(PHICACHE_OK, phicache_dict_cache_get(world.dict.get(), world.keys[place].bytes(), &value));
         phicache_value_release(&value);
     }},
    {"hit in place, section of 50",
     [](World &world, std::size_t place) {
         phicache_bytes value;
         if (place % BATCH == 0) expect(PHICACHE_OK, phicache_read_begin());
         expect(PHICACHE_OK, phicache_cache_read(world.view, world.keys[place].bytes(), &value));
         if (place % BATCH == BATCH - 1) expect(PHICACHE_OK, phicache_read_end());
     }},
    {"get_many of 50, and release",
     [](World &world, std::size_t place) {
         static phicache_bytes keys[BATCH];
         phicache_value values[BATCH];
         keys[place % BATCH] = world.keys[place].bytes();
         if (place % BATCH != BATCH - 1) return;
         expect(PHICACHE_OK, phicache_cache_get_many(world.view, keys, BATCH, values, nullptr));
         for (phicache_value &value : values) phicache_value_release(&value);
     }},
    {"get_into",
     [](World &world, std::size_t place) {
         std::uint8_t buffer[VALUE_LEN];
         std::size_t len;
         expect(PHICACHE_OK,
                phicache_dict_cache_get_into(world.dict.get(), world.keys[place].bytes(), buffer, sizeof buffer, &len));
     }},
    {"contains",
     [](World &world, std::size_t place) {
         expect(PHICACHE_OK, phicache_dict_cache_contains(world.dict.get(), world.keys[place].bytes()));
     }},
    {"miss",
     [](World &world, std::size_t place) {
         const Key missing = key(ENTRIES + place);
         phicache_value value;
         expect(PHICACHE_MISS, phicache_dict_cache_get(world.dict.get(), missing.bytes(), &value));
     }},
    {"memoize on a hit",
     [](World &world, std::size_t place) {
         phicache_value value;
         expect(PHICACHE_OK, phicache_dict_cache_memoize(world.dict.get(), world.keys[place].bytes(), compute, nullptr,
                                                         nullptr, &value, nullptr));
         phicache_value_release(&value);
     }},
    {"C++: hit and release",
     [](World &world, std::size_t place) {
         if (!world.face.get(world.keys[place].bytes())) std::abort();
     }},
    {"C++: contains",
     [](World &world, std::size_t place) {
         if (!world.face.contains(world.keys[place].bytes())) std::abort();
     }},
    {"C++: memoize on a hit",
     [](World &world, std::size_t place) {
         if (world.face.memoize(world.keys[place].bytes(), [](phicache::result &) { std::abort(); }).size() != VALUE_LEN)
             std::abort();
     }},
    {"set, over a value",
     [](World &world, std::size_t place) {
         expect(PHICACHE_OK, phicache_dict_cache_set(world.dict.get(), world.keys[place].bytes(), {VALUE, VALUE_LEN}));
     }},
    {"set, refused by memory",
     [](World &world, std::size_t place) {
         expect(PHICACHE_REFUSED_MEMORY,
                phicache_dict_cache_set(world.full.get(), world.keys[place].bytes(), {VALUE, VALUE_LEN}));
     }},
    {"MICE set, refused by the cut",
     [](World &world, std::size_t place) {
         const phicache_mice record = mice(place + 1, 0.5);
         expect(PHICACHE_REFUSED_CUT, phicache_mice_cache_set(world.closed.get(), world.mice_keys[place].bytes(), &record));
     }},
    {"MICE set, refused by phi",
     [](World &world, std::size_t place) {
         const phicache_mice record = mice(place + 1, 0);
         expect(PHICACHE_REFUSED_PHI, phicache_mice_cache_set(world.parent.get(), world.mice_keys[place].bytes(), &record));
     }},
    {"MICE hit and release", [](World &world, std::size_t place) { get_mice(world.parent.get(), world.mice_keys[place]); }},
    {"MICE hit in a child", [](World &world, std::size_t place) { get_mice(world.child.get(), world.mice_keys[place]); }},
    {"new and free", [](World &, std::size_t) { new_dict(nullptr); }},
    {"child new and free", [](World &world, std::size_t) { new_mice(world.cut.get(), world.parent.get()); }},
    {"repertoire key",
     [](World &, std::size_t place) {
         std::uint8_t buffer[64];
         std::size_t len;
         expect(PHICACHE_OK,
                phicache_key_repertoire("repertoire", PHICACHE_CAUSE, place + 1, 3, buffer, sizeof buffer, &len));
     }},
    {"cut-scoped key",
     [](World &world, std::size_t place) {
         std::uint8_t buffer[128];
         std::size_t len;
         expect(PHICACHE_OK, phicache_subsystem_key(world.cut.get(), "repertoire", PHICACHE_CAUSE, place + 1, 3, buffer,
                                                    sizeof buffer, &len));
     }},
    {"cut-scoped key, severed",
     [](World &world, std::size_t place) {
         std::uint8_t buffer[128];
         std::size_t len;
         expect(PHICACHE_OK, phicache_subsystem_key(world.cut.get(), "repertoire", PHICACHE_CAUSE, place | 1 << 14,
                                                    1 << 15 | 1, buffer, sizeof buffer, &len));
     }},
};

}  // namespace

int main(int argc, char **argv) {
    try {
        if (argc != 3) {
            for (const Work &work : WORKS) std::puts(work.name);
            return argc == 1 ? 0 : 2;
        }
        World world;
        for (const Work &work : WORKS)
            if (argv[1] == std::string(work.name)) {
                for (std::size_t done = 0, count = std::stoul(argv[2]); done < count; done++)
                    work.once(world, done % ENTRIES);
                return 0;
            }
        std::fprintf(stderr, "instructions: no work is called \"%s\"\n", argv[1]);
        return 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "instructions: %s\n", error.what());
        return 1;
    }
}
