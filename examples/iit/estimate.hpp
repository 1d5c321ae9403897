// How much work a network is, before it begins.
#pragma once

#include <string>

#include "distance.hpp"
#include "network.hpp"

namespace iit {

struct Estimate {
    double cuts = 0;
    double divisions = 0;  // of all mechanisms and purviews of the uncut system, at most
    double seconds = 0;    // without caches on one thread, at most: searches that end early take less
    double bytes = 0;      // of the cache of distances, at most
};

Estimate estimate(const Network& network, Measure measure);

// The longest analysis that is begun without --force.
constexpr double kMostSeconds = 30 * 86400.0;

// "7 nodes have 126 cuts with up to 245,704 divisions each: up to 14 minutes without caches, and ...".
std::string in_words(const Network& network, const Estimate& estimate);

}  // namespace iit
