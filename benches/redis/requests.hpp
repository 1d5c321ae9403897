// requests.hpp: the works.
#pragma once

#include <vector>

#include "../peers/report.hpp"
#include "client.h"
#include "server.hpp"

namespace bench {

// All that a work gets: who takes part (phicache first), with whom they speak, how much, and where figures go.
struct Session {
    std::vector<const bench_client *> clients;
    const Server &server;
    std::size_t rounds;
    double slice_ms;
    int core;
    Report report;
};

void measure_requests(Session &session);  // GET, SET and batches by one thread, client and server on one core
void measure_threads(Session &session);   // GETs by two threads, wherever the system lets them and the server run
void measure_near(Session &session);      // MICE that are kept near: commands sent, and what a hit costs

}  // namespace bench
