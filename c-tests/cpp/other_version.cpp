/// other_version.cpp: the first constructor notices that header and library have different versions.
#include <phicache.h>
#undef PHICACHE_VERSION_MINOR
#define PHICACHE_VERSION_MINOR 200
#include "check.hpp"

using phicache::status;

namespace {

void every_constructor_notices() {
    CHECK(!phicache::version_matches());
    CHECK_ERROR(status::error_unsupported, phicache::check_version());
    CHECK_ERROR(status::error_unsupported, phicache::dict_cache());
    CHECK_ERROR(status::error_unsupported, phicache::purview_cache());
    CHECK_ERROR(status::error_unsupported, phicache::config());
    CHECK_ERROR(status::error_unsupported, phicache::key().encode());
    CHECK_ERROR(status::error_unsupported, phicache::memo{[](int n) { return n; }});
    CHECK_ERROR(status::error_unsupported, phicache::method{"m", [](const int& object, int n) { return object + n; }});
    CHECK_ERROR(status::error_unsupported, phicache::subsystem(phicache::fingerprint(), {1}, {0}));
    CHECK_CONTAINS(phicache::try_check_version().error().what(), "version");
}

}  // namespace

int main() {
    RUN(every_constructor_notices);
    return check_report();
}
