/// @file phicache_fwd.hpp
/// The names of phicache.hpp, declared: for headers that only mention them, in references, pointers and declarations of
/// functions. Includes no header of the standard library but `<cstddef>` and `<cstdint>`.
///
/// @code
/// #include <phicache_fwd.hpp>
/// double small_phi(phicache::dict_cache& cache, phicache::node_set mechanism);
/// @endcode
#ifndef PHICACHE_FWD_HPP
#define PHICACHE_FWD_HPP

#include <cstddef>
#include <cstdint>

#include "phicache/namespace.hpp"

PHICACHE_HPP_BEGIN

// error.hpp
enum class status : std::int32_t;
class outcome;
class failure;
#if PHICACHE_HPP_EXCEPTIONS
class error;
#endif
template <class>
class expected;

// bytes.hpp, stored.hpp, value.hpp
class bytes;
template <class>
class span;
class text;
class value_writer;
class value_reader;
enum class origin : std::uint32_t;
class value;

// nodes.hpp
enum class direction : std::int32_t;
class node_index;
class node_set;

// config.hpp
enum class on_full : std::int32_t;
class config_ref;
class config;

// key.hpp, fingerprint.hpp
enum class typing : std::int32_t;
class key;
class key_parts;
class key_bytes;
enum class layout : std::int32_t;
class fingerprint;

// compute.hpp, lease.hpp, entries.hpp
class result;
class lease;
struct begin_result;
struct entry;
class entry_range;

// callback.hpp, options.hpp, cache.hpp, redis.hpp, disk.hpp, read.hpp, purviews.hpp
template <class Signature>
class callback;
struct cache_options;
class cache;
class dict_cache;
class redis_cache;
class disk_cache;
class reader;
class read_section;
class purview_list;
class purview_cache;

// function.hpp
struct memo_options;
template <class Signature>
class memo;
enum class method_kind : std::uint32_t;
template <class Signature>
class method;

// subsystem.hpp, mice.hpp
class cut;
class subsystem;
template <class Payload = bytes>
struct mice;
class pinned_mice;
class mice_cache;

PHICACHE_HPP_END

#endif  // PHICACHE_FWD_HPP
