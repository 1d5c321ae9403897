// worker.cpp: soak_worker --seed N --timeout MS --margin MS URL...: a process that uses Redis caches while soak.py,
// which starts two of them, makes the server fail.
//
// For each URL there are two threads: for one, failures are misses and refusals; for the other, errors. Each requests
// values that follow from their keys and checks every one. It also checks the time of each operation: at most the
// timeout for each consecutive request, plus computations of its own and of others that it waits for, plus the margin
// for a busy machine. It prints its statistics once a second and ends with its standard input. SIGPIPE keeps its
// default. Exit status: 0 if nothing was wrong.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "caches.hpp"

namespace {

using namespace soak;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t LEASE_MS = 250, COMPUTE_MS = 4, LONG_COMPUTE_MS = 400, PLAIN_KEYS = 1200, QUESTIONS = 400;
constexpr std::size_t BATCH = 20;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The statistics of all threads of this process.
struct Figures {
    std::atomic<bool> stop{false}, wrong{false};
    std::atomic<std::uint64_t> operations{0}, found{0}, computed{0}, failed{0}, damaged{0}, failures{0};
    std::mutex mutex;
    std::map<std::string, double> slowest;

    void took(const char *what, double ms) {
        const std::lock_guard<std::mutex> lock(mutex);
        slowest[what] = std::max(slowest[what], ms);
    }
};

Figures figures;

class Worker {
public:
    Worker(Way way, std::uint64_t seed, double margin_ms) : way_(way), random_(seed), margin_ms_(margin_ms) {}

    void run() {
        while (!figures.stop) {
            // The new caches have empty near caches and reuse the open connections.
            Caches caches(way_);
            caches_ = &caches;
            for (int i = 0; i < 300 && !figures.stop; i++) act();
            phicache_redis_health health;
            health.struct_size = sizeof health;
            expect_ok(phicache_cache_redis_health(view(), &health));
            phicache_stats stats;
            stats.struct_size = sizeof stats;
            if (phicache_mice_cache_stats(caches.parent.get(), &stats) == PHICACHE_OK) figures.damaged += stats.damaged;
            figures.failures = std::max(figures.failures.load(), health.failures);
        }
    }

private:
    std::uint64_t random(std::uint64_t below) { return mix(random_++) % below; }
    phicache_cache *view() const {
        phicache_cache *view;
        expect_ok(phicache_redis_cache_as_cache(caches_->plain.get(), &view));
        return view;
    }

    // Runs an operation with a maximum number of consecutive requests, which may wait for other processes.
    template <class Do>
    phicache_status timed(const char *what, int questions, double waiting_ms, Do &&something) {
        const Clock::time_point start = Clock::now();
        const phicache_status status = something();
        const double ms = ms_since(start);
        const double most = questions * static_cast<double>(way_.timeout_ms) + waiting_ms + margin_ms_;
        figures.operations++;
        figures.took(what, ms);
        if (ms > most)
            throw Wrong(std::string(what) + " took " + std::to_string(ms) + " ms, at most " + std::to_string(most) +
                        " are due");
        // The outcomes of a failing server, and of a missing value or lease.
        const bool usual = status == PHICACHE_OK || status == PHICACHE_MISS || status == PHICACHE_REFUSED_SERVER ||
                           status == PHICACHE_REFUSED_CLEARED || status == PHICACHE_REFUSED_CUT;
        const bool told = status == PHICACHE_ERROR_REDIS && (way_.server_errors || what == std::string("remove"));
        if (!usual && !told)
            throw Wrong(std::string(what) + ": " + phicache_status_name(status) + ": " + phicache_last_error());
        if (status == PHICACHE_ERROR_REDIS || status == PHICACHE_REFUSED_SERVER) figures.failed++;
        return status;
    }

    void act() {
        const Plain plain(random(PLAIN_KEYS));
        switch (random(16)) {
        case 0: return set(plain);
        case 1: return remove(plain);
        case 2: return set_many();
        case 3: case 4: return get_many();
        case 5: case 6: return get(plain);
        case 7: case 8: case 9: return memoize(plain);
        case 10: case 11: case 12: return memoize(caches_->parent.get(), Question(random(QUESTIONS)), true);
        case 13: return memoize(caches_->child.get(), Question(random(QUESTIONS)), false);
        default: return get(Question(random(QUESTIONS)));
        }
    }

    void check(const Plain &plain, const phicache_value &value) {
        if (!plain.is(value.data, value.len)) throw Wrong("a wrong value of " + plain.key);
        figures.found++;
    }

