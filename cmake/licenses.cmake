# The license texts of all crates in the libraries, in one file to install.
#
# Needs cargo_command from cmake/archive.cmake; sets phicache_licenses (the file).

# The archive is already built, so cargo only lists the crates in it, one line of JSON for each.
set(cargo_list ${cargo_command})
list(FIND cargo_list "--" place)
list(INSERT cargo_list ${place} --quiet --message-format=json-render-diagnostics)
execute_process(COMMAND ${cargo_list} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE artifacts
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "{\"reason\":\"compiler-artifact\"[^\n]+" artifacts "${artifacts}")

set(manifests)
foreach(artifact IN LISTS artifacts)
  # Crates that only run while cargo builds are compiled without optimization.
  string(JSON optimization GET "${artifact}" profile opt_level)
  string(JSON manifest GET "${artifact}" manifest_path)
  if(NOT optimization STREQUAL "0" AND NOT manifest STREQUAL "${PROJECT_SOURCE_DIR}/Cargo.toml")
    list(APPEND manifests "${manifest}")
  endif()
endforeach()
list(SORT manifests)  # cargo lists them in the order in which it finished them
list(REMOVE_DUPLICATES manifests)

string(CONCAT text "libphicache contains Rust's standard library (MIT OR Apache-2.0, https://www.rust-lang.org), if "
                   "gcc linked it libgcc's unwinder (GPL-3.0-or-later WITH GCC-exception-3.1), and these crates.\n")
foreach(manifest IN LISTS manifests)
  get_filename_component(folder "${manifest}" DIRECTORY)
  file(STRINGS "${manifest}" lines REGEX "^(name|version|license) = ")
  list(TRANSFORM lines REPLACE ".* = \"(.*)\"" "\\1")
  list(SUBLIST lines 0 3 lines)  # the package's; its targets have names too
  list(JOIN lines ", " title)
  string(APPEND text "\n\n==== ${title}\n")
  file(GLOB files "${folder}/LICEN[CS]E*" "${folder}/COPY*" "${folder}/NOTICE*")
  foreach(file IN LISTS files)
    if(NOT IS_DIRECTORY "${file}")
      file(READ "${file}" content)
      string(APPEND text "\n${content}")
    endif()
  endforeach()
endforeach()
set(phicache_licenses "${PROJECT_BINARY_DIR}/third-party-licenses.txt")
file(WRITE "${phicache_licenses}" "${text}")
