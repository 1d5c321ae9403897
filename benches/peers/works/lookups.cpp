// Hits in all forms, independent and dependent, misses, memoize on a hit, and insert from empty, by size of the
// table; hits by lengths of keys and values; reads and writes of two threads; hits in large pages.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "../machine.hpp"
#include "duel.hpp"
#include "lookup.hpp"

namespace bench {

namespace {

const char *const FORMS[BENCH_FORMS] = {"counted", "in place", "copied"};

bench_loop hit_counted(const bench_peer &peer) { return peer.hit[BENCH_COUNTED]; }
bench_loop hit_in_place(const bench_peer &peer) { return peer.hit[BENCH_IN_PLACE]; }
bench_loop hit_copied(const bench_peer &peer) { return peer.hit[BENCH_COPIED]; }
bench_loop dependent_counted(const bench_peer &peer) { return peer.dependent[BENCH_COUNTED]; }
bench_loop dependent_in_place(const bench_peer &peer) { return peer.dependent[BENCH_IN_PLACE]; }
bench_loop dependent_copied(const bench_peer &peer) { return peer.dependent[BENCH_COPIED]; }
bench_loop memoize(const bench_peer &peer) { return peer.memoize; }

bench_loop batch_pinned(const bench_peer &peer) {
    return peer.batch[BENCH_COUNTED] ? peer.batch[BENCH_COUNTED] : hit_in_place(peer);
}
bench_loop batch_in_place(const bench_peer &peer) {
    return peer.batch[BENCH_IN_PLACE] ? peer.batch[BENCH_IN_PLACE] : hit_in_place(peer);
}

constexpr Choose HITS[BENCH_FORMS] = {hit_counted, hit_in_place, hit_copied};
constexpr Choose DEPENDENT[BENCH_FORMS] = {dependent_counted, dependent_in_place, dependent_copied};

void measure_hits(Session &session, const Tables &tables, const Stream &stream) {
    for (int form = 0; form < BENCH_FORMS; form++)
        measure_loop(session, tables, "hit", FORMS[form], HITS[form], stream);
}

void measure_reads(Session &session, const Tables &tables) {
    const std::size_t length = stream_length(tables.shape);
    const Stream hits = Stream::hits(tables.shape, length, 1);
    measure_hits(session, tables, hits);
    for (int form = 0; form < BENCH_FORMS; form++)
        measure_loop(session, tables, "dependent hit", FORMS[form], DEPENDENT[form], hits);
    measure_loop(session, tables, "miss", "", hit_counted, Stream::misses(tables.shape, length));
    measure_loop(session, tables, "memoize on a hit", "counted", memoize, hits);
    // phicache's batches against the single reads in place of peers without batches.
    measure_loop(session, tables, "batch of 64 against in place", "pinned", batch_pinned, hits);
    measure_loop(session, tables, "batch of 64 against in place", "in place", batch_in_place, hits);
}

// Waits until the system has exchanged phicache's pages for large ones, which it does in the background, some each ten
// seconds. Returns whether there are any.
bool wait_for_large_pages() {
    using std::chrono::seconds;
    std::printf("\nwaiting until the system has exchanged pages for large ones, which takes minutes\n");
    std::int64_t before = -1;
    for (std::int64_t large = 0; large > before; large = in_large_pages()) {
        before = large;
        std::this_thread::sleep_for(seconds(60));
    }
    std::printf("%.0f MB are in large pages\n", static_cast<double>(before) / 1e6);
    return before > 0;
}

// What a long run gets: the lookups that take less time where addresses are translated by large pages.
void measure_large_pages(Session &session, const Tables &tables) {
    if (!wait_for_large_pages()) return;
    const Stream hits = Stream::hits(tables.shape, stream_length(tables.shape), 1);
    measure_loop(session, tables, "hit after minutes", "counted", hit_counted, hits);
    measure_loop(session, tables, "hit after minutes", "in place", hit_in_place, hits);
    measure_loop(session, tables, "dependent hit after minutes", "in place", dependent_in_place, hits);
    measure_loop(session, tables, "batch of 64 after minutes", "pinned", batch_pinned, hits);
    measure_mixed(session, tables, "2 threads after minutes");
}

// Tables that fit into a core's cache are filled repeatedly in this process; the large one is a work of its own.
void measure_insert(Session &session, const Shape &shape) {
    const Stream entries = Stream::all(shape);
    const Scratch scratch(shape.value_len);
    const bench_work work = entries.work(0, entries.length(), scratch);
    std::vector<Name> names;
    for (const bench_peer *peer : session.peers) names.push_back({peer->name, peer->thread_safe != 0});
    const Rounds rounds = interleave(names.size(), session.options.rounds, [&](std::size_t i, std::size_t) {
        const bench_peer &peer = *session.peers[i];
        std::int64_t taken = 0;
        std::size_t inserted = 0;
        do {
            void *const map = peer.make();
            const std::int64_t start = now();
            inserted += peer.insert(map, &work);
            taken += now() - start;
            peer.free(map);
        } while (static_cast<double>(taken) < session.options.slice_ms * 1e6);
        return static_cast<double>(taken) / static_cast<double>(inserted);
    });
    session.report.add({"insert from empty", "", shape, "ns", 1}, names, rounds);
}

// The costs of phicache's forms of reading, compared.
void measure_own_ways(Session &session, const Tables &tables) {
    const Stream hits = Stream::hits(tables.shape, stream_length(tables.shape), 1);
    const Scratch scratch(tables.shape.value_len);
    const auto [peer, map] = tables.contenders()[0];
    const auto side = [&, map = map](const char *name, bench_loop loop) {
        return Side{name, [&, map, loop](std::size_t count) {
                        for (std::size_t done = 0, part; done < count; done += part) {
                            part = std::min(count - done, hits.length());
                            const bench_work work = hits.work(0, part, scratch);
                            loop(map, &work);
                        }
                    }};
    };
    const Side pinned = side("pinned hit", peer->hit[BENCH_COUNTED]);
    measure_duel(session, {"phicache", "memoize against a pinned hit", tables.shape, "ns", 1},
                 side("memoize on a hit", peer->memoize), pinned);
    measure_duel(session, {"phicache", "a pin against reading in place", tables.shape, "ns", 1}, pinned,
                 side("in place", peer->hit[BENCH_IN_PLACE]));
}

}  // namespace

void measure_lookups(Session &session) {
    for (const Shape &shape : {REAL_LOAD, MEDIUM, SMALL}) {
        const Tables tables(session, shape);
        measure_reads(session, tables);
        measure_own_ways(session, tables);
        measure_insert(session, shape);
    }
}

void measure_sizes(Session &session) {
    for (const std::size_t key_len : {16, 40, 256})
        for (const std::size_t value_len : {8, 64, 256, 1024}) {
            const Shape shape = {MEDIUM.entries, key_len, value_len};
            if (key_len == MEDIUM.key_len && value_len == MEDIUM.value_len) continue;
            const Tables tables(session, shape);
            measure_hits(session, tables, Stream::hits(shape, stream_length(shape), 1));
        }
}

void measure_large(Session &session) {
    const Tables tables(session, large(session.options));
    measure_reads(session, tables);
    measure_mixed(session, tables);
    measure_large_pages(session, tables);
}

void measure_threads(Session &session) { measure_mixed(session, Tables(session, REAL_LOAD)); }

}  // namespace bench
