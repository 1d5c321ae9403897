# Builds for the sanitizers: PHICACHE_SANITIZE is what the compiler's -fsanitize= takes, such as address,undefined or
# thread, for everything in C and C++; PHICACHE_SANITIZE_RUST instruments the Rust side too, by rustc's own -Zsanitizer.
# Such a build is for tests: its libraries need the sanitizer's runtime.
#
# Sets phicache_cargo_environment, phicache_cargo_sanitized and phicache_cargo_folder for cmake/archive.cmake.

set(PHICACHE_SANITIZE "" CACHE STRING "Sanitizers for C and C++; for example address,undefined")
option(PHICACHE_SANITIZE_RUST "The first of these sanitizers for Rust too" OFF)
mark_as_advanced(PHICACHE_SANITIZE PHICACHE_SANITIZE_RUST)

# What the runtimes are told, for all tests of the folder that calls this.
function(phicache_sanitize_tests)
  if(NOT PHICACHE_SANITIZE)
    return()
  endif()
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test ${tests})
    # An allocation that cannot be is a status of ours; tests ask for some.
    set(address_options allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1)
    if(test MATCHES "^memory")  # it looks whether memory goes back to the system
      string(APPEND address_options :quarantine_size_mb=1)
    endif()
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ASAN_OPTIONS=${address_options}
                 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=die_after_fork=0)
  endforeach()
endfunction()

set(phicache_cargo_environment)
set(phicache_cargo_sanitized)
set(phicache_cargo_folder)
if(NOT PHICACHE_SANITIZE)
  return()
endif()

# gcc takes what it has instrumented for uninitialized; the ordinary build looks for that.
add_compile_options(-fsanitize=${PHICACHE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g
                    -Wno-maybe-uninitialized)
add_link_options(-fsanitize=${PHICACHE_SANITIZE})
add_compile_definitions(PHICACHE_SANITIZED)

if(PHICACHE_SANITIZE_RUST)
  # The flag is not stable yet, and with --target it spares what runs while cargo builds.
  execute_process(COMMAND rustc -vV OUTPUT_VARIABLE rustc_version)
  string(REGEX MATCH "host: ([^\n]+)" host "${rustc_version}")
  set(phicache_cargo_folder "${CMAKE_MATCH_1}/")
  set(phicache_cargo_sanitized --target ${CMAKE_MATCH_1})
  string(REGEX REPLACE ",.*" "" sanitizer "${PHICACHE_SANITIZE}")
  # The standard library comes compiled without; cmake/thread_sanitizer.cmake says what that takes.
  # With a block of its own for each entry, so that a use after it was freed is seen.
  set(phicache_cargo_environment
      RUSTC_BOOTSTRAP=1
      "RUSTFLAGS=-Zsanitizer=${sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer --cfg phicache_separate_blocks")
endif()
