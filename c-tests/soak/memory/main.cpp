// main.cpp: soak_memory [--seconds N] [--seed N] [--scale N]: full caches under all operations at once.
//
// Rounds follow one another until the time is up. In each, eight slots of threads use full caches (caches.hpp), in
// phases: values of one size, of very different sizes, of sizes that drift; many pins (worker.cpp). All the time,
// another thread compares what the system counts with what the caches say (watch.hpp). Between phases, when nothing is
// pinned and no other thread runs, resident memory is compared with what the entries take, and a walk with the
// statistics. At the end of a round one thread alone stores, and no store is refused. Then the caches are cleared and
// freed, and the process occupies what it did at first.
//
// Phases have fixed numbers of operations: the time decides only how many rounds there are. The seed, which is
// printed, decides what each thread does; the scheduler decides in which order. --scale multiplies the operations and
// the memory of the caches, 24 MiB in all. Exit status: 0 if nothing was wrong, 77 if the system does not tell the
// resident size of the process.
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "stress/report.hpp"
#include "watch.hpp"
#include "worker.hpp"

namespace {

using namespace soak;
using stress::expect;
using Number = unsigned long long;

constexpr unsigned SLOTS = 8, GENERATIONS = 5;
constexpr std::size_t OPERATIONS = 600;  // of one thread

struct Options {
    unsigned long seconds = 5, scale = 1;
    std::uint64_t seed = std::random_device()();
};

Options parse(int argc, char **argv) {
    Options all;
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i];
        char *end = nullptr;
        const unsigned long long number = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
        if (end == nullptr || end == argv[i + 1] || *end != '\0') throw std::invalid_argument(name + " needs a number");
        if (name == "--seconds") all.seconds = number;
        else if (name == "--scale") all.scale = number;
        else if (name == "--seed") all.seed = number;
        else throw std::invalid_argument("usage: soak_memory [--seconds N] [--seed N] [--scale N]");
    }
    if (all.scale < 1 || all.scale > 64) throw std::invalid_argument("--scale needs a number from 1 to 64");
    return all;
}

const Load LOADS[] = {
    {"one size", {1000, 1000}, {1000, 1000}, 20, 50},
    {"very different sizes", {SMALLEST, LARGEST}, {SMALLEST, LARGEST}, 20, 50},
    {"sizes that grow", {SMALLEST, 2 * SMALLEST}, {LARGEST / 2, LARGEST}, 20, 50},
    {"sizes that shrink", {LARGEST / 2, LARGEST}, {SMALLEST, 2 * SMALLEST}, 20, 50},
    {"many pins and sections", {SMALLEST, 4000}, {SMALLEST, 4000}, 400, 300},
};

// Every slot runs one thread after the other; the threads of different slots run at once.
void run(std::vector<std::unique_ptr<Worker>> &workers, const Load &load, std::size_t operations) {
    std::vector<std::thread> slots;
    for (const std::unique_ptr<Worker> &worker : workers)
        slots.emplace_back([&load, operations, worker = worker.get()] {
            for (unsigned generation = 0; generation < GENERATIONS; generation++)
                std::thread([&] {
                    try {
                        worker->work(load, operations, generation / double(GENERATIONS),
                                     (generation + 1) / double(GENERATIONS));
                    } catch (const std::exception &error) {
                        stress::fail("an operation fails: %s", error.what());
                    }
                    stress::add_checks();
                }).join();
        });
    for (std::thread &slot : slots) slot.join();
}

// A walk finds what the statistics say. Nothing else uses the caches.
void check_entries(Caches &caches) {
    for (Place &place : caches.places()) {
        std::uint64_t count = 0, bytes = 0;
        for (phicache::entry &entry : place.cache.entries()) {
            const Key key = Key::from(entry.key);
            expect(key.is(entry.key) && is_value_of(key.number(), {entry.value.data(), entry.value.size()}),
                   "an entry of %s is wrong", place.name);
            count++;
            bytes += entry.bytes;
        }
        const phicache_stats stats = place.cache.stats();
        expect(count == stats.size && bytes == stats.live_bytes,
               "a walk finds %llu entries of %llu bytes in %s, the statistics say %llu of %llu", Number{count},
               Number{bytes}, place.name, Number{stats.size}, Number{stats.live_bytes});
    }
}

// One thread stores in turn in some of the caches, three times what they have room for. At most this part of the stores
// is refused.
void check_stores(Caches &caches, const std::vector<Place *> &places, std::size_t len, std::uint64_t bytes,
                  double refusals, std::uint64_t seed) {
    std::vector<std::uint8_t> value(len);
    const std::uint64_t count = 3 * bytes / (len + 64);
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < count; i++) {
        const Key key(mix(seed + i));
        fill(key.number(), stamp(i, len), value.data());
        refused += !places[i % places.size()]->cache.set(key.bytes(), value).stored();
        if (i % 256 == 0) caches.account();
    }
    std::uint64_t live = 0;
    for (Place *place : places) live += place->cache.stats().live_bytes;
    expect(double(refused) <= double(count) * refusals,
           "one thread alone: %s refuses %llu of %llu values of %zu bytes", places[0]->name, Number{refused},
           Number{count}, len);
    expect(live >= bytes / 10 * 6, "one thread alone: %s has values in only %llu of %llu bytes, each of %zu",
           places[0]->name, Number{live}, Number{bytes}, len);
    for (Place *place : places) place->cache.clear();
}

