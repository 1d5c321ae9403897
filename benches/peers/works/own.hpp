// own.hpp: phicache's handles, for works about phicache alone; a failure ends the run with its message.
#pragma once

#include <phicache.h>

#include <memory>
#include <stdexcept>

namespace bench {

inline void expect(phicache_status expected, phicache_status status) {
    if (status != expected)
        throw std::runtime_error(std::string(phicache_status_name(status)) + " where " +
                                 phicache_status_name(expected) +
                                 " was due: " + phicache_last_error());
}

template <class Handle, phicache_status (*release)(Handle *)>
struct Release {
    void operator()(Handle *handle) const { release(handle); }
};

using Config = std::unique_ptr<phicache_config, Release<phicache_config, phicache_config_free>>;
using Dict = std::unique_ptr<phicache_dict_cache, Release<phicache_dict_cache, phicache_dict_cache_free>>;
using Mice = std::unique_ptr<phicache_mice_cache, Release<phicache_mice_cache, phicache_mice_cache_free>>;
using Subsystem = std::unique_ptr<phicache_subsystem, Release<phicache_subsystem, phicache_subsystem_free>>;

inline Config new_config(double maximum_percent) {
    phicache_config *config;
    expect(PHICACHE_OK, phicache_config_new(&config));
    Config owned(config);
    expect(PHICACHE_OK, phicache_config_set_maximum_memory_percent(config, maximum_percent));
    return owned;
}

inline Dict new_dict(phicache_config *config) {
    phicache_dict_cache *cache;
    expect(PHICACHE_OK, phicache_dict_cache_new(config, nullptr, &cache));
    return Dict(cache);
}

// A system of 16 nodes, uncut or with the connections from node 15 to node 14 severed.
constexpr std::size_t NODES = 16;

inline Subsystem new_subsystem(bool cut) {
    const phicache_fingerprint network = {{1}};
    const std::int32_t state[NODES] = {};
    std::uint64_t severed[NODES];
    expect(PHICACHE_OK, phicache_cut_bipartition(NODES, 1 << 15, 1 << 14, severed));
    phicache_subsystem *subsystem;
    expect(PHICACHE_OK,
           phicache_subsystem_new(&network, NODES, state, (1 << NODES) - 1, nullptr, cut ? severed : nullptr,
                                  &subsystem));
    return Subsystem(subsystem);
}

inline Mice new_mice(phicache_subsystem *subsystem, phicache_mice_cache *parent) {
    phicache_mice_cache *cache;
    expect(PHICACHE_OK, phicache_mice_cache_new(nullptr, nullptr, subsystem, parent, &cache));
    return Mice(cache);
}

// The MICE of mechanism `number`, which the cut does not damage, with a payload of the size in recorded runs.
inline phicache_mice mice(std::uint64_t number, double phi) {
    static const std::uint8_t payload[300] = {};
    return {sizeof(phicache_mice), PHICACHE_CAUSE, 0, number, number, phi, {payload, sizeof payload}};
}

struct MiceKey {
    std::uint8_t buffer[64];
    std::size_t len;

    explicit MiceKey(std::uint64_t mechanism) {
        expect(PHICACHE_OK,
               phicache_key_mice("mice", PHICACHE_CAUSE, mechanism, nullptr, 0, buffer, sizeof buffer, &len));
    }
    phicache_bytes bytes() const { return {buffer, len}; }
};

}  // namespace bench
