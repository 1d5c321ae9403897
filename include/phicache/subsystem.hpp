/// @file subsystem.hpp
/// Cuts of a network's connections, and subsystems.
#ifndef PHICACHE_SUBSYSTEM_HPP
#define PHICACHE_SUBSYSTEM_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "fingerprint.hpp"
#include "key.hpp"
#include "nodes.hpp"
#include "owner.hpp"

PHICACHE_HPP_BEGIN

/// The severed connections of a network of 1 to 64 nodes: for each node the targets that it is severed from. A cut that
/// severs nothing is still a cut; no cut is an empty std::optional.
class cut {
public:
    cut() = delete;  // made by one of the functions below
    /// Severs each node from the targets in its mask.
    static cut from_masks(span<const node_set> severed) { return try_from_masks(severed).value(); }
    /// @copydoc from_masks
    static expected<cut> try_from_masks(span<const node_set> severed) {
        if (severed.size() == 0 || severed.size() > 64) {
            return detail::invalid("a cut of %zu nodes; expected a node set for each of 1 to 64 nodes",
                                   severed.size());
        }
        cut made(severed.size());
        for (std::size_t node = 0; node < made.size_; ++node) {
            if (!severed[node].is_subset_of(node_set::first(made.size_))) {
                return detail::invalid("node %zu is severed from %#llx, beyond the cut's %zu nodes", node,
                                       static_cast<unsigned long long>(severed[node].mask()), made.size_);
            }
            made.severed_[node] = severed[node];
        }
        return made;
    }
    /// Severs all connections from the nodes of `from` to those of `to`.
    static cut bipartition(std::size_t size, node_set from, node_set to) {
        return try_bipartition(size, from, to).value();
    }
    /// @copydoc bipartition
    static expected<cut> try_bipartition(std::size_t size, node_set from, node_set to) {
        return make(size,
                    [&](std::uint64_t* out) { return phicache_cut_bipartition(size, from.mask(), to.mask(), out); });
    }
    /// PyPhi's KCut as a size×size matrix: a nonzero entry in row i and column j severs the connection from i to j.
    static cut matrix(std::size_t size, span<const std::uint8_t> severed, layout order = layout::row_major) {
        return try_matrix(size, severed, order).value();
    }
    /// @copydoc matrix
    static expected<cut> try_matrix(std::size_t size, span<const std::uint8_t> severed,
                                    layout order = layout::row_major) {
        if (size <= 64 && severed.size() != size * size) {
            return detail::invalid("the matrix has %zu entries; a cut of %zu nodes needs %zu", severed.size(), size,
                                   size * size);
        }
        return make(size, [&](std::uint64_t* out) {
            return phicache_cut_matrix(size, severed.data(), static_cast<std::int32_t>(order), out);
        });
    }
    /// PyPhi's K-partition: part k consists of `mechanisms[k]` and `purviews[k]`. Severs the connections between
    /// different parts, from mechanism to purview (`effect`) or from purview to mechanism (`cause`). The mechanisms of
    /// two parts share no node, nor do their purviews.
    static cut partition(std::size_t size, direction dir, span<const node_set> mechanisms,
                         span<const node_set> purviews) {
        return try_partition(size, dir, mechanisms, purviews).value();
    }
    /// @copydoc partition
    static expected<cut> try_partition(std::size_t size, direction dir, span<const node_set> mechanisms,
                                       span<const node_set> purviews) {
        if (mechanisms.size() != purviews.size()) {
            return detail::invalid("a partition has %zu mechanisms and %zu purviews; each part has one of each",
                                   mechanisms.size(), purviews.size());
        }
        return make(size, [&](std::uint64_t* out) {
            return phicache_cut_partition(size, static_cast<std::int32_t>(dir), detail::masks(mechanisms),
                                          detail::masks(purviews), mechanisms.size(), out);
        });
    }

    /// The number of nodes of the network.
    std::size_t size() const noexcept { return size_; }
    /// The targets that `node` is severed from.
    node_set severed(std::size_t node) const noexcept { return severed_[node]; }
    /// One mask for each node, for C.
    const std::uint64_t* data() const noexcept { return detail::masks(severed_); }

    /// Whether the cut damages a MICE of the uncut system, so that it may differ under the cut: the cut severs a
    /// connection within the mechanism, from the mechanism to the purview (`effect`) or from the purview to the
    /// mechanism (`cause`). Nodes that are not in the network are an error.
    bool damages(direction dir, node_set mechanism, node_set purview) const {
        return try_damages(dir, mechanism, purview).value();
    }
    /// @copydoc damages
    expected<bool> try_damages(direction dir, node_set mechanism, node_set purview) const {
        std::int32_t damaged = 0;
        const phicache_status code = phicache_cut_damages(size_, data(), static_cast<std::int32_t>(dir),
                                                          mechanism.mask(), purview.mask(), &damaged);
        if (code < 0) return failure(code);
        return damaged != 0;
    }

