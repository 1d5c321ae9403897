// loops.hpp: the loops of peer.h, written once for all C++ maps.
//
// A map is a class with
//
//     using Value = Counted<…>;
//     static constexpr bool thread_safe;
//     void set(std::string_view key, Value value);
//     template <class Look> bool look(std::string_view key, Look &&look);
//
// where `look` is called with a `const Value &`, under the map's guard.
#pragma once

#include <cstring>
#include <string_view>

#include "counted.hpp"
#include "peer.h"

namespace bench {

inline std::uint64_t word_of(const std::uint8_t *value) {
    std::uint64_t word;
    std::memcpy(&word, value, sizeof word);
    return word;
}

inline std::string_view key_at(const bench_work &work, std::size_t place) {
    return {reinterpret_cast<const char *>(work.keys) + place * work.key_len, work.key_len};
}

// The value of the key at `place`, written to the thread's own buffer.
inline const std::uint8_t *value_at(const bench_work &work, std::size_t place) {
    std::memcpy(work.value, &work.words[place], sizeof work.words[place]);
    return work.value;
}

// Sums the results of `read` for some keys. Dependent: the place of the next key follows from the last value.
template <bool Dependent, class Read>
std::uint64_t sum_part(const bench_work &work, std::size_t from, std::size_t to, Read &&read) {
    std::uint64_t sum = 0, last = 0;
    for (std::size_t place = from; place < to; place++) {
        const std::size_t shift = Dependent ? last >> 63 : 0;
        last = read(place, key_at(work, place + shift));
        sum += last;
    }
    return sum;
}

template <bool Dependent, class Read>
std::uint64_t sum(const bench_work &work, Read &&read) {
    return sum_part<Dependent>(work, 0, work.count, read);
}

template <class Map>
struct Loops {
    using Value = typename Map::Value;

    static void *make() { return new Map; }
    static void free(void *map) { delete static_cast<Map *>(map); }

    static void set_at(Map &map, const bench_work &work, std::size_t place) {
        map.set(key_at(work, place), Value(value_at(work, place), work.value_len));
    }
    static std::uint64_t read_counted(Map &map, std::string_view key) {
        Value value;
        map.look(key, [&](const Value &found) { value = found; });
        return value ? word_of(value.data()) : 0;
    }
    static std::uint64_t read_in_place(Map &map, std::string_view key) {
        std::uint64_t word = 0;
        map.look(key, [&](const Value &found) { word = word_of(found.data()); });
        return word;
    }

    static std::uint64_t insert(void *map, const bench_work *work) {
        for (std::size_t place = 0; place < work->count; place++) set_at(*static_cast<Map *>(map), *work, place);
        return work->count;
    }

    template <bool Dependent>
    static std::uint64_t counted(void *map, const bench_work *work) {
        return sum<Dependent>(*work, [&](std::size_t, std::string_view key) {
            return read_counted(*static_cast<Map *>(map), key);
        });
    }

    template <bool Dependent>
    static std::uint64_t in_place(void *map, const bench_work *work) {
        return sum<Dependent>(*work, [&](std::size_t, std::string_view key) {
            return read_in_place(*static_cast<Map *>(map), key);
        });
    }

    template <bool Dependent>
    static std::uint64_t copied(void *map, const bench_work *work) {
        return sum<Dependent>(*work, [&](std::size_t, std::string_view key) {
            const bool found = static_cast<Map *>(map)->look(
                key, [&](const Value &value) { std::memcpy(work->buffer, value.data(), value.size()); });
            return found ? word_of(work->buffer) : 0;
        });
    }

    static std::uint64_t memoize(void *opaque, const bench_work *work) {
        auto &map = *static_cast<Map *>(opaque);
        return sum<false>(*work, [&](std::size_t place, std::string_view key) {
            Value value;
            map.look(key, [&](const Value &found) { value = found; });
            if (!value) {
                value = Value(value_at(*work, place), work->value_len);
                map.set(key, value);
            }
            return word_of(value.data());
        });
    }

    template <bool InPlace>
    static std::uint64_t mixed(void *opaque, const bench_work *work) {
        auto &map = *static_cast<Map *>(opaque);
        return sum<false>(*work, [&](std::size_t place, std::string_view key) -> std::uint64_t {
            if (work->writes[place]) return set_at(map, *work, place), 0;
            return InPlace ? read_in_place(map, key) : read_counted(map, key);
        });
    }

    static constexpr bench_peer peer(const char *name) {
        constexpr bool several = Map::thread_safe;
        return {name,
                several,
                make,
                free,
                insert,
                {counted<false>, in_place<false>, copied<false>},
                {counted<true>, in_place<true>, copied<true>},
                memoize,
                {},
                {several ? mixed<false> : nullptr, several ? mixed<true> : nullptr, nullptr}};
    }
};

}  // namespace bench
