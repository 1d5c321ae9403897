// lookup.hpp: contenders with filled tables, and loops measured on them.
#pragma once

#include <string>
#include <vector>

#include "works.hpp"

namespace bench {

// The peers, each with a table of its own.
class Tables {
public:
    // Makes and fills the tables. Throws std::runtime_error if one refuses an entry.
    Tables(const Session &session, const Shape &shape);
    ~Tables();
    Tables(const Tables &) = delete;
    Tables &operator=(const Tables &) = delete;

    const Shape shape;

    struct Contender {
        const bench_peer *peer;
        void *map;
    };
    const std::vector<Contender> &contenders() const { return contenders_; }

private:
    std::vector<Contender> contenders_;
};

// Selects a loop of a peer.
using Choose = bench_loop (*)(const bench_peer &peer);

// Measures one loop of all peers that have it, on one core, interleaved; first checks their results.
void measure_loop(Session &session, const Tables &tables, const std::string &work, const std::string &form,
                  Choose choose, const Stream &stream);

// Reads and, one time in twenty, writes, in two threads at once. `work` is its name in the report.
void measure_mixed(Session &session, const Tables &tables, const std::string &work = "2 threads, 95/5");

// Throws std::runtime_error if a contender's result is wrong.
void check(const bench_peer &peer, const std::string &work, std::uint64_t answer, std::uint64_t expected);

// The number of accesses to draw: enough to reach all entries, few enough that the keys stay in the cache.
std::size_t stream_length(const Shape &shape);

}  // namespace bench
