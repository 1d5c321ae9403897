# Reproducible builds: the same sources give the same bytes in any folder. Where a compiler would write a folder of
# this machine (in the message of a panic, or for a debugger), it writes a fixed name instead.
#
# Adds to phicache_cargo_environment; sets phicache_cargo_paths, further arguments of cargo.

set(phicache_cargo_paths)
if(PHICACHE_SANITIZE_RUST OR PHICACHE_CARGO_PROFILE STREQUAL dev)  # builds for tests, which are not installed
  return()
endif()

if(DEFINED ENV{CARGO_HOME})
  set(cargo_home "$ENV{CARGO_HOME}")
else()
  set(cargo_home "$ENV{HOME}/.cargo")
endif()
set(rustc_flags)
set(c_flags "$ENV{CFLAGS}")
if(PHICACHE_CARGO_TARGET)  # the headers of the other platform
  set(c_flags "${CMAKE_C_FLAGS}")
endif()
# If folders are inside each other, the later one in this list counts.
foreach(folder "${PROJECT_SOURCE_DIR}=/phicache" "${cargo_home}=/cargo" "${PHICACHE_CARGO_TARGET_DIR}=/cargo-target")
  list(APPEND rustc_flags "--remap-path-prefix=${folder}")
  string(APPEND c_flags " \"-ffile-prefix-map=${folder}\"")
endforeach()
# For the C parts of crates. CC_SHELL_ESCAPED_FLAGS allows quotes in the flags.
list(APPEND phicache_cargo_environment "CFLAGS=${c_flags}" CC_SHELL_ESCAPED_FLAGS=1)

# Cargo takes its flags from one place only, so ours are appended to a packager's RUSTFLAGS.
if(DEFINED ENV{RUSTFLAGS})
  separate_arguments(given UNIX_COMMAND "$ENV{RUSTFLAGS}")
  string(ASCII 31 separator)
  list(JOIN given ${separator} encoded)
  foreach(flag IN LISTS rustc_flags)
    string(APPEND encoded ${separator} "${flag}")
  endforeach()
  list(APPEND phicache_cargo_environment "CARGO_ENCODED_RUSTFLAGS=${encoded}")
else()
  list(TRANSFORM rustc_flags REPLACE "(.+)" "'\\1'")
  list(JOIN rustc_flags ", " rustc_flags)
  set(phicache_cargo_paths --config "build.rustflags=[${rustc_flags}]")
endif()
