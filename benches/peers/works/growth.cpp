// The longest single insert while a table grows. A moment in which the core is taken away looks like a long insert
// too, but the map's own pauses happen in every run at the same place, so each stretch of inserts counts with its
// best run.
#include <algorithm>

#include "../machine.hpp"
#include "works.hpp"

namespace bench {

namespace {

constexpr std::size_t RUNS = 3;

// Times each insert; returns the longest of each stretch of a thousand, in microseconds.
constexpr std::size_t STRETCH = 1'000;

std::vector<double> longest(const bench_peer &peer, const Shape &shape, const Stream &entries) {
    return in_child([&] {
        const Scratch scratch(shape.value_len);
        void *const map = peer.make();
        std::vector<double> stretches((shape.entries + STRETCH - 1) / STRETCH);
        std::int64_t before = now();
        for (std::size_t place = 0; place < shape.entries; place++) {
            const bench_work one = entries.work(place, 1, scratch);
            peer.insert(map, &one);
            const std::int64_t after = now();
            double &stretch = stretches[place / STRETCH];
            stretch = std::max(stretch, static_cast<double>(after - before) / 1e3);
            before = after;
        }
        return stretches;
    });
}

}  // namespace

void measure_growth(Session &session) {
    const Shape shape = {session.options.growth, 16, 8};
    const Stream entries = Stream::all(shape);
    std::vector<Name> names;
    Rounds rounds;
    for (const bench_peer *peer : session.peers) {
        const std::string name = peer->name;
        // For the order of magnitude of the others one run is enough, and not all of them.
        const bool own = names.empty();
        if (!own && name != "absl::flat_hash_map" && name != "boost::concurrent_flat_map" && name != "dashmap")
            continue;
        std::vector<double> best = longest(*peer, shape, entries);
        for (std::size_t run = 1; own && run < RUNS; run++) {
            const std::vector<double> again = longest(*peer, shape, entries);
            std::transform(best.begin(), best.end(), again.begin(), best.begin(),
                           [](double a, double b) { return std::min(a, b); });
        }
        names.push_back({name, peer->thread_safe != 0});
        rounds.push_back({*std::max_element(best.begin(), best.end()) / 1e3});
    }
    session.report.add({"longest single insert", "", shape, "ms", 2}, names, rounds);
}

}  // namespace bench
