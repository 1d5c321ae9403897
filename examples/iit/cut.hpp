// A system cut, and the connections that it leaves.
//
// A cut divides the nodes into two parts and severs every connection from the first to the second. Repertoires see a
// severed connection as one that does not exist.
#pragma once

#include <vector>

#include "network.hpp"

namespace iit {

enum class Direction { cause = 0, effect = 1 };

struct Cut {
    NodeSet from = 0;
    NodeSet to = 0;

    // Whether the mechanism has nodes on both sides.
    bool splits(NodeSet mechanism) const { return (mechanism & from) != 0 && (mechanism & to) != 0; }
};

// Every ordered division of the nodes into two parts that are not empty.
std::vector<Cut> all_cuts(NodeSet nodes);

class Connections {
  public:
    // What `cut` leaves of the network's connections: all of them when it is null.
    Connections(const Network& network, const Cut* cut);

    // The nodes whose connection to `node` exists and is not severed.
    NodeSet connected_to(int node) const { return left_[static_cast<std::size_t>(node)]; }

    // Whether the connections from the mechanism to the purview (effect), or the other way round (cause), leave some
    // node without any, or fall into separate blocks: then a partition that changes nothing exists, and small phi is 0.
    bool reducible(Direction direction, NodeSet mechanism, NodeSet purview) const;

  private:
    std::vector<NodeSet> left_;
};

}  // namespace iit
