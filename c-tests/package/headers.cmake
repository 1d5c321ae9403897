# Each header compiles alone, with every standard and compiler, without a warning.
file(GLOB cpp_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/*.hpp"
                                        "${PROJECT_SOURCE_DIR}/include/phicache/*.hpp")
list(JOIN phicache_warnings " " header_warnings)
foreach(compiler ${phicache_compilers})
  string(REPLACE ":" ";" compiler ${compiler})
  list(GET compiler 0 name)
  list(GET compiler 1 cc)
  list(GET compiler 2 cxx)
  foreach(standard c99 c11 c17)
    add_test(NAME header.${standard}.${name}
             COMMAND ${cc} -std=${standard} -x c -fsyntax-only ${phicache_warnings}
                     "${PROJECT_SOURCE_DIR}/include/phicache.h")
  endforeach()
  foreach(standard c++11 c++17 c++20)
    add_test(NAME header.${standard}.${name}
             COMMAND ${cxx} -std=${standard} -x c++ -fsyntax-only ${phicache_warnings}
                     "${PROJECT_SOURCE_DIR}/include/phicache.h")
  endforeach()
  # Rarer warnings, for the headers and the tests.
  set(picky -Wnull-dereference $<IF:$<STREQUAL:${name},clang>,-Wdocumentation,-Wcast-align=strict>)
  add_test(NAME picky_h.${name} COMMAND ${cc} -std=c11 -O2 -x c -c ${phicache_warnings} ${picky} -o /dev/null
                                        "${PROJECT_SOURCE_DIR}/include/phicache.h")
  add_test(NAME picky.${name}
           COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/package/picky.sh" ${cc} ${cxx} "${PROJECT_SOURCE_DIR}/include"
                   "${CMAKE_CURRENT_SOURCE_DIR}" ${picky})
  set_tests_properties(picky.${name} PROPERTIES TIMEOUT 1500)
  # With an older standard the compiler prints one error, not three hundred.
  add_test(NAME header_hpp.c++14.${name}
           COMMAND sh -c "! \"$0\" -std=c++14 -x c++ -fsyntax-only \"$1\" 2> messages_$2 && \
                          grep -q 'needs C++17' messages_$2 && test $(grep -c 'error:' messages_$2) = 1"
                   ${cxx} "${PROJECT_SOURCE_DIR}/include/phicache.hpp" ${name})
  # Each C++ header is compiled alone, so it must include all that it uses.
  set(picky_hpp "${header_warnings} $<$<NOT:$<STREQUAL:${name},clang>>:-Wuseless-cast>")
  foreach(standard c++17 c++20)
    add_test(NAME header_hpp.${standard}.${name}
             COMMAND sh -c "for header; do ${cxx} -std=${standard} -x c++ -fsyntax-only $0 \"$header\" || exit 1; done"
                     "${picky_hpp}" ${cpp_headers})
  endforeach()
endforeach()
