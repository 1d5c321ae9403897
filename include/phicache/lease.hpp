/// @file lease.hpp
/// Single flight without callbacks: who computes a missing value, for event loops and tasks that must not block.
#ifndef PHICACHE_LEASE_HPP
#define PHICACHE_LEASE_HPP

#include "compute.hpp"
#include "owner.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

/// The duty to compute a key's value, from `cache::begin`: write the value and `complete` it. A lease that is destroyed
/// before is abandoned, and those who wait begin again. Any thread may complete it, one at a time.
class lease : public owner<phicache_lease, phicache_lease_abandon>, public writable<lease, phicache_lease> {
public:
    using owner::owner;
    /// Hands the value to the cache, which stores it if it may, and to all who wait. The lease is gone, also on an
    /// error.
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
    phicache::value value{};                                 ///< With `status::ok`: the value; otherwise empty.
    phicache::lease lease = phicache::lease(nullptr);        ///< With `status::lease`: the lease; otherwise empty.
};

PHICACHE_HPP_END

#endif  // PHICACHE_LEASE_HPP
