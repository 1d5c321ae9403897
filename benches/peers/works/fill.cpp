// Insert from empty into the large table, the memory that it takes, and how it is returned. Every measurement is a
// process of its own, so that no contender uses memory that another left behind.
#include <phicache.h>

#include <algorithm>

#include "../machine.hpp"
#include "works.hpp"

namespace bench {

namespace {

enum Figure { INSERT_NS, OVERHEAD, FREE_MS, KEPT_MB, FIGURES };

// All rounds of every contender would take too long: after these, only the fastest continue.
constexpr std::size_t TRIAL_ROUNDS = 3, BEST = 3;

std::vector<double> fill(const bench_peer &peer, const Shape &shape, const bench_work &work) {
    return in_child([&] {
        const std::int64_t before = resident(), start = now();
        void *const map = peer.make();
        const auto stored = static_cast<double>(peer.insert(map, &work));
        const std::int64_t filled = now();
        const std::int64_t full = resident(), freeing = now();
        peer.free(map);
        const std::int64_t freed = now();
        const double payload = static_cast<double>(shape.key_len + shape.value_len);
        return std::vector<double>{static_cast<double>(filled - start) / stored,
                                   static_cast<double>(full - before) / stored - payload,
                                   static_cast<double>(freed - freeing) / 1e6,
                                   static_cast<double>(resident() - before) / 1e6};
    });
}

// The contenders that continue: phicache, and the fastest concurrent ones.
std::vector<bool> finalists(const Session &session, const Rounds &inserts) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 1; i < inserts.size(); i++)
        if (session.peers[i]->thread_safe) order.emplace_back(spread(inserts[i]).median, i);
    std::sort(order.begin(), order.end());
    std::vector<bool> stays(inserts.size(), false);
    stays[0] = true;
    for (std::size_t place = 0; place < std::min(order.size(), BEST); place++) stays[order[place].second] = true;
    return stays;
}

// The bytes that phicache says it holds, and the time of a clear.
void measure_own(Session &session, const Shape &shape, const bench_work &work) {
    const bench_peer &peer = *session.peers[0];
    Rounds account(1), clear(1), kept(1);
    for (std::size_t round = 0; round < TRIAL_ROUNDS; round++) {
        const std::vector<double> answer = in_child([&] {
            auto *const cache = static_cast<phicache_dict_cache *>(peer.make());
            // The first store reads the library's code into memory, which is no part of the cache.
            const std::uint8_t byte = 0;
            phicache_dict_cache_set(cache, {&byte, 1}, {&byte, 1});
            phicache_dict_cache_clear(cache);
            const std::int64_t before = resident();
            const auto stored = static_cast<double>(peer.insert(cache, &work));
            phicache_stats stats = {};
            stats.struct_size = sizeof stats;
            phicache_dict_cache_stats(cache, &stats);
            const std::int64_t start = now();
            phicache_dict_cache_clear(cache);
            const std::int64_t cleared = now();
            return std::vector<double>{static_cast<double>(stats.bytes) / stored -
                                           static_cast<double>(shape.key_len + shape.value_len),
                                       static_cast<double>(cleared - start) / 1e6,
                                       static_cast<double>(resident() - before) / 1e6};
        });
        account[0].push_back(answer.at(0));
        clear[0].push_back(answer.at(1));
        kept[0].push_back(answer.at(2));
    }
    const std::vector<Name> name = {{"phicache", true}};
    session.report.add({"overhead per entry", "accounted", shape, "bytes", 1}, name, account);
    session.report.add({"clear", "", shape, "ms", 1}, name, clear);
    session.report.add({"memory kept after clear", "", shape, "MB", 1}, name, kept);
}

}  // namespace

void measure_fill(Session &session) {
    const Shape shape = large(session.options);
    const Stream entries = Stream::all(shape);
    const Scratch scratch(shape.value_len);
    const bench_work work = entries.work(0, entries.length(), scratch);
    std::vector<Name> names;
    for (const bench_peer *peer : session.peers) names.push_back({peer->name, peer->thread_safe != 0});

    std::vector<Rounds> figures(FIGURES, Rounds(names.size()));
    std::vector<bool> stays(names.size(), true);
    for (std::size_t round = 0; round < session.options.rounds; round++) {
        if (round == TRIAL_ROUNDS) stays = finalists(session, figures[INSERT_NS]);
        for (std::size_t turn = 0; turn < names.size(); turn++) {
            const std::size_t i = (round + turn) % names.size();
            if (!stays[i]) continue;
            const std::vector<double> answer = fill(*session.peers[i], shape, work);
            for (std::size_t figure = 0; figure < FIGURES; figure++) figures[figure][i].push_back(answer.at(figure));
        }
    }
    session.report.add({"insert from empty", "", shape, "ns", 0}, names, figures[INSERT_NS]);
    session.report.add({"overhead per entry", "resident", shape, "bytes", 1}, names, figures[OVERHEAD]);
    session.report.add({"free", "", shape, "ms", 1}, names, figures[FREE_MS]);
    session.report.add({"memory kept after free", "", shape, "MB", 1}, names, figures[KEPT_MB]);
    measure_own(session, shape, work);
}

}  // namespace bench
