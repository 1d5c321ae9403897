# Installs the pages, the examples and the Julia package. Components: documentation and julia.
#
# The folder of the pages has the layout of the sources, so most links work as they are; relink_pages.cmake changes the
# links to headers and to the Julia package, which lie elsewhere.

set(julia_folder "${CMAKE_INSTALL_DATADIR}/phicache/julia/PhiCache")

install(FILES README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        COMPONENT documentation)
foreach(folder docs benches/reports)
  get_filename_component(above "${CMAKE_INSTALL_DOCDIR}/${folder}" DIRECTORY)
  install(DIRECTORY ${folder} DESTINATION "${above}" COMPONENT documentation
          FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
endforeach()
install(DIRECTORY examples DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT documentation
        PATTERN "*.py" EXCLUDE PATTERN tests EXCLUDE)

install(DIRECTORY julia/PhiCache/ DESTINATION "${julia_folder}" COMPONENT julia
        PATTERN test EXCLUDE PATTERN deps EXCLUDE)

# Folders of the sources and where they are in the prefix, which install scripts know.
foreach(folder DOCDIR INCLUDEDIR DATADIR LIBDIR)
  file(RELATIVE_PATH ${folder} "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_${folder}}")
endforeach()
foreach(component documentation julia)
  install(CODE "set(pages_docs \"${DOCDIR}\")\nset(pages_include \"${INCLUDEDIR}\")
                set(pages_julia \"${DATADIR}/phicache/julia\")\nset(pages_component ${component})"
          COMPONENT ${component})
  install(SCRIPT cmake/relink_pages.cmake COMPONENT ${component})
endforeach()

# The package finds the library of its prefix.
if(NOT APPLE)
  file(RELATIVE_PATH library_from_julia "/${DATADIR}/phicache/julia/PhiCache/deps"
       "/${LIBDIR}/libphicache.so.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  install(CODE "set(link \"${DATADIR}/phicache/julia/PhiCache/deps/libphicache.so\")
                set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
                file(MAKE_DIRECTORY \"\${folder}/${DATADIR}/phicache/julia/PhiCache/deps\")
                file(CREATE_LINK \"${library_from_julia}\" \"\${folder}/\${link}\" SYMBOLIC)
                list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${CMAKE_INSTALL_PREFIX}/\${link}\")"
          COMPONENT julia)
endif()
