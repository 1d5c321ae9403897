# Changes the links of installed pages that lead to files which lie elsewhere in the prefix than in the sources.
#
# Runs at install time with pages_docs, pages_include and pages_julia: where these are below the prefix, and
# pages_component: whose pages to change.

set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
if(pages_component STREQUAL julia)
  set(installed "${pages_julia}")
  set(sources julia)
else()
  set(installed "${pages_docs}")
  set(sources .)
endif()

# What pages link to, as source=installed, both as if the prefix were the root folder.
set(places "include=${pages_include}" "julia=${pages_julia}")
foreach(place docs examples benches README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE)
  list(APPEND places "${place}=${pages_docs}/${place}")
endforeach()

file(GLOB_RECURSE pages RELATIVE "${prefix}/${installed}" "${prefix}/${installed}/*.md")
foreach(page IN LISTS pages)
  get_filename_component(source_folder "/${sources}/${page}" DIRECTORY)
  get_filename_component(source_folder "${source_folder}" ABSOLUTE)
  get_filename_component(installed_folder "/${installed}/${page}" DIRECTORY)
  file(READ "${prefix}/${installed}/${page}" before)
  set(text "${before}")
  foreach(place IN LISTS places)
    string(REGEX MATCH "(.*)=(.*)" place "${place}")
    file(RELATIVE_PATH old "${source_folder}" "/${CMAKE_MATCH_1}")
    file(RELATIVE_PATH new "${installed_folder}" "/${CMAKE_MATCH_2}")
    string(REPLACE "](${old}" "](${new}" text "${text}")
  endforeach()
  if(NOT text STREQUAL before)
    file(WRITE "${prefix}/${installed}/${page}" "${text}")
  endif()
endforeach()
