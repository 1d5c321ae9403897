// main.cpp: replay [--time] [--redis] [FILE...]: replays recorded runs of PyPhi through the C API of phicache.
//
// With --redis it also replays the operations of PyPhi's Redis caches, at the server in PHICACHE_REDIS_URL; it empties
// the database of that server.
//
// Reads plain-text traces (trace.hpp), one or more in a row, from the files or from standard input, and compares every
// outcome with the recorded one. Prints differences to standard error, one line for each trace to standard output, and
// on the last line the numbers of checks and of differences. Exit status: 0 if all agree, 1 if some differ, 2 if an
// input cannot be read.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "replay.hpp"

namespace {

using replay::Report;
using replay::Trace;

unsigned long long printable(std::uint64_t number) { return number; }

// Only a trace without differences is timed: one with caches that cannot be created would crash.
void replay_trace(const Trace &trace, const std::string &file, bool timed, Report &report) {
    const std::uint64_t checks = report.checks, differences = report.differences;
    report.begin(file);
    replay::replay_checked(trace, report);
    std::printf("%s: %llu checks, %llu differences", trace.name.c_str(), printable(report.checks - checks),
                printable(report.differences - differences));
    if (trace.left_out > 0) std::printf("; skipped: needs Redis: %llu lines", printable(trace.left_out));
    std::printf("\n");
    if (!timed || report.differences != differences) return;
    const replay::Timing timing = replay::replay_timed(trace, report);
    if (timing.rounds > 0)
        std::printf("%s: %.1f ns per operation (%llu operations, best of %llu rounds; median %.1f)\n",
                    trace.name.c_str(), timing.best, printable(timing.operations), printable(timing.rounds),
                    timing.median);
}

std::uint64_t replay_stream(std::istream &input, const std::string &file, bool timed, bool redis, Report &report) {
    replay::TraceReader reader(input, file, redis);
    std::uint64_t traces = 0;
    while (const std::optional<Trace> trace = reader.next()) {
        replay_trace(*trace, file, timed, report);
        traces++;
    }
    return traces;
}

int run(int argc, char **argv) {
    bool timed = false, redis = false;
    std::vector<std::string> files;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        if (argument == "--time") timed = true;
        else if (argument == "--redis") redis = true;
        else if (argument == "-" || argument.compare(0, 1, "-") != 0) files.push_back(argument);
        else throw replay::Malformed("unknown option " + argument + "; usage: replay [--time] [--redis] [FILE...]");
    }
    if (files.empty()) files.emplace_back("-");

    Report report;
    for (const std::string &file : files) {
        const bool standard = file == "-";
        std::ifstream opened;
        if (!standard) opened.open(file);
        if (!opened) throw replay::Malformed(file + ": cannot be opened");
        const std::string name = standard ? "standard input" : file;
        if (replay_stream(standard ? std::cin : opened, name, timed, redis, report) == 0)
            throw replay::Malformed(name + ": no trace in it");
    }
    std::printf("%llu checks, %llu differences\n", printable(report.checks), printable(report.differences));
    return report.differences == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 2;
    }
}
