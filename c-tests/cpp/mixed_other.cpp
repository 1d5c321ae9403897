/// mixed_other.cpp: the unit with the headers of another minor version; see mixed_version.cpp.
#include <phicache.h>
#undef PHICACHE_VERSION_MINOR
#define PHICACHE_VERSION_MINOR 200
#include <phicache.hpp>

bool (*version_matches_in_other())() noexcept;
bool (*version_matches_in_other())() noexcept { return &phicache::version_matches; }
