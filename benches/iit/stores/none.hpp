// none.hpp: no cache: everything is computed whenever it is needed. What all stores are compared with, bit by bit.
#pragma once

#include <optional>
#include <vector>

#include "keys.hpp"

namespace store {

struct Held {
    std::vector<double> array;
};

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute) : compute_(compute) {}
    double operator()(Joined&, const double* p, const double* q, std::size_t size) const {
        return compute_(p, q, size);
    }

  private:
    Compute compute_;
};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute) : compute_(compute) {}
    const double* operator()(Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        held.array.resize(iit::states(purview));
        compute_(direction, mechanism, purview, held.array.data());
        return held.array.data();
    }

  private:
    Compute compute_;
};

class MiceStore {
  public:
    explicit MiceStore(const iit::Network&) {}
    MiceStore(const MiceStore&, const iit::Network&, const Cut&) {}
    std::optional<Mice> find(Direction, NodeSet) const { return std::nullopt; }
    void keep(const Mice&) {}
};

}  // namespace store