// One thread alone, no pin, no read section: a full cache takes every value.
void check_stores_of_one_thread(Caches &caches, std::uint64_t seed) {
    caches.clear();
    caches.set_limited(false);
    std::vector<Place *> at_the_limit;
    for (Place &place : caches.places()) {
        if (place.max_bytes == 0) at_the_limit.push_back(&place);
        for (const std::size_t len : {24, 200, 1'000, 5'000})
            if (place.max_bytes >= 32 * len) check_stores(caches, {&place}, len, place.max_bytes, 0, seed);
    }
    caches.set_limited(true);
    if (!MEASURES_RESIDENT) return;
    // At the limit of the process, the memory of the program itself counts, which changes. Two caches take each other's
    // room at times.
    check_stores(caches, {at_the_limit[0]}, 1'000, caches.limit() - resident(), 0.02, seed);
    check_stores(caches, at_the_limit, 1'000, caches.limit() - resident(), 0.02, seed);
}

// The figures of a phase, for people.
void print(std::uint64_t round, const Load &load, const Account &busy, const Watch &watch) {
    std::printf("round %llu, %s: %llu stores, %llu refused, %llu evictions, %llu hits, %llu misses\n    %s\n",
                Number{round}, load.name, Number{busy.stores}, Number{busy.refused}, Number{busy.evictions},
                Number{busy.hits}, Number{busy.misses}, watch.text().c_str());
    std::fflush(stdout);
}

// `baseline` is what the process occupies without caches; 0 in the first round, which is small, and after which the
// library and the allocator have what they keep for threads.
void round(std::uint64_t number, const Options &options, std::uint64_t baseline) {
    const std::uint64_t seed = options.seed + 1000 * number;
    const auto scale = static_cast<unsigned>(options.scale);
    {
        Caches caches(24 * MIB * scale, scale);
        std::vector<std::unique_ptr<Worker>> workers;
        for (unsigned slot = 0; slot < SLOTS; slot++)
            workers.push_back(std::make_unique<Worker>(caches, slot, seed + slot));
        for (const Load &load : LOADS) {
            if (baseline != 0) workers[0]->fill(load, 0);
            Watch watch(caches, baseline);
            run(workers, load, baseline != 0 ? OPERATIONS * scale : OPERATIONS / 5);
            watch.stop();
            const Account busy = caches.account();
            for (const auto &worker : workers) worker->release();
            if (baseline != 0) workers[0]->fill(load, 1);
            watch.check_steady();
            check_entries(caches);
            if (baseline != 0) print(number, load, busy, watch);
        }
        workers.clear();
        if (baseline != 0) check_stores_of_one_thread(caches, seed);
        caches.clear();
        check_baseline("cleared", baseline);
    }
    const std::uint64_t held = phicache::memory_usage().held;
    expect(held == 0, "%llu bytes are held by no cache", Number{held});
    check_baseline("freed", baseline);
}

int soak_memory(const Options &options) {
#ifdef __GLIBC__
    // What the allocator keeps for each thread would count as memory of the caches.
    mallopt(M_ARENA_MAX, 1);
#endif
    using Clock = std::chrono::steady_clock;
    const stress::Watchdog watchdog;
    const Clock::time_point end = Clock::now() + std::chrono::seconds(options.seconds);
    round(0, options, 0);
    const std::uint64_t baseline = resident_without_caches();
    std::uint64_t rounds = 0;
    do {
        round(++rounds, options, baseline);
        stress::add_checks();
    } while (Clock::now() < end);
    std::printf("%llu rounds, %llu checks, %llu failed\n", Number{rounds}, Number{stress::checks()},
                Number{stress::failures()});
    return stress::failures() != 0;
}

}  // namespace

int main(int argc, char **argv) {
#ifdef __GLIBC__
    // With an arena for each thread, glibc keeps the ends of all of them: memory that is neither ours nor the system's.
    mallopt(M_ARENA_MAX, 1);
#endif
    try {
        const Options options = parse(argc, argv);
        if (access("/proc/self/statm", R_OK) != 0) {
            std::printf("SKIPPED: /proc/self/statm, the resident size of a process, is unreadable\n");
            return 77;
        }
        std::printf("SEED=%llu\n", Number{options.seed});
        std::fflush(stdout);
        return soak_memory(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "soak_memory: %s\n", error.what());
        return 2;
    }
}
