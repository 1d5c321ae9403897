// test_read.cpp: values read in place, in a section.
#include "check.hpp"

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

int main() {
    RUN(a_section_reads_in_place);
    RUN(a_section_reads_many_at_once);
    return check_report();
}