    friend bool operator==(const cut& a, const cut& b) noexcept {
        return a.size_ == b.size_ && a.severed_ == b.severed_;
    }
    friend bool operator!=(const cut& a, const cut& b) noexcept { return !(a == b); }

private:
    explicit cut(std::size_t size) noexcept : size_(size) {}
    template <class Make>
    static expected<cut> make(std::size_t size, Make&& fill) {
        std::uint64_t masks[64] = {};
        if (const phicache_status code = fill(masks); code < 0) return failure(code);  // also for more than 64 nodes
        cut made(size);
        for (std::size_t node = 0; node < made.severed_.size(); ++node) {
            made.severed_[node] = node_set::from_mask(masks[node]);
        }
        return made;
    }

    std::size_t size_;
    std::array<node_set, 64> severed_{};
};

/// The state of each node of a network, for a call: a range of bools or integers, or bits and the number of nodes.
class node_states {
public:
    node_states(std::initializer_list<std::int32_t> states) { fill(states); }
    template <class Range, std::enable_if_t<detail::is_range<Range>::value, int> = 0>
    node_states(const Range& states) {
        using State = typename std::iterator_traits<decltype(std::begin(states))>::value_type;
        static_assert(std::is_integral_v<State>, "the state of a node is a bool or an integer");
        fill(states);
    }
    /// Bits need the number of nodes: see `from_bits`.
    template <class Bits, std::enable_if_t<std::is_integral_v<Bits>, int> = 0>
    node_states(Bits bits_without_a_number_of_nodes) = delete;
    /// Bit k is the state of node k, as in the number of a row of a TPM. Fails if there are bits for other nodes.
    static node_states from_bits(std::uint64_t bits, std::size_t nodes) {
        if (nodes < 64 && bits >> nodes != 0) {
            detail::raise(detail::invalid("the bits %#llx are the states of more than %zu nodes",
                                          static_cast<unsigned long long>(bits), nodes));
        }
        node_states made({});
        for (std::size_t node = 0; node < nodes; ++node) made.add((node < 64 ? bits >> node : 0) & 1);
        return made;
    }

    const std::int32_t* data() const noexcept { return states_; }
    std::size_t size() const noexcept { return size_; }
    /// Whether each state is a number of 32 bits, and there are at most 64.
    bool is_valid() const noexcept { return is_valid_; }

private:
    template <class Range>
    void fill(const Range& states) {
        for (const auto state : states) add(state);
    }
    template <class State>
    void add(State state) noexcept {
        const auto narrowed = static_cast<std::int32_t>(state);
        if (size_ < 64) states_[size_] = narrowed;
        const bool is_same = static_cast<State>(narrowed) == state && (narrowed < 0) == (state < State());
        is_valid_ = is_valid_ && ++size_ <= 64 && is_same;
    }

    std::int32_t states_[64] = {};
    std::size_t size_ = 0;
    bool is_valid_ = true;
};

namespace detail {

inline auto scoped_key_writer(phicache_subsystem* system, text prefix, direction dir, node_set mechanism,
                              node_set purview) noexcept {
    return [=](std::uint8_t* buffer, std::size_t capacity, std::size_t* len) {
        return phicache_subsystem_key(system, prefix.c_str(), static_cast<std::int32_t>(dir), mechanism.mask(),
                                      purview.mask(), buffer, capacity, len);
    };
}

}  // namespace detail

/// A candidate system of a network in a state, uncut or under a cut. Immutable: any number of threads may use it, and
/// copies share it.
class subsystem : public shared_owner<phicache_subsystem, phicache_subsystem_free> {
public:
    subsystem() = delete;  // it needs a network
    /// Takes ownership of a C handle; `size` is the number of nodes of its network.
    subsystem(phicache_subsystem* handle, std::size_t size) noexcept : shared_owner(handle), size_(size) {}
    /// The subsystem `nodes` of a network in `state` (0 or 1 for each node of the network). The connections of the
    /// network (the targets of each node) are optional: with them cut-scoped keys ignore severed connections that do
    /// not exist. They also show that a state is that of another network, which a fingerprint cannot.
    subsystem(const fingerprint& network, const node_states& state, node_set nodes,
              span<const node_set> connections = {}, const std::optional<cut>& severed = {})
        : subsystem(try_make(network, state, nodes, connections, severed).value()) {}
    template <class Network, std::enable_if_t<!std::is_convertible_v<const Network&, fingerprint>, int> = 0>
    subsystem(const Network& it_needs_the_fingerprint_of_a_network, const node_states&, node_set,
              span<const node_set> = {}, const std::optional<cut>& = {}) = delete;
    template <class Nodes, std::enable_if_t<!std::is_convertible_v<const Nodes&, node_set>, int> = 0>
    subsystem(const fingerprint&, const node_states&, const Nodes& use_node_set_of_indices_or_from_mask,
              span<const node_set> = {}, const std::optional<cut>& = {}) = delete;
    static expected<subsystem> try_make(const fingerprint& network, const node_states& state, node_set nodes,
                                        span<const node_set> connections = {}, const std::optional<cut>& severed = {}) {
        if (!state.is_valid()) {
            return detail::invalid("the state has %zu entries; expected 0 or 1 for each of 1 to 64 nodes",
                                   state.size());
        }
        if (!connections.empty() && connections.size() != state.size()) {
            return detail::invalid("the state is that of %zu nodes and the connections are those of %zu; expected one "
                                   "entry of each for each node of the network",
                                   state.size(), connections.size());
        }
        if (severed && severed->size() != state.size()) return bad_cut(*severed, state.size());
        const auto make = [&](phicache_subsystem** out) {
            return phicache_subsystem_new(&network.raw(), state.size(), state.data(), nodes.mask(),
                                          connections.empty() ? nullptr : detail::masks(connections),
                                          severed ? severed->data() : nullptr, out);
        };
        return detail::create<subsystem>(make, state.size());
    }

