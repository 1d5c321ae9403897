// phicache, called through its C ABI for every single operation, as a user calls it.
#include <phicache.h>

#include <algorithm>
#include <stdexcept>

#include "../loops.hpp"

namespace {

using namespace bench;

phicache_dict_cache *cache_of(void *map) { return static_cast<phicache_dict_cache *>(map); }

phicache_cache *view_of(void *map) {
    phicache_cache *view = nullptr;
    phicache_dict_cache_as_cache(cache_of(map), &view);
    return view;
}

phicache_bytes bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

void *make() {
    phicache_dict_cache *cache;
    if (phicache_dict_cache_new(nullptr, nullptr, &cache) != PHICACHE_OK)
        throw std::runtime_error(phicache_last_error());
    return cache;
}

void free(void *map) { phicache_dict_cache_free(cache_of(map)); }

// False if the store is refused; then the following measurements would be meaningless.
bool set_at(void *map, const bench_work &work, std::size_t place) {
    const phicache_bytes value = {value_at(work, place), work.value_len};
    return phicache_dict_cache_set(cache_of(map), bytes(key_at(work, place)), value) == PHICACHE_OK;
}

std::uint64_t insert(void *map, const bench_work *work) {
    std::uint64_t stored = 0;
    for (std::size_t place = 0; place < work->count; place++) stored += set_at(map, *work, place);
    return stored;
}

std::uint64_t read_pinned(void *map, std::string_view key) {
    phicache_value value;
    if (phicache_dict_cache_get(cache_of(map), bytes(key), &value) != PHICACHE_OK) return 0;
    const std::uint64_t word = word_of(value.data);
    phicache_value_release(&value);
    return word;
}

template <bool Dependent>
std::uint64_t pinned(void *map, const bench_work *work) {
    return sum<Dependent>(*work, [&](std::size_t, std::string_view key) { return read_pinned(map, key); });
}

template <bool Dependent>
std::uint64_t copied(void *map, const bench_work *work) {
    return sum<Dependent>(*work, [&](std::size_t, std::string_view key) -> std::uint64_t {
        std::size_t len;
        if (phicache_dict_cache_get_into(cache_of(map), bytes(key), work->buffer, work->value_len, &len) != PHICACHE_OK)
            return 0;
        return word_of(work->buffer);
    });
}

std::int32_t compute(void *, void *call_data, phicache_bytes, phicache_result *result) {
    const auto &work = *static_cast<const bench_work *>(call_data);
    std::uint8_t *value;
    if (phicache_result_reserve(result, work.value_len, &value) != PHICACHE_OK) return 1;
    std::memcpy(value, work.value, work.value_len);
    return 0;
}

std::uint64_t memoize(void *map, const bench_work *work) {
    return sum<false>(*work, [&](std::size_t, std::string_view key) -> std::uint64_t {
        phicache_value value;
        if (phicache_dict_cache_memoize(cache_of(map), bytes(key), compute, nullptr, const_cast<bench_work *>(work),
                                        &value, nullptr) != PHICACHE_OK)
            return 0;
        const std::uint64_t word = word_of(value.data);
        phicache_value_release(&value);
        return word;
    });
}

// Calls `part(from, to)` for a number of keys at a time, each in a read section, and sums the results.
template <class Part>
std::uint64_t sum_in_sections(const bench_work &work, Part &&part) {
    std::uint64_t sum = 0;
    for (std::size_t from = 0; from < work.count; from += BENCH_SECTION) {
        phicache_read_begin();
        sum += part(from, std::min<std::size_t>(from + BENCH_SECTION, work.count));
        phicache_read_end();
    }
    return sum;
}

std::uint64_t read_in_place(phicache_cache *cache, std::string_view key) {
    phicache_bytes value;
    return phicache_cache_read(cache, bytes(key), &value) == PHICACHE_OK ? word_of(value.data) : 0;
}

template <bool Dependent>
std::uint64_t in_place(void *map, const bench_work *work) {
    phicache_cache *const cache = view_of(map);
    return sum_in_sections(*work, [&](std::size_t from, std::size_t to) {
        return sum_part<Dependent>(*work, from, to,
                                   [&](std::size_t, std::string_view key) { return read_in_place(cache, key); });
    });
}

// The keys of a batch.
struct Batch {
    phicache_bytes keys[BENCH_BATCH];

    Batch(const bench_work &work, std::size_t from, std::size_t to) {
        for (std::size_t place = from; place < to; place++) keys[place - from] = bytes(key_at(work, place));
    }
};

std::uint64_t batch_pinned(void *map, const bench_work *work) {
    phicache_cache *const cache = view_of(map);
    std::uint64_t sum = 0;
    for (std::size_t from = 0; from < work->count; from += BENCH_BATCH) {
        const std::size_t to = std::min<std::size_t>(from + BENCH_BATCH, work->count);
        const Batch batch(*work, from, to);
        phicache_value values[BENCH_BATCH];
        phicache_cache_get_many(cache, batch.keys, to - from, values, nullptr);
        for (std::size_t i = 0; i < to - from; i++) {
            sum += values[i].data ? word_of(values[i].data) : 0;
            phicache_value_release(&values[i]);
        }
    }
    return sum;
}

std::uint64_t batch_in_place(void *map, const bench_work *work) {
    static_assert(static_cast<int>(BENCH_BATCH) == static_cast<int>(BENCH_SECTION));
    phicache_cache *const cache = view_of(map);
    return sum_in_sections(*work, [&](std::size_t from, std::size_t to) {
        const Batch batch(*work, from, to);
        phicache_bytes values[BENCH_BATCH];
        phicache_cache_read_many(cache, batch.keys, to - from, values, nullptr);
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < to - from; i++) sum += values[i].data ? word_of(values[i].data) : 0;
        return sum;
    });
}

std::uint64_t mixed_pinned(void *map, const bench_work *work) {
    return sum<false>(*work, [&](std::size_t place, std::string_view key) -> std::uint64_t {
        if (work->writes[place]) return set_at(map, *work, place), 0;
        return read_pinned(map, key);
    });
}

std::uint64_t mixed_in_place(void *map, const bench_work *work) {
    phicache_cache *const cache = view_of(map);
    return sum_in_sections(*work, [&](std::size_t from, std::size_t to) {
        return sum_part<false>(*work, from, to, [&](std::size_t place, std::string_view key) -> std::uint64_t {
            if (work->writes[place]) return set_at(map, *work, place), 0;
            return read_in_place(cache, key);
        });
    });
}

const bench_peer peers[] = {{"phicache",
                             1,
                             make,
                             free,
                             insert,
                             {pinned<false>, in_place<false>, copied<false>},
                             {pinned<true>, in_place<true>, copied<true>},
                             memoize,
                             {batch_pinned, batch_in_place, nullptr},
                             {mixed_pinned, mixed_in_place, nullptr}},
                            {}};

}  // namespace

const bench_peer *bench_phicache() { return peers; }
