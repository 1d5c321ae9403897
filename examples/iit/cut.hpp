// A system cut, and the connections that remain.
//
// A cut divides the nodes into two parts and severs every connection from the first to the second. For repertoires a
// severed connection does not exist.
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

// All ordered divisions of the nodes into two nonempty parts.
std::vector<Cut> all_cuts(NodeSet nodes);

class Connections {
  public:
    // The connections of the network that `cut` does not sever; all of them if it is null.
    Connections(const Network& network, const Cut* cut);

    // The nodes with a connection to `node` that is not severed.
    NodeSet connected_to(int node) const { return left_[static_cast<std::size_t>(node)]; }

    // Whether the connections from mechanism to purview (effect), or from purview to mechanism (cause), do not form a
    // connected graph of all their nodes: then some partition changes nothing, and small phi is 0.
    bool reducible(Direction direction, NodeSet mechanism, NodeSet purview) const;

  private:
    std::vector<NodeSet> left_;
};

}  // namespace iit
