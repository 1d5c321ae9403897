// main.cpp: phicache and its alternatives in one process, interleaved round by round.
//
//     peers [--quick] [--only WORK,…] [--peers NAME,…] [--rounds N] [--large ENTRIES] [--growth ENTRIES] [--json FILE]
//
// Every table ends with ratios: phicache's figure divided by the peer's in the same round, below 1 if phicache is
// faster; their median, 10th and 90th percentile. Exit status: 0; 1 if something could not be measured or a contender
// returned a wrong value; 2 for a wrong command line.
#include <phicache.h>
#ifdef BENCH_BOOST
#include <boost/version.hpp>
#else
#define BOOST_LIB_VERSION ""
#endif

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

#include "machine.hpp"
#include "works/works.hpp"

namespace {

using namespace bench;

struct Work {
    const char *name;
    void (*measure)(Session &);
    bool in_quick_run;
};

// Works that fork run first, while this process is small.
const Work WORKS[] = {{"fill", measure_fill, false},         {"growth", measure_growth, false},
                      {"empty", measure_empty, true},        {"lookups", measure_lookups, true},
                      {"threads", measure_threads, true},    {"stampede", measure_stampede, true},
                      {"refusals", measure_refusals, true},  {"gauge", measure_gauge, true},
                      {"children", measure_children, true},  {"sizes", measure_sizes, false},
                      {"large", measure_large, false}};

std::vector<std::string> work_names() {
    std::vector<std::string> names;
    for (const Work &work : WORKS) names.emplace_back(work.name);
    return names;
}

constexpr const bench_peer *(*LISTS[])() = {
    bench_phicache,
    bench_rust,
#ifdef BENCH_BOOST
    bench_boost,
#endif
    bench_absl,
    bench_std,
    bench_tbb,
    bench_cuckoo,
    bench_glib,
};

std::vector<const bench_peer *> take_part(const Options &options) {
    std::vector<const bench_peer *> peers;
    for (const auto list : LISTS)
        for (const bench_peer *peer = list(); peer->name; peer++)
            if (peers.empty() || options.wants_peer(peer->name)) peers.push_back(peer);
    return peers;
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, 10, "model name") == 0) return line.substr(line.find(':') + 2);
    return "unknown processor";
}

// All peers' tables are in memory at once; if memory is short, they get fewer entries.
void fit_into_memory(Options &options, std::size_t peers) {
    const Shape shape = large(options);
    const std::size_t entry = shape.key_len + shape.value_len + 250, room = static_cast<std::size_t>(available()) / 2;
    if (options.large * entry * peers <= room) return;
    options.large = room / (entry * peers);
    std::printf("the large table has %zu entries, so that all tables together take at most half of the memory\n",
                options.large);
}

int run(const Options &options) {
    const std::string machine = processor();
    const int core = cores().back();
    std::printf("phicache %s on %s, %zu cores; core %d, %zu rounds of %.1f ms\n", phicache_version(), machine.c_str(),
                cores().size(), core, options.rounds, options.slice_ms);
    pin(core);
    // The memory limit stays on, high enough for all tables of this process.
    if (phicache_config_set_maximum_memory_percent(nullptr, 100) != PHICACHE_OK)
        throw std::runtime_error(phicache_last_error());
    Session session{take_part(options), options, {}};
    fit_into_memory(session.options, session.peers.size());
    for (const Work &work : WORKS) {
        const auto &only = options.only;
        const bool named = std::find(only.begin(), only.end(), work.name) != only.end();
        if (named || (only.empty() && (work.in_quick_run || !options.quick))) work.measure(session);
    }
    if (!options.json.empty())
        session.report.write_json(options.json, "{\"cpu\": \"" + machine + "\", \"cores\": " +
                                                    std::to_string(cores().size()) + ", \"phicache\": \"" +
                                                    phicache_version() + "\", \"compiler\": \"" BENCH_COMPILER
                                                    "\", \"boost\": \"" BOOST_LIB_VERSION "\"}");
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(read_options(argc, argv, work_names()));
    } catch (const std::invalid_argument &error) {
        std::fprintf(stderr, "peers: %s\n", error.what());
        return 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "peers: %s\n", error.what());
        return 1;
    }
}
