// Eight threads request one missing key at once; counts how often the value is computed.
#include <phicache.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "../machine.hpp"
#include "works.hpp"

namespace bench {

namespace {

constexpr std::size_t THREADS = 8;

std::int32_t compute(void *computations, void *, phicache_bytes, phicache_result *result) {
    std::uint8_t *value;
    ++*static_cast<std::atomic<int> *>(computations);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return phicache_result_reserve(result, 64, &value) == PHICACHE_OK ? 0 : 1;
}

}  // namespace

void measure_stampede(Session &session) {
    phicache_dict_cache *cache;
    if (phicache_dict_cache_new(nullptr, nullptr, &cache) != PHICACHE_OK)
        throw std::runtime_error(phicache_last_error());
    Rounds rounds(1);
    for (std::uint64_t key = 0; key < session.options.rounds; key++) {
        std::atomic<int> computations{0}, answers{0};
        run_together(
            THREADS, [](std::size_t) {},
            [&](std::size_t) {
                phicache_value value;
                const phicache_bytes bytes = {reinterpret_cast<const std::uint8_t *>(&key), sizeof key};
                if (phicache_dict_cache_memoize(cache, bytes, compute, &computations, nullptr, &value, nullptr) ==
                    PHICACHE_OK)
                    answers++;
                phicache_value_release(&value);
            });
        if (answers != static_cast<int>(THREADS)) throw std::runtime_error("stampede: not all threads got a value");
        rounds[0].push_back(computations);
    }
    phicache_dict_cache_free(cache);
    session.report.add({"stampede", "8 threads", {}, "computations", 2}, {{"phicache", true}}, rounds);
}

}  // namespace bench
