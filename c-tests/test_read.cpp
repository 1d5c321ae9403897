// test_read.cpp: values read in place in read sections, many at once, and through a reader.
#include "check.hpp"

#include <optional>

using namespace phicache;

static void a_section_reads_in_place() {
    dict_cache dict;
    dict.set("k", std::string("value"));
    const cache all(dict);
    const read_section section;
    const std::optional<bytes> found = section.get(all, "k");
    CHECK(found.has_value() && found->text() == "value");
    CHECK(!section.get(all, "another").has_value());
    dict.clear();
    CHECK(found->text() == "value");
}

static void a_section_reads_many_at_once() {
    dict_cache dict;
    dict.set("a", 1.5);
    dict.set("c", 2.5);
    const phicache_bytes keys[] = {bytes("a"), bytes("b"), bytes("c")};
    phicache_bytes values[3];
    const read_section outer, inner;
    CHECK_UINT(inner.get(dict, keys, values), 2);
    CHECK(values[1].data == nullptr);
    CHECK(bytes(values[2]).size() == sizeof(double));
}

static void many_values_are_pinned_and_stored_at_once() {
    dict_cache dict;
    cache all = dict;
    const std::vector<phicache_bytes> keys{bytes("a"), bytes("b")}, values{bytes("first"), bytes("")};
    const std::vector<outcome> stored = all.set_many(keys, values);
    CHECK_UINT(stored.size(), 2);
    CHECK(stored[0].stored() && stored[1].stored());
    const phicache_bytes asked[] = {bytes("b"), bytes("c"), bytes("a")};
    const std::vector<value> found = all.get_many(asked);
    dict.clear();
    CHECK_UINT(found.size(), 3);
    CHECK(found[0].data() != nullptr && found[0].empty());
    CHECK(found[1].data() == nullptr);
    CHECK_CHARS(found[2], "first");
}

static void keys_and_values_of_a_batch_are_of_any_kind() {
    dict_cache dict;
    cache all = dict;
    const std::vector<phicache::key_bytes> keys{
        phicache::repertoire_key("cause", phicache::direction::cause, {0}, {1}),
        phicache::repertoire_key("cause", phicache::direction::cause, {0}, {2})};
    const std::vector<outcome> stored = all.set_many(keys, std::vector<double>{0.25, 0.75});
    CHECK(stored.size() == 2 && stored[0].stored() && stored[1].stored());
    const std::vector<value> found = all.get_many(keys);
    CHECK_UINT(found.size(), 2);
    CHECK_NEAR(found[1].as<double>(), 0.75, 0.0);
    const phicache_bytes plain[] = {bytes("a"), bytes("b")};
    CHECK_UINT(all.set_many(plain, std::vector<std::string>{"first", "second"}).size(), 2);
    CHECK_CHARS(all.get_many(std::vector<std::string>{"c", "b"})[1], "second");
    CHECK(all.try_get_many(std::vector<bytes>{"a"})->at(0).text() == "first");
    CHECK_CHARS(all.get_many({"c", "b"})[1], "second");
    CHECK(all.try_get_many({std::string("a"), std::string("b")})->at(0).text() == "first");
    CHECK_UINT(all.set_many({"d", "e"}, {0.5, 1.5}).size(), 2);
    CHECK(all.get<double>("e") == 1.5);
    CHECK(all.try_set_many(plain, {"first", "second"}).has_value());
    CHECK_ERROR(status::error_invalid_argument, all.set_many(keys, std::vector<int>{1}));
    CHECK(all.try_set_many(keys, std::vector<int>{1}).code() == status::error_invalid_argument);
}

static void a_batch_reports_refusals() {
    config none;
    none.settings().set_maximum_memory_percent(0);
    dict_cache dict(none);
    const phicache_bytes keys[] = {bytes("a"), bytes("b")};
    for (const outcome one : dict.view().set_many(keys, keys)) CHECK(one == status::refused_memory);
    CHECK_ERROR(status::error_invalid_argument, dict.view().set_many(keys, {}));
}

static void a_reader_looks_up_in_one_cache() {
    std::optional<dict_cache> cache(std::in_place);
    for (int number = 0; number < 1000; ++number) cache->set(bytes_of(number), number / 2.0);
    reader lookups = cache->reader();
    for (int number = 0; number < 1000; ++number) {
        CHECK(lookups.get<double>(bytes_of(number)) == number / 2.0);
        CHECK(**lookups.try_get<double>(bytes_of(number)) == number / 2.0);
    }
    CHECK(!lookups.get<double>("no such key"));
    CHECK(!lookups.try_get<double>("no such key")->has_value());
    CHECK_INFO(*cache, 2000, 2, 1000);
    CHECK_ERROR(status::error_invalid_argument, lookups.get<int>(bytes_of(0)));
    CHECK(lookups.try_get<int>(bytes_of(0)).code() == status::error_invalid_argument);
    CHECK_ERROR(status::error_invalid_argument, lookups.get<double>(bytes(nullptr, 1)));
    {
        const read_section section;
        CHECK(section.get(lookups, bytes_of(3))->view<double>()[0] == 1.5);
        CHECK((**section.try_get(lookups, bytes_of(4))).view<double>()[0] == 2.0);
        CHECK(!section.get(lookups, "no such key"));
        CHECK(!section.try_get(lookups, "no such key")->has_value());
        CHECK_ERROR(status::error_invalid_argument, section.get(lookups, bytes(nullptr, 1)));
    }
    cache.reset();  // the reader shares it
    CHECK(lookups.get<double>(bytes_of(5)) == 2.5);
}

static void a_reader_without_a_cache_fails() {
    reader lookups;
    CHECK(lookups.try_get<double>("key").code() < status::ok);
    dict_cache first, second;
    second.set("key", 1.0);
    CHECK(lookups.try_open(first.view().handle()).has_value());
    CHECK(!lookups.get<double>("key"));
    CHECK(lookups.try_open(second.view().handle()).has_value());
    CHECK(lookups.get<double>("key") == 1.0);
    CHECK(!lookups.try_open(nullptr));
    CHECK(lookups.try_get<double>("key").code() < status::ok);
    dict_cache moved = std::move(second);
    CHECK_ERROR(status::error_invalid_argument, second.reader());
}

int main() {
    RUN(a_section_reads_in_place);
    RUN(a_section_reads_many_at_once);
    RUN(many_values_are_pinned_and_stored_at_once);
    RUN(keys_and_values_of_a_batch_are_of_any_kind);
    RUN(a_batch_reports_refusals);
    RUN(a_reader_looks_up_in_one_cache);
    RUN(a_reader_without_a_cache_fails);
    return check_report();
}
