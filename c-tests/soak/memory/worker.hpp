// worker.hpp: the operations of one slot. Threads of the slot come and go, one after the other; what it keeps stays.
#pragma once

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "caches.hpp"
#include "stress/random.hpp"
#include "stress/watchdog.hpp"
#include "values.hpp"

namespace soak {

using stress::Random;

// The most bytes of values in a cache that a worker makes for itself.
constexpr std::size_t SHORT_LIVED = 64 * KIB;

// What the workers do in a phase.
struct Load {
    const char *name;
    // The lengths of values, at the beginning and at the end of the phase.
    struct Range {
        double smallest, largest;
    } first, last;
    // The number of values that a slot keeps pinned, and how often it opens a read section, in thousandths.
    std::size_t pins;
    unsigned sections;

    // A length. The logarithms of lengths have a uniform distribution, whose limits move with `progress`, from 0 to 1.
    std::size_t length(double progress, Random &random) const;
};

class Worker {
public:
    Worker(Caches &caches, unsigned number, std::uint64_t seed);
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    // Makes this number of operations: the part of a phase from `begin` to `end`.
    void work(const Load &load, std::size_t operations, double begin, double end);
    // Stores values until each cache has evicted, or is large, or no cache takes a value more.
    void fill(const Load &load, double progress);
    // Releases its pins and children, and ends its lease.
    void release();

private:
    // A pinned value of a key.
    struct Pinned {
        Key key;
        phicache::value value;
        Uncached uncached{value.is_stored() ? 0 : value.size()};
    };
    struct Held {
        Key key;
        Stamp stamp;
        phicache::lease lease;
    };
    // A cut system, and the child of the MICE cache for it.
    struct Child {
        phicache::cut cut;
        phicache::mice_cache cache;
    };
    static constexpr std::size_t OWN = 256;  // keys that no other slot stores, for each place

    using Operation = void (Worker::*)();
    static const std::vector<std::pair<unsigned, Operation>> &operations();

    std::size_t place();
    Key shared_key();
    Key own_key(std::size_t place, std::size_t index) const;
    Stamp new_stamp() { return stamp(random_.next(), load_->length(progress_, random_)); }
    const std::vector<std::uint8_t> &value(const Key &key, Stamp stamp);
    void check(const char *what, const Key &key, phicache_bytes value);
    void check_own(const char *what, std::size_t place, std::size_t index, const Key &key, phicache_bytes value);
    void keep(const Key &key, phicache::value &&value);

    void get();
    void get_own();
    void get_into();
    void get_many();
    void peek();
    void read();
    void set();
    void set_own();
    void set_many();
    void remove();
    void remove_own();
    void memoize();
    void lease();
    void held_lease();
    void walk();
    void clear();
    void short_lived();
    void purviews();
    void mice();
    void child();

    Caches &caches_;
    unsigned number_;
    Random random_;
    const Load *load_ = nullptr;
    double progress_ = 0;
    std::vector<std::uint8_t> buffer_;
    std::vector<Pinned> pins_;
    std::vector<std::array<Stamp, OWN>> own_;  // what this slot stored last, by place; 0 is nothing
    std::optional<Held> held_;
    std::optional<Child> child_;
    std::optional<phicache::value> outlives_;  // a value of a cache that is gone
    std::optional<stress::Watched> watched_;
};

}  // namespace soak
