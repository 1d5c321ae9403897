#include <chrono>

#include "counts.hpp"
#include "phases.hpp"
#include "report.hpp"

namespace stress {

namespace {

// Eight keys in a row belong to one ring, of which the first few are members: the computation of each asks for the
// next one, and that of the last for the first.
constexpr unsigned room = 8, rings = shared_keys / room;

class Rings {
public:
    Rings(Phase &phase, unsigned threads) : phase_(phase), most_(threads < room ? threads : room) {}

    unsigned members(unsigned ring) const { return 2 + ring % (most_ - 1); }
    // The members of a ring lie in different caches.
    const std::shared_ptr<Cache> &home(unsigned key) const { return phase_.caches[key % phase_.caches.size()]; }

    // What a computation does. Those whom their threads called first wait a little for each other, so that all of them
    // compute when they ask for the next.
    void within(Worker &worker, unsigned key, unsigned depth) {
        const unsigned ring = key / room, member = key % room;
        if (depth == 0) {
            ++arrived_[ring];
            const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
            while (arrived_[ring] < members(ring) && std::chrono::steady_clock::now() < end) worker.rest(20);
        }
        if (depth > room) return;
        const unsigned next = ring * room + (member + 1) % members(ring);
        worker.ask(home(next), next, depth + 1);
        if (worker.random.chance(300)) worker.rest(worker.random.below(400));
    }

private:
    Phase &phase_;
    unsigned most_;
    std::array<std::atomic<unsigned>, rings> arrived_{};
};

}  // namespace

void circles(unsigned threads, std::uint64_t seed, bool removals) {
    const Unlimited config;
    Phase phase;
    phase.circles = true;
    phase.upheaval = removals;
    const std::shared_ptr<Cache> parent = make_mice(config.handle(), "circles.parent", 0, Cut::none, nullptr);
    phase.caches = {parent, make_dict(config.handle(), "circles.dict", 1),
                    make_purview(config.handle(), "circles.purviews", 2),
                    make_mice(config.handle(), "circles.copy", 3, Cut::none, parent.get()),
                    make_memo(config.handle(), "a memo", 4, &Worker::compute)};
    if (removals) phase.caches.pop_back();  // from which nothing can be removed
    Rings all(phase, threads);
    phase.within = [&](Worker &worker, unsigned key, unsigned depth) { all.within(worker, key, depth); };

    const auto seen = run_workers(phase, threads, seed, [&](Worker &worker) {
        const unsigned group = worker.number() / room, member = worker.number() % room;
        for (unsigned i = 0; i < rings; i++) {
            const unsigned ring = (i + 13 * group) % rings, key = ring * room + member % all.members(ring);
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
        std::uint64_t kept = 0;
        for (const std::atomic<unsigned> &times : phase.kept[cache->place()]) kept += times > 0;
        // The copy's keys are not the parent's, so what it inherits it has not of its own.
        std::uint64_t size = kept;
        if (cache->place() == 3)
            for (const std::atomic<unsigned> &times : phase.kept[parent->place()]) size += times > 0;
        check_counts(*cache, seen[cache->place()], size, kept);
    }
}

}  // namespace stress
