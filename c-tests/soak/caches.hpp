// caches.hpp: the handles of one thread; an unexpected failure ends the program.
#pragma once

#include <phicache.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "values.hpp"

namespace soak {

struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void expect_ok(phicache_status status) {
    if (status != PHICACHE_OK) throw Wrong(std::string(phicache_status_name(status)) + ": " + phicache_last_error());
}

template <class Handle, phicache_status (*release)(Handle *)>
struct Release {
    void operator()(Handle *handle) const { release(handle); }
};

using Config = std::unique_ptr<phicache_config, Release<phicache_config, phicache_config_free>>;
using Redis = std::unique_ptr<phicache_redis_cache, Release<phicache_redis_cache, phicache_redis_cache_free>>;
using Mice = std::unique_ptr<phicache_mice_cache, Release<phicache_mice_cache, phicache_mice_cache_free>>;
using Subsystem = std::unique_ptr<phicache_subsystem, Release<phicache_subsystem, phicache_subsystem_free>>;

// How the caches of a thread use their server.
struct Way {
    std::string url;
    std::uint64_t timeout_ms, lease_ms;
    bool server_errors;
};

// A plain cache, the MICE cache of a system, and that of the system under a cut.
struct Caches {
    Config config;
    Redis plain;
    Subsystem uncut, cut;
    Mice parent, child;
    std::uint64_t severed[NODES];

    explicit Caches(const Way &way) {
        phicache_config *new_config;
        expect_ok(phicache_config_new(&new_config));
        config.reset(new_config);
        expect_ok(phicache_config_set_redis_url(new_config, way.url.c_str()));
        expect_ok(phicache_config_set_redis_namespace(new_config, "soak"));
        expect_ok(phicache_config_set_redis_timeout_ms(new_config, way.timeout_ms));
        phicache_cache_options options = {};
        options.struct_size = sizeof options;
        options.max_bytes = 4 << 20;
        options.ttl_ms = 3000;
        options.lease_ms = way.lease_ms;
        options.server_errors = way.server_errors;
        phicache_redis_cache *new_plain;
        expect_ok(phicache_redis_cache_new(new_config, &options, &new_plain));
        plain.reset(new_plain);

        expect_ok(phicache_cut_bipartition(NODES, 0x0f, 0xf0, severed));
        uncut = new_subsystem(nullptr);
        cut = new_subsystem(severed);
        parent = new_mice(&options, uncut.get(), nullptr);
        child = new_mice(&options, cut.get(), parent.get());
    }

    bool damages(const Question &question) const {
        std::int32_t damaged;
        expect_ok(phicache_cut_damages(NODES, severed, question.direction, question.mechanism, question.purview(),
                                       &damaged));
        return damaged != 0;
    }

private:
    Subsystem new_subsystem(const std::uint64_t *severed) const {
        const phicache_fingerprint network = {{42}};
        const std::int32_t state[NODES] = {};
        phicache_subsystem *subsystem;
        expect_ok(phicache_subsystem_new(&network, NODES, state, (1 << NODES) - 1, nullptr, severed, &subsystem));
        return Subsystem(subsystem);
    }
    Mice new_mice(const phicache_cache_options *options, phicache_subsystem *subsystem,
                  phicache_mice_cache *parent) const {
        phicache_mice_cache *cache;
        expect_ok(phicache_redis_mice_cache_new(config.get(), options, subsystem, parent, &cache));
        return Mice(cache);
    }
};

}  // namespace soak
