// get_set.hpp: phicache's typed C++ calls get and set, in the place of a map's find and emplace.
#pragma once

#include "system.hpp"

namespace store {

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute) : compute_(compute) {}
    double operator()(Joined& joined, const double* p, const double* q, std::size_t size) {
        const phicache::bytes key = joined.join(p, q, size);
        if (const std::optional<double> known = cache_.get<double>(key)) return *known;
        const double distance = compute_(p, q, size);
        cache_.set(key, distance);
        return distance;
    }

  private:
    Compute compute_;
    phicache::dict_cache cache_;
};

// A pinned array, or one that was computed just now.
struct Held {
    std::optional<phicache::value> known;
    std::vector<double> computed;
};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute) : compute_(compute) {}
    const double* operator()(Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        const ArrayKey key(direction, mechanism, purview);
        held.known = cache_.get(phicache::bytes_of(key));
        if (held.known) return held.known->template view<double>().data();
        held.computed.resize(iit::states(purview));
        compute_(direction, mechanism, purview, held.computed.data());
        cache_.set(phicache::bytes_of(key), held.computed);
        return held.computed.data();
    }

  private:
    Compute compute_;
    phicache::dict_cache cache_;
};

}  // namespace store
