// by_hand.hpp: the caches of a program that has a map, `Map<Value>`: find, compute, keep.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "keys.hpp"

namespace store {

template <class Compute>
class Distances {
  public:
    explicit Distances(const Compute& compute) : compute_(compute) {}
    double operator()(Joined& joined, const double* p, const double* q, std::size_t size) {
        const std::string_view key = joined.join(p, q, size);
        const auto copy = [](double distance) { return std::optional<double>(distance); };
        if (const std::optional<double> known = map_.find(key, copy)) return *known;
        double distance = compute_(p, q, size);
        map_.keep(key, std::move(distance), copy);
        return distance;
    }

  private:
    Compute compute_;
    Map<double> map_;
};

// Nothing is ever removed, so the array of a vector stays where it is, even if the map moves the vector.
struct Held {};

template <class Compute>
class Arrays {
  public:
    explicit Arrays(const Compute& compute) : compute_(compute) {}
    const double* operator()(Held&, Direction direction, NodeSet mechanism, NodeSet purview) {
        const ArrayKey key(direction, mechanism, purview);
        const auto address = [](const std::vector<double>& array) { return array.data(); };
        if (const double* known = map_.find(view(key), address)) return known;
        std::vector<double> array(iit::states(purview));
        compute_(direction, mechanism, purview, array.data());
        return map_.keep(view(key), std::move(array), address);
    }

  private:
    Compute compute_;
    Map<std::vector<double>> map_;
};

class MiceStore {
  public:
    explicit MiceStore(const iit::Network&) {}
    MiceStore(const MiceStore& uncut, const iit::Network&, const Cut& cut) : uncut_(&uncut), cut_(cut) {}

    std::optional<Mice> find(Direction direction, NodeSet mechanism) const {
        const MiceKey key(direction, mechanism);
        const auto copy = [](const Mice& mice) { return std::optional<Mice>(mice); };
        std::optional<Mice> known = (uncut_ ? *uncut_ : *this).map_.find(view(key), copy);
        if (uncut_ && known && damages(known->purview, direction, mechanism)) return std::nullopt;
        return known;
    }
    void keep(const Mice& mice) {
        if (uncut_ || !(mice.phi > 0)) return;
        const MiceKey key(mice.direction, mice.mechanism);
        map_.keep(view(key), Mice(mice), [](const Mice&) { return 0; });
    }

  private:
    // Whether the cut severs a connection within the mechanism, or one between mechanism and purview that matters.
    bool damages(NodeSet purview, Direction direction, NodeSet mechanism) const {
        const NodeSet sources = direction == Direction::cause ? purview : mechanism;
        const NodeSet targets = direction == Direction::cause ? mechanism : purview;
        return ((sources | mechanism) & cut_.from) != 0 && ((targets | mechanism) & cut_.to) != 0;
    }

    const MiceStore* uncut_ = nullptr;
    Cut cut_;
    Map<Mice> map_;
};

}  // namespace store