    void get(const Plain &plain) {
        phicache_value value;
        const phicache_status status =
            timed("get", 1, 0, [&] { return phicache_redis_cache_get(caches_->plain.get(), plain.bytes(), &value); });
        if (status == PHICACHE_OK) check(plain, value);
        phicache_value_release(&value);
    }

    void set(const Plain &plain) {
        std::vector<std::uint8_t> value(plain.len);
        write(plain.number, value.data(), plain.len);
        timed("set", 1, 0, [&] {
            return phicache_redis_cache_set(caches_->plain.get(), plain.bytes(), {value.data(), value.size()});
        });
    }

    // Removes the lease first, then the value, and waits for a computation that completes at this moment.
    void remove(const Plain &plain) {
        timed("remove", 3, 0, [&] { return phicache_redis_cache_remove(caches_->plain.get(), plain.bytes()); });
    }

    std::vector<Plain> batch() {
        std::vector<Plain> batch;
        for (std::size_t i = 0; i < BATCH; i++) batch.emplace_back(random(PLAIN_KEYS));
        return batch;
    }

    void get_many() {
        const std::vector<Plain> plains = batch();
        std::vector<phicache_bytes> keys;
        for (const Plain &plain : plains) keys.push_back(plain.bytes());
        std::vector<phicache_value> values(BATCH);
        const phicache_status status = timed(
            "get_many", 1, 0,
            [&] { return phicache_cache_get_many(view(), keys.data(), BATCH, values.data(), nullptr); });
        for (std::size_t i = 0; i < BATCH; i++) {
            if (status == PHICACHE_OK && values[i].data) check(plains[i], values[i]);
            phicache_value_release(&values[i]);
        }
    }

    void set_many() {
        const std::vector<Plain> plains = batch();
        std::vector<std::vector<std::uint8_t>> contents;
        std::vector<phicache_bytes> keys, values;
        for (const Plain &plain : plains) {
            contents.emplace_back(plain.len);
            write(plain.number, contents.back().data(), plain.len);
            keys.push_back(plain.bytes());
            values.push_back({contents.back().data(), plain.len});
        }
        timed("set_many", 1, 0,
              [&] { return phicache_cache_set_many(view(), keys.data(), values.data(), BATCH, nullptr); });
    }

    // The data of a computation, and whether it ran.
    struct Computation {
        Worker *worker;
        const void *subject;
        bool done = false;
        double ms = 0;

        void work() {
            const Clock::time_point start = Clock::now();
            // Some computations take longer than their lease.
            const std::uint64_t ms = worker->random(200) == 0 ? LONG_COMPUTE_MS : worker->random(COMPUTE_MS);
            std::this_thread::sleep_for(std::chrono::milliseconds(ms));
            this->ms = ms_since(start);
            done = true;
            figures.computed++;
        }
    };

    static std::int32_t compute_plain(void *, void *data, phicache_bytes, phicache_result *result) {
        auto &computation = *static_cast<Computation *>(data);
        const auto &plain = *static_cast<const Plain *>(computation.subject);
        std::uint8_t *room;
        if (phicache_result_reserve(result, plain.len, &room) != PHICACHE_OK) return 1;
        write(plain.number, room, plain.len);
        computation.work();
        return 0;
    }

    static std::int32_t compute_mice(void *, void *data, phicache_bytes, phicache_result *result) {
        auto &computation = *static_cast<Computation *>(data);
        const auto &question = *static_cast<const Question *>(computation.subject);
        std::vector<std::uint8_t> payload(question.payload_len());
        write(question.number, payload.data(), payload.size());
        const phicache_mice answer = question.answer(payload.data());
        if (phicache_result_mice(result, &answer, nullptr) != PHICACHE_OK) return 1;
        computation.work();
        return 0;
    }

    // Requests: the value, the lease, the value again, and the end of the lease. Up to two others may hold the lease.
    template <class Memoize>
    phicache_status memoize(const char *what, Computation &computation, Memoize &&memoize) {
        const double others = 2 * (LEASE_MS + LONG_COMPUTE_MS), own = LONG_COMPUTE_MS;
        const phicache_status status = timed(what, 4, others + own, memoize);
        if (computation.done && status != PHICACHE_OK) throw Wrong("a value was computed and lost");
        if (!computation.done && status != PHICACHE_OK && status != PHICACHE_ERROR_REDIS)
            throw Wrong("nobody computed");
        return status;
    }

