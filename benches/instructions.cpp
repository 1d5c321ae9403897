// instructions.cpp: executes one operation COUNT times: instructions WORK COUNT. Without arguments it lists the
// works.
//
// make/count_instructions.py runs it under callgrind with two counts. The difference of the instructions, divided by
// the difference of the counts, is the cost of one operation with its loop; the loop alone is a work of its own.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <phicache.hpp>
#include <string>
#include <vector>

#include "peers/works/own.hpp"

namespace {

using namespace bench;

// The real load: the sizes in recorded PyPhi runs.
constexpr std::size_t ENTRIES = 2'000, KEY_LEN = 16, VALUE_LEN = 64;
constexpr std::size_t BATCH = 50;
// Repertoires of three and of six nodes.
constexpr std::size_t SHORT_ARRAY = 8, LONG_ARRAY = 64;
// The lengths of single keys.
constexpr std::size_t LENGTHS[4] = {16, 64, 256, 1024};
using Array = phicache::span<const double>;
const std::uint8_t VALUE[VALUE_LEN] = {};

struct Key {
    std::uint64_t words[KEY_LEN / sizeof(std::uint64_t)];
    phicache_bytes bytes() const { return {reinterpret_cast<const std::uint8_t *>(words), KEY_LEN}; }
};

Key key(std::uint64_t number) { return {{number * 0x9e3779b97f4a7c15, number}}; }

// Every caller checks the status.
template <class Held>
void must(const Held &held) {
    if (!held) std::abort();
}

struct World {
    std::vector<Key> keys;
    std::vector<MiceKey> mice_keys;
    Dict dict = new_dict(nullptr), growing = new_dict(nullptr), full = nullptr;
    Dict of_length[4] = {new_dict(nullptr), new_dict(nullptr), new_dict(nullptr), new_dict(nullptr)};
    Subsystem uncut = new_subsystem(false), cut = new_subsystem(true);
    Mice parent = new_mice(uncut.get(), nullptr), closed = new_mice(cut.get(), nullptr);
    Mice child = new_mice(cut.get(), parent.get());
    phicache_cache *view = nullptr;
    // The cost of phicache.hpp over the C call: one entry, which the first probe finds in any process.
    phicache::dict_cache one;
    phicache::mice_cache one_mice{
        phicache::subsystem(phicache::fingerprint(phicache_fingerprint{{1}}), std::vector<std::int32_t>(NODES),
                            phicache::node_set::first(NODES))};
    phicache::cache one_view = one;
    phicache::dict_cache one_number, by_parts;
    phicache::cache one_by_parts = by_parts;
    std::optional<phicache::reader> reader;
    phicache::memo<double(double, double)> memo{[](double p, double q) { return p < q ? q - p : p - q; }};
    phicache::memo<double(Array, Array)> distance{[](Array, Array) { return 0.5; }};
    phicache::memo<double(phicache::bytes, phicache::bytes)> distance_of_bytes{
        [](phicache::bytes, phicache::bytes) { return 0.5; }};
    std::vector<double> p = std::vector<double>(LONG_ARRAY, 0.25), q = std::vector<double>(LONG_ARRAY, 0.75);
    phicache::key arguments;

