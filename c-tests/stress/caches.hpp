// caches.hpp: one interface over the handles of the C API that the stress program uses, and the values they may hold.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "values.hpp"
#include "phicache.h"

namespace stress {

class Cache {
public:
    Cache(const Cache &) = delete;
    Cache &operator=(const Cache &) = delete;
    virtual ~Cache() = default;

    const char *name() const { return name_.c_str(); }
    // Its number in its phase.
    unsigned index() const { return index_; }
    // Null for a memo: its cache is private.
    phicache_cache *view() const { return view_; }
    phicache_bytes key(unsigned key) const;
    // Frees the handle. `value` and `check` still work.
    virtual void close() = 0;

    virtual phicache_status memoize(unsigned key, phicache_compute compute, void *call_data, phicache_value *out,
                                    std::int32_t *callback_code) = 0;
    virtual phicache_status get(unsigned key, phicache_value *out) = 0;
    virtual phicache_status set(unsigned key, Stamp stamp) = 0;
    virtual phicache_status info(phicache_info *out) const;

    // The value as the cache stores it; and how a computation writes it.
    virtual std::vector<std::uint8_t> value(unsigned key, Stamp stamp) const;
    virtual phicache_status write(phicache_result *result, unsigned key, Stamp stamp) const;
    // Whether a value from the cache is this key's, computed not before `oldest`.
    virtual bool check(phicache_bytes value, unsigned key, Stamp oldest) const;
    // Why this key's value is never stored; OK if it is stored.
    virtual phicache_status refusal(unsigned) const { return PHICACHE_OK; }
    // Whether limits that change during the run may refuse a value of this cache for this reason.
    virtual bool may_refuse(phicache_status reason) const;

    // Both may run while values are being computed.
    phicache_status clear();
    phicache_status remove(unsigned key);
    // Call these around any other way of clearing the cache.
    std::uint64_t before_clear() { return ++clears_begun_; }
    void after_clear(std::uint64_t number);
    // The latest time at which a computation that is running now can have begun.
    Stamp now(unsigned key) const;
    // The oldest value that a call that begins now may find: a clear that has returned removed all older ones.
    Stamp oldest(unsigned key) const;

protected:
    virtual phicache_status clear_handle() { return phicache_cache_clear(view_); }

    Cache(std::string name, unsigned index, std::size_t unit, const std::vector<std::string> &keys);

    Values values_;
    phicache_cache *view_ = nullptr;

private:
    std::string name_;
    unsigned index_;
    const std::vector<std::string> &keys_;
    std::atomic<std::uint64_t> clears_begun_{0}, clears_ended_{0};
    struct Removals {
        std::atomic<std::uint64_t> begun{0}, ended{0};
    };
    std::unique_ptr<Removals[]> removals_;
};

// The configuration must outlive the cache. A cache with a name is in the registry. These functions throw if the cache
// cannot be created.
std::shared_ptr<Cache> make_dict(phicache_config *config, const std::string &name, unsigned index,
                                 std::uint64_t max_bytes = 0);
std::shared_ptr<Cache> make_purview(phicache_config *config, const std::string &name, unsigned index);
std::shared_ptr<Cache> make_memo(phicache_config *config, const std::string &name, unsigned index,
                                 phicache_compute compute);

enum class Cut { none, severed };
// `parent` may be null. A cache with an empty name is not in the registry.
std::shared_ptr<Cache> make_mice(phicache_config *config, const std::string &name, unsigned index, Cut cut,
                                 const Cache *parent);
// Whether the cut damages the MICE of this key.
bool damaged(unsigned key);
// Whether the MICE of this key has a positive φ.
bool positive(unsigned key);

}  // namespace stress
