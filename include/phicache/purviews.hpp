/// @file purviews.hpp
/// PyPhi's PurviewCache: the potential purviews of each mechanism of a network.
#ifndef PHICACHE_PURVIEWS_HPP
#define PHICACHE_PURVIEWS_HPP

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "cache.hpp"
#include "nodes.hpp"

PHICACHE_HPP_BEGIN

/// A list of purviews in the memory of the cache, pinned like a `value`, in the order in which it was stored.
class purview_list {
public:
    purview_list() noexcept = default;
    explicit purview_list(value pinned) noexcept : pinned_(std::move(pinned)) {}
    /// Filled by a C call, `fill(phicache_value*)`, like a `value`.
    template <class Fill>
    purview_list(detail::filled_by_c call, const Fill& fill) : pinned_(call, fill) {}

    const node_set* data() const noexcept {
        return static_cast<const node_set*>(static_cast<const void*>(pinned_.data()));
    }
    std::size_t size() const noexcept { return pinned_.size() / sizeof(node_set); }
    bool empty() const noexcept { return size() == 0; }
    const node_set* begin() const noexcept { return data(); }
    const node_set* end() const noexcept { return data() + size(); }
    node_set operator[](std::size_t index) const noexcept { return data()[index]; }
    /// A copy.
    std::vector<node_set> copy() const { return std::vector<node_set>(begin(), end()); }
    /// The pinned value: it tells where the list comes from and whether it is stored.
    const value& pinned() const& noexcept { return pinned_; }
    /// The same, moved out of a temporary.
    value pinned() && noexcept { return std::move(pinned_); }

private:
    value pinned_;
};

namespace detail {

template <>
inline constexpr bool is_pinned<purview_list> = true;

template <>
struct c_functions<phicache_purview_cache> {
    static constexpr auto create = phicache_purview_cache_new;
    static constexpr auto as_cache = phicache_purview_cache_as_cache;
    static constexpr auto clear = phicache_purview_cache_clear;
    static constexpr auto size = phicache_purview_cache_size;
    static constexpr auto info = phicache_purview_cache_info;
    static constexpr auto stats = phicache_purview_cache_stats;
};

/// Stores a returned range of node sets or of masks.
struct write_masks {
    template <class T>
    static constexpr bool takes =
        std::is_same_v<element_t<T>, node_set> || std::is_same_v<element_t<T>, std::uint64_t>;
    template <class T>
    static expected<void> write(result& out, const T& returned) {
        return out.try_write(returned);
    }
};

inline auto get_call(phicache_purview_cache* cache, direction dir, node_set mechanism) noexcept {
    return [=](phicache_value* out) {
        const std::uint64_t* masks;
        std::size_t count;
        return phicache_purview_cache_get(cache, static_cast<std::int32_t>(dir), mechanism.mask(), &masks, &count, out);
    };
}

inline auto memoize_call(phicache_purview_cache* cache, direction dir, node_set mechanism, phicache_compute compute,
                         void* function) noexcept {
    return [=](void* call, phicache_value* out) {
        const std::uint64_t* masks;
        std::size_t count;
        return phicache_purview_cache_memoize(cache, static_cast<std::int32_t>(dir), mechanism.mask(), compute,
                                              function, call, &masks, &count, out, nullptr);
    };
}

/// In place of an argument that a call lacks, or has in braces.
struct nothing {
    template <class... T>
    nothing(const T&...) noexcept {}
};
/// Enabled for calls that do not begin with a direction and a node set, or lack the last argument.
template <class Direction, class N, class Last = direction>
using if_wrong = std::enable_if_t<!std::is_convertible_v<const Direction&, direction> ||
                                      !std::is_convertible_v<const N&, node_set> || std::is_same_v<Last, nothing> ||
                                      std::is_arithmetic_v<Last>,
                                  int>;

}  // namespace detail

