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

void add(std::optional<DiskUse>& use, const phicache::cache& cache) {
    const phicache_disk_health health = cache.disk_health();
    if (!use) use = DiskUse{phicache::config_ref().disk_directory(), 0, 0, "", std::nullopt};
    use->failures += health.failures;
    use->damaged += health.damaged;
    if (health.failures > 0) use->last_failure = health.last_failure;
}

ValueCache distances_of(Store store, const std::string& context) {
    if (store != Store::disk) return ValueCache(phicache::dict_cache(phicache::cache_options{"", kMostDistanceBytes}));
    phicache::cache_options options;
    options.near_bytes = kMostDistanceBytes;
    return ValueCache(phicache::disk_cache(context, options));
}

ValueCache on_disk(const phicache::subsystem& uncut, const char* role, const phicache::cache_options& options = {}) {
    return ValueCache(phicache::disk_cache::shared(uncut.identity(), role, options));
}

// For a cache that is also asked without computing: it then looks for what other processes have stored. (memoize always
// does, before it computes.)
phicache::cache_options up_to_date() {
    phicache::cache_options options;
    options.refresh = phicache::refresh_always;
    return options;
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
phicache::mice_cache mice_of(const phicache::subsystem& subsystem, Store store,
                             const phicache::mice_cache* uncut = nullptr) {
    switch (store) {
        case Store::redis: return phicache::mice_cache::redis(subsystem, uncut);
        case Store::disk: return phicache::mice_cache::disk(subsystem, uncut);
        case Store::dict: break;
    }
    return phicache::mice_cache::dict(subsystem, uncut);
}

std::shared_ptr<RepertoireCaches> repertoires_of(const phicache::subsystem& uncut, Store store) {
    return store == Store::disk ? std::make_shared<RepertoireCaches>(uncut) : std::make_shared<RepertoireCaches>();
}

}  // namespace

NetworkCaches::NetworkCaches(Store store, const std::string& distance_context)
    : distances(distances_of(store, distance_context)) {}

RepertoireCaches::RepertoireCaches() : small_phi(phicache::dict_cache()), bounds(phicache::dict_cache()) {}

RepertoireCaches::RepertoireCaches(const phicache::subsystem& uncut)
    : small_phi(on_disk(uncut, "small phi", up_to_date())), bounds(on_disk(uncut, "bounds of small phi")) {}

void NetworkCaches::add_to(CachesUse& use) const {
    add(use.purviews, purviews);
    add(use.distances, *distances);
}

void NetworkCaches::add_to(std::optional<DiskUse>& use) const { add(use, *distances); }

void RepertoireCaches::add_to(CachesUse& use) const {
    add(use.single_nodes, single_nodes);
    add(use.repertoires, repertoires);
    add(use.small_phi, *small_phi);
    add(use.bounds, *bounds);
}

SystemCaches::SystemCaches(const Network& network, const std::string& context, Store store)
    : mice(nullptr),
      subsystem_(uncut_subsystem(network, context)),
      store_(store),
      cut_(false),
      shares_repertoires_(false) {
    repertoires = repertoires_of(subsystem_, store_);
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

void SystemCaches::add_to(std::optional<DiskUse>& use) const {
    if (store_ != Store::disk || cut_) return;  // those of a cut subsystem are those of the uncut one
    add(use, *repertoires->small_phi);
    add(use, *repertoires->bounds);
    add(use, mice.view());
}

std::optional<double> SystemCaches::first_seconds(double seconds) const {
    if (store_ != Store::disk) return std::nullopt;
    bool is_first = false;
    const auto runs = phicache::disk_cache::shared(subsystem_.identity(), "first run");
    const double first = runs.memoize<double>("seconds", [&] { return is_first = true, seconds; });
    return is_first ? std::nullopt : std::optional(first);
}

}  // namespace iit
