# Each header compiles alone, as every standard, without a warning.
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
  foreach(standard c++17 c++20)
    add_test(NAME header_hpp.${standard}.${name}
             COMMAND ${cxx} -std=${standard} -x c++ -fsyntax-only ${phicache_warnings}
                     "${PROJECT_SOURCE_DIR}/include/phicache.hpp")
  endforeach()
endforeach()
