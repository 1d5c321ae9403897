// caches.hpp: the caches of a trace: one interface over the handles of the C API.
#pragma once

#include <memory>

#include "trace.hpp"

namespace replay {

class Cache {
public:
    Cache() = default;
    Cache(const Cache &) = delete;
    Cache &operator=(const Cache &) = delete;
    virtual ~Cache() = default;

    virtual phicache_status get(const Key &key, phicache_value *out) = 0;
    // Whether the last get has returned exactly this value.
    virtual bool answered(const Value &expected, const phicache_value &got) const = 0;
    virtual phicache_status set(const Key &key, const Value &value) = 0;
    virtual phicache_status clear() = 0;
    virtual phicache_status size(std::uint64_t *out) = 0;
    virtual phicache_status info(phicache_info *out) = 0;

protected:
    static bool same(const std::vector<std::uint8_t> &expected, const std::uint8_t *data, std::size_t len);
};

struct Made {
    phicache_status status;
    std::unique_ptr<Cache> cache;  // null unless status is OK
};

Made make_dict(phicache_config *config);
Made make_purview(phicache_config *config);
// `parent` is null or a cache from make_mice.
Made make_mice(phicache_config *config, phicache_subsystem *subsystem, Cache *parent);
Made make_redis(phicache_config *config);
// `parent` is null or a cache from make_redis_mice.
Made make_redis_mice(phicache_config *config, phicache_subsystem *subsystem, Cache *parent);

// Whether a cache from make_mice has a record for this key; counts nothing.
phicache_status mice_contains(Cache &cache, const Key &key);

}  // namespace replay
