# phicache.hpp in two units, without exceptions, with a library of another version, in code that must not compile; what
# compiling it costs, and the code of one call; with each compiler of this machine. compile_and_run.sh has most of the
# commands.

function(phicache_add_face_test name cxx)
  add_test(NAME cpp.${name} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/cpp/compile_and_run.sh" ${ARGN})
  set_property(TEST cpp.${name} PROPERTY ENVIRONMENT
               "CXX=${cxx}" "INCLUDE=${PROJECT_SOURCE_DIR}/include" "TESTS=${CMAKE_CURRENT_SOURCE_DIR}"
               "LIBRARY=$<TARGET_FILE:phicache_shared>" "FOLDER=${CMAKE_CURRENT_BINARY_DIR}/cpp/${name}")
endfunction()

foreach(compiler ${phicache_compilers})
  string(REPLACE ":" ";" compiler ${compiler})
  list(GET compiler 0 name)
  list(GET compiler 2 cxx)
  # Arguments: unit and flags, unit and flags, …
  phicache_add_face_test(two_units.c++17.${name} ${cxx} run first.cpp -std=c++17 second.cpp -std=c++17)
  phicache_add_face_test(two_units.c++20.${name} ${cxx} run first.cpp -std=c++20 second.cpp -std=c++20)
  phicache_add_face_test(two_units.both.${name} ${cxx} run first.cpp -std=c++17 second.cpp -std=c++20)
  foreach(standard c++17 c++20)
    phicache_add_face_test(no_exceptions.${standard}.${name} ${cxx}
                           run no_exceptions.cpp "-std=${standard} -fno-exceptions -fno-rtti")
    phicache_add_face_test(other_version.${standard}.${name} ${cxx} run other_version.cpp -std=${standard})
    phicache_add_face_test(macros.${standard}.${name} ${cxx} macros -std=${standard})
  endforeach()
  phicache_add_face_test(quiet.${name} ${cxx} quiet quiet.cpp -std=c++17)
  phicache_add_face_test(flat_keys.${name} ${cxx} run flat_keys.cpp -std=c++17)
  phicache_add_face_test(flat_keys.fast_math.${name} ${cxx} run flat_keys.cpp "-std=c++20 -O2 -ffast-math")
  # About fifty programs, so only in one standard for each compiler.
  phicache_add_face_test(refused.${name} ${cxx} refuse refused.cpp
                         $<IF:$<STREQUAL:${name},clang>,-std=c++20,-std=c++17>)
  if(name STREQUAL clang)
    phicache_add_face_test(dangling.${name} ${cxx} refuse dangling.cpp -std=c++20)
  endif()
  phicache_add_face_test(mixed_exceptions.${name} ${cxx}
                         run mixed.cpp -std=c++17 mixed_without.cpp "-std=c++17 -fno-exceptions")
  phicache_add_face_test(mixed_versions.${name} ${cxx} run mixed_version.cpp -std=c++17 mixed_other.cpp -std=c++17)
  foreach(measured compile_cost call_sites)
    add_test(NAME cpp.${measured}.${name}
             COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/cpp/${measured}.py" ${cxx}
                     "${PROJECT_SOURCE_DIR}/include" "${CMAKE_CURRENT_BINARY_DIR}/cpp/${measured}.${name}")
    set_tests_properties(cpp.${measured}.${name} PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
endforeach()
