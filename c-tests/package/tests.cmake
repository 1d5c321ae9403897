# Tests of the installed files: the shared library, the archive, the headers.

set(symbol_list "${CMAKE_CURRENT_SOURCE_DIR}/package/exported_symbols.txt")
add_test(NAME package.shared_library
         COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/shared_library.py"
                 $<TARGET_FILE:phicache_shared> ${PROJECT_VERSION} "${symbol_list}")
add_test(NAME package.archive
         COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/package/archive.sh" "${phicache_archive}" "${symbol_list}")
if(phicache_debug_file)
  add_test(NAME package.debug_symbols
           COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/debug_symbols.py"
                   $<TARGET_FILE:phicache_shared> "${phicache_archive}")
endif()

# Layouts, constants and signatures.
set(abi "${CMAKE_CURRENT_SOURCE_DIR}/package/abi.py" "${CMAKE_C_COMPILER}" "${PROJECT_SOURCE_DIR}/include/phicache.h")
set(abi_list "${CMAKE_CURRENT_SOURCE_DIR}/package/abi.txt")
add_test(NAME package.abi COMMAND Python3::Interpreter -B ${abi} "${abi_list}")

# make symbols: updates the lists after an intended change of the ABI.
add_custom_target(phicache_symbols
                  COMMAND Python3::Interpreter -B "${CMAKE_CURRENT_SOURCE_DIR}/package/shared_library.py"
                          $<TARGET_FILE:phicache_shared> > "${symbol_list}"
                  COMMAND Python3::Interpreter -B ${abi} > "${abi_list}"
                  DEPENDS phicache_shared VERBATIM)
