/// test_config.cpp: configurations, that of the process, and the memory of the process.
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "check.hpp"

using phicache::config;
using phicache::config_ref;
using phicache::status;

namespace {

void settings_are_read_as_set() {
    const config own;
    const config_ref settings = own.settings();
    settings.set_maximum_memory_percent(12.5);
    CHECK_NEAR(settings.maximum_memory_percent(), 12.5, 0.0);
    settings.set_maximum_memory_percent(phicache::memory_unlimited);
    CHECK_NEAR(settings.maximum_memory_percent(), phicache::memory_unlimited, 0.0);
    for (bool enabled : {true, false}) {
        settings.set_cache_repertoires(enabled);
        CHECK(settings.cache_repertoires() == enabled);
        settings.set_cache_potential_purviews(enabled);
        CHECK(settings.cache_potential_purviews() == enabled);
        settings.set_redis_cache(enabled);
        CHECK(settings.redis_cache() == enabled);
    }
    for (const auto choice : {phicache::on_full::evict, phicache::on_full::refuse, phicache::on_full::configured}) {
        settings.set_on_full(choice);
        CHECK(settings.on_full() == choice);
    }
    settings.set_redis_url("redis://server:6380/1");
    CHECK_TEXT(settings.redis_url().c_str(), "redis://server:6380/1");
    settings.set_redis_namespace(std::string("a.namespace"));
    CHECK_TEXT(settings.redis_namespace().c_str(), "a.namespace");
}

void long_texts_are_read_completely() {
    const config own;
    const std::string url = "redis://" + std::string(500, 'h') + ":6379";
    own.settings().set_redis_url(url);
    CHECK_TEXT(own.settings().redis_url().c_str(), url.c_str());
}

void passwords_are_masked() {
    const config own;
    own.settings().set_redis_url("redis://user:secret@server:6379");
    CHECK(own.settings().redis_url().find("secret") == std::string::npos);
    CHECK_CONTAINS(own.settings().redis_url().c_str(), "server");
}

void wrong_settings_are_errors_and_change_nothing() {
    const config own;
    const config_ref settings = own.settings();
    settings.set_maximum_memory_percent(30);
    CHECK_ERROR(status::error_invalid_argument, settings.set_maximum_memory_percent(101));
    CHECK_ERROR(status::error_invalid_argument,
                settings.set_maximum_memory_percent(std::numeric_limits<double>::quiet_NaN()));
    CHECK(settings.try_set_maximum_memory_percent(-3).code() == status::error_invalid_argument);
    CHECK_NEAR(*settings.try_maximum_memory_percent(), 30.0, 0.0);
    CHECK_ERROR(status::error_invalid_argument, settings.set_on_full(static_cast<phicache::on_full>(7)));
    CHECK(*settings.try_on_full() == phicache::on_full::configured);
    CHECK_ERROR(status::error_invalid_argument, settings.set_redis_namespace("no spaces"));
    CHECK_ERROR(status::error_invalid_argument, settings.set_redis_url(nullptr));
    CHECK(settings.try_set_redis_namespace("no spaces").code() == status::error_invalid_argument);
}

void configurations_are_independent_of_each_other() {
    const config one, other;
    one.settings().set_maximum_memory_percent(10);
    other.settings().set_maximum_memory_percent(20);
    config_ref().set_maximum_memory_percent(40);
    CHECK_NEAR(one.settings().maximum_memory_percent(), 10.0, 0.0);
    CHECK_NEAR(other.settings().maximum_memory_percent(), 20.0, 0.0);
    CHECK_NEAR(config_ref().maximum_memory_percent(), 40.0, 0.0);
    config_ref().set_maximum_memory_percent(50);
}

void a_moved_from_configuration_is_not_the_process_own() {
    config first;
    const config second = std::move(first);
    CHECK_ERROR(status::error_invalid_argument, first.settings());
    CHECK_ERROR(status::error_invalid_argument, phicache::dict_cache(first));
    CHECK_ERROR(status::error_invalid_argument, phicache::memory_full(first));
    second.settings().set_cache_repertoires(true);
}

void memory_is_measured() {
    CHECK(phicache::memory_percent() > 0 && phicache::memory_percent() < 100);
    const phicache_memory usage = phicache::memory_usage();
    CHECK(usage.resident > 0 && usage.resident < usage.limit && usage.limit <= usage.physical);
    const config own;
    own.settings().set_maximum_memory_percent(0);
    CHECK(phicache::memory_full(own));
    own.settings().set_maximum_memory_percent(phicache::memory_unlimited);
    CHECK(!phicache::memory_full(own));
    CHECK(*phicache::try_memory_full(own) == false);
    CHECK(*phicache::try_memory_percent() > 0);
    CHECK(phicache::try_memory_usage()->held == usage.held);
}

void limits_are_listed() {
    const config own;
    own.settings().set_maximum_memory_percent(0);
    const std::vector<phicache_memory_limit> limits = phicache::memory_limits(own);
    CHECK(limits.size() >= 3);
    CHECK_TEXT(limits.front().name, "physical memory");
    CHECK_UINT(limits.front().bytes, phicache::memory_usage().physical);
    CHECK_UINT(limits.front().room, 0);
    CHECK_INT(limits.front().counts, 1);
    CHECK_TEXT(limits.back().name, "RLIMIT_DATA");
    CHECK(phicache::try_memory_limits()->size() == limits.size());
}

void the_header_and_the_library_belong_together() {
    CHECK(phicache::version_matches());
    phicache::check_version();
    CHECK(phicache::try_check_version().has_value());
}

}  // namespace

int main() {
    RUN(settings_are_read_as_set);
    RUN(long_texts_are_read_completely);
    RUN(passwords_are_masked);
    RUN(wrong_settings_are_errors_and_change_nothing);
    RUN(configurations_are_independent_of_each_other);
    RUN(a_moved_from_configuration_is_not_the_process_own);
    RUN(memory_is_measured);
    RUN(limits_are_listed);
    RUN(the_header_and_the_library_belong_together);
    return check_report();
}
