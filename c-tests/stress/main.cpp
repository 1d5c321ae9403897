// main.cpp: stress [--seconds N] [--threads N] [--seed N]: every operation of phicache at once, from many threads.
//
// Repeats the phases of phases.hpp until the time is up, with 64, 2 and 8 threads in turn or with --threads. It
// compares values byte by byte and the caches' counts with its own, and expects that all caches hold zero bytes after
// each phase. A thread without progress for five minutes ends the program (watchdog.hpp). The scheduler decides which
// thread comes first; everything else follows from the seed, which is printed. Exit status: 0 if nothing was wrong.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "phases.hpp"
#include "report.hpp"

namespace {

struct Options {
    unsigned long seconds = 5;
    unsigned long threads = 0;  // 0: 64, 2 and 8 in turn
    std::uint64_t seed = 0;
};

unsigned long number(const std::string &name, const char *text, unsigned long least, unsigned long most) {
    char *end = nullptr;
    const unsigned long value = text == nullptr ? 0 : std::strtoul(text, &end, 10);
    if (text == nullptr || end == text || *end != '\0' || value < least || value > most)
        throw std::invalid_argument(name + " needs a number from " + std::to_string(least) + " to " +
                                    std::to_string(most));
    return value;
}

Options options(int argc, char **argv) {
    Options all;
    all.seed = std::random_device()();
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i];
        const char *text = i + 1 < argc ? argv[i + 1] : nullptr;
        if (name == "--seconds") all.seconds = number(name, text, 1, 1000000);
        else if (name == "--threads") all.threads = number(name, text, 2, stress::most_threads);
        else if (name == "--seed") all.seed = number(name, text, 0, ~0ul);
        else throw std::invalid_argument("unknown option " + name +
                                         "; usage: stress [--seconds N] [--threads N] [--seed N]");
    }
    return all;
}

// The bytes that all caches hold.
unsigned long long held() {
    phicache_memory memory{};
    memory.struct_size = sizeof memory;
    stress::expect(phicache_memory_usage(&memory) == PHICACHE_OK, "no memory usage: %s", phicache_last_error());
    return memory.held;
}

void run_phases(unsigned threads, std::uint64_t seed) {
    const std::pair<const char *, std::function<void(std::uint64_t)>> phases[] = {
        {"counting without wait cycles", [=](std::uint64_t own) { stress::exact_counts(threads, own, false); }},
        {"counting with wait cycles", [=](std::uint64_t own) { stress::exact_counts(threads, own, true); }},
        {"wait cycles", [=](std::uint64_t own) { stress::wait_cycles(threads, own, false); }},
        {"wait cycles with removals", [=](std::uint64_t own) { stress::wait_cycles(threads, own, true); }},
        {"inheritance", [=](std::uint64_t own) { stress::inheritance(threads, own); }},
        {"churn", [=](std::uint64_t own) { stress::churn(threads, own); }},
    };
    for (const auto &[name, run] : phases) {
        run(seed++);
        const unsigned long long left = held();
        stress::expect(left == 0, "%llu bytes are still held after %s", left, name);
    }
}

int run(const Options &asked) {
    using Clock = std::chrono::steady_clock;
    const stress::Watchdog watchdog;
    const Clock::time_point start = Clock::now(), end = start + std::chrono::seconds(asked.seconds);
    Clock::time_point told = start;
    std::uint64_t rounds = 0;
    do {
        const unsigned in_turn[] = {64, 2, 8};
        const unsigned threads = asked.threads != 0 ? static_cast<unsigned>(asked.threads) : in_turn[rounds % 3];
        run_phases(threads, asked.seed + 100 * rounds);
        rounds++;
        stress::add_checks();
        if (Clock::now() - told > std::chrono::minutes(1)) {
            told = Clock::now();
            std::printf("%lld s: %llu rounds, %llu checks, %llu failed\n",
                        static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(told - start).count()),
                        static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(stress::checks()),
                        static_cast<unsigned long long>(stress::failures()));
            std::fflush(stdout);
        }
    } while (Clock::now() < end);
    using Number = unsigned long long;
    const stress::Observed &seen = stress::seen_in_all();
    std::printf("%llu hits, %llu waits, %llu computations, %llu leases, %llu failures, %llu recursions, %llu values "
                "computed by several in a wait cycle\n",
                Number{seen.hits}, Number{seen.waited}, Number{seen.callbacks}, Number{seen.begun}, Number{seen.failed},
                Number{seen.recursions}, Number{seen.again});
    std::printf("%llu rounds, %llu checks, %llu failed\n", Number{rounds}, Number{stress::checks()},
                Number{stress::failures()});
    return stress::failures() != 0 || stress::checks() == 0;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        const Options asked = options(argc, argv);
        std::printf("SEED=%llu\n", static_cast<unsigned long long>(asked.seed));
        std::fflush(stdout);
        return run(asked);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "stress: %s\n", error.what());
        return 2;
    }
}
