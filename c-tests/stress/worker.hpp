// worker.hpp: one thread's calls. Each answer is checked against what the call may answer, and counted from outside.
#pragma once

#include <array>
#include <functional>
#include <set>
#include <utility>

#include "exchange.hpp"
#include "watchdog.hpp"

namespace stress {

class Worker;

// What the threads of a phase share. Places of caches are below `places`.
constexpr unsigned places = 16;

struct Phase {
    // Computations ask for any key, so that they form circles; otherwise only for lesser ones, which cannot.
    bool circles = false;
    // Caches are cleared, switched off, freed: values may be refused, and thread's leases end with their thread.
    bool upheaval = false;
    // When set: what each computation does, instead of asking for others at random.
    std::function<void(Worker &, unsigned key, unsigned depth)> within;
    std::vector<std::shared_ptr<Cache>> caches;
    Exchange exchange;
    std::atomic<unsigned> leases_out{0};
    std::atomic<bool> over{false};
    // How often each key was computed and kept.
    std::array<std::array<std::atomic<unsigned>, all_keys>, places> kept{};
};

// What threads saw of one cache.
struct Tally {
    std::uint64_t hits = 0;      // values found, by whatever call
    std::uint64_t waited = 0;    // values for which a call waited
    std::uint64_t misses = 0;    // lookups that found nothing and computed nothing
    std::uint64_t begun = 0;     // leases
    std::uint64_t computed = 0;  // kept
    std::uint64_t again = 0;     // computed in a circle by more than one
    std::uint64_t failed = 0;    // computations, on purpose; leases that are abandoned are not counted
    std::uint64_t recursions = 0;
    std::uint64_t callbacks = 0;
    std::uint64_t sets = 0;
    std::array<std::uint64_t, 16> refused{};  // by status

    Tally &operator+=(const Tally &other);
};

// Why a computation fails, when it is told to.
struct OnPurpose {
    std::int32_t code;
};

class Worker {
public:
    Worker(Phase &phase, unsigned number, std::uint64_t seed)
        : random(seed), phase_(phase), number_(number) {}
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    // One of the phase's caches, and a key that many threads want, or just one.
    const std::shared_ptr<Cache> &any_cache();
    const std::shared_ptr<Cache> &any_viewed_cache();
    unsigned any_key();

    // Asks for a value, and computes it on a miss.
    void ask(const std::shared_ptr<Cache> &cache, unsigned key, unsigned depth = 0);
    void look(const std::shared_ptr<Cache> &cache, unsigned key);
    void look_into_buffer(Cache &cache, unsigned key);
    // Leases: somebody else ends what this thread begins.
    void begin(const std::shared_ptr<Cache> &cache, unsigned key);
    void wait(const std::shared_ptr<Cache> &cache, unsigned key);
    // Ends a lease, or releases a pin, that some thread left; false when there is none.
    bool end_some_lease();
    bool release_some_pin();
    // Works for the others until the phase is over.
    void serve();
    void rest(unsigned microseconds = 50);

    // Upheaval.
    void set(Cache &cache, unsigned key);
    void remove(Cache &cache, unsigned key);
    void clear(Cache &cache);

    void doing(const char *what, const Cache &cache, unsigned key) { watched_.enter(what, cache.name(), key); }
    Tally &tally(const Cache &cache) { return tallies_[cache.place()]; }
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
    void keep(const std::shared_ptr<Cache> &cache, unsigned key, phicache_value value, Stamp oldest);
    bool is_mine(const Cache &cache, unsigned key) const;

    Phase &phase_;
    unsigned number_;
    std::array<Tally, places> tallies_{};
    std::int32_t last_code_ = 0;
    // The keys that this thread computes, innermost last, and those whose leases are its own.
    std::vector<std::pair<const Cache *, unsigned>> computing_;
    std::set<std::pair<const Cache *, unsigned>> leased_;
    Watched watched_;
};

}  // namespace stress