    void memoize(const Plain &plain) {
        Computation computation{this, &plain};
        phicache_value value;
        const phicache_status status = memoize("memoize", computation, [&] {
            return phicache_redis_cache_memoize(caches_->plain.get(), plain.bytes(), compute_plain, nullptr,
                                                &computation, &value, nullptr);
        });
        if (status == PHICACHE_OK) check(plain, value);
        phicache_value_release(&value);
    }

    void memoize(phicache_mice_cache *cache, const Question &question, bool uncut) {
        Computation computation{this, &question};
        phicache_value value;
        phicache_mice mice;
        mice.struct_size = sizeof mice;
        const phicache_status status = memoize(uncut ? "MICE memoize" : "MICE memoize, cut", computation, [&] {
            return phicache_mice_cache_memoize(cache, question.bytes(), compute_mice, nullptr, &computation, &mice,
                                               &value, nullptr);
        });
        if (status == PHICACHE_OK) check(question, mice);
        if (status == PHICACHE_OK && !uncut && !computation.done && caches_->damages(question))
            throw Wrong("a MICE that the cut damages");
        phicache_value_release(&value);
    }

    void get(const Question &question) {
        phicache_value value;
        phicache_mice mice;
        mice.struct_size = sizeof mice;
        const phicache_status status = timed("MICE get, cut", 1, 0, [&] {
            return phicache_mice_cache_get(caches_->child.get(), question.bytes(), &mice, &value);
        });
        if (status == PHICACHE_OK) {
            check(question, mice);
            if (caches_->damages(question)) throw Wrong("a MICE that the cut damages");
        }
        phicache_value_release(&value);
    }

    void check(const Question &question, const phicache_mice &mice) {
        if (!question.is(mice)) throw Wrong("a wrong MICE of question " + std::to_string(question.number));
        figures.found++;
    }

    Way way_;
    std::uint64_t random_;
    double margin_ms_;
    Caches *caches_ = nullptr;
};

void work(Worker worker) {
    try {
        worker.run();
    } catch (const std::exception &error) {
        std::printf("WRONG %s\n", error.what());
        figures.wrong = true;
        figures.stop = true;
    }
}

std::uint64_t open_files() {
    std::uint64_t count = 0;
    for (const auto &file : std::filesystem::directory_iterator("/proc/self/fd")) count += !file.path().empty();
    return count;
}

std::uint64_t resident_kb() {
    std::uint64_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

void print_figures() {
    std::printf("files %llu resident %llu operations %llu found %llu computed %llu failed %llu failures %llu "
                "damaged %llu\n",
                static_cast<unsigned long long>(open_files()), static_cast<unsigned long long>(resident_kb()),
                static_cast<unsigned long long>(figures.operations), static_cast<unsigned long long>(figures.found),
                static_cast<unsigned long long>(figures.computed), static_cast<unsigned long long>(figures.failed),
                static_cast<unsigned long long>(figures.failures), static_cast<unsigned long long>(figures.damaged));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char **argv) {
    std::uint64_t seed = 0, timeout_ms = 0, margin_ms = 0;
    std::vector<std::string> urls;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        std::uint64_t *const number =
            word == "--seed" ? &seed : word == "--timeout" ? &timeout_ms : word == "--margin" ? &margin_ms : nullptr;
        if (number && i + 1 < argc) *number = std::strtoull(argv[++i], nullptr, 10);
        else urls.push_back(word);
    }
    struct sigaction on_pipe;
    if (timeout_ms == 0 || urls.empty() || sigaction(SIGPIPE, nullptr, &on_pipe) != 0 ||
        on_pipe.sa_handler != SIG_DFL) {
        std::fprintf(stderr,
                     "usage: soak_worker --seed N --timeout MS --margin MS URL..., with SIGPIPE at its default\n");
        return 2;
    }
    std::vector<std::thread> threads;
    for (const std::string &url : urls)
        for (const bool server_errors : {false, true})
            threads.emplace_back(work, Worker({url, timeout_ms, LEASE_MS, server_errors}, mix(seed + threads.size()),
                                              static_cast<double>(margin_ms)));
    std::thread reader([] {
        while (std::getchar() != EOF) {
        }
        figures.stop = true;
    });
    while (!figures.stop) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        print_figures();
    }
    for (std::thread &thread : threads) thread.join();
    for (const auto &[what, ms] : figures.slowest) std::printf("slowest %s: %.0f ms\n", what.c_str(), ms);
    print_figures();
    reader.detach();
    return figures.wrong ? 1 : 0;
}
