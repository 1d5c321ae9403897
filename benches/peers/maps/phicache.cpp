// phicache, called through its C ABI for every single operation, as a user calls it.
#include <phicache.h>

#include <stdexcept>

#include "../loops.hpp"

namespace {

using namespace bench;

phicache_dict_cache *cache_of(void *map) { return static_cast<phicache_dict_cache *>(map); }

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

// False is a refusal, which would make all that follows a measurement of something else.
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
        if (phicache_dict_cache_memoize(cache_of(map), bytes(key), compute, nullptr, const_cast<bench_work *>(work), &value,
                                        nullptr) != PHICACHE_OK)
            return 0;
        const std::uint64_t word = word_of(value.data);
        phicache_value_release(&value);
        return word;
    });
}

std::uint64_t mixed(void *map, const bench_work *work) {
    return sum<false>(*work, [&](std::size_t place, std::string_view key) -> std::uint64_t {
        if (work->writes[place]) return set_at(map, *work, place), 0;
        return read_pinned(map, key);
    });
}

// Read sections: until phicache has them, the nearest to a read in place is a pin and its release. With
// phicache_read_begin, phicache_cache_read and phicache_read_end, `in_place` and `mixed_in_place` become loops of their
// own with one section around BENCH_SECTION reads.
const bench_peer peers[] = {{"phicache",
                             1,
                             make,
                             free,
                             insert,
                             {pinned<false>, pinned<false>, copied<false>},
                             {pinned<true>, pinned<true>, copied<true>},
                             memoize,
                             {mixed, mixed, nullptr}},
                            {}};

}  // namespace

const bench_peer *bench_phicache() { return peers; }
