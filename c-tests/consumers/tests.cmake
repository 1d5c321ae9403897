# Every supported way of using phicache, with each compiler of this machine. consume.sh has the commands.

set(installed "${CMAKE_CURRENT_BINARY_DIR}/consumers/installed")
set(moved "${CMAKE_CURRENT_BINARY_DIR}/consumers/moved")

# Two installs: one stays in place, the other is moved, so that nothing may depend on its original path.
add_test(NAME consumer.install
         COMMAND sh -ec "rm -rf \"$1\"; \"$2\" --install \"$3\" --prefix \"$1\"" -
                 "${installed}" "${CMAKE_COMMAND}" "${CMAKE_BINARY_DIR}")
set_tests_properties(consumer.install PROPERTIES FIXTURES_SETUP installed)
add_test(NAME consumer.move
         COMMAND sh -ec "rm -rf \"$1\" \"$2\"; \"$3\" --install \"$4\" --prefix \"$1\"; mv \"$1\" \"$2\"" -
                 "${moved}.before" "${moved}" "${CMAKE_COMMAND}" "${CMAKE_BINARY_DIR}")
set_tests_properties(consumer.move PROPERTIES FIXTURES_SETUP moved)

add_test(NAME package.links
         COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/links.py" "${moved}")
set_tests_properties(package.links PROPERTIES FIXTURES_REQUIRED moved)

if(PHICACHE_BUILD_TOOLS)
  add_test(NAME package.installed_tree
           COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/installed_tree.py" "${moved}"
                   ${PROJECT_VERSION} "${CMAKE_BINARY_DIR}" "${PROJECT_SOURCE_DIR}" "${PHICACHE_CARGO_TARGET_DIR}")
  set_tests_properties(package.installed_tree PROPERTIES FIXTURES_REQUIRED moved)
  if(PHICACHE_REDIS AND PHICACHE_TLS)
    add_test(NAME package.components
             COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/components.py" "${CMAKE_COMMAND}"
                     "${CMAKE_BINARY_DIR}" "${PROJECT_SOURCE_DIR}" "${PHICACHE_CARGO}"
                     "${CMAKE_CURRENT_BINARY_DIR}/consumers/components")
  endif()
endif()

find_program(PHICACHE_PKG_CONFIG pkg-config)

function(phicache_add_consumer name prefix way kind)
  if(way STREQUAL pkg-config AND NOT PHICACHE_PKG_CONFIG)
    phicache_add_skipped(${name} "pkg-config is missing")
    return()
  endif()
  add_test(NAME ${name} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/consumers/consume.sh" ${way} ${kind})
  set_property(TEST ${name} PROPERTY ENVIRONMENT
               "SOURCE_DIR=${PROJECT_SOURCE_DIR}" "FOLDER=${CMAKE_CURRENT_BINARY_DIR}/consumers/${name}"
               "PREFIX=${prefix}" "VERSION=${PROJECT_VERSION}" "CC=${cc}" "CXX=${cxx}" "CMAKE=${CMAKE_COMMAND}"
               "PKG_CONFIG=${PHICACHE_PKG_CONFIG}" "PYTHON=${Python3_EXECUTABLE}"
               "CARGO_TARGET=${PHICACHE_CARGO_TARGET_DIR}")
endfunction()

foreach(compiler ${phicache_compilers})
  string(REPLACE ":" ";" compiler ${compiler})
  list(GET compiler 0 compiler_name)
  list(GET compiler 1 cc)
  list(GET compiler 2 cxx)
  foreach(way subdirectory fetchcontent)
    phicache_add_consumer(consumer.${way}.${compiler_name} "" ${way} both)
    set_tests_properties(consumer.${way}.${compiler_name} PROPERTIES RESOURCE_LOCK cargo)
  endforeach()
  foreach(kind shared static)
    foreach(way cmake pkg-config flags)
      phicache_add_consumer(consumer.installed.${way}-${kind}.${compiler_name} "${installed}" ${way} ${kind})
      set_tests_properties(consumer.installed.${way}-${kind}.${compiler_name} PROPERTIES FIXTURES_REQUIRED installed)
    endforeach()
    foreach(way cmake pkg-config examples)
      phicache_add_consumer(consumer.moved.${way}-${kind}.${compiler_name} "${moved}" ${way} ${kind})
      set_tests_properties(consumer.moved.${way}-${kind}.${compiler_name} PROPERTIES FIXTURES_REQUIRED moved)
    endforeach()
  endforeach()
endforeach()

# find_package with components, versions and BUILD_SHARED_LIBS.
function(phicache_add_choice name expected)
  add_test(NAME consumer.choice.${name}
           COMMAND ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_SOURCE_DIR}/consumers/choices"
                   -B "${CMAKE_CURRENT_BINARY_DIR}/consumers/choice.${name}" "-DCMAKE_PREFIX_PATH=${installed}"
                   -DPHICACHE_VERSION=${PROJECT_VERSION} -DEXPECTED=${expected} ${ARGN})
  set_tests_properties(consumer.choice.${name} PROPERTIES FIXTURES_REQUIRED installed)
endfunction()
phicache_add_choice(none shared)
phicache_add_choice(shared shared -DCOMPONENTS=shared -DBUILD_SHARED_LIBS=OFF)
phicache_add_choice(static static -DCOMPONENTS=static)
phicache_add_choice(static_libraries static -DBUILD_SHARED_LIBS=OFF)
phicache_add_choice(both shared "-DSOURCES=${PROJECT_SOURCE_DIR}")
set_tests_properties(consumer.choice.both PROPERTIES PASS_REGULAR_EXPRESSION "phicache::phicache exists already")

# Each library without the other, as a distribution may ship them: an install without the files of the other.
foreach(kind shared static)
  set(alone "${CMAKE_CURRENT_BINARY_DIR}/consumers/alone.${kind}")
  string(REPLACE ${kind} "" other "sharedstatic")
  set(others $<IF:$<STREQUAL:${kind},shared>,*.a,*.so*>)
  add_test(NAME consumer.${kind}_alone
           COMMAND sh -ec "rm -rf \"$1\"; cp -a \"$2\" \"$1\"; find \"$1\" -name '${others}' -delete
                           find \"$1\" -name 'phicache-${other}*.cmake' -delete; shift 2; \"$@\""
                   - "${alone}" "${installed}" ${CMAKE_COMMAND}
                   -S "${CMAKE_CURRENT_SOURCE_DIR}/consumers/choices" -B "${alone}/build"
                   "-DCMAKE_PREFIX_PATH=${alone}" -DPHICACHE_VERSION=${PROJECT_VERSION} -DEXPECTED=${kind})
  set_tests_properties(consumer.${kind}_alone PROPERTIES FIXTURES_REQUIRED installed)
endforeach()

# A build without tests still has a target test.
add_test(NAME package.without_tests
         COMMAND sh -ec "rm -rf \"$2\"; \"$1\" -S \"$3\" -B \"$2\" -DBUILD_TESTING=OFF -DPHICACHE_BUILD_EXAMPLES=OFF \
                         -DPHICACHE_CARGO_TARGET_DIR=\"$4\"; \"$1\" --build \"$2\" --target test" - "${CMAKE_COMMAND}"
                 "${CMAKE_CURRENT_BINARY_DIR}/consumers/without_tests" "${PROJECT_SOURCE_DIR}"
                 "${PHICACHE_CARGO_TARGET_DIR}")
set_tests_properties(package.without_tests PROPERTIES RESOURCE_LOCK cargo PASS_REGULAR_EXPRESSION "No tests were found")

# A panic is a status also in hosts with their own unwinder. (The programs above check it in C and C++.)
set(installed_library "${installed}/${phicache_libdir}/libphicache.so")
add_test(NAME consumer.panic.python
         COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/consumers/panic.py" "${installed_library}")
set_tests_properties(consumer.panic.python PROPERTIES FIXTURES_REQUIRED installed)
add_test(NAME consumer.loaded.python
         COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/consumers/loaded.py" "${installed_library}")
set_tests_properties(consumer.loaded.python PROPERTIES FIXTURES_REQUIRED installed)
add_executable(loaded consumers/loaded.c)
set_target_properties(loaded PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
target_compile_options(loaded PRIVATE ${phicache_warnings})
target_include_directories(loaded PRIVATE "${PROJECT_SOURCE_DIR}/include")
target_link_libraries(loaded PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
add_test(NAME consumer.loaded.c COMMAND loaded "${installed_library}")
set_tests_properties(consumer.loaded.c PROPERTIES FIXTURES_REQUIRED installed)
if(PHICACHE_JULIA)
  add_test(NAME consumer.panic.julia
           COMMAND ${PHICACHE_JULIA} --startup-file=no "${CMAKE_CURRENT_SOURCE_DIR}/consumers/panic.jl"
                   "${installed_library}")
  set_tests_properties(consumer.panic.julia PROPERTIES FIXTURES_REQUIRED installed)
else()
  phicache_add_skipped(consumer.panic.julia "Julia is missing")
endif()

add_test(NAME consumer.two_rust_libraries
         COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/consumers/two_rust_libraries/run.sh"
                 "${CMAKE_CURRENT_BINARY_DIR}/consumers/two_rust_libraries" "${installed}" "${CMAKE_C_COMPILER}")
set_tests_properties(consumer.two_rust_libraries PROPERTIES FIXTURES_REQUIRED installed)
