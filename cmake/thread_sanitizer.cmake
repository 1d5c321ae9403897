# Explains Rust's standard library, which is not instrumented, to ThreadSanitizer.
#
# The fast paths of its locks are inlined into our code and instrumented there; the slow paths are functions that the
# sanitizer does not see. The linker redirects calls of those to cmake/thread_sanitizer.c, which informs it. Their
# mangled names change with every Rust version, so they are looked up among the symbols that the archive uses.

execute_process(COMMAND ${CMAKE_NM} "${cargo_archive}" OUTPUT_VARIABLE symbols ERROR_QUIET)
foreach(slow_path LOCK:mutex5futex[A-Za-z0-9_]*lock_contended READ:rwlock5futex[A-Za-z0-9_]*read_contended
        WRITE:rwlock5futex[A-Za-z0-9_]*write_contended WAIT:condvar5futex[A-Za-z0-9_]*4wait
        WAIT_TIMEOUT:condvar5futex[A-Za-z0-9_]*12wait_timeout)
  string(REPLACE ":" ";" slow_path ${slow_path})
  list(GET slow_path 0 name)
  list(GET slow_path 1 pattern)
  string(REGEX MATCH " U (_R[A-Za-z0-9_]*${pattern})\n" found "${symbols}")
  if(NOT found)
    message(FATAL_ERROR "No symbol ${pattern} in ${cargo_archive}: the locks of Rust's standard library have changed. "
                        "Adapt the patterns in cmake/thread_sanitizer.cmake and the wrappers in thread_sanitizer.c.")
  endif()
  target_compile_definitions(phicache_shared PRIVATE ${name}=${CMAKE_MATCH_1})
  target_link_options(phicache_shared PRIVATE LINKER:--wrap=${CMAKE_MATCH_1})
endforeach()
target_link_options(phicache_shared PRIVATE LINKER:--wrap=__tsan_atomic32_fetch_sub
                    LINKER:--wrap=__tsan_atomic64_fetch_sub)
target_sources(phicache_shared PRIVATE cmake/thread_sanitizer.c)
