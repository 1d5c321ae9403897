// memo.hpp: phicache's memos: functions that are called with their arguments, from which the library makes the keys.
#pragma once

#include "system.hpp"

namespace store {

using Array = phicache::span<const double>;

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute)
        : memo_([compute](Array p, Array q) { return compute(p.data(), q.data(), p.size()); }) {}
    double operator()(Joined&, const double* p, const double* q, std::size_t size) {
        return memo_(Array(p, size), Array(q, size));
    }

  private:
    phicache::memo<double(Array, Array)> memo_;
};

struct Held {
    phicache::value array;
};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute)
        : memo_([compute](phicache::result& out, phicache::direction direction, phicache::node_set mechanism,
                          phicache::node_set purview) {
              compute(static_cast<Direction>(direction), mechanism.mask(), purview.mask(),
                      out.reserve_uninitialized<double>(iit::states(purview.mask())).data());
          }) {}
    const double* operator()(Held& held, Direction direction, NodeSet mechanism, NodeSet purview) {
        held.array = memo_(to_phicache(direction), nodes(mechanism), nodes(purview));
        return held.array.template view<double>().data();
    }

  private:
    phicache::memo<void(phicache::result&, phicache::direction, phicache::node_set, phicache::node_set)> memo_;
};

}  // namespace store
