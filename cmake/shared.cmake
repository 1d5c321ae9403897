# The shared library that users get: libphicache.a, linked again by the C compiler.
#
# Cargo makes a shared library too, but one that uses libgcc_s's unwinder. In a host that brings its own libunwind, as
# Julia does, the two get in each other's way, and the first panic that phicache catches kills the process. Linked
# here, the unwinder lies inside (-static-libgcc, found through --eh-frame-hdr) and is nobody else's. Cargo also sets
# no SONAME and exports whatever its crates export. phicache_relinked, in relinked.c, is how one tells the two apart.
#
# While the version is 0.x every minor version may break the ABI, so the SONAME carries it.

set(version_script "${PROJECT_BINARY_DIR}/phicache.map")
configure_file(cmake/phicache.map.in "${version_script}" @ONLY)

add_library(phicache_shared SHARED cmake/relinked.c)
set_target_properties(phicache_shared PROPERTIES
                      OUTPUT_NAME phicache
                      EXPORT_NAME shared
                      VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
                      LINK_DEPENDS "${phicache_archive};${version_script}")
add_dependencies(phicache_shared phicache_archive)

if(APPLE)
  # Best effort: the system's unwinder is the only one there is.
  target_link_options(phicache_shared PRIVATE "LINKER:-exported_symbol,_phicache_*" LINKER:-dead_strip)
  target_link_libraries(phicache_shared PRIVATE "-Wl,-force_load,${phicache_archive}" ${phicache_native_libraries})
else()
  # nodelete: unloading a Rust library is unsafe while threads may still hold its thread-locals. relro, now: nothing that
  # the loader wrote can be written later; rustc links its own so.
  target_link_options(phicache_shared PRIVATE
                      -static-libgcc
                      LINKER:--eh-frame-hdr
                      LINKER:--version-script=${version_script}
                      LINKER:--gc-sections
                      LINKER:-z,nodelete
                      LINKER:-z,relro,-z,now
                      LINKER:-z,defs)
  target_link_libraries(phicache_shared PRIVATE
                        -Wl,--whole-archive "${phicache_archive}" -Wl,--no-whole-archive ${phicache_native_libraries})
endif()
