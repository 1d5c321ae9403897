/// @file lease.hpp
/// Single flight without callbacks: leases, for event loops and tasks that must not block.
#ifndef PHICACHE_LEASE_HPP
#define PHICACHE_LEASE_HPP

#include <chrono>
#include <cstdint>

#include "compute.hpp"
#include "owner.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

namespace detail {

/// A cost for C, where 0 is unknown.
inline std::uint64_t to_cost(std::chrono::nanoseconds cost) noexcept {
    return cost.count() < 0 ? 0 : static_cast<std::uint64_t>(cost.count());
}

}  // namespace detail

/// The exclusive right to compute the value of a key, from `cache::begin`: write the value, then `complete` the lease.
/// Destroying it without completion abandons it, and the threads that wait begin again. Any thread may complete it; for
/// one thread at a time.
class lease : public owner<phicache_lease, phicache_lease_abandon>, public writable<lease, phicache_lease> {
public:
    using owner::owner;
    lease(lease&&) noexcept = default;
    lease& operator=(lease&&) noexcept = default;
    lease() = delete;              // `cache::begin` grants it
    lease(const lease&) = delete;  // said here too, so that the message is short
    lease& operator=(const lease&) = delete;
    /// Sets what computing the value costs, in computing time, instead of the time that the lease takes. 0 or less is
    /// that time.
    void set_cost(std::chrono::nanoseconds cost) { try_set_cost(cost).value(); }
    /// @copydoc set_cost
    expected<void> try_set_cost(std::chrono::nanoseconds cost) {
        return detail::checked(phicache_lease_set_cost(handle(), detail::to_cost(cost)));
    }
    /// Gives the value to the cache, which stores it unless it refuses, and to all threads that wait for it. Ends the
    /// lease, also on an error.
    value complete() { return try_complete().value(); }
    /// @copydoc complete
    expected<value> try_complete() {
        expected<value> made(std::in_place);
        if (const phicache_status code = phicache_lease_complete(release(), made->out()); code < 0)
            made = failure(code);
        return made;
    }
};

/// What `cache::begin` and `cache::wait` return.
struct begin_result {
    phicache::status status = phicache::status::miss;        ///< `ok`, or what to do next: see `cache::begin`.
    /// With `status::ok`, the value. With `status::lease` in verified mode, the value that the lease verifies, valid
    /// until the lease ends. Otherwise empty.
    phicache::value value{};
    phicache::lease lease = phicache::lease(nullptr);        ///< With `status::lease`: the lease; otherwise empty.
};

PHICACHE_HPP_END

#endif  // PHICACHE_LEASE_HPP
