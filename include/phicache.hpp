/// @file phicache.hpp
/// The C++17 interface of phicache: RAII over phicache.h, header-only. Include this file; link `phicache::phicache`.
///
/// @code
/// phicache::dict_cache repertoires;
/// double phi = repertoires.memoize<double>(key, [&] { return small_phi(mechanism, purview); });
/// if (std::optional<phicache::value> hit = repertoires.get(key)) use(hit->view<double>());
/// @endcode
///
/// Conventions that hold everywhere:
/// - **Ownership.** Handles (`dict_cache`, `memo`, …) own their C object; they move and do not copy, except those that
///   never change (`subsystem`, `method`): their copies share it. `handle()` returns the C handle, `release()` also
///   gives up its ownership. A call on a moved-from object fails with
///   `status::error_invalid_argument`. Bytes going in (`bytes`, `span`) are borrowed for the call. Values coming out
///   (`value`, `purview_list`, `pinned_mice`) are pinned: valid and unchanged until destroyed, whatever happens to the
///   cache meanwhile. A view of a temporary value does not compile, because it would dangle. (The compiler cannot
///   refuse `optional->view()` of a temporary optional: give that a name too.)
/// - **Outcomes.** A miss is an empty `std::optional`; a refused store is an `outcome`. Neither is an error.
/// - **Errors.** A call throws `error`, which has the status. Its `try_…` form returns an `expected` instead and throws
///   no `error`. An exception of your own function inside `memoize`, `memo` or `method` is passed on unchanged, and
///   nothing is cached. Under `-fno-exceptions` use the `try_…` forms: an error in any other call prints one line and
///   aborts the program.
/// - **Threads.** Any number of threads may use a cache, memo, method or subsystem at the same time, so all operations
///   on them are const; a `key`, a `value`, a `lease` or a `reader` belongs to one thread at a time. Do not move or
///   destroy an object while another thread uses it.
/// - **Units.** All names are in namespace `phicache`. Under `-fno-exceptions` they are in an inline namespace of it,
///   so units with and without exceptions link into one program, but cannot pass these types to each other. All macros
///   that the headers define begin with `PHICACHE_`. Macros of one letter that a program defines before, such as `T`,
///   do not reach them.
///
/// Each header below holds one idea, uses only those above it, and can be included alone. phicache_fwd.hpp declares the
/// names without defining them.
#ifndef PHICACHE_HPP
#define PHICACHE_HPP

#if __cplusplus < 201703L
#error "phicache.hpp needs C++17 or later: compile with -std=c++17"
#else

// Parameters of templates in these headers, which are macros in some programs.
#pragma push_macro("A")
#undef A
#pragma push_macro("C")
#undef C
#pragma push_macro("E")
#undef E
#pragma push_macro("F")
#undef F
#pragma push_macro("N")
#undef N
#pragma push_macro("R")
#undef R
#pragma push_macro("T")
#undef T
#pragma push_macro("U")
#undef U

#include "phicache/error.hpp"       // status, outcome, error, failure, expected
#include "phicache/customized.hpp"  // whether a type of the caller has a function of its own, such as add_to_key
#include "phicache/bytes.hpp"       // bytes going in; span
#include "phicache/stored.hpp"      // how types become values and are read back; value_writer, value_reader
#include "phicache/value.hpp"       // pinned values coming out
#include "phicache/nodes.hpp"       // node_set, direction
#include "phicache/owner.hpp"       // ownership of C handles; the version check
#include "phicache/config.hpp"      // config, memory
#include "phicache/element.hpp"     // which types can be elements of a key
#include "phicache/key.hpp"         // key, repertoire_key, mice_key, candidate_purviews
#include "phicache/fingerprint.hpp" // fingerprint
#include "phicache/callback.hpp"    // callback: functions of the caller that an object stores
#include "phicache/compute.hpp"     // result; how a function of the caller runs inside a C call
#include "phicache/lease.hpp"       // lease: single flight without callbacks
#include "phicache/reader.hpp"      // reader: lookups of one thread in one cache
#include "phicache/entries.hpp"     // entry, entry_range
#include "phicache/options.hpp"     // cache_options
#include "phicache/operations.hpp"  // accounting, keyed, byte_cache: what caches have in common
#include "phicache/cache.hpp"       // dict_cache, cache
#include "phicache/redis.hpp"       // redis_cache
#include "phicache/disk.hpp"        // disk_cache
#include "phicache/read.hpp"        // read_section
#include "phicache/purviews.hpp"    // purview_cache
#include "phicache/arguments.hpp"   // the keys of memos' and methods' arguments
#include "phicache/signature.hpp"   // the signatures of functions that memos and methods take
#include "phicache/function.hpp"    // memo, method
#include "phicache/subsystem.hpp"   // cut, subsystem
#include "phicache/mice.hpp"        // mice, mice_cache
#include "phicache/registry.hpp"    // all named caches

#pragma pop_macro("A")
#pragma pop_macro("C")
#pragma pop_macro("E")
#pragma pop_macro("F")
#pragma pop_macro("N")
#pragma pop_macro("R")
#pragma pop_macro("T")
#pragma pop_macro("U")

#endif  // C++17
#endif  // PHICACHE_HPP
