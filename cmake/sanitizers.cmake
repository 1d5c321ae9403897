# Builds for the sanitizers. PHICACHE_SANITIZE is the value of the compiler's -fsanitize= for C and C++, such as
# address,undefined or thread. PHICACHE_SANITIZE_RUST also instruments the Rust side, with rustc's -Zsanitizer. Such a
# build is for tests: its libraries need the sanitizer's runtime.
#
# Sets phicache_cargo_environment, phicache_cargo_platform and phicache_cargo_folder for cmake/archive.cmake.

set(PHICACHE_SANITIZE "" CACHE STRING "Sanitizers for C and C++; for example address,undefined")
option(PHICACHE_SANITIZE_RUST "Instrument Rust with the first of these sanitizers" OFF)
mark_as_advanced(PHICACHE_SANITIZE PHICACHE_SANITIZE_RUST)

# Sets the options of the sanitizers' runtimes for all tests of the calling folder.
function(phicache_sanitize_tests)
  if(NOT PHICACHE_SANITIZE)
    return()
  endif()
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test ${tests})
    # Tests make impossible allocations, which must fail with a status.
    set(address_options allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1)
    if(test MATCHES "^memory")  # it measures whether memory is returned to the system
      string(APPEND address_options :quarantine_size_mb=1)
    endif()
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ASAN_OPTIONS=${address_options}
                 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=die_after_fork=0)
  endforeach()
endfunction()

set(phicache_cargo_environment)
set(phicache_cargo_platform)
set(phicache_cargo_folder)
if(NOT PHICACHE_SANITIZE)
  return()
endif()

# gcc takes instrumented variables for uninitialized; the ordinary build has that warning.
add_compile_options(-fsanitize=${PHICACHE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g
                    -Wno-maybe-uninitialized)
add_link_options(-fsanitize=${PHICACHE_SANITIZE})
add_compile_definitions(PHICACHE_SANITIZED)

if(PHICACHE_SANITIZE_RUST)
  # -Zsanitizer is unstable, hence RUSTC_BOOTSTRAP. With --target, build scripts are not instrumented.
  execute_process(COMMAND rustc -vV OUTPUT_VARIABLE rustc_version)
  string(REGEX MATCH "host: ([^\n]+)" host "${rustc_version}")
  set(phicache_cargo_folder "${CMAKE_MATCH_1}/")
  set(phicache_cargo_platform --target ${CMAKE_MATCH_1})
  string(REGEX REPLACE ",.*" "" sanitizer "${PHICACHE_SANITIZE}")
  # The standard library is not instrumented; cmake/thread_sanitizer.cmake deals with that. Each entry gets a block of
  # its own, so that the sanitizer sees a use after free.
  set(phicache_cargo_environment
      RUSTC_BOOTSTRAP=1
      "RUSTFLAGS=-Zsanitizer=${sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer --cfg phicache_separate_blocks")
endif()
