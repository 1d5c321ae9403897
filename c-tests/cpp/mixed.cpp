/// mixed.cpp: a unit with exceptions, linked with one without (mixed_without.cpp). Both instantiate the same templates
/// of phicache.hpp with the same types, and each must get its own instance.
#include <phicache.hpp>
#include <string>

#include "check.hpp"

double without_exceptions(phicache_dict_cache* cache, int n);
int failure_without_exceptions(phicache_dict_cache* cache);

namespace {

void both_units_use_one_cache() {
    phicache::dict_cache cache;
    CHECK_NEAR(without_exceptions(cache.handle(), 3), 1.5, 0.0);
    CHECK_NEAR(cache.memoize<double>(phicache::bytes_of(3), []() -> double { throw 1; }), 1.5, 0.0);
    CHECK_NEAR(cache.memoize<double>(phicache::bytes_of(4), [] { return 2.5; }), 2.5, 0.0);
    CHECK_NEAR(without_exceptions(cache.handle(), 4), 2.5, 0.0);
}

void each_unit_fails_in_its_own_way() {
    phicache::dict_cache cache;
    CHECK_INT(failure_without_exceptions(cache.handle()), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_ERROR(phicache::status::error_invalid_argument, cache.get<double>(phicache::bytes(nullptr, 1)));
    try {
        cache.memoize<double>("throws", []() -> double { throw std::string("thrown"); });
        CHECK_HAS_THROWN();
    } catch (const std::string& caught) {
        CHECK_TEXT(caught.c_str(), "thrown");
    }
}

}  // namespace

int main() {
    RUN(both_units_use_one_cache);
    RUN(each_unit_fails_in_its_own_way);
    return check_report();
}