/// Maps (direction, mechanism) to a list of purviews. The key contains neither network nor subsystem: make a cache for
/// each network, with the candidates among all of its nodes, or one for each subsystem. Stores only while the
/// configuration has `cache_potential_purviews` on.
class purview_cache : public owner<phicache_purview_cache, phicache_purview_cache_free>,
                      public accounting<purview_cache, phicache_purview_cache>,
                      public viewable<purview_cache, phicache_purview_cache> {
public:
    using owner::owner;
    purview_cache(purview_cache&&) noexcept = default;
    purview_cache& operator=(purview_cache&&) noexcept = default;
    purview_cache(const purview_cache&) = delete;  // said here too, so that the message is short
    purview_cache& operator=(const purview_cache&) = delete;
    purview_cache() : purview_cache(cache_options{}) {}
    explicit purview_cache(const cache_options& options, config_ref settings = {})
        : purview_cache(try_make(options, settings).value()) {}
    explicit purview_cache(config_ref settings) : purview_cache(cache_options{}, settings) {}
    template <class... Given, detail::if_number<Given...> = 0>
    explicit purview_cache(const Given&... limits_are_in_the_options) = delete;
    template <class... Given, detail::if_number<Given...> = 0>
    static void try_make(const Given&... limits_are_in_the_options) = delete;
    static expected<purview_cache> try_make(const cache_options& options = {}, config_ref settings = {}) {
        return detail::create_cache<purview_cache>(options, settings);
    }

    /// The purviews of a mechanism, pinned; empty on a miss.
    std::optional<purview_list> get(direction dir, node_set mechanism) const {
        return detail::look_up<purview_list>(detail::get_call(handle(), dir, mechanism));
    }
    /// @copydoc get
    expected<std::optional<purview_list>> try_get(direction dir, node_set mechanism) const {
        return detail::try_look_up<purview_list>(detail::get_call(handle(), dir, mechanism));
    }
    template <class A, class N = detail::nothing, detail::if_wrong<A, N> = 0>
    void get(const A& a_direction_and_a_node_set, const N& = {}) const = delete;
    template <class A, class N = detail::nothing, detail::if_wrong<A, N> = 0>
    void try_get(const A& a_direction_and_a_node_set, const N& = {}) const = delete;

    /// Stores a list, which may be empty. Refused with `status::refused_disabled` while `cache_potential_purviews` is
    /// off.
    outcome set(direction dir, node_set mechanism, span<const node_set> purviews) const {
        return try_set(dir, mechanism, purviews).value();
    }
    /// @copydoc set
    expected<outcome> try_set(direction dir, node_set mechanism, span<const node_set> purviews) const {
        return detail::stored(phicache_purview_cache_set(handle(), static_cast<std::int32_t>(dir), mechanism.mask(),
                                                         detail::masks(purviews), purviews.size()));
    }
    template <class A, class N = node_set, class List = detail::nothing, detail::if_wrong<A, N, List> = 0>
    void set(const A& a_direction_a_node_set_and_a_list, const N&, const List& = {}) const = delete;
    template <class A, class N = node_set, class List = detail::nothing, detail::if_wrong<A, N, List> = 0>
    void try_set(const A& a_direction_a_node_set_and_a_list, const N&, const List& = {}) const = delete;

    /// The purviews of a mechanism; on a miss `compute` returns them as a vector of `node_set`, or takes a `result&`
    /// and writes masks there. Otherwise as `dict_cache::memoize`.
    template <class Compute>
    purview_list memoize(direction dir, node_set mechanism, Compute&& compute) const {
        return memoize_by(dir, mechanism, run_memoized<Compute>, detail::erased(compute));
    }
    /// @copydoc memoize
    template <class Compute>
    expected<purview_list> try_memoize(direction dir, node_set mechanism, Compute&& compute) const {
        return try_memoize_by(dir, mechanism, run_memoized<Compute>, detail::erased(compute));
    }
    template <class A, class N = node_set, class F = detail::nothing, detail::if_wrong<A, N, F> = 0>
    void memoize(const A& a_direction_a_node_set_and_a_function, const N&, const F& = {}) const = delete;
    template <class A, class N = node_set, class F = detail::nothing, detail::if_wrong<A, N, F> = 0>
    void try_memoize(const A& a_direction_a_node_set_and_a_function, const N&, const F& = {}) const = delete;

private:
    template <class Compute>
    static constexpr phicache_compute run_memoized =
        detail::callback_of<detail::write_masks, purview_list, std::remove_reference_t<Compute>>();

    // Out of line, to keep calls small: see memoize_in.
    [[gnu::noinline]] purview_list memoize_by(direction dir, node_set mechanism, phicache_compute compute,
                                              void* function) const {
        detail::memoize_frame<purview_list> frame;
        const auto call = detail::memoize_call(handle(), dir, mechanism, compute, function);
        return detail::memoize_as<purview_list>(frame, call);
    }
    [[gnu::noinline]] expected<purview_list> try_memoize_by(direction dir, node_set mechanism, phicache_compute compute,
                                                            void* function) const {
        detail::memoize_frame<purview_list> frame;
        const auto call = detail::memoize_call(handle(), dir, mechanism, compute, function);
        return detail::try_memoize_as<purview_list>(frame, call);
    }
};

PHICACHE_HPP_END

#endif  // PHICACHE_PURVIEWS_HPP
