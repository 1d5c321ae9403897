#include "counts.hpp"
#include "phases.hpp"
#include "report.hpp"

namespace stress {

namespace {

constexpr unsigned all_calls = 24000;  // of all threads together, without those made inside computations

// Keys that only one thread sets, removes and looks up: it finds what it stored, whatever the others do.
class OwnKeys {
public:
    explicit OwnKeys(Worker &worker) : worker_(worker) {}

    void change(const std::shared_ptr<Cache> &cache) {
        const unsigned which = worker_.random.below(own_keys), key = shared_keys + worker_.number() * own_keys + which;
        const Stamp stamp{++last_, worker_.number()};
        worker_.doing("set, get and remove", *cache, key);
        if (worker_.random.chance(300)) {
            const phicache_status expected = there_[which] ? PHICACHE_OK : PHICACHE_MISS;
            const phicache_status removed = phicache_cache_remove(cache->view(), cache->key(key));
            expect(removed == expected, "%s, key %u: remove is %s", cache->name(), key, phicache_status_name(removed));
            there_[which] = false;
        } else {
            const phicache_status set = cache->set(key, stamp);
            expect(set == PHICACHE_OK, "%s, key %u: set is %s", cache->name(), key, phicache_status_name(set));
            worker_.observed(*cache).sets++;
            there_[which] = true;
        }
        const phicache_status contains = phicache_cache_contains(cache->view(), cache->key(key));
        expect((contains == PHICACHE_OK) == there_[which], "%s, key %u: contains is %s", cache->name(), key,
               phicache_status_name(contains));
        phicache_value value{};
        const phicache_status got = cache->get(key, &value);
        if (expect((got == PHICACHE_OK) == there_[which], "%s, key %u: get is %s", cache->name(), key,
                   phicache_status_name(got)) &&
            got == PHICACHE_OK && there_[which])
            cache->check({value.data, value.len}, key, stamp);
        phicache_value_release(&value);
        Observed &observed = worker_.observed(*cache);
        ++(got == PHICACHE_OK ? observed.hits : observed.misses);
    }
    unsigned left() const {
        unsigned count = 0;
        for (const bool there : there_) count += there;
        return count;
    }

private:
    Worker &worker_;
    std::uint64_t last_ = 0;
    std::array<bool, own_keys> there_{};
};

struct Caches {
    std::shared_ptr<Cache> dict, limited, purviews, parent, cut, copy, memo;
};

constexpr std::uint64_t limit = 150000;

// The number of values in each cache follows from what its callers observed.
void check_all(Phase &phase, const Caches &caches, const std::array<Observed, most_caches> &seen, std::uint64_t own) {
    std::array<std::uint64_t, most_caches> sizes{};
    std::uint64_t inherited_by_cut = 0, inherited_by_copy = 0;
    for (unsigned key = 0; key < shared_keys; key++) {
        for (const std::shared_ptr<Cache> &cache : phase.caches)
            sizes[cache->index()] += phase.stored[cache->index()][key] > 0;
        const bool in_parent = phase.stored[caches.parent->index()][key] > 0;
        inherited_by_cut += in_parent && !damaged(key);
        inherited_by_copy += in_parent && phase.stored[caches.copy->index()][key] == 0;
    }
    for (const std::shared_ptr<Cache> &cache : phase.caches) {
        // Without sets, stores and values are equally many: a computation that lost the race of a wait cycle stores
        // nothing.
        const unsigned index = cache->index();
        const std::uint64_t stores = sizes[index] + seen[index].sets;
        if (cache == caches.dict) sizes[index] += own;
        if (cache == caches.cut) sizes[index] += inherited_by_cut;
        if (cache == caches.copy) sizes[index] += inherited_by_copy;
        check_counts(*cache, seen[index], sizes[index], stores);
    }
}

void check_bytes(const Caches &caches) {
    phicache_stats stats{};
    stats.struct_size = sizeof stats;
    phicache_cache_stats(caches.limited->view(), &stats);
    expect(stats.bytes <= limit, "%s: %llu bytes, allowed %llu", caches.limited->name(),
           static_cast<unsigned long long>(stats.bytes), static_cast<unsigned long long>(limit));
}

}  // namespace

void exact_counts(unsigned threads, std::uint64_t seed, bool wait_cycles) {
    const Unlimited config;
    Phase phase;
    phase.wait_cycles = wait_cycles;
    Caches caches;
    caches.dict = make_dict(config.handle(), "exact_counts.dict", 0);
    caches.limited = make_dict(config.handle(), "exact_counts.limited", 1, limit);
    caches.purviews = make_purview(config.handle(), "exact_counts.purviews", 2);
    caches.parent = make_mice(config.handle(), "exact_counts.parent", 3, Cut::none, nullptr);
    caches.cut = make_mice(config.handle(), "exact_counts.cut", 4, Cut::severed, caches.parent.get());
    caches.copy = make_mice(config.handle(), "exact_counts.copy", 5, Cut::none, caches.parent.get());
    caches.memo = make_memo(config.handle(), "a memo", 6, &Worker::compute);
    phase.caches = {caches.dict, caches.limited, caches.purviews, caches.parent, caches.cut, caches.copy, caches.memo};

    std::atomic<std::uint64_t> own{0};
    std::atomic<unsigned> workers_left{threads};
    const auto seen = run_workers(phase, threads, seed, [&](Worker &worker) {
        OwnKeys keys(worker);
        for (unsigned call = 0; call < all_calls / threads; call++) {
            const unsigned dice = worker.random.below(100);
            if (dice < 60) worker.ask(worker.any_cache(), worker.any_key());
            else if (dice < 75) worker.look(worker.any_viewed_cache(), worker.any_key());
            else if (dice < 80) worker.look_into_buffer(*worker.any_viewed_cache(), worker.any_key());
            else if (dice < 86) worker.begin(worker.any_viewed_cache(), worker.any_key());
            else if (dice < 90) worker.wait(worker.any_viewed_cache(), worker.any_key());
            else if (dice < 94) worker.release_some_pin();
            else keys.change(caches.dict);
        }
        own += keys.left();
        // A thread that ends abandons its leases, so all threads end together, when no lease is left.
        --workers_left;
        while (workers_left > 0 || phase.leases_out > 0)
            if (!worker.end_some_lease()) worker.rest();
    });
    check_all(phase, caches, seen, own);
    check_bytes(caches);
}

}  // namespace stress
