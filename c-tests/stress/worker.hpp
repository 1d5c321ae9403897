// worker.hpp: the calls of one thread. Each result is checked against the results that are possible, and counted.
#pragma once

#include <array>
#include <functional>
#include <set>
#include <utility>

#include "handoff.hpp"
#include "watchdog.hpp"

namespace stress {

class Worker;

// At most this many caches in a phase.
constexpr unsigned most_caches = 16;

// What the threads of a phase share.
struct Phase {
    // Computations ask for any key, so wait cycles occur; otherwise only for smaller keys, so none can.
    bool wait_cycles = false;
    // Caches are cleared, switched off and freed: values may be refused, and a thread's leases end with it.
    bool churn = false;
    // If set, what each computation does instead of asking for random other keys.
    std::function<void(Worker &, unsigned key, unsigned depth)> within;
    std::vector<std::shared_ptr<Cache>> caches;
    Handoff handoff;
    std::atomic<unsigned> leases_out{0};
    std::atomic<bool> over{false};
    // How often each key was computed and stored, by cache index.
    std::array<std::array<std::atomic<unsigned>, all_keys>, most_caches> stored{};
};

// What threads observed of one cache; compared with the cache's own counts.
struct Observed {
    std::uint64_t hits = 0;      // values found, by any call
    std::uint64_t waited = 0;    // values for which a call waited
    std::uint64_t misses = 0;    // lookups that found nothing and computed nothing
    std::uint64_t begun = 0;     // leases
    std::uint64_t computed = 0;  // and stored
    std::uint64_t again = 0;     // computed by more than one thread of a wait cycle
    std::uint64_t failed = 0;    // computations that failed on purpose; abandoned leases do not count
    std::uint64_t recursions = 0;
    std::uint64_t callbacks = 0;
    std::uint64_t sets = 0;
    std::array<std::uint64_t, 16> refused{};  // by status

    Observed &operator+=(const Observed &other);
};

// Thrown by a computation that fails on purpose.
struct OnPurpose {
    std::int32_t code;
};

class Worker {
public:
    Worker(Phase &phase, unsigned number, std::uint64_t seed)
        : random(seed), phase_(phase), number_(number) {}
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    // One of the phase's caches; a key, drawn so that some are requested by many threads.
    const std::shared_ptr<Cache> &any_cache();
    const std::shared_ptr<Cache> &any_viewed_cache();
    unsigned any_key();

    // Memoizes: asks for a value and computes it on a miss.
    void ask(const std::shared_ptr<Cache> &cache, unsigned key, unsigned depth = 0);
    void look(const std::shared_ptr<Cache> &cache, unsigned key);
    void look_into_buffer(Cache &cache, unsigned key);
    // Leases: another thread ends what this one begins.
    void begin(const std::shared_ptr<Cache> &cache, unsigned key);
    void wait(const std::shared_ptr<Cache> &cache, unsigned key);
    // Ends a lease, or releases a pin, that another thread handed off; false if there is none.
    bool end_some_lease();
    bool release_some_pin();
    // Ends leases and releases pins until the phase is over.
    void serve();
    void rest(unsigned microseconds = 50);

    // Churn.
    void set(Cache &cache, unsigned key);
    void remove(Cache &cache, unsigned key);
    void clear(Cache &cache);

    void doing(const char *what, const Cache &cache, unsigned key) { watched_.enter(what, cache.name(), key); }
    Observed &observed(const Cache &cache) { return observed_[cache.index()]; }
    unsigned number() const { return number_; }

    // What memos call; `call_data` is the call's Computation.
    static std::int32_t compute(void *user_data, void *call_data, phicache_bytes key, phicache_result *result);

    Random random;

private:
    struct Computation;

    std::int32_t compute(Computation &computation, phicache_bytes key, phicache_result *result);
    void ask_for_others(const Cache &cache, unsigned key, unsigned depth);
    phicache_status ask_in_cpp(Computation &computation, phicache_value *out, std::int32_t *callback_code);
    bool may_refuse(const Cache &cache, unsigned key, phicache_status reason) const;
    void computed(const Cache &cache, unsigned key, const phicache_value &value);
    void found(const Cache &cache, const phicache_value &value);
    void check_and_release(const std::shared_ptr<Cache> &cache, unsigned key, phicache_value value, Stamp oldest);
    bool is_mine(const Cache &cache, unsigned key) const;

    Phase &phase_;
    unsigned number_;
    std::array<Observed, most_caches> observed_{};
    std::int32_t last_code_ = 0;
    // The keys that this thread is computing, innermost last, and those that it holds leases for.
    std::vector<std::pair<const Cache *, unsigned>> computing_;
    std::set<std::pair<const Cache *, unsigned>> leased_;
    Watched watched_;
};

}  // namespace stress
