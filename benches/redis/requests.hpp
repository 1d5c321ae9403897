// requests.hpp: the works.
#pragma once

#include <vector>

#include "../peers/report.hpp"
#include "client.h"
#include "server.hpp"

namespace bench {

// The input of a work: the clients (phicache first), the server, the options, the report.
struct Session {
    std::vector<const bench_client *> clients;
    const Server &server;
    std::size_t rounds;
    double slice_ms;
    int core;
    Report report;
};

void measure_requests(Session &session);  // GET, SET and batches in one thread, client and server on one core
void measure_threads(Session &session);   // GETs in two threads, on cores that the system chooses
void measure_near(Session &session);      // MICE kept near: commands sent, and the cost of a hit

}  // namespace bench
