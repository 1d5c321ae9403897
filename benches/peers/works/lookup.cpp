#include "lookup.hpp"

#include <algorithm>
#include <stdexcept>

#include "../machine.hpp"

namespace bench {

void check(const bench_peer &peer, const std::string &work, std::uint64_t answer, std::uint64_t expected) {
    if (answer != expected) throw std::runtime_error(std::string(peer.name) + " returned wrong values: " + work);
}

namespace {

// One contender's work in a round: a piece of the stream, or all of it several times.
struct Slice {
    std::size_t count, repeats;

    static Slice lasting(double milliseconds, double ns_each, std::size_t length) {
        const auto operations = static_cast<std::size_t>(std::max(milliseconds * 1e6 / ns_each, 256.0));
        if (operations < length) return {operations, 1};
        return {length, (operations + length - 1) / length};
    }
    double operations() const { return static_cast<double>(count * repeats); }
};

}  // namespace

Tables::Tables(const Session &session, const Shape &shape) : shape(shape) {
    const Stream entries = Stream::all(shape);
    const Scratch scratch(shape.value_len);
    const bench_work work = entries.work(0, entries.length(), scratch);
    for (const bench_peer *peer : session.peers) {
        contenders_.push_back({peer, peer->make()});
        check(*peer, "insert", peer->insert(contenders_.back().map, &work), shape.entries);
    }
}

Tables::~Tables() {
    for (const Contender &contender : contenders_) contender.peer->free(contender.map);
}

std::size_t stream_length(const Shape &shape) { return std::clamp<std::size_t>(2 * shape.entries, 16'384, 1'000'000); }

void measure_loop(Session &session, const Tables &tables, const std::string &work, const std::string &form,
                  Choose choose, const Stream &stream) {
    const Scratch scratch(tables.shape.value_len);
    std::vector<Tables::Contender> contenders;
    std::vector<Name> names;
    std::vector<Slice> slices;
    for (const Tables::Contender &contender : tables.contenders()) {
        const bench_loop loop = choose(*contender.peer);
        if (!loop) continue;
        const std::size_t trial = std::min<std::size_t>(stream.length(), 4096);
        const bench_work piece = stream.work(0, trial, scratch);
        check(*contender.peer, work, loop(contender.map, &piece), stream.expected(0, trial));
        const std::int64_t start = now();
        loop(contender.map, &piece);
        const double each = static_cast<double>(now() - start) / static_cast<double>(trial);
        contenders.push_back(contender);
        names.push_back({contender.peer->name, contender.peer->thread_safe != 0});
        slices.push_back(Slice::lasting(session.options.slice_ms, each, stream.length()));
    }
    const Rounds rounds = interleave(contenders.size(), session.options.rounds, [&](std::size_t i, std::size_t round) {
        const auto [peer, map] = contenders[i];
        const Slice slice = slices[i];
        // A long stream gives a different piece in every round; a short one is brought into the cache first.
        const std::size_t from = round * 7'919 * 64 % (stream.length() - slice.count + 1);
        const bench_work piece = stream.work(from, slice.count, scratch);
        const bench_work before = stream.work(from, slice.repeats > 1 ? slice.count : 256, scratch);
        const bench_loop loop = choose(*peer);
        loop(map, &before);
        std::uint64_t answer = 0;
        const std::int64_t start = now();
        for (std::size_t repeat = 0; repeat < slice.repeats; repeat++) answer += loop(map, &piece);
        const std::int64_t end = now();
        check(*peer, work, answer, stream.expected(from, slice.count) * slice.repeats);
        return static_cast<double>(end - start) / slice.operations();
    });
    session.report.add({work, form, tables.shape, "ns", 1}, names, rounds);
}

}  // namespace bench
