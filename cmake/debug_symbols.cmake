# Debug symbols apart from the libraries: they are six times the size of the code, and only debuggers read them.
#
# Those of the shared library are in a file of their own, in the folder .debug beside the library, where gdb, valgrind
# and Rust's backtraces look for the name that the library carries. The static library has none: a linker could not
# find them elsewhere.
#
# Sets phicache_debug_file; it is empty if the libraries keep their symbols.

option(PHICACHE_SPLIT_DEBUG "Debug symbols in a file of their own; if off, the libraries keep them" ON)
set(phicache_debug_file)
# Builds for tests keep them: a copy takes time.
if(PHICACHE_SPLIT_DEBUG AND CMAKE_OBJCOPY AND NOT APPLE AND NOT PHICACHE_SANITIZE
   AND NOT PHICACHE_CARGO_PROFILE STREQUAL dev)
  set(phicache_debug_file "${PROJECT_BINARY_DIR}/.debug/libphicache.so.${PROJECT_VERSION}.debug")
endif()

# Moves the symbols of the library that `target` links. Called once the target exists.
function(phicache_split_debug target)
  if(NOT phicache_debug_file)
    return()
  endif()
  add_custom_command(TARGET ${target} POST_BUILD
                     COMMAND ${CMAKE_COMMAND} -E make_directory "${PROJECT_BINARY_DIR}/.debug"
                     COMMAND ${CMAKE_OBJCOPY} --only-keep-debug --compress-debug-sections=zlib $<TARGET_FILE:${target}>
                             "${phicache_debug_file}"
                     COMMAND ${CMAKE_OBJCOPY} --strip-unneeded "--add-gnu-debuglink=${phicache_debug_file}"
                             $<TARGET_FILE:${target}>
                     VERBATIM)
endfunction()
