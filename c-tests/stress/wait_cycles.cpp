#include <chrono>

#include "counts.hpp"
#include "phases.hpp"
#include "report.hpp"

namespace stress {

namespace {

// Each ring has eight consecutive keys. The first few are its members: the computation of each member asks for the next
// one, and that of the last for the first.
constexpr unsigned ring_size = 8, rings = shared_keys / ring_size;

class Rings {
public:
    Rings(Phase &phase, unsigned threads) : phase_(phase), most_(threads < ring_size ? threads : ring_size) {}

    unsigned members(unsigned ring) const { return 2 + ring % (most_ - 1); }
    // The members of a ring are in different caches.
    const std::shared_ptr<Cache> &home(unsigned key) const { return phase_.caches[key % phase_.caches.size()]; }

    // The body of a computation. Outermost computations wait briefly for each other, so that all members are being
    // computed when each asks for the next.
    void within(Worker &worker, unsigned key, unsigned depth) {
        const unsigned ring = key / ring_size, member = key % ring_size;
        if (depth == 0) {
            ++arrived_[ring];
            const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
            while (arrived_[ring] < members(ring) && std::chrono::steady_clock::now() < end) worker.rest(20);
        }
        if (depth > ring_size) return;
        const unsigned next = ring * ring_size + (member + 1) % members(ring);
        worker.ask(home(next), next, depth + 1);
        if (worker.random.chance(300)) worker.rest(worker.random.below(400));
    }

private:
    Phase &phase_;
    unsigned most_;
    std::array<std::atomic<unsigned>, rings> arrived_{};
};

}  // namespace

void wait_cycles(unsigned threads, std::uint64_t seed, bool removals) {
    const Unlimited config;
    Phase phase;
    phase.wait_cycles = true;
    phase.churn = removals;
    const std::shared_ptr<Cache> parent = make_mice(config.handle(), "wait_cycles.parent", 0, Cut::none, nullptr);
    phase.caches = {parent, make_dict(config.handle(), "wait_cycles.dict", 1),
                    make_purview(config.handle(), "wait_cycles.purviews", 2),
                    make_mice(config.handle(), "wait_cycles.copy", 3, Cut::none, parent.get()),
                    make_memo(config.handle(), "a memo", 4, &Worker::compute)};
    if (removals) phase.caches.pop_back();  // a memo has no remove
    Rings all(phase, threads);
    phase.within = [&](Worker &worker, unsigned key, unsigned depth) { all.within(worker, key, depth); };

    const auto seen = run_workers(phase, threads, seed, [&](Worker &worker) {
        const unsigned group = worker.number() / ring_size, member = worker.number() % ring_size;
        for (unsigned i = 0; i < rings; i++) {
            const unsigned ring = (i + 13 * group) % rings, key = ring * ring_size + member % all.members(ring);
            const std::shared_ptr<Cache> &cache = all.home(key);
            worker.ask(cache, key);
            if (!removals) continue;
            if (worker.random.chance(500)) worker.remove(*cache, key);
            else if (worker.random.chance(50)) worker.clear(*cache);
            worker.look(cache, key);
        }
    });
    if (removals) return;
    for (const std::shared_ptr<Cache> &cache : phase.caches) {
        std::uint64_t stored = 0;
        for (const std::atomic<unsigned> &times : phase.stored[cache->index()]) stored += times > 0;
        // The copy and its parent store different keys, so all inherited values add to its size.
        std::uint64_t size = stored;
        if (cache->index() == 3)
            for (const std::atomic<unsigned> &times : phase.stored[parent->index()]) size += times > 0;
        check_counts(*cache, seen[cache->index()], size, stored);
    }
}

}  // namespace stress
