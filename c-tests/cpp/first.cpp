/// first.cpp: the first of two units with phicache.hpp (the other is second.cpp), which pass values, memos and
/// exceptions to each other.
#include "two_units.hpp"

#include "check.hpp"

namespace {

void values_pass_between_units() {
    phicache::dict_cache cache;
    const auto key = phicache::repertoire_key("r", phicache::direction::cause, {0}, {1});
    CHECK(!find(cache, key).has_value());
    cache.set(key, 0.5);
    const std::optional<phicache::value> found = find(cache, key);
    REQUIRE(found.has_value());
    CHECK_NEAR(found->as<double>(), 0.5, 0.0);
    CHECK_NEAR(shared_lookup(cache, 3), 1.5, 0.0);
}

void memos_pass_between_units() {
    const squares memo = make_squares();
    CHECK_NEAR(memo(3), 9.0, 0.0);
    CHECK_NEAR(memo(3), 9.0, 0.0);
    CHECK_UINT(memo.info().hits, 1);
}

void exceptions_pass_between_units() {
    phicache::dict_cache cache;
    try {
        fail(cache, "words");
        CHECK_HAS_THROWN();
    } catch (const std::string& caught) {
        CHECK_TEXT(caught.c_str(), "words");
    }
    CHECK_ERROR(phicache::status::error_invalid_argument, fail(cache, ""));
}

}  // namespace

int main() {
    RUN(values_pass_between_units);
    RUN(memos_pass_between_units);
    RUN(exceptions_pass_between_units);
    return check_report();
}
