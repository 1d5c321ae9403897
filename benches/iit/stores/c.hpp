// c.hpp: phicache's C calls. A distance is copied to the caller, an array is computed in the memory of the cache and
// read there. The MICE are those of system.hpp, because they are a few lookups in a thousand.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "system.hpp"

namespace store {

inline void check(phicache_status status) {
    if (status < 0) throw std::runtime_error(phicache_last_error());
}

class Cache {
  public:
    Cache() { check(phicache_dict_cache_new(nullptr, nullptr, &cache_)); }
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;
    ~Cache() { phicache_dict_cache_free(cache_); }
    operator phicache_dict_cache*() const { return cache_; }

  private:
    phicache_dict_cache* cache_ = nullptr;
};

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute) : compute_(compute) {}
    double operator()(Joined& joined, const double* p, const double* q, std::size_t size) {
        const std::string_view bytes = joined.join(p, q, size);
        const phicache_bytes key{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
        double distance;
        std::uint8_t* const bytes_of_it = reinterpret_cast<std::uint8_t*>(&distance);
        std::size_t len;
        const phicache_status status =
            phicache_dict_cache_get_into(cache_, key, bytes_of_it, sizeof distance, &len);
        if (status == PHICACHE_OK) return distance;
        check(status);
        distance = compute_(p, q, size);
        check(phicache_dict_cache_set(cache_, key, {bytes_of_it, sizeof distance}));
        return distance;
    }

  private:
    Compute compute_;
    Cache cache_;
};

class Held {
  public:
    Held() = default;
    Held(const Held&) = delete;
    Held(Held&& other) noexcept : value_(std::exchange(other.value_, phicache_value{})) {}
    ~Held() { phicache_value_release(&value_); }
    // For the next value.
    phicache_value* out() {
        phicache_value_release(&value_);
        return &value_;
    }

  private:
    phicache_value value_{};
};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute) : compute_(compute) {}
    const double* operator()(Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        const ArrayKey key(direction, mechanism, purview);
        Call call{compute_, direction, mechanism, purview, {}};
        phicache_value* const value = held.out();
        const phicache_status status = phicache_dict_cache_memoize(
            cache_, {reinterpret_cast<const std::uint8_t*>(&key), sizeof key}, compute, nullptr, &call, value, nullptr);
        if (status != PHICACHE_OK) fail(call);
        return reinterpret_cast<const double*>(value->data);
    }

  private:
    struct Call {
        Compute& compute;
        Direction direction;
        NodeSet mechanism;
        NodeSet purview;
        std::exception_ptr thrown;
    };

    // No exception may pass through C.
    static std::int32_t compute(void*, void* call_data, phicache_bytes, phicache_result* result) noexcept {
        Call& call = *static_cast<Call*>(call_data);
        std::uint8_t* bytes = nullptr;
        const std::size_t len = iit::states(call.purview) * sizeof(double);
        if (phicache_result_reserve_uninitialized(result, len, &bytes) != PHICACHE_OK) return 1;
        try {
            call.compute(call.direction, call.mechanism, call.purview, reinterpret_cast<double*>(bytes));
            return 0;
        } catch (...) {
            call.thrown = std::current_exception();
            return 1;
        }
    }
    [[noreturn, gnu::cold, gnu::noinline]] static void fail(const Call& call) {
        if (call.thrown) std::rethrow_exception(call.thrown);
        throw std::runtime_error(phicache_last_error());
    }

    Compute compute_;
    Cache cache_;
};

}  // namespace store
