# The static archive, built by cargo, and its native libraries, which rustc names.
#
# Sets phicache_archive (the file) and phicache_native_libraries (linker flags); adds the targets phicache_static and
# phicache_archive, on which other targets can depend.

find_program(PHICACHE_CARGO cargo HINTS $ENV{CARGO_HOME}/bin $ENV{HOME}/.cargo/bin)
if(NOT PHICACHE_CARGO)
  message(FATAL_ERROR "cargo is not on the PATH. Install a Rust toolchain with rustup (rust-version in Cargo.toml is "
                      "the oldest that works), or set PHICACHE_CARGO to cargo's path.")
endif()

if(PHICACHE_CARGO_TARGET)
  set(phicache_cargo_folder "${PHICACHE_CARGO_TARGET}/")
  set(phicache_cargo_platform --target ${PHICACHE_CARGO_TARGET})
  string(REPLACE "-" "_" variable "CC_${PHICACHE_CARGO_TARGET}")  # for the C parts of crates
  list(APPEND phicache_cargo_environment ${variable}=${CMAKE_C_COMPILER})
endif()

set(cargo_features)
if(NOT PHICACHE_REDIS)
  set(cargo_features --no-default-features)
elseif(NOT PHICACHE_TLS)
  set(cargo_features --no-default-features --features redis)
endif()

set(cargo_profile_folder ${PHICACHE_CARGO_PROFILE})
if(PHICACHE_CARGO_PROFILE STREQUAL dev)
  set(cargo_profile_folder debug)
endif()
set(cargo_archive "${PHICACHE_CARGO_TARGET_DIR}/${phicache_cargo_folder}${cargo_profile_folder}/libphicache.a")
# It runs in the source folder because cargo reads its configuration (vendored crates, for example) from there
# upwards. CMake sets CC and CXX while it configures but not while it builds; if cargo saw them, it would build twice.
set(cargo_command
    ${CMAKE_COMMAND} -E env --unset=CARGO_BUILD_TARGET --unset=CC --unset=CXX ${phicache_cargo_environment}
    ${PHICACHE_CARGO} rustc --manifest-path ${PROJECT_SOURCE_DIR}/Cargo.toml --target-dir ${PHICACHE_CARGO_TARGET_DIR}
    --locked --profile ${PHICACHE_CARGO_PROFILE} --lib --crate-type staticlib ${phicache_cargo_paths}
    ${phicache_cargo_platform} ${cargo_features} ${PHICACHE_CARGO_FLAGS} --color never -- --print native-static-libs)

# The exported targets carry the native libraries, so CMake must know them when it generates. The archive is therefore
# built here once; the same command at build time finds it fresh or updates it.
message(STATUS "phicache: cargo builds the archive and names its native libraries")
execute_process(COMMAND ${cargo_command} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" RESULT_VARIABLE cargo_failed
                ERROR_VARIABLE said ECHO_ERROR_VARIABLE)
if(cargo_failed)
  message(FATAL_ERROR "cargo could not build phicache; its messages are above. A first build needs access to crates.io "
                      "or vendored crates (cargo vendor).")
endif()
# rustc could write them to a file, but then the path of that file would enter the names of the archive's objects.
if(NOT said MATCHES "native-static-libs: ([^\n]*)")
  message(FATAL_ERROR "cargo built phicache but did not name its native libraries (no line native-static-libs above).")
endif()
separate_arguments(phicache_native_libraries UNIX_COMMAND "${CMAKE_MATCH_1}")
# The compiler driver adds libgcc_s itself, or its static counterpart under -static.
list(REMOVE_ITEM phicache_native_libraries -lgcc_s)

add_custom_target(phicache_cargo COMMAND ${cargo_command} BYPRODUCTS "${cargo_archive}"
                  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" COMMENT "cargo: libphicache.a" VERBATIM USES_TERMINAL)

# Rust's standard library comes with LLVM bitcode for link-time optimization in Rust. For a C program it is useless,
# it is a third of the archive, and two archives with it can collide in one program. The shared library is linked from
# cargo's archive, with its debug symbols; the linker leaves bitcode out.
set(phicache_archive "${PROJECT_BINARY_DIR}/libphicache.a")
set(phicache_objcopy "${CMAKE_OBJCOPY}")
if(phicache_objcopy MATCHES "llvm" AND NOT CMAKE_CROSSCOMPILING)
  find_program(PHICACHE_GNU_OBJCOPY objcopy)
  mark_as_advanced(PHICACHE_GNU_OBJCOPY)
  if(PHICACHE_GNU_OBJCOPY)
    set(phicache_objcopy "${PHICACHE_GNU_OBJCOPY}")
  endif()
endif()
if(phicache_objcopy AND NOT PHICACHE_CARGO_PROFILE STREQUAL dev)  # a copy is faster, and tests do not mind
  set(copy_archive ${phicache_objcopy} --enable-deterministic-archives --remove-section=.llvmbc
                   --remove-section=.llvmcmd)
  if(phicache_debug_file AND NOT phicache_objcopy MATCHES "llvm")  # GNU ld does not read what LLVM's 14 makes then
    list(APPEND copy_archive --strip-debug)
  endif()
else()
  set(copy_archive ${CMAKE_COMMAND} -E copy)
endif()
add_custom_command(OUTPUT "${phicache_archive}" COMMAND ${copy_archive} "${cargo_archive}" "${phicache_archive}"
                   DEPENDS phicache_cargo "${cargo_archive}" COMMENT "libphicache.a without bitcode" VERBATIM)
add_custom_target(phicache_archive ALL DEPENDS "${phicache_archive}")

add_library(phicache_static INTERFACE)
set_target_properties(phicache_static PROPERTIES EXPORT_NAME static)
add_dependencies(phicache_static phicache_archive)
target_link_libraries(phicache_static INTERFACE
                      $<BUILD_INTERFACE:${phicache_archive}>
                      $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${phicache_libdir}/libphicache.a>
                      ${phicache_native_libraries})
