/// test_bundle.cpp: saved caches in C++: typed values, purviews and MICE, reading in place, contexts. (test_bundle.c
/// and tests/bundle.rs test what the library does with files.)
#include "scratch.h"  // first: it requests POSIX

#include <string>

#include "check.hpp"

using namespace std::chrono_literals;
using phicache::dict_cache;
using phicache::disk_cache;
using phicache::mice_cache;
using phicache::status;

namespace {

char directory[64];

std::string file(const char* name) { return std::string(directory) + "/" + name; }

void typed_values_come_back() {
    const std::string path = file("entropies");
    {
        dict_cache cache;
        cache.set("a", 1.5);
        cache.set_with_cost("b", 2.5, 1s);
        CHECK(cache.save(path, "entropies, version 1") == 2);
    }
    dict_cache cache;
    cache.set("a", 9.0);
    const phicache_load_counts counts = cache.load(path, "entropies, version 1");
    CHECK(counts.loaded == 1 && counts.kept == 1 && counts.refused == 0 && counts.damaged == 0);
    CHECK(cache.get<double>("a") == 9.0 && cache.get<double>("b") == 2.5);
    const phicache::cache any = cache;
    CHECK(any.save(path, "entropies, version 1") == 2);
}

void a_saved_cache_is_read_in_place() {
    const std::string path = file("entropies");
    const disk_cache cache = disk_cache::open(path, "entropies, version 1");
    CHECK(cache.get<double>("b") == 2.5 && cache.size() == 2);
    CHECK(!cache.get("c"));
    CHECK(cache.set("c", 1.0) == status::refused_disabled);
    CHECK(cache.memoize<double>("c", [] { return 4.0; }) == 4.0);
    CHECK_ERROR(status::error_unsupported, cache.remove("a"));
    const phicache_disk_item item = phicache::describe_saved(path, true);
    CHECK(item.records == 2 && item.damaged == 0);
    CHECK_TEXT(item.context, "entropies, version 1");
}

void errors_say_why() {
    const std::string path = file("entropies");
    dict_cache cache;
    CHECK_ERROR(status::error_invalid_argument, cache.load(path, "entropies, version 2"));
    CHECK(cache.try_load(path, "entropies, version 2").error().code() == status::error_invalid_argument);
    CHECK_ERROR(status::error_invalid_argument, disk_cache::open(path, "entropies, version 2"));
    CHECK_ERROR(status::error_storage, cache.load(file("missing"), "c"));
    CHECK_ERROR(status::error_storage, cache.save(file("no/folder"), "c"));
    CHECK_ERROR(status::error_damaged, disk_cache::open("/etc/passwd", "c"));
    CHECK_ERROR(status::error_damaged, phicache::describe_saved("/etc/passwd"));
    CHECK(cache.size() == 0);
}

void mice_come_back_to_their_subsystem() {
    const std::string path = file("mice");
    const phicache::fingerprint network{phicache_fingerprint{{7}}};
    const phicache::subsystem whole(network, {1, 0}, {0, 1}), other(network, {0, 0}, {0, 1});
    {
        mice_cache cache(whole);
        phicache::mice found;
        found.mechanism = found.purview = {0};
        found.phi = 0.5;
        cache.set("k", found);
        CHECK(cache.save(path, "L1") == 1);
    }
    mice_cache cache(whole);
    CHECK(cache.load(path, "L1").loaded == 1 && cache.contains("k"));
    mice_cache of_other(other);
    CHECK_ERROR(status::error_invalid_argument, of_other.load(path, "L1"));
}

}  // namespace

int main() {
    make_scratch(directory);
    typed_values_come_back();
    a_saved_cache_is_read_in_place();
    errors_say_why();
    mice_come_back_to_their_subsystem();
    remove_scratch(directory);
    return check_report();
}
