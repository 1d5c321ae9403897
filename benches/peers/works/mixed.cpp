// Reads and writes in two threads at once, each on its own core, with uniform or Zipf keys. Figures are nanoseconds
// per operation of both together.
#include <algorithm>

#include "../machine.hpp"
#include "lookup.hpp"

namespace bench {

namespace {

constexpr std::size_t THREADS = 2, WRITES = 20;

// The work of one thread.
struct Lane {
    Stream stream;
    Scratch scratch;
};

std::vector<Lane> lanes(const Shape &shape, std::size_t length, const Zipf *zipf) {
    std::vector<Lane> lanes;
    for (std::size_t thread = 0; thread < THREADS; thread++) {
        lanes.push_back({Stream::hits(shape, length, 100 + thread, zipf), Scratch(shape.value_len)});
        lanes.back().stream.mix_writes(WRITES, 200 + thread);
    }
    return lanes;
}

double measure_one(const bench_peer &peer, void *map, bench_loop loop, const std::vector<Lane> &lanes, std::size_t from,
                   std::size_t count) {
    std::uint64_t answers[THREADS];
    const auto run = [&](std::size_t thread, std::size_t part) {
        const bench_work work = lanes[thread].stream.work(from, part, lanes[thread].scratch);
        return loop(map, &work);
    };
    const std::int64_t taken = run_together(
        THREADS, [&](std::size_t thread) { run(thread, 256); },
        [&](std::size_t thread) { answers[thread] = run(thread, count); });
    for (std::size_t thread = 0; thread < THREADS; thread++)
        check(peer, "2 threads", answers[thread], lanes[thread].stream.expected(from, count));
    return static_cast<double>(taken) / static_cast<double>(THREADS * count);
}

}  // namespace

void measure_mixed(Session &session, const Tables &tables, const std::string &work) {
    if (cores().size() < THREADS) return session.report.note("threads: left out, there is one core only");
    // Assumes about 100 ns for an operation.
    const auto count = static_cast<std::size_t>(session.options.slice_ms * 1e4);
    const std::size_t length = std::max<std::size_t>(8 * count, 100'000);
    const Zipf zipf(tables.shape.entries);
    for (const bool uniform : {true, false}) {
        const std::vector<Lane> both = lanes(tables.shape, length, uniform ? nullptr : &zipf);
        for (const bench_form form : {BENCH_COUNTED, BENCH_IN_PLACE}) {
            std::vector<Tables::Contender> contenders;
            std::vector<Name> names;
            for (const Tables::Contender &contender : tables.contenders())
                if (contender.peer->mixed[form]) {
                    contenders.push_back(contender);
                    names.push_back({contender.peer->name, true});
                }
            const Rounds rounds =
                interleave(contenders.size(), session.options.rounds, [&](std::size_t i, std::size_t round) {
                    const auto [peer, map] = contenders[i];
                    const std::size_t from = round * 7'919 * 64 % (length - count + 1);
                    return measure_one(*peer, map, peer->mixed[form], both, from, count);
                });
            const std::string handed_out = form == BENCH_COUNTED ? "counted" : "in place";
            session.report.add({work, handed_out + (uniform ? ", uniform" : ", Zipf"), tables.shape, "ns", 1}, names,
                               rounds);
        }
    }
}

}  // namespace bench
