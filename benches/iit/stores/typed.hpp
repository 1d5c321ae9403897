// typed.hpp: phicache's typed C++ calls: memoize<double>, and memoize for arrays, which are read in place.
#pragma once

#include "system.hpp"

namespace store {

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute) : compute_(compute) {}
    double operator()(Joined& joined, const double* p, const double* q, std::size_t size) {
        return cache_.memoize<double>(joined.join(p, q, size), [&] { return compute_(p, q, size); });
    }

  private:
    Compute compute_;
    phicache::dict_cache cache_;
};

struct Held {
    phicache::value array;
};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute) : compute_(compute) {}
    const double* operator()(Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        const ArrayKey key(direction, mechanism, purview);
        held.array = cache_.memoize(phicache::bytes_of(key), [&](phicache::result& out) {
            compute_(direction, mechanism, purview, out.reserve_uninitialized<double>(iit::states(purview)).data());
        });
        return held.array.template view<double>().data();
    }

  private:
    Compute compute_;
    phicache::dict_cache cache_;
};

}  // namespace store
