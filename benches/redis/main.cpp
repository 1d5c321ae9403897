// main.cpp: phicache's Redis cache, hiredis and the redis crate in one process, interleaved round by round.
//
//     redis_peers --server PROGRAM [--quick] [--rounds N] [--json FILE]
//
// It starts a server of its own. Every table ends with ratios: phicache's figure divided by the other's in the same
// round, below 1 if phicache is faster; their median, 10th and 90th percentile. Exit status: 0; 1 if something could
// not be measured or a contender returned a wrong value; 2 for a wrong command line.
#include <phicache.h>


#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "../peers/machine.hpp"
#include "requests.hpp"

namespace {

using namespace bench;

struct Options {
    std::string server, json;
    std::size_t rounds = 41;
    double slice_ms = 20;
};

Options read_options(int argc, char **argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string option = argv[i];
        const auto value = [&]() -> std::string {
            if (++i == argc) throw std::invalid_argument(option + " needs a value");
            return argv[i];
        };
        if (option == "--quick") options.rounds = 11, options.slice_ms = 5;
        else if (option == "--server") options.server = value();
        else if (option == "--json") options.json = value();
        else if (option == "--rounds") options.rounds = std::strtoul(value().c_str(), nullptr, 10);
        else throw std::invalid_argument(option +
                                         " is not an option; the options are --server, --quick, --rounds, --json");
    }
    if (options.server.empty()) throw std::invalid_argument("--server PROGRAM is missing");
    if (options.rounds == 0) throw std::invalid_argument("--rounds needs a number above 0");
    return options;
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, 10, "model name") == 0) return line.substr(line.find(':') + 2);
    return "unknown processor";
}

// The load average of the last minute, which does not yet contain this process.
double load() {
    double loads[1] = {};
    return getloadavg(loads, 1) == 1 ? loads[0] : -1;
}

int run(const Options &options) {
    const std::string machine = processor();
    const double load = ::load();
    const Server server(options.server);
    Session session{{}, server, options.rounds, options.slice_ms, cores().back(), {}};
    for (const auto list : {bench_client_phicache, bench_client_hiredis, bench_client_rust})
        for (const bench_client *client = list(); client->name; client++) session.clients.push_back(client);
    std::printf("phicache %s on %s, %zu cores, load %.1f; Redis %s; core %d, %zu rounds of %.0f ms\n",
                phicache_version(),
                machine.c_str(), cores().size(), load, server.version().c_str(), session.core, options.rounds,
                options.slice_ms);
    measure_requests(session);
    measure_near(session);
    measure_threads(session);
    if (!options.json.empty())
        session.report.write_json(
            options.json, "{\"cpu\": \"" + machine + "\", \"cores\": " + std::to_string(cores().size()) +
                              ", \"load\": " + std::to_string(load) + ", \"phicache\": \"" + phicache_version() +
                              "\", \"server\": \"" + server.version() + "\", \"compiler\": \"" BENCH_COMPILER "\"}");
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(read_options(argc, argv));
    } catch (const std::invalid_argument &error) {
        std::fprintf(stderr, "redis_peers: %s\n", error.what());
        return 2;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "redis_peers: %s\n", error.what());
        return 1;
    }
}
