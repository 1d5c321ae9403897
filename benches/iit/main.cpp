// main.cpp: analyzes one network several times and prints one JSON object: the seconds of each analysis, the memory
// that the first one added, and the result, its numbers in hexadecimal, so that equal texts are equal to the last bit.
//
//     iit_STORE NETWORK l1|emd THREADS REPEATS
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "analysis.hpp"

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double cpu() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The nanoseconds of an atomic addition to a cache line that no other thread uses: kinds of processors differ in it.
double atomic_ns() {
    constexpr int kTimes = 300'000;
    std::atomic<int> number = 0;
    const double start = now();
    for (int i = 0; i < kTimes; ++i) ++number;
    return (now() - start) / kTimes * 1e9;
}

// A number of KiB in /proc/self/status: VmRSS, the resident memory, or VmHWM, the most there was.
long status_kib(const std::string& name) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.compare(0, name.size(), name) == 0) return std::atol(line.c_str() + name.size() + 1);
    }
    return 0;
}

void append(std::string& text, const char* pattern, double number) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, pattern, number);
    text += buffer;
}

std::string in_bits(const bench::Result& result) {
    std::string text;
    append(text, "%a", result.phi);
    for (double cut : result.cuts) append(text, " %a", cut);
    for (const bench::Mice& mice : result.mice) append(text, mice.phi == 0 ? " 0" : " %a", mice.phi);
    for (const bench::Mice& mice : result.mice) append(text, " %.0f", static_cast<double>(mice.purview));
    return text;
}

std::string list(const std::vector<double>& numbers) {
    std::string text = "[";
    for (double number : numbers) {
        if (text.size() > 1) text += ", ";
        append(text, "%.9g", number);
    }
    text += "]";
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s NETWORK l1|emd THREADS REPEATS\n", argv[0]);
        return 2;
    }
    try {
        const iit::Network network = iit::read_network(argv[1]);
        const iit::Measure measure = argv[2] == std::string("l1") ? iit::Measure::l1 : iit::Measure::emd;
        const int threads = std::atoi(argv[3]), repeats = std::atoi(argv[4]);
        std::vector<double> seconds, cpu_seconds;
        std::string result;
        const long before = status_kib("VmRSS");
        long added = 0;
        for (int repeat = 0; repeat < repeats; ++repeat) {
            const double start = now(), cpu_start = cpu();
            const bench::Result found = bench::analyse(network, measure, threads);
            seconds.push_back(now() - start);
            cpu_seconds.push_back(cpu() - cpu_start);
            if (repeat == 0) added = status_kib("VmHWM") - before;
            const std::string bits = in_bits(found);
            if (repeat > 0 && bits != result) {
                std::fprintf(stderr, "%s: two analyses of %s differ\n", argv[0], argv[1]);
                return 1;
            }
            result = bits;
        }
        std::printf("{\"seconds\": %s, \"cpu_seconds\": %s, \"added_kib\": %ld, \"atomic_ns\": %.2f, ",
                    list(seconds).c_str(), list(cpu_seconds).c_str(), added, atomic_ns());
        std::printf("\"result\": \"%s\"}\n", result.c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
}
