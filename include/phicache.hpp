/// @file phicache.hpp
/// The C++17 face of phicache: RAII over phicache.h, header-only. Include this file; link `phicache::phicache`.
///
/// @code
/// phicache::dict_cache repertoires;
/// double phi = repertoires.memoize<double>(key, [&] { return small_phi(mechanism, purview); });
/// if (std::optional<phicache::value> hit = repertoires.get(key)) use(hit->view<double>());
/// @endcode
///
/// Conventions, everywhere:
/// - **Ownership.** Handles (`dict_cache`, `memo`, …) own, move and do not copy; `handle()` shows the C handle,
///   `release()` gives it up. A call on a moved-from object fails with `status::error_invalid_argument`. Bytes going in
///   (`bytes`, `span`) are borrowed for the call. Values coming out (`value`, `purview_list`, `pinned_mice`) are
///   pinned: valid and unchanged until destroyed, whatever happens to the cache meanwhile. A view into one is not given
///   by a temporary: that does not compile. (`optional->view()` of a temporary optional cannot be refused: name it too.)
/// - **Outcomes.** A miss is an empty `std::optional`; a refused store is an `outcome`; neither is an error.
/// - **Errors.** A call throws `error`, which keeps the status. Its `try_…` form returns an `expected` instead and
///   throws nothing of phicache's. What your own function throws inside `memoize`, `memo` or `method` comes out
///   unchanged, and nothing is cached. Under `-fno-exceptions` use the `try_…` forms: an error in any other ends the
///   program with one line.
/// - **Threads.** Every cache, memo, method and subsystem may be used from any thread at once; a `key`, a `value` and
///   a `lease` by one thread at a time. Moving or destroying an object that another thread uses is the caller's error.
/// - **Units.** All names live in `phicache`, under `-fno-exceptions` in an inline namespace of it: units of both kinds
///   link into one program, but cannot pass these types to each other. No macro is left defined.
///
/// The files below build on each other from top to bottom, one idea each; only this one is meant to be included.
#ifndef PHICACHE_HPP
#define PHICACHE_HPP

#if __cplusplus < 201703L
#error "phicache.hpp needs C++17 or later: compile with -std=c++17"
#else

#include "phicache.h"

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define PHICACHE_HPP_EXCEPTIONS 1
#define PHICACHE_HPP_BEGIN namespace phicache {
#define PHICACHE_HPP_END }
#else
#define PHICACHE_HPP_EXCEPTIONS 0
#define PHICACHE_HPP_BEGIN namespace phicache { inline namespace without_exceptions {
#define PHICACHE_HPP_END }}
#endif

#include "phicache/error.hpp"      // status, outcome, error, failure, expected
#include "phicache/bytes.hpp"      // bytes going in; span; how types become bytes and come back
#include "phicache/value.hpp"      // pinned values coming out
#include "phicache/nodes.hpp"      // node_set, direction
#include "phicache/owner.hpp"      // what all handles share; the version check
#include "phicache/config.hpp"     // config, memory
#include "phicache/key.hpp"        // key, repertoire_key, mice_key, fingerprint
#include "phicache/compute.hpp"    // result; the way of a caller's function through C and back
#include "phicache/lease.hpp"      // lease: single flight without callbacks
#include "phicache/cache.hpp"      // dict_cache, cache
#include "phicache/redis.hpp"      // redis_cache
#include "phicache/read.hpp"       // read_section
#include "phicache/purviews.hpp"   // purview_cache
#include "phicache/function.hpp"   // memo, method
#include "phicache/subsystem.hpp"  // cut, subsystem
#include "phicache/mice.hpp"       // mice, mice_cache
#include "phicache/registry.hpp"   // all named caches

#undef PHICACHE_HPP_EXCEPTIONS
#undef PHICACHE_HPP_BEGIN
#undef PHICACHE_HPP_END

#endif  // C++17
#endif  // PHICACHE_HPP
