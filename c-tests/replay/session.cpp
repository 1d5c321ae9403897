// session.cpp: see session.hpp.
#include "session.hpp"

namespace replay {

namespace {

// PyPhi cannot store the transition probabilities of a larger network.
constexpr std::size_t MOST_NODES = 16;

// Throws if a call that the session depends on fails.
void must(phicache_status status, const char *what) {
    if (status != PHICACHE_OK)
        throw std::runtime_error(std::string(what) + ": " + phicache_status_name(status) + ": " +
                                 phicache_last_error());
}

// A trace has connections but no transition probabilities. Different traces share no caches, so zeros suffice for the
// identity: it still distinguishes the networks, states and node sets of the trace.
phicache_fingerprint network(const Subsystem &subsystem, const std::string &context) {
    const std::size_t size = subsystem.connections.size();
    if (size > MOST_NODES)
        throw Malformed("a network of " + std::to_string(size) + " nodes; a replay takes at most " +
                        std::to_string(MOST_NODES));
    const std::vector<double> zeros((std::size_t{1} << size) * size, 0.0);
    phicache_fingerprint fingerprint{};
    must(phicache_network_fingerprint(zeros.data(), size, PHICACHE_ROW_MAJOR, subsystem.connections.data(),
                                      {reinterpret_cast<const std::uint8_t *>(context.data()), context.size()},
                                      &fingerprint),
         "phicache_network_fingerprint");
    return fingerprint;
}

}  // namespace

Session::Session(const Trace &trace) : trace_(trace), caches_(trace.caches.size()) {
    must(phicache_config_new(&config_), "phicache_config_new");
    // The trace says when memory was full, so the memory of this process must not matter.
    must(phicache_config_set_maximum_memory_percent(config_, PHICACHE_MEMORY_UNLIMITED), "maximum memory");
    must(phicache_config_set_cache_potential_purviews(config_, 1), "purview caching");
    must(phicache_config_set_redis_whole_database(config_, 1), "PyPhi's way with Redis");
    const std::string context = "replay of " + trace.name;
    for (const Subsystem &subsystem : trace.subsystems) {
        phicache_subsystem *handle = nullptr;
        if (!subsystem.state.empty()) {  // an id that the trace leaves out defines none
            const phicache_fingerprint fingerprint = network(subsystem, context);
            const std::uint64_t *severed = subsystem.severed ? subsystem.severed->data() : nullptr;
            must(phicache_subsystem_new(&fingerprint, subsystem.state.size(), subsystem.state.data(), subsystem.nodes,
                                        subsystem.connections.data(), severed, &handle),
                 "phicache_subsystem_new");
        }
        subsystems_.push_back(handle);
    }
}

Session::~Session() {
    // Frees parents before their children, which is allowed.
    for (std::unique_ptr<Cache> &cache : caches_) cache.reset();
    for (phicache_subsystem *subsystem : subsystems_) phicache_subsystem_free(subsystem);
    phicache_config_free(config_);
}

Made Session::make_mice_cache(Kind kind, std::uint32_t subsystem, std::uint32_t parent) {
    if (parent != NONE && caches_[parent] == nullptr) return {PHICACHE_ERROR_INVALID_ARGUMENT, nullptr};
    Cache *from = parent == NONE ? nullptr : caches_[parent].get();
    return kind == Kind::RedisMice ? make_redis_mice(config_, subsystems_[subsystem], from)
                                   : make_mice(config_, subsystems_[subsystem], from);
}

phicache_status Session::create(const Operation &operation) {
    const CacheLine &line = trace_.caches[operation.cache];
    Made made{};
    if (line.kind == Kind::Dict) made = make_dict(config_);
    else if (line.kind == Kind::Purview) made = make_purview(config_);
    else if (line.kind == Kind::Redis) made = make_redis(config_);
    else made = make_mice_cache(line.kind, line.subsystem, line.parent);
    caches_[operation.cache] = std::move(made.cache);
    return made.status;
}

phicache_status Session::reject(const Operation &operation) {
    return make_mice_cache(trace_.caches[operation.cache].kind, operation.subsystem, operation.cache).status;
}

phicache_status Session::set(const Operation &operation) {
    Cache &cache = *caches_[operation.cache];
    const Key &key = trace_.keys[operation.key];
    const Value &value = trace_.values[operation.value];
    if (operation.outcome == PHICACHE_REFUSED_MEMORY) {
        must(phicache_config_set_maximum_memory_percent(config_, 0.0), "maximum memory");
        const phicache_status status = cache.set(key, value);
        must(phicache_config_set_maximum_memory_percent(config_, PHICACHE_MEMORY_UNLIMITED), "maximum memory");
        return status;
    }
    if (operation.outcome == PHICACHE_REFUSED_DISABLED) {
        must(phicache_config_set_cache_potential_purviews(config_, 0), "purview caching");
        const phicache_status status = cache.set(key, value);
        must(phicache_config_set_cache_potential_purviews(config_, 1), "purview caching");
        return status;
    }
    return cache.set(key, value);
}

}  // namespace replay
