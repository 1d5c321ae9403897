# The shared library that users get: libphicache.a, linked by the C compiler.
#
# Cargo makes a shared library too, but that one uses libgcc_s's unwinder. In a host with its own libunwind, such as
# Julia, the two unwinders conflict, and the first panic that phicache catches kills the process. Linked here, the
# library contains an unwinder of its own (-static-libgcc, found through --eh-frame-hdr). Cargo also sets no SONAME
# and exports whatever its crates export. The symbol phicache_relinked (relinked.c) tells the two libraries apart.
#
# While the version is 0.x, every minor version may break the ABI, so the SONAME carries the minor version.

set(version_script "${PROJECT_BINARY_DIR}/phicache.map")
configure_file(cmake/phicache.map.in "${version_script}" @ONLY)

add_library(phicache_shared SHARED cmake/relinked.c)
set_target_properties(phicache_shared PROPERTIES
                      OUTPUT_NAME phicache
                      EXPORT_NAME shared
                      VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
                      LINK_DEPENDS "${cargo_archive};${version_script}")
add_dependencies(phicache_shared phicache_cargo)
phicache_split_debug(phicache_shared)

option(PHICACHE_OLD_GLIBC "Bring along what glibc 2.28 lacks; for a library linked with an old glibc (make dist)" OFF)
mark_as_advanced(PHICACHE_OLD_GLIBC)
if(PHICACHE_OLD_GLIBC)
  target_sources(phicache_shared PRIVATE cmake/old_glibc.c)
endif()

if(APPLE)
  # Best effort: macOS has only the system's unwinder.
  target_link_options(phicache_shared PRIVATE "LINKER:-exported_symbol,_phicache_*" LINKER:-dead_strip)
  target_link_libraries(phicache_shared PRIVATE "-Wl,-force_load,${cargo_archive}" ${phicache_native_libraries})
else()
  # nodelete: unloading a Rust library is unsafe while threads may still hold its thread-locals. relro, now: what the
  # loader wrote is read-only afterwards, as in the libraries that rustc links.
  target_link_options(phicache_shared PRIVATE
                      -static-libgcc
                      LINKER:--eh-frame-hdr
                      LINKER:--version-script=${version_script}
                      LINKER:--gc-sections
                      LINKER:--build-id
                      LINKER:-z,nodelete
                      LINKER:-z,relro,-z,now
                      LINKER:-z,defs)
  target_link_libraries(phicache_shared PRIVATE
                        -Wl,--whole-archive "${cargo_archive}" -Wl,--no-whole-archive ${phicache_native_libraries})
endif()
