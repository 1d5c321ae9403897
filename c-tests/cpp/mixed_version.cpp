/// mixed_version.cpp: a unit with the headers of this minor version, linked with one of another (mixed_other.cpp). Both
/// use the same inline functions of phicache.hpp, and each must get its own.
#include <phicache.hpp>

#include "check.hpp"

bool (*version_matches_in_other())() noexcept;

namespace {

void each_unit_has_its_own_functions() {
    bool (*const ours)() noexcept = &phicache::version_matches;
    bool (*const theirs)() noexcept = version_matches_in_other();
    CHECK(ours != theirs);
    CHECK(ours());
    CHECK(!theirs());
}

}  // namespace

int main() {
    RUN(each_unit_has_its_own_functions);
    return check_report();
}
