#include "caches.hpp"

namespace iit {
namespace {

void add_counts(CacheUse& use, std::uint64_t hits, std::uint64_t misses) {
    ++use.caches;
    use.hits += hits;
    use.misses += misses;
}

template <class Cache>
void add_contents(CacheUse& use, const Cache& cache) {
    const phicache_stats stats = cache.stats();
    use.size += stats.size;
    use.bytes += stats.bytes;
}

template <class Cache>
void add(CacheUse& use, const Cache& cache) {
    const phicache_info info = cache.info();
    add_counts(use, info.hits, info.misses);
    add_contents(use, cache);
}

// The targets that depend on each node: severing other connections changes nothing.
std::vector<phicache::node_set> targets(const Network& network) {
    std::vector<NodeSet> masks(network.nodes.size());
    for (int node = 0; node < network.size(); ++node) {
        for_each_node(network.nodes[static_cast<std::size_t>(node)].inputs,
                      [&](int input) { masks[static_cast<std::size_t>(input)] |= single(node); });
    }
    std::vector<phicache::node_set> sets;
    for (NodeSet mask : masks) sets.push_back(to_phicache(mask));
    return sets;
}

phicache::subsystem uncut_subsystem(const Network& network, const std::string& context) {
    const std::vector<phicache::node_set> connections = targets(network);
    std::vector<std::int32_t> state;
    for (int node = 0; node < network.size(); ++node) state.push_back((network.state & single(node)) ? 1 : 0);
    const auto identity = phicache::fingerprint::of_network(network.tpm, connections, context);
    return phicache::subsystem(identity, state, to_phicache(network.all()), connections);
}

phicache::cut severed_by(const Network& network, const Cut& cut) {
    return phicache::cut::bipartition(network.nodes.size(), to_phicache(cut.from), to_phicache(cut.to));
}

// The MICE cache of a subsystem; a cut subsystem inherits from the uncut one.
phicache::mice_cache mice_of(const phicache::subsystem& subsystem, Store store, const phicache::mice_cache* uncut = nullptr) {
    return store == Store::redis ? phicache::mice_cache::redis(subsystem, uncut)
                                 : phicache::mice_cache::dict(subsystem, uncut);
}

}  // namespace

NetworkCaches::NetworkCaches() : distances(phicache::cache_options{"", kMostDistanceBytes}) {}

void NetworkCaches::add_to(CachesUse& use) const {
    add(use.purviews, purviews);
    add(use.distances, distances);
}

void RepertoireCaches::add_to(CachesUse& use) const {
    add(use.single_nodes, single_nodes);
    add(use.repertoires, repertoires);
    add(use.small_phi, small_phi);
}

SystemCaches::SystemCaches(const Network& network, const std::string& context, Store store)
    : repertoires(std::make_shared<RepertoireCaches>()),
      mice(nullptr),
      subsystem_(uncut_subsystem(network, context)),
      store_(store),
      cut_(false),
      shares_repertoires_(false) {
    mice = mice_of(subsystem_, store_);
}

SystemCaches::SystemCaches(const SystemCaches& uncut, const Network& network, const Cut& cut, Reuse reuse)
    : repertoires(reuse == Reuse::cuts ? uncut.repertoires : std::make_shared<RepertoireCaches>()),
      mice(nullptr),
      subsystem_(uncut.subsystem_.under(severed_by(network, cut))),
      store_(uncut.store_),
      cut_(true),
      shares_repertoires_(reuse == Reuse::cuts) {
    mice = mice_of(subsystem_, store_, &uncut.mice);
}

std::optional<phicache::pinned_mice> SystemCaches::known_mice(const phicache::key_bytes& key) {
    auto known = mice.get(key);
    ++(known ? hits_ : misses_);
    return known;
}

phicache::key_bytes SystemCaches::key(Direction direction, NodeSet mechanism, NodeSet purview) const {
    return subsystem_.key(nullptr, to_phicache(direction), to_phicache(mechanism), to_phicache(purview));
}

void SystemCaches::add_to(CachesUse& use) const {
    if (!shares_repertoires_) repertoires->add_to(use);
    add_counts(use.mice, hits_, misses_);
    if (!cut_) add_contents(use.mice, mice);
}

std::optional<RedisUse> SystemCaches::redis() const {
    if (store_ != Store::redis) return std::nullopt;
    const phicache_redis_health health = mice.view().redis_health();
    return RedisUse{phicache::config_ref().redis_url(), health.failures, health.refusals, health.skipped,
                    health.last_error};
}

}  // namespace iit
