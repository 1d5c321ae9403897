/// test_disk.cpp: disk caches in C++: typed values, functions, memos that the next object finds, options, statuses, and
/// what is in a directory. (How the library treats files is in tests/disk*.rs and test_disk.c.)
#include "scratch.h"  // first: it requests POSIX

#include <sys/stat.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;
using phicache::bytes;
using phicache::cache_options;
using phicache::config;
using phicache::disk_cache;
using phicache::mice_cache;
using phicache::origin;
using phicache::status;

namespace {

static_assert(!std::is_copy_constructible_v<disk_cache> && std::is_nothrow_move_constructible_v<disk_cache>);
static_assert(!std::is_default_constructible_v<disk_cache>, "a context is mandatory");

char directory[64];

/// A configuration whose disk caches are in the test's directory.
config in_directory(const std::string& path = directory) {
    config own;
    own.settings().set_disk_directory(path);
    return own;
}

cache_options at_once() {
    cache_options options;
    options.refresh = phicache::refresh_always;
    options.storage_errors = true;
    return options;
}

phicache::fingerprint identity_of(std::uint8_t byte) {
    phicache_fingerprint raw;
    for (std::uint8_t& one : raw.bytes) one = byte;
    return phicache::fingerprint(raw);
}

void the_directory_is_configured() {
    const config own = in_directory();
    CHECK_TEXT(own.settings().disk_directory().c_str(), directory);
    CHECK_ERROR(status::error_invalid_argument, own.settings().set_disk_directory("relative"));
    CHECK_TEXT(own.settings().disk_directory().c_str(), directory);
}

void typed_values_are_read_by_the_next_object() {
    const config own = in_directory();
    {
        const disk_cache cache("types", at_once(), own);
        CHECK(!cache.get("number").has_value());
        CHECK(cache.set("number", 0.5) == status::ok);
        CHECK(cache.set("numbers", std::vector<int>{1, 2, 3}).stored());
        CHECK(cache.set("text", std::string(100'000, 'x')).stored());
        CHECK(cache.set("nothing", bytes()).stored());
        CHECK(cache.set("wrong", 1).stored());
        CHECK(cache.remove("wrong") && !cache.contains("wrong"));
        cache.sync();
    }
    const disk_cache cache("types", at_once(), own);
    CHECK(cache.get<double>("number") == 0.5);
    CHECK(cache.get<std::vector<int>>("numbers") == std::vector<int>({1, 2, 3}));
    CHECK(cache.get<std::string>("text") == std::string(100'000, 'x'));
    CHECK(cache.get("nothing").has_value() && cache.get("nothing")->empty());
    CHECK(cache.set({"many", "parts"}, 7).stored());
    CHECK(cache.get<int>({"many", "parts"}) == 7);
    CHECK_ERROR(status::error_invalid_argument, cache.get<int>("number"));
    CHECK_UINT(cache.size(), 5);
    CHECK(!disk_cache("other types", at_once(), own).contains("number"));
    cache.clear();
    CHECK_UINT(cache.size(), 0);
}

void functions_and_memos_run_once() {
    const config own = in_directory();
    int calls = 0;
    const auto compute = [&] { return ++calls, std::vector<double>{0.25, 0.75}; };
    for (int run = 0; run < 2; run++) {
        const disk_cache cache("functions", at_once(), own);
        CHECK(cache.memoize<std::vector<double>>("key", compute) == std::vector<double>({0.25, 0.75}));
        CHECK(cache.memoize("key", compute).origin() == origin::hit);
        phicache::memo_options options;
        options.store = cache;
        options.prefix = "half@1";
        const phicache::memo<double(int)> half([&](int whole) { return ++calls, whole / 2.0; }, options);
        CHECK_NEAR(half(3), 1.5, 0.0);
        CHECK_INT(calls, 2);
        try {
            cache.memoize("throws", []() -> int { throw std::runtime_error("its own words"); });
            CHECK_HAS_THROWN();
        } catch (const std::runtime_error& error) {
            CHECK_TEXT(error.what(), "its own words");
        }
        options.prefix = "third@1";
        options.maximum_memory_percent = 10;
        CHECK_MESSAGE("no effect on a memo with a cache in Redis or on disk",
                      phicache::memo<double(int)>([](int) { return 0.0; }, options));
        options.maximum_memory_percent = {};
        options.prefix = "half";  // no version
        CHECK_ERROR(status::error_invalid_argument, phicache::memo<double(int)>([](int) { return 0.0; }, options));
        // A version is not enough for a method.
        int object = 1;
        const phicache::method method("half", [](int& of, int whole) { return of * whole; });
        CHECK_MESSAGE("lacks the object", method(cache, object, 3));
    }
}

void the_view_has_batches_leases_and_walks() {
    const config own = in_directory();
    const disk_cache cache("views", at_once(), own);
    const phicache::cache any = cache;
    const std::vector<std::string> keys{"a", "b"}, values{"1", "22"};
    for (const phicache::outcome one : any.set_many(keys, values)) CHECK(one.stored());
    const std::vector<phicache::value> found = any.get_many(keys);
    CHECK_CHARS(found[0], "1");
    CHECK_CHARS(found[1], "22");
    std::size_t walked = 0;
    for (const phicache::entry& one : cache.entries()) walked += one.value.size();
    CHECK_UINT(walked, 3);
    phicache::begin_result begun = any.begin("c");
    CHECK(begun.status == status::lease);
    CHECK_UINT(any.disk_health().segments, cache.disk_health().segments);
    const phicache::dict_cache dict;
    CHECK_ERROR(status::error_invalid_handle, dict.view().disk_health());
}

void handles_of_one_identity_share_and_need_the_same_options() {
    const config own = in_directory();
    const disk_cache one = disk_cache::shared(identity_of(1), "one", at_once(), own);
    const disk_cache same = disk_cache::shared(identity_of(1), "one", at_once(), own);
    const disk_cache other = disk_cache::shared(identity_of(1), "other", at_once(), own);
    one.set("key", 1);
    CHECK(same.get<int>("key") == 1);
    CHECK(!other.contains("key"));
    cache_options options = at_once();
    options.near_bytes = 1 << 20;
    CHECK_MESSAGE("exists with other options", disk_cache::shared(identity_of(1), "one", options, own));
    options = at_once();
    options.name = "a name";
    CHECK_MESSAGE("exists with another name", disk_cache::shared(identity_of(1), "one", options, own));
    CHECK_MESSAGE("exists with another configuration",
                  disk_cache::shared(identity_of(1), "one", at_once(), in_directory()));
    options = at_once();
    options.max_bytes = 1000;
    CHECK_MESSAGE("options->max_bytes is 1000; it bounds the directory", disk_cache("small", options, own));
    CHECK(disk_cache::try_shared(identity_of(1), nullptr, {}, own).code() == status::error_invalid_argument);
    CHECK_ERROR(status::error_invalid_argument, disk_cache("", own));
}

void a_reader_refuses_stores() {
    const config own = in_directory();
    disk_cache("read", at_once(), own).set("key", 1);
    cache_options options = at_once();
    options.read_only = true;
    const disk_cache reader("read", options, own);
    CHECK(reader.get<int>("key") == 1);
    CHECK(reader.set("key", 2) == status::refused_disabled);
    CHECK(reader.memoize("new", [] { return 3; }).refusal() == status::refused_disabled);
    CHECK_ERROR(status::error_unsupported, reader.clear());
}

void failures_are_refusals_or_errors() {
    const config own = in_directory();
    cache_options tolerant = at_once();
    tolerant.storage_errors = false;
    const disk_cache quiet("gone", tolerant, own), strict("gone too", at_once(), own);
    const std::string moved = std::string(directory) + ".moved";
    CHECK(std::rename(directory, moved.c_str()) == 0);
    CHECK(std::fclose(std::fopen(directory, "w")) == 0);  // a file, so that the directory cannot be made again
    CHECK(quiet.set("key", 1) == status::refused_storage);
    CHECK_INT(quiet.memoize<int>("key", [] { return 3; }), 3);
    CHECK_UINT(quiet.stats().refused_storage, 2);
    CHECK(quiet.disk_health().failures > 0);
    CHECK_CONTAINS(quiet.disk_health().last_failure, directory);
    CHECK_ERROR(status::error_storage, strict.set("key", 1));
    CHECK_TEXT(phicache::name(status::error_storage), "ERROR_STORAGE");
    CHECK(std::remove(directory) == 0 && std::rename(moved.c_str(), directory) == 0);
    CHECK(quiet.set("key", 1).stored());
}

void directories_that_others_may_change_are_refused() {
    const std::string path = std::string(directory) + "/group";
    CHECK(::mkdir(path.c_str(), 0700) == 0 && ::chmod(path.c_str(), 0770) == 0);
    const config own = in_directory(path);
    CHECK_ERROR(status::error_storage, disk_cache("context", own));
    cache_options options = at_once();
    options.trust_group = true;
    options.sync = true;
    options.max_bytes = 1 << 20;
    CHECK(disk_cache("context", options, own).set("key", 1).stored());
}

void a_directory_is_listed_and_an_identity_removed() {
    const config own = in_directory(std::string(directory) + "/list");
    CHECK_ERROR(status::error_storage, phicache::disk_list(own));  // it does not exist
    const disk_cache one = disk_cache::shared(identity_of(2), "one", at_once(), own);
    CHECK(phicache::disk_list(own).empty());
    for (int key = 0; key < 10; key++) one.set(phicache::bytes_of(key), key);
    disk_cache::shared(identity_of(3), "another", at_once(), own).set("key", 1);
    const std::vector<phicache_disk_item> items = phicache::disk_list(own, true);
    CHECK_UINT(items.size(), 2);
    CHECK(phicache::fingerprint(items[0].fingerprint) == identity_of(2));
    CHECK_TEXT(items[0].role, "one");
    CHECK_UINT(items[0].records, 10);
    CHECK_UINT(items[0].damaged, 0);
    phicache::disk_remove(identity_of(2), own);
    CHECK_UINT(phicache::disk_list(own).size(), 1);
}

void mice_are_found_again_and_inherited() {
    config own = in_directory(std::string(directory) + "/mice");
    const phicache::subsystem uncut(identity_of(4), {1, 0, 0}, {0, 1, 2});
    const phicache::subsystem severed = uncut.under(phicache::cut::bipartition(3, {0}, {1, 2}));
    const auto key = phicache::mice_key(nullptr, phicache::direction::effect, {1});
    {
        const mice_cache parent = mice_cache::disk(uncut, nullptr, at_once(), own);
        CHECK(parent.set(key, phicache::mice{phicache::direction::effect, {1}, {2}, 0.5}).stored());
        phicache::cache(parent).disk_sync();
    }
    const mice_cache parent(uncut, nullptr, at_once(), own), child = mice_cache::disk(severed, parent, {}, own);
    REQUIRE(child.get(key).has_value());
    CHECK(child.get(key)->pinned().origin() == origin::parent);
    CHECK_NEAR(parent.get(key)->phi(), 0.5, 0.0);
    const mice_cache here = mice_cache::dict(uncut);
    CHECK(mice_cache::try_disk(severed, here, {}, own).code() == status::error_invalid_argument);
    CHECK(phicache::cache(here).try_disk_sync().code() == status::error_invalid_handle);
}

}  // namespace

int main() {
    make_scratch(directory);
    RUN(the_directory_is_configured);
    RUN(typed_values_are_read_by_the_next_object);
    RUN(functions_and_memos_run_once);
    RUN(the_view_has_batches_leases_and_walks);
    RUN(handles_of_one_identity_share_and_need_the_same_options);
    RUN(a_reader_refuses_stores);
    RUN(failures_are_refusals_or_errors);
    RUN(directories_that_others_may_change_are_refused);
    RUN(a_directory_is_listed_and_an_identity_removed);
    RUN(mice_are_found_again_and_inherited);
    remove_scratch(directory);
    return check_report();
}
