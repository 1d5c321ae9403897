# What ThreadSanitizer needs to understand Rust's standard library, which comes compiled without it.
#
# The quick ways through its locks are inlined into our code and instrumented there; the slow ones lie in functions that
# the sanitizer does not see. The linker sends calls of those through cmake/thread_sanitizer.c, which tells it. Their
# names hold a number that changes with every Rust, so they are looked up among what our code in the archive calls.

execute_process(COMMAND ${CMAKE_NM} "${cargo_archive}" OUTPUT_VARIABLE symbols ERROR_QUIET)
foreach(slow_way LOCK:mutex5futex[A-Za-z0-9_]*lock_contended READ:rwlock5futex[A-Za-z0-9_]*read_contended
        WRITE:rwlock5futex[A-Za-z0-9_]*write_contended WAIT:condvar5futex[A-Za-z0-9_]*12wait_timeout)
  string(REPLACE ":" ";" slow_way ${slow_way})
  list(GET slow_way 0 name)
  list(GET slow_way 1 pattern)
  string(REGEX MATCH " U (_R[A-Za-z0-9_]*${pattern})\n" found "${symbols}")
  if(NOT found)
    message(FATAL_ERROR "cmake/thread_sanitizer.cmake finds no ${pattern} in this Rust's standard library: its locks have "
                        "changed, and ThreadSanitizer must be told otherwise when one is taken.")
  endif()
  target_compile_definitions(phicache_shared PRIVATE ${name}=${CMAKE_MATCH_1})
  target_link_options(phicache_shared PRIVATE LINKER:--wrap=${CMAKE_MATCH_1})
endforeach()
target_link_options(phicache_shared PRIVATE LINKER:--wrap=__tsan_atomic32_fetch_sub
                    LINKER:--wrap=__tsan_atomic64_fetch_sub)
target_sources(phicache_shared PRIVATE cmake/thread_sanitizer.c)
