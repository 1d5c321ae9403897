// caches.hpp: the caches under stress, each a handle of the C API, with one face; and what may be found in them.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "content.hpp"
#include "phicache.h"

namespace stress {

class Cache {
public:
    Cache(const Cache &) = delete;
    Cache &operator=(const Cache &) = delete;
    virtual ~Cache() = default;

    const char *name() const { return name_.c_str(); }
    // Its number in a phase's tally.
    unsigned place() const { return place_; }
    // Null for a memo, whose cache nobody else can see.
    phicache_cache *view() const { return view_; }
    phicache_bytes key(unsigned key) const;
    // Frees the handle. What its values should be is still known.
    virtual void close() = 0;

    virtual phicache_status memoize(unsigned key, phicache_compute compute, void *call_data, phicache_value *out,
                                    std::int32_t *callback_code) = 0;
    virtual phicache_status get(unsigned key, phicache_value *out) = 0;
    virtual phicache_status set(unsigned key, Stamp stamp) = 0;
    virtual phicache_status info(phicache_info *out) const;

    // The value as the cache keeps it, and the way it is written by a computation.
    virtual std::vector<std::uint8_t> value(unsigned key, Stamp stamp) const;
    virtual phicache_status write(phicache_result *result, unsigned key, Stamp stamp) const;
    // Whether a value that the cache handed out is this key's, and not older than `oldest`.
    virtual bool check(phicache_bytes value, unsigned key, Stamp oldest) const;
    // Why this key's value is never kept; OK for one that is.
    virtual phicache_status refusal(unsigned) const { return PHICACHE_OK; }
    // Whether a value may be refused for its bytes, or as a purview list: by limits that come and go.
    virtual bool may_refuse(phicache_status reason) const;

    // In the midst of computations.
    phicache_status clear();
    phicache_status remove(unsigned key);
    // For another way of clearing: what stands between these two.
    std::uint64_t before_clear() { return ++clears_begun_; }
    void after_clear(std::uint64_t number);
    // When a computation that is running now began, at the latest.
    Stamp now(unsigned key) const;
    // What a call that begins now may still find: a computation that began before a clear that has ended has vanished.
    Stamp oldest(unsigned key) const;

protected:
    virtual phicache_status clear_handle() { return phicache_cache_clear(view_); }

    Cache(std::string name, unsigned place, std::size_t unit, const std::vector<std::string> &keys);

    Content content_;
    phicache_cache *view_ = nullptr;

private:
    std::string name_;
    unsigned place_;
    const std::vector<std::string> &keys_;
    std::atomic<std::uint64_t> clears_begun_{0}, clears_ended_{0};
    struct Removals {
        std::atomic<std::uint64_t> begun{0}, ended{0};
    };
    std::unique_ptr<Removals[]> removals_;
};

// Configurations are the caller's; `named` caches stand in the registry under their name. A function that cannot make
// its cache has failed the program, and throws.
std::shared_ptr<Cache> make_dict(phicache_config *config, const std::string &name, unsigned place,
                                 std::uint64_t max_bytes = 0);
std::shared_ptr<Cache> make_purview(phicache_config *config, const std::string &name, unsigned place);
std::shared_ptr<Cache> make_memo(phicache_config *config, const std::string &name, unsigned place,
                                 phicache_compute compute);

enum class Cut { none, severed };
// A parent of null is none. An empty name is no entry in the registry.
std::shared_ptr<Cache> make_mice(phicache_config *config, const std::string &name, unsigned place, Cut cut,
                                 const Cache *parent);
// Whether the cut damages the MICE of this key.
bool damaged(unsigned key);
// Whether the MICE of this key has a positive φ.
bool positive(unsigned key);

}  // namespace stress