    World() {
        expect(PHICACHE_OK, phicache_dict_cache_as_cache(dict.get(), &view));
        const Config tight = new_config(0.0001);
        full = new_dict(tight.get());
        for (std::uint64_t number = 0; number < ENTRIES; number++) {
            keys.push_back(key(number));
            expect(PHICACHE_OK, phicache_dict_cache_set(dict.get(), keys.back().bytes(), {VALUE, VALUE_LEN}));
            mice_keys.emplace_back(number + 1);
            const phicache_mice record = mice(number + 1, 0.5);
            expect(PHICACHE_OK, phicache_mice_cache_set(parent.get(), mice_keys.back().bytes(), &record));
            if (number > 0) continue;
            must(memo(0.25, 0.75) == 0.5);
            for (const std::size_t len : {SHORT_ARRAY, LONG_ARRAY})
                must(distance(Array(p.data(), len), Array(q.data(), len)) == 0.5);
            expect(PHICACHE_OK, phicache_dict_cache_set(one.handle(), keys.back().bytes(), {VALUE, VALUE_LEN}));
            must(one_number.set(keys.back().bytes(), 0.5));
            reader.emplace(one_number.view().handle());
            const std::uint64_t(&words)[2] = keys.back().words;
            must(by_parts.set({phicache::bytes_of(words[0]), phicache::bytes_of(words[1])}, 0.5));
            expect(PHICACHE_OK, phicache_mice_cache_set(one_mice.handle(), mice_keys.back().bytes(), &record));
        }
    }
};

struct Value {
    std::uint8_t bytes[VALUE_LEN];
};

std::int32_t compute(void *, void *, phicache_bytes, phicache_result *) { std::abort(); }

std::int32_t compute_nothing(void *, void *, phicache_bytes, phicache_result *) { return 0; }

std::int32_t compute_value(void *, void *, phicache_bytes, phicache_result *result) {
    std::uint8_t *room = nullptr;
    expect(PHICACHE_OK, phicache_result_reserve_uninitialized(result, VALUE_LEN, &room));
    std::memcpy(room, VALUE, VALUE_LEN);
    return 0;
}

// A computation by a callback, of a key that no call has asked for before. The table grows.
void memoize_new(World &world) {
    static std::uint64_t number = 0;
    const Key missing = key(++number);
    phicache_value value;
    expect(PHICACHE_OK,
           phicache_dict_cache_memoize(world.growing.get(), missing.bytes(), compute_value, nullptr, nullptr, &value,
                                       nullptr));
    phicache_value_release(&value);
}

std::int32_t compute_distance(void *, void *, phicache_bytes, phicache_result *result) {
    std::uint8_t *room = nullptr;
    expect(PHICACHE_OK, phicache_result_reserve(result, sizeof(double), &room));
    const double half = 0.5;
    std::memcpy(room, &half, sizeof half);
    return 0;
}

// The one key of its cache, by its length: in every process the first probe finds it. The first lookup computes its
// value.
void memoize_one(World &world, std::size_t length) {
    static const std::uint8_t key[1024] = {};
    phicache_value value;
    expect(PHICACHE_OK, phicache_dict_cache_memoize(world.of_length[length].get(), {key, LENGTHS[length]},
                                                    compute_nothing, nullptr, nullptr, &value, nullptr));
    phicache_value_release(&value);
}

// The distance between two arrays: by their bytes, in C and C++, and by memos of their doubles and of their bytes.
void distance_in_c(World &world, std::size_t len) {
    const std::uint32_t lengths[2] = {std::uint32_t(8 * len), std::uint32_t(8 * len)};
    const phicache_bytes parts[3] = {phicache::bytes(phicache::span<const double>(world.p.data(), len)),
                                     phicache::bytes(phicache::span<const double>(world.q.data(), len)),
                                     phicache::bytes(lengths)};
    phicache_value value;
    must(PHICACHE_OK == phicache_cache_memoize_parts(world.one_by_parts.handle(), parts, 3, compute_distance, nullptr,
                                                     nullptr, &value, nullptr));
    must(*reinterpret_cast<const double *>(value.data) == 0.5);
    phicache_value_release(&value);
}
void distance_by_memo_in_c(World &world, std::size_t len) {
    phicache_key *key = world.arguments.handle();
    phicache_value value;
    must(PHICACHE_OK == phicache_key_reset(key));
    must(PHICACHE_OK == phicache_key_add_doubles(key, world.p.data(), len));
    must(PHICACHE_OK == phicache_key_add_doubles(key, world.q.data(), len));
    must(PHICACHE_OK == phicache_memo_call(world.distance.handle(), key, nullptr, &value, nullptr));
    must(*reinterpret_cast<const double *>(value.data) == 0.5);
    phicache_value_release(&value);
}
void distance_by_parts(World &world, std::size_t len) {
    must(world.by_parts.memoize<double>({Array(world.p.data(), len), Array(world.q.data(), len)},
                                        [] { return 0.5; }) == 0.5);
}
void distance_by_memo(World &world, std::size_t len) {
    must(world.distance(Array(world.p.data(), len), Array(world.q.data(), len)) == 0.5);
}
void distance_by_memo_of_bytes(World &world, std::size_t len) {
    must(world.distance_of_bytes(Array(world.p.data(), len), Array(world.q.data(), len)) == 0.5);
}

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
    {"memoize on a hit, one key of 16 bytes", [](World &world, std::size_t) { memoize_one(world, 0); }},
    {"memoize on a hit, one key of 64 bytes", [](World &world, std::size_t) { memoize_one(world, 1); }},
    {"memoize on a hit, one key of 256 bytes", [](World &world, std::size_t) { memoize_one(world, 2); }},
    {"memoize on a hit, one key of 1,024 bytes", [](World &world, std::size_t) { memoize_one(world, 3); }},
    {"hit and release, two others held",
     [](World &world, std::size_t place) {
         static phicache_value held[3];
         expect(PHICACHE_OK, phicache_dict_cache_get(world.dict.get(), world.keys[place].bytes(), &held[place % 3]));
         phicache_value_release(&held[(place + 1) % 3]);
     }},
    {"memoize on a miss, in a table that grows", [](World &world, std::size_t) { memoize_new(world); }},
    {"memoize on a miss, and remove",
     [](World &world, std::size_t place) {
         const Key missing = key(ENTRIES + place);
         phicache_value value;
         expect(PHICACHE_OK, phicache_dict_cache_memoize(world.dict.get(), missing.bytes(), compute_nothing, nullptr,
                                                         nullptr, &value, nullptr));
         phicache_value_release(&value);
         expect(PHICACHE_OK, phicache_dict_cache_remove(world.dict.get(), missing.bytes()));
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
         expect(PHICACHE_REFUSED_CUT,
                phicache_mice_cache_set(world.closed.get(), world.mice_keys[place].bytes(), &record));
     }},
    {"MICE set, refused by phi",
     [](World &world, std::size_t place) {
         const phicache_mice record = mice(place + 1, 0);
         expect(PHICACHE_REFUSED_PHI,
                phicache_mice_cache_set(world.parent.get(), world.mice_keys[place].bytes(), &record));
     }},
    {"MICE hit and release",
     [](World &world, std::size_t place) { get_mice(world.parent.get(), world.mice_keys[place]); }},
    {"MICE hit in a child",
     [](World &world, std::size_t place) { get_mice(world.child.get(), world.mice_keys[place]); }},
    {"one entry, C: hit",
     [](World &world, std::size_t) {
         phicache_value value;
         must(PHICACHE_OK == phicache_dict_cache_get(world.one.handle(), world.keys[0].bytes(), &value));
         phicache_value_release(&value);
     }},
    {"C++: hit",
     [](World &world, std::size_t) { must(world.one.get(world.keys[0].bytes())); }},
    {"C++: hit, try_get",
     [](World &world, std::size_t) {
         const phicache::expected<std::optional<phicache::value>> found = world.one.try_get(world.keys[0].bytes());
         must(found && *found);
     }},
    {"one entry, C: miss",
     [](World &world, std::size_t) {
         phicache_value value;
         must(PHICACHE_MISS == phicache_dict_cache_get(world.one.handle(), world.keys[1].bytes(), &value));
     }},
    {"C++: miss",
     [](World &world, std::size_t) { must(!world.one.get(world.keys[1].bytes())); }},
    {"one entry, C: copied hit",
     [](World &world, std::size_t) {
         Value value;
         std::size_t len;
         must(PHICACHE_OK == phicache_dict_cache_get_into(world.one.handle(), world.keys[0].bytes(),
                                                          reinterpret_cast<std::uint8_t *>(&value), sizeof value,
                                                          &len));
         must(len == sizeof value);
     }},
    {"C++: copied hit, get<T>",
     [](World &world, std::size_t) { must(world.one.get<Value>(world.keys[0].bytes())); }},
    {"one entry, C: contains",
     [](World &world, std::size_t) {
         must(PHICACHE_OK == phicache_dict_cache_contains(world.one.handle(), world.keys[0].bytes()));
     }},
    {"C++: contains",
     [](World &world, std::size_t) { must(world.one.contains(world.keys[0].bytes())); }},
    {"one entry, C: memoize on a hit",
     [](World &world, std::size_t) {
         phicache_value value;
         must(PHICACHE_OK == phicache_dict_cache_memoize(world.one.handle(), world.keys[0].bytes(), compute,
                                                         nullptr, nullptr, &value, nullptr));
         phicache_value_release(&value);
     }},
    {"C++: memoize on a hit",
     [](World &world, std::size_t) {
         world.one.memoize(world.keys[0].bytes(), [](phicache::result &) { std::abort(); });
     }},
    {"C++: memoize on a hit, try_memoize",
     [](World &world, std::size_t) {
         must(world.one.try_memoize(world.keys[0].bytes(), [](phicache::result &) { std::abort(); }));
     }},
    {"one entry, C: memoize a number, on a hit",
     [](World &world, std::size_t) {
         phicache_value value;
         must(PHICACHE_OK == phicache_dict_cache_memoize(world.one_number.handle(), world.keys[0].bytes(), compute,
                                                         nullptr, nullptr, &value, nullptr));
         must(*reinterpret_cast<const double *>(value.data) == 0.5);
         phicache_value_release(&value);
     }},
    {"C++: memoize<double> on a hit",
     [](World &world, std::size_t place) {
         must(world.one_number.memoize<double>(world.keys[0].bytes(), [&] { return double(place); }) == 0.5);
     }},
    {"one entry, C: memoize by two parts, on a hit",
     [](World &world, std::size_t) {
         static const std::uint32_t lengths[2] = {8, 8};
         const auto *first = reinterpret_cast<const std::uint8_t *>(world.keys[0].words);
         const phicache_bytes parts[3] = {
             {first, 8}, {first + 8, 8}, {reinterpret_cast<const std::uint8_t *>(lengths), sizeof lengths}};
         phicache_value value;
         must(PHICACHE_OK == phicache_cache_memoize_parts(world.one_by_parts.handle(), parts, 3, compute, nullptr,
                                                          nullptr, &value, nullptr));
         must(*reinterpret_cast<const double *>(value.data) == 0.5);
         phicache_value_release(&value);
     }},
    {"C++: memoize<double> by two parts, on a hit",
     [](World &world, std::size_t place) {
         const std::uint64_t(&words)[2] = world.keys[0].words;
         must(world.one_by_parts.memoize<double>({phicache::bytes_of(words[0]), phicache::bytes_of(words[1])},
                                                 [&] { return double(place); }) == 0.5);
     }},
    {"one entry, C: copied hit through a reader",
     [](World &world, std::size_t) {
         double number;
         std::size_t len;
         must(PHICACHE_OK == phicache_reader_copy(world.reader->raw(), world.keys[0].bytes(),
                                                  reinterpret_cast<std::uint8_t *>(&number), sizeof number, &len));
         must(len == sizeof number);
     }},
    {"C++: copied hit through a reader",
     [](World &world, std::size_t) { must(world.reader->get<double>(world.keys[0].bytes())); }},
    {"one entry, C: memoize a vector, on a hit",
     [](World &world, std::size_t) {
         phicache_value value;
         must(PHICACHE_OK == phicache_dict_cache_memoize(world.one.handle(), world.keys[0].bytes(), compute,
                                                         nullptr, nullptr, &value, nullptr));
         const double *first = reinterpret_cast<const double *>(value.data);
         const std::vector<double> copy(first, first + value.len / sizeof(double));
         phicache_value_release(&value);
         must(copy.size() == VALUE_LEN / sizeof(double));
     }},
    {"C++: memoize<std::vector<double>> on a hit",
     [](World &world, std::size_t place) {
         must(world.one.memoize<std::vector<double>>(world.keys[0].bytes(), [&] {
             return std::vector<double>(place);
         }).size() == VALUE_LEN / sizeof(double));
     }},
    {"one entry, C: MICE hit",
     [](World &world, std::size_t) {
         phicache_mice found;
         found.struct_size = sizeof found;
         phicache_value value;
         must(PHICACHE_OK ==
              phicache_mice_cache_get(world.one_mice.handle(), world.mice_keys[0].bytes(), &found, &value));
         phicache_value_release(&value);
     }},
    {"C++: MICE hit",
     [](World &world, std::size_t) { must(world.one_mice.get(world.mice_keys[0].bytes())); }},
    {"one entry, C: hit in place",
     [](World &world, std::size_t) {
         phicache_bytes value;
         must(PHICACHE_OK == phicache_read_begin());
         must(PHICACHE_OK == phicache_cache_read(world.one_view.handle(), world.keys[0].bytes(), &value));
         must(PHICACHE_OK == phicache_read_end());
     }},
    {"C++: hit in place",
     [](World &world, std::size_t) {
         const phicache::read_section section;
         must(section.get(world.one_view, world.keys[0].bytes()));
     }},
    {"one entry, C: call of a memo",
     [](World &world, std::size_t) {
         phicache_key *key = world.arguments.handle();
         phicache_value value;
         must(PHICACHE_OK == phicache_key_reset(key));
         must(PHICACHE_OK == phicache_key_add_double(key, 0.25));
         must(PHICACHE_OK == phicache_key_add_double(key, 0.75));
         must(PHICACHE_OK == phicache_memo_call(world.memo.handle(), key, nullptr, &value, nullptr));
         must(value.len == sizeof(double));
         phicache_value_release(&value);
     }},
    {"C++: call of a memo", [](World &world, std::size_t) { must(world.memo(0.25, 0.75) == 0.5); }},
    {"two arrays of 8, C: memoize by parts", [](World &world, std::size_t) { distance_in_c(world, SHORT_ARRAY); }},
    {"C++: two arrays of 8, memoize<double> by parts",
     [](World &world, std::size_t) { distance_by_parts(world, SHORT_ARRAY); }},
    {"C++: two arrays of 8, memo of arrays", [](World &world, std::size_t) { distance_by_memo(world, SHORT_ARRAY); }},
    {"C++: two arrays of 8, memo of bytes",
     [](World &world, std::size_t) { distance_by_memo_of_bytes(world, SHORT_ARRAY); }},
    {"two arrays of 8, C: call of a memo",
     [](World &world, std::size_t) { distance_by_memo_in_c(world, SHORT_ARRAY); }},
    {"two arrays of 64, C: memoize by parts", [](World &world, std::size_t) { distance_in_c(world, LONG_ARRAY); }},
    {"C++: two arrays of 64, memoize<double> by parts",
     [](World &world, std::size_t) { distance_by_parts(world, LONG_ARRAY); }},
    {"C++: two arrays of 64, memo of arrays", [](World &world, std::size_t) { distance_by_memo(world, LONG_ARRAY); }},
    {"C++: two arrays of 64, memo of bytes",
     [](World &world, std::size_t) { distance_by_memo_of_bytes(world, LONG_ARRAY); }},
    {"two arrays of 64, C: call of a memo",
     [](World &world, std::size_t) { distance_by_memo_in_c(world, LONG_ARRAY); }},
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
        std::fprintf(stderr,
                     "instructions: there is no work \"%s\"; the works are listed without arguments\n", argv[1]);
        return 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "instructions: %s\n", error.what());
        return 1;
    }
}
