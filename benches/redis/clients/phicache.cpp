// phicache's Redis cache, called through its C ABI for every operation or batch, as a user calls it.
#include <phicache.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../../peers/loops.hpp"
#include "../../peers/works/own.hpp"
#include "../client.h"

namespace {

using namespace bench;

phicache_redis_cache *cache_of(void *client) { return static_cast<phicache_redis_cache *>(client); }

phicache_cache *view_of(void *client) {
    phicache_cache *view = nullptr;
    phicache_redis_cache_as_cache(cache_of(client), &view);
    return view;
}

phicache_bytes bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

void *open(const char *path, std::int32_t port) {
    const Config config = new_config(100);
    const std::string url = path ? std::string("unix://") + path : "redis://127.0.0.1:" + std::to_string(port);
    expect(PHICACHE_OK, phicache_config_set_redis_url(config.get(), url.c_str()));
    phicache_cache_options options = {};
    options.struct_size = sizeof options;
    options.server_errors = 1;
    phicache_redis_cache *cache;
    expect(PHICACHE_OK, phicache_redis_cache_new(config.get(), &options, &cache));
    return cache;
}

void close(void *client) { phicache_redis_cache_free(cache_of(client)); }

std::uint64_t take(phicache_value &value) {
    const std::uint64_t word = value.data ? word_of(value.data) : 0;
    phicache_value_release(&value);
    return word;
}

std::uint64_t get(void *client, const bench_work *work) {
    return sum<false>(*work, [&](std::size_t, std::string_view key) -> std::uint64_t {
        phicache_value value;
        return phicache_redis_cache_get(cache_of(client), bytes(key), &value) == PHICACHE_OK ? take(value) : 0;
    });
}

std::uint64_t set(void *client, const bench_work *work) {
    std::uint64_t stored = 0;
    for (std::size_t place = 0; place < work->count; place++) {
        const phicache_bytes value = {value_at(*work, place), work->value_len};
        stored += phicache_redis_cache_set(cache_of(client), bytes(key_at(*work, place)), value) == PHICACHE_OK;
    }
    return stored;
}

std::uint64_t get_many(void *client, const bench_work *work) {
    phicache_cache *const cache = view_of(client);
    std::uint64_t sum = 0;
    for (std::size_t from = 0; from < work->count; from += BENCH_AT_ONCE) {
        const std::size_t to = std::min<std::size_t>(from + BENCH_AT_ONCE, work->count);
        phicache_bytes keys[BENCH_AT_ONCE];
        phicache_value values[BENCH_AT_ONCE];
        for (std::size_t place = from; place < to; place++) keys[place - from] = bytes(key_at(*work, place));
        if (phicache_cache_get_many(cache, keys, to - from, values, nullptr) != PHICACHE_OK) continue;
        for (std::size_t i = 0; i < to - from; i++) sum += take(values[i]);
    }
    return sum;
}

// The values differ only in their word, so each needs its own copy.
std::uint64_t set_many(void *client, const bench_work *work) {
    thread_local std::vector<std::uint8_t> places;
    places.resize(work->value_len * BENCH_AT_ONCE);
    phicache_cache *const cache = view_of(client);
    std::uint64_t stored = 0;
    for (std::size_t from = 0; from < work->count; from += BENCH_AT_ONCE) {
        const std::size_t to = std::min<std::size_t>(from + BENCH_AT_ONCE, work->count);
        phicache_bytes keys[BENCH_AT_ONCE], values[BENCH_AT_ONCE];
        for (std::size_t place = from; place < to; place++) {
            std::uint8_t *const value = places.data() + (place - from) * work->value_len;
            std::memcpy(value, value_at(*work, place), work->value_len);
            keys[place - from] = bytes(key_at(*work, place));
            values[place - from] = {value, work->value_len};
        }
        phicache_status statuses[BENCH_AT_ONCE];
        if (phicache_cache_set_many(cache, keys, values, to - from, statuses) != PHICACHE_OK) continue;
        stored += std::count(statuses, statuses + (to - from), PHICACHE_OK);
    }
    return stored;
}

const bench_client clients[] = {{"phicache", open, close, 1, 1, get, set, get_many, set_many}, {}};

}  // namespace

const bench_client *bench_client_phicache() { return clients; }
