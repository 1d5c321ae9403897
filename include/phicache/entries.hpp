/// @file entries.hpp
/// All entries of a cache, one by one, as a range.
#ifndef PHICACHE_ENTRIES_HPP
#define PHICACHE_ENTRIES_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "bytes.hpp"
#include "owner.hpp"
#include "value.hpp"

PHICACHE_HPP_BEGIN

/// An entry of a cache. `auto& [key, value] = entry` names its first two members.
struct entry {
    phicache::bytes key{};            ///< Valid as long as the pin of the value, wherever that is moved.
    phicache::value value{};          ///< Pinned; move it out to keep it.
    std::uint64_t bytes = 0;          ///< The bytes that the entry takes: key, value and overhead.
    std::chrono::nanoseconds cost{};  ///< The time that the computation took; 0 if that is not known.

    entry() noexcept = default;
    entry(entry&&) noexcept = default;
    entry& operator=(entry&&) noexcept = default;
    entry(const entry&) = delete;  // in a loop, `auto& [key, value] : cache.entries()`
    entry& operator=(const entry&) = delete;
};

/// For structured bindings: the key, or the value.
template <std::size_t Index, class Entry,
          std::enable_if_t<std::is_same_v<detail::remove_cvref<Entry>, entry> && Index < 2, int> = 0>
decltype(auto) get(Entry&& from) noexcept {
    if constexpr (Index == 0)
        return (from.key);
    else
        return (from.value);
}

/// The entries of a cache in this process or on disk, from `entries()`: an input range, which one thread iterates once.
/// Counts neither hits nor misses.
///
/// @code
/// for (auto& [key, value] : cache.entries()) use(key, value.view<double>());
/// @endcode
///
/// Other threads, and the body of the loop, may read and change the cache meanwhile. An entry that is there from
/// the first step to the last comes once, any other at most once; one that has just been removed may still come.
/// No lock is held and no read section is open between two entries. The range shares the cache, which may be destroyed.
class entry_range : public owner<phicache_walk, phicache_walk_free> {
public:
    using owner::owner;

    class sentinel {};

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = entry;
        using difference_type = std::ptrdiff_t;
        using pointer = entry*;
        using reference = entry&;

        iterator() noexcept = default;
        explicit iterator(entry_range& range) noexcept : range_(&range) {}
        /// The entry, valid until the next step.
        entry& operator*() const noexcept { return range_->current_; }
        entry* operator->() const noexcept { return &range_->current_; }
        iterator& operator++() {
            range_->next();
            return *this;
        }
        void operator++(int) { range_->next(); }
        friend bool operator==(const iterator& at, sentinel) noexcept { return at.is_at_end(); }
        friend bool operator!=(const iterator& at, sentinel end) noexcept { return !(at == end); }
        friend bool operator==(sentinel end, const iterator& at) noexcept { return at == end; }
        friend bool operator!=(sentinel end, const iterator& at) noexcept { return !(at == end); }

    private:
        bool is_at_end() const noexcept { return !range_->has_current_; }

        entry_range* range_ = nullptr;
    };

    /// The next entry.
    iterator begin() {
        next();
        return iterator(*this);
    }
    sentinel end() const noexcept { return {}; }

    /// Takes the next entry, which is then `current()`; false at the end. After an error the next call continues.
    bool next() { return try_next().value(); }
    /// @copydoc next
    expected<bool> try_next() {
        phicache_entry raw{};
        raw.struct_size = sizeof raw;
        const phicache_status code = phicache_walk_next(handle(), &raw, current_.value.out());
        has_current_ = code == PHICACHE_OK;
        current_.key = raw.key;
        current_.bytes = raw.bytes;
        current_.cost = std::chrono::nanoseconds(raw.cost_ns);
        if (code < 0) return failure(code);
        return has_current_;
    }
    /// The entry that `next` has taken; empty before the first and after the last.
    entry& current() noexcept { return current_; }

private:
    entry current_{};
    bool has_current_ = false;
};

PHICACHE_HPP_END

template <>
struct std::tuple_size<phicache::entry> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, phicache::entry> {
    using type = phicache::bytes;
};
template <>
struct std::tuple_element<1, phicache::entry> {
    using type = phicache::value;
};

#endif  // PHICACHE_ENTRIES_HPP
