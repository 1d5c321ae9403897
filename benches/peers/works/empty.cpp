// A cache that stays empty: making and freeing it, and its memory.
#include <algorithm>

#include "../machine.hpp"
#include "works.hpp"

namespace bench {

void measure_empty(Session &session) {
    std::vector<Name> names;
    for (const bench_peer *peer : session.peers) names.push_back({peer->name, peer->thread_safe != 0});
    const auto make_and_free = [&](std::size_t i, std::size_t count) {
        const std::int64_t start = now();
        for (std::size_t made = 0; made < count; made++) session.peers[i]->free(session.peers[i]->make());
        return static_cast<double>(now() - start) / static_cast<double>(count);
    };
    const Rounds rounds = interleave(names.size(), session.options.rounds, [&](std::size_t i, std::size_t) {
        constexpr std::size_t TRIAL = 10;
        const double each = make_and_free(i, TRIAL);
        return make_and_free(i, std::max(TRIAL, static_cast<std::size_t>(session.options.slice_ms * 1e6 / each)));
    });
    session.report.add({"new + free", "empty", {}, "ns", 1}, names, rounds);

    constexpr std::size_t MANY = 1'000;
    Rounds bytes(names.size());
    for (std::size_t i = 0; i < names.size(); i++) {
        const bench_peer &peer = *session.peers[i];
        bytes[i] = in_child([&] {
            std::vector<void *> maps(MANY);
            peer.free(peer.make());
            const std::int64_t before = allocated();
            for (void *&map : maps) map = peer.make();
            return std::vector<double>{static_cast<double>(allocated() - before) / MANY};
        });
    }
    session.report.add({"heap of an empty cache", "", {}, "bytes", 0}, names, bytes);
}

}  // namespace bench
