/// @file fingerprint.hpp
/// The identity of a network and of how results about it are computed.
#ifndef PHICACHE_FINGERPRINT_HPP
#define PHICACHE_FINGERPRINT_HPP

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "bytes.hpp"
#include "nodes.hpp"

PHICACHE_HPP_BEGIN

/// The memory order of a matrix.
enum class layout : std::int32_t { row_major = PHICACHE_ROW_MAJOR, column_major = PHICACHE_COLUMN_MAJOR };

/// The identity of a network and of how results about it are computed: 32 bytes that name it on a server and in shared
/// caches.
class fingerprint {
public:
    constexpr fingerprint() noexcept = default;
    constexpr explicit fingerprint(const phicache_fingerprint& raw) noexcept : raw_(raw) {}

    /// The fingerprint of a network of `connections.size()` nodes. `tpm` holds the state-by-node transition
    /// probabilities, 0 to 1: 2^nodes rows, where bit k of a row's number is the state of node k. `connections` has the
    /// targets of each node. `context` identifies how results are computed (algorithm, measure, settings, version of
    /// the stored values): programs with equal fingerprints read each other's values.
    static fingerprint of_network(span<const double> tpm, span<const node_set> connections, bytes context,
                                  layout order = layout::row_major) {
        return try_of_network(tpm, connections, context, order).value();
    }
    /// @copydoc of_network
    static expected<fingerprint> try_of_network(span<const double> tpm, span<const node_set> connections, bytes context,
                                                layout order = layout::row_major) {
        const std::size_t nodes = connections.size();
        if (nodes == 0 || nodes > 40) {
            return detail::invalid("the connections are those of %zu nodes; expected a node set for each of 1 to 40",
                                   nodes);
        }
        if (tpm.size() != nodes << nodes) {
            return detail::invalid("the TPM has %zu numbers and the connections are those of %zu nodes; expected %zu, "
                                   "state by node: %zu rows and %zu columns",
                                   tpm.size(), nodes, nodes << nodes, std::size_t{1} << nodes, nodes);
        }
        fingerprint made;
        const phicache_status code = phicache_network_fingerprint(tpm.data(), nodes, static_cast<std::int32_t>(order),
                                                                  detail::masks(connections), context, &made.raw_);
        if (code < 0) return failure(code);
        return made;
    }

    /// The same for a matrix of floats, each of which counts as the double of its value.
    template <class Floats, std::enable_if_t<std::is_same_v<detail::element_t<Floats>, float>, int> = 0>
    static fingerprint of_network(const Floats& tpm, span<const node_set> connections, bytes context,
                                  layout order = layout::row_major) {
        return try_of_network(tpm, connections, context, order).value();
    }
    /// @copydoc of_network
    template <class Floats, std::enable_if_t<std::is_same_v<detail::element_t<Floats>, float>, int> = 0>
    static expected<fingerprint> try_of_network(const Floats& tpm, span<const node_set> connections, bytes context,
                                                layout order = layout::row_major) {
        const std::vector<double> doubles(std::data(tpm), std::data(tpm) + std::size(tpm));
        return try_of_network(span<const double>(doubles), connections, context, order);
    }

    /// Other numbers, and rows that are vectors of their own, have to be copied into one vector of doubles.
    template <class Other, std::enable_if_t<!std::is_convertible_v<const Other&, span<const double>> &&
                                                !std::is_same_v<detail::element_t<Other>, float>,
                                            int> = 0>
    static fingerprint of_network(const Other& tpm_is_one_range_of_doubles, span<const node_set>, bytes,
                                  layout = layout::row_major) = delete;
    static fingerprint of_network(span<const double>, span<const node_set>) = delete;  // the context is missing

    constexpr const phicache_fingerprint& raw() const& noexcept { return raw_; }
    /// The same, copied out of a temporary.
    constexpr phicache_fingerprint raw() && noexcept { return raw_; }
    /// As 64 hexadecimal digits.
    std::string hex() const {
        std::string digits;
        for (const std::uint8_t byte : raw_.bytes) {
            digits += "0123456789abcdef"[byte >> 4];
            digits += "0123456789abcdef"[byte & 15];
        }
        return digits;
    }
    friend bool operator==(const fingerprint& a, const fingerprint& b) noexcept {
        return std::memcmp(a.raw_.bytes, b.raw_.bytes, sizeof a.raw_.bytes) == 0;
    }
    friend bool operator!=(const fingerprint& a, const fingerprint& b) noexcept { return !(a == b); }

private:
    phicache_fingerprint raw_{};
};

PHICACHE_HPP_END

#endif  // PHICACHE_FINGERPRINT_HPP
