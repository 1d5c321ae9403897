# What an install contains: headers, both libraries, a CMake package and a pkg-config file, pages and examples. All
# work after the tree is moved. Install components: runtime (the shared library), tools (phicache-info, see tools/),
# documentation and julia (documentation.cmake), debug (debug symbols, only on request) and development (the rest).

include(CMakePackageConfigHelpers)

set(package_dir "${phicache_libdir}/cmake/phicache")
install(DIRECTORY include/ DESTINATION "${phicache_includedir}" COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${phicache_archive}" DESTINATION "${phicache_libdir}" COMPONENT development)

# Licenses belong to both libraries.
include(cmake/licenses.cmake)
install(FILES LICENSE "${phicache_licenses}" DESTINATION "${phicache_docdir}"
        COMPONENT runtime)

# One export for each library, so that a distribution can ship either without the other.
foreach(kind shared static)
  install(TARGETS phicache_${kind} EXPORT phicache_${kind}
          LIBRARY DESTINATION "${phicache_libdir}" COMPONENT runtime NAMELINK_COMPONENT development)
  install(EXPORT phicache_${kind} FILE phicache-${kind}.cmake NAMESPACE phicache:: DESTINATION "${package_dir}"
          COMPONENT development)
endforeach()

if(phicache_debug_file)
  install(FILES "${phicache_debug_file}" DESTINATION "${phicache_libdir}/.debug" COMPONENT debug EXCLUDE_FROM_ALL)
endif()

configure_package_config_file(cmake/phicacheConfig.cmake.in phicacheConfig.cmake
                              INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(phicacheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/phicacheConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/phicacheConfigVersion.cmake"
        DESTINATION "${package_dir}" COMPONENT development)

file(RELATIVE_PATH prefix_from_pcfiledir "/${phicache_libdir}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" prefix_from_pcfiledir "${prefix_from_pcfiledir}")
string(REPLACE ";" " " phicache_native_flags "${phicache_native_libraries}")
configure_file(cmake/phicache.pc.in phicache.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/phicache.pc" DESTINATION "${phicache_libdir}/pkgconfig"
        COMPONENT development)

include(cmake/documentation.cmake)
