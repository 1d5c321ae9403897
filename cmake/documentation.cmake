# Installs the pages, the examples and the Julia package. Components: documentation and julia.
#
# The folder of the pages has the layout of the sources, so most links work as they are; relink_pages.cmake changes the
# links to headers and to the Julia package, which lie elsewhere.

install(FILES README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md DESTINATION "${phicache_docdir}"
        COMPONENT documentation)
install(DIRECTORY docs DESTINATION "${phicache_docdir}" COMPONENT documentation
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(DIRECTORY benches/reports DESTINATION "${phicache_docdir}/benches" COMPONENT documentation
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(DIRECTORY examples DESTINATION "${phicache_docdir}" COMPONENT documentation
        PATTERN prints.py EXCLUDE PATTERN readme.py EXCLUDE PATTERN tests EXCLUDE)

set(julia_folder "${phicache_datadir}/phicache/julia")
install(DIRECTORY julia/PhiCache DESTINATION "${julia_folder}" COMPONENT julia
        PATTERN test EXCLUDE PATTERN deps EXCLUDE)
if(NOT APPLE)  # the package finds the library of its prefix
  set(link "${julia_folder}/PhiCache/deps/libphicache.so")
  get_filename_component(folder "${link}" DIRECTORY)
  file(RELATIVE_PATH library_from_julia "/${folder}"
       "/${phicache_libdir}/libphicache.so.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  install(CODE "file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${folder}\")
                file(CREATE_LINK \"${library_from_julia}\" \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${link}\" SYMBOLIC)
                list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${CMAKE_INSTALL_PREFIX}/${link}\")"
          COMPONENT julia)
endif()

foreach(component documentation julia)
  install(CODE "set(pages_docs \"${phicache_docdir}\")
                set(pages_include \"${phicache_includedir}\")
                set(pages_julia \"${julia_folder}\")
                set(pages_component ${component})"
          COMPONENT ${component})
  install(SCRIPT cmake/relink_pages.cmake COMPONENT ${component})
endforeach()
