#include "phases.hpp"

#include <stdexcept>
#include <thread>

#include "report.hpp"

namespace stress {

namespace {

Observed in_all;

}  // namespace

const Observed &seen_in_all() { return in_all; }

Unlimited::Unlimited() {
    if (phicache_config_new(&handle_) != PHICACHE_OK ||
        phicache_config_set_maximum_memory_percent(handle_, PHICACHE_MEMORY_UNLIMITED) != PHICACHE_OK)
        throw std::runtime_error(phicache_last_error());
}

Unlimited::~Unlimited() { phicache_config_free(handle_); }

std::array<Observed, most_caches> run_workers(Phase &phase, unsigned threads, std::uint64_t seed,
                                      const std::function<void(Worker &)> &work) {
    constexpr unsigned helpers = 2;
    std::array<Observed, most_caches> all{};
    std::mutex lock;
    std::atomic<unsigned> ready{0};
    const auto run = [&](unsigned number) {
        Worker worker(phase, number, seed ^ (number + 1) * 0x9E3779B97F4A7C15u);
        ++ready;
        while (ready < threads + helpers) std::this_thread::yield();
        if (number < threads) {
            work(worker);
        } else {
            worker.serve();
        }
        const std::lock_guard<std::mutex> guard(lock);
        for (const std::shared_ptr<Cache> &cache : phase.caches) all[cache->index()] += worker.observed(*cache);
        add_checks();
    };
    std::vector<std::thread> workers, others;
    for (unsigned number = 0; number < threads; number++) workers.emplace_back(run, number);
    for (unsigned number = threads; number < threads + helpers; number++) others.emplace_back(run, number);
    for (std::thread &worker : workers) worker.join();
    while (phase.leases_out > 0 || phase.handoff.pins.size() > 0) std::this_thread::yield();
    phase.over = true;
    for (std::thread &other : others) other.join();
    for (const Observed &observed : all) in_all += observed;
    return all;
}

}  // namespace stress
