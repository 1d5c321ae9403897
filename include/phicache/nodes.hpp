/// @file nodes.hpp
/// Sets of nodes, as 64-bit masks, and directions.
#ifndef PHICACHE_NODES_HPP
#define PHICACHE_NODES_HPP

#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "bytes.hpp"

PHICACHE_HPP_BEGIN

/// Cause or effect. `bidirectional` occurs in keys only.
enum class direction : std::int32_t {
    cause = PHICACHE_CAUSE,
    effect = PHICACHE_EFFECT,
    bidirectional = PHICACHE_BIDIRECTIONAL,
};

/// The index of a node in a list, `{0, 2}`. Converts only from int and smaller signed types: an unsigned or 64-bit
/// number may be a mask, for which there is `node_set::from_mask`.
class node_index {
public:
    constexpr node_index(int index) noexcept : index_(index) {}
    template <class T, std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, int> &&
                                            !std::is_same_v<T, short> && !std::is_same_v<T, signed char>,
                                        int> = 0>
    node_index(T not_an_index) = delete;
    constexpr operator int() const noexcept { return index_; }

private:
    int index_;
};

/// A set of at most 64 nodes, such as a mechanism or a purview: bit k of the mask is node k. `node_set{0, 2}` holds the
/// nodes 0 and 2; `node_set::from_mask(5)` is the same set. A mask in braces, `{mask}`, does not compile.
class node_set {
public:
    constexpr node_set() noexcept = default;
    /// The nodes with these indices, 0 to 63; fails for any other index. A mask does not compile: see `node_index`.
    constexpr node_set(std::initializer_list<node_index> indices) {
        for (const int index : indices) insert(index);
    }
    /// The nodes with the indices (integers) in a range of iterators.
    template <class Iterator, class = typename std::iterator_traits<Iterator>::iterator_category>
    constexpr node_set(Iterator first, Iterator last) {
        for (; first != last; ++first) insert(static_cast<long long>(*first));
    }
    static constexpr node_set from_mask(std::uint64_t mask) noexcept {
        node_set set;
        set.mask_ = mask;
        return set;
    }
    /// The nodes 0 to `count` - 1; `count` is at most 64.
    static constexpr node_set first(std::size_t count) {
        if (count > 64) bad_index(static_cast<long long>(count) - 1);
        return from_mask(count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1);
    }

    constexpr std::uint64_t mask() const noexcept { return mask_; }
    constexpr bool empty() const noexcept { return mask_ == 0; }
    /// The number of nodes in the set.
    constexpr std::size_t size() const noexcept { return static_cast<std::size_t>(__builtin_popcountll(mask_)); }
    constexpr bool contains(long long index) const noexcept {
        return index >= 0 && index < 64 && (mask_ >> index & 1) != 0;
    }
    constexpr bool is_subset_of(node_set other) const noexcept { return (mask_ & ~other.mask_) == 0; }
    /// Adds one node; its index is 0 to 63.
    constexpr node_set& insert(long long index) {
        if (index < 0 || index > 63) bad_index(index);
        mask_ |= std::uint64_t{1} << index;
        return *this;
    }

    /// Iterates over the indices in ascending order.
    class iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        using pointer = const int*;
        using reference = int;

        constexpr iterator() noexcept = default;
        constexpr explicit iterator(std::uint64_t rest) noexcept : rest_(rest) {}
        constexpr int operator*() const noexcept { return __builtin_ctzll(rest_); }
        constexpr iterator& operator++() noexcept { return rest_ &= rest_ - 1, *this; }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(iterator a, iterator b) noexcept { return a.rest_ == b.rest_; }
        friend constexpr bool operator!=(iterator a, iterator b) noexcept { return a.rest_ != b.rest_; }

    private:
        std::uint64_t rest_ = 0;
    };
    constexpr iterator begin() const noexcept { return iterator(mask_); }
    constexpr iterator end() const noexcept { return iterator(); }
    /// The indices in ascending order.
    std::vector<int> indices() const { return std::vector<int>(begin(), end()); }

    friend constexpr node_set operator|(node_set a, node_set b) noexcept { return from_mask(a.mask_ | b.mask_); }
    friend constexpr node_set operator&(node_set a, node_set b) noexcept { return from_mask(a.mask_ & b.mask_); }
    /// The nodes of `a` that are not in `b`.
    friend constexpr node_set operator-(node_set a, node_set b) noexcept { return from_mask(a.mask_ & ~b.mask_); }
    friend constexpr bool operator==(node_set a, node_set b) noexcept { return a.mask_ == b.mask_; }
    friend constexpr bool operator!=(node_set a, node_set b) noexcept { return a.mask_ != b.mask_; }
    /// An arbitrary total order, for sorted containers.
    friend constexpr bool operator<(node_set a, node_set b) noexcept { return a.mask_ < b.mask_; }

private:
    [[noreturn]] static void bad_index(long long index) {
        detail::raise(detail::invalid("node index %lld is out of range; expected 0 to 63", index));
    }

    std::uint64_t mask_ = 0;
};

namespace detail {

/// Node sets as the masks that C expects. A node_set has the layout of its mask.
inline const std::uint64_t* masks(span<const node_set> sets) noexcept {
    static_assert(sizeof(node_set) == sizeof(std::uint64_t) && std::is_standard_layout_v<node_set>);
    return reinterpret_cast<const std::uint64_t*>(sets.data());
}

}  // namespace detail

PHICACHE_HPP_END

#endif  // PHICACHE_NODES_HPP