    /// The same system under another cut, or uncut.
    subsystem under(const std::optional<cut>& severed) const { return try_under(severed).value(); }
    /// @copydoc under
    expected<subsystem> try_under(const std::optional<cut>& severed) const {
        if (*this && severed && severed->size() != size_) return bad_cut(*severed, size_);
        const auto make = [&](phicache_subsystem** out) {
            return phicache_subsystem_cut(handle(), severed ? severed->data() : nullptr, out);
        };
        return detail::create<subsystem>(make, size_);
    }

    /// The identity of the uncut system: network and context, state, nodes. All its cuts have the same.
    fingerprint identity() const { return try_identity().value(); }
    /// @copydoc identity
    expected<fingerprint> try_identity() const {
        phicache_fingerprint raw{};
        if (const phicache_status code = phicache_subsystem_fingerprint(handle(), &raw); code < 0) return failure(code);
        return fingerprint(raw);
    }
    /// The number of nodes of the network.
    std::size_t size() const noexcept { return size_; }
    /// The nodes of the subsystem.
    node_set nodes() const { return try_nodes().value(); }
    /// @copydoc nodes
    expected<node_set> try_nodes() const {
        std::uint64_t mask = 0;
        if (const phicache_status code = phicache_subsystem_nodes(handle(), &mask); code < 0) return failure(code);
        return node_set::from_mask(mask);
    }
    /// Whether the system is under a cut, even one that severs nothing.
    bool is_cut() const { return try_is_cut().value(); }
    /// @copydoc is_cut
    expected<bool> try_is_cut() const {
        std::int32_t answer = 0;
        if (const phicache_status code = phicache_subsystem_is_cut(handle(), &answer); code < 0) return failure(code);
        return answer != 0;
    }
    /// Whether the cut damages a MICE of the uncut system: see `cut::damages`.
    bool damages(direction dir, node_set mechanism, node_set purview) const {
        return try_damages(dir, mechanism, purview).value();
    }
    /// @copydoc damages
    expected<bool> try_damages(direction dir, node_set mechanism, node_set purview) const {
        std::int32_t damaged = 0;
        const phicache_status code = phicache_subsystem_damages(handle(), static_cast<std::int32_t>(dir),
                                                                mechanism.mask(), purview.mask(), &damaged);
        if (code < 0) return failure(code);
        return damaged != 0;
    }

    /// The cut-scoped key of a result for a mechanism and a purview: (prefix, direction, mechanism, purview), followed
    /// by the severed connections between them, if any. Cuts that sever the same connections there have the same key,
    /// so one cache can hold the results of all cuts. The prefix may be null. Nodes outside the subsystem are an error.
    /// The key contains neither network nor state nor nodes of the system: other systems need other caches, such as
    /// `disk_cache::shared(system.identity(), "repertoires")`.
    key_bytes key(text prefix, direction dir, node_set mechanism, node_set purview) const {
        return key_bytes::from(detail::scoped_key_writer(handle(), prefix, dir, mechanism, purview));
    }
    /// @copydoc key
    expected<key_bytes> try_key(text prefix, direction dir, node_set mechanism, node_set purview) const {
        return key_bytes::try_from(detail::scoped_key_writer(handle(), prefix, dir, mechanism, purview));
    }

private:
    static failure bad_cut(const cut& severed, std::size_t size) noexcept {
        return detail::invalid("the cut is one of %zu nodes; expected one of the whole network, which has %zu",
                               severed.size(), size);
    }

    std::size_t size_;
};

PHICACHE_HPP_END

#endif  // PHICACHE_SUBSYSTEM_HPP
