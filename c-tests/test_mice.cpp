/// test_mice.cpp: MICE records, and the caches that inherit them under cuts.
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::bytes;
using phicache::cut;
using phicache::direction;
using phicache::mice;
using phicache::mice_cache;
using phicache::node_set;
using phicache::pinned_mice;
using phicache::status;
using phicache::subsystem;

namespace {

subsystem whole() {
    const std::vector<node_set> connections{{1}, {2}, {0}};
    const auto network = phicache::fingerprint::of_network(std::vector<double>(24, 0.5), connections, "test_mice");
    return subsystem(network, {1, 0, 0}, {0, 1, 2});
}
subsystem severed() { return whole().under(cut::bipartition(3, {0}, {1, 2})); }

mice<std::vector<double>> some_mice(double phi = 0.5) {
    return {direction::effect, {0, 2}, {1}, phi, {0.25, 0.75}};
}

void check_is_some_mice(const pinned_mice& found) {
    CHECK(found.dir() == direction::effect);
    CHECK((found.mechanism() == node_set{0, 2}));
    CHECK(found.purview() == node_set{1});
    CHECK_NEAR(found.phi(), 0.5, 0.0);
    CHECK(found.payload_as<std::vector<double>>() == std::vector<double>({0.25, 0.75}));
    const phicache::span<const double> view = found.payload_view<double>();
    CHECK_UINT(view.size(), 2);
    CHECK_NEAR(view[1], 0.75, 0.0);
    CHECK_UINT(reinterpret_cast<std::uintptr_t>(view.data()) % 16, 0);
}

void a_stored_record_is_found() {
    mice_cache cache(whole());
    const auto key = phicache::mice_key(nullptr, direction::effect, {0, 2});
    CHECK(!cache.get(key).has_value());
    CHECK(cache.set(key, some_mice()).stored());
    const std::optional<pinned_mice> found = cache.get(key);
    REQUIRE(found.has_value());
    check_is_some_mice(*found);
    CHECK(found->pinned().origin() == phicache::origin::hit);
    CHECK_INFO(cache, 1, 1, 1);
    CHECK(cache.contains(key));
    CHECK(cache.remove(key));
    CHECK(!cache.contains(key));
}

void payloads_may_be_anything_that_converts_to_bytes() {
    mice_cache cache = mice_cache::dict(whole());
    cache.set("none", mice{direction::cause, {0}, {1}, 0.5});
    cache.set("text", mice{direction::cause, {0}, {1}, 0.5, "partition"});
    cache.set("number", mice{direction::cause, {0}, {1}, 0.5, 7});
    cache.set("borrowed", mice<>{direction::cause, {0}, {1}, 0.5, "bytes"});
    CHECK(cache.get("none")->payload().empty());
    CHECK_CHARS(cache.get("text")->payload(), "partition");
    CHECK_INT(cache.get("number")->payload_as<int>(), 7);
    CHECK_CHARS(cache.get("borrowed")->payload(), "bytes");
    const pinned_mice found = *cache.get("text");
    CHECK_ERROR(status::error_invalid_argument, found.payload_as<double>());
    CHECK_ERROR(status::error_invalid_argument, found.payload_view<double>());
    CHECK(found.try_payload_as<double>().code() == status::error_invalid_argument);
    CHECK(found.try_payload_view<double>().code() == status::error_invalid_argument);
}

void refusals_are_checked_in_order() {
    phicache::config none;
    none.settings().set_maximum_memory_percent(0);
    mice_cache uncut(whole());
    mice_cache child(severed());
    mice_cache full(whole(), nullptr, {}, none);
    CHECK(uncut.would_store(0.5) == status::ok);
    CHECK(uncut.would_store(0) == status::refused_phi);
    CHECK(child.would_store(0) == status::refused_cut);
    CHECK(full.would_store(-1) == status::refused_phi);
    CHECK(full.would_store(0.5) == status::refused_memory);
    CHECK(uncut.set("key", some_mice(0)) == status::refused_phi);
    CHECK(child.set("key", some_mice(0)) == status::refused_cut);
    CHECK(full.set("key", some_mice(0.5)) == status::refused_memory);
    CHECK_UINT(uncut.size() + child.size() + full.size(), 0);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_ERROR(status::error_invalid_argument, uncut.set("key", some_mice(nan)));
    CHECK_ERROR(status::error_invalid_argument, uncut.would_store(nan));
    CHECK(uncut.try_set("key", some_mice(nan)).code() == status::error_invalid_argument);
}

void a_child_inherits_undamaged_records() {
    std::optional<mice_cache> parent(std::in_place, whole());
    parent->set("damaged", mice{direction::effect, {0}, {1}, 0.5, "damaged"});
    parent->set("whole", mice{direction::effect, {1}, {0}, 0.5, "inherited"});
    mice_cache child(severed(), &*parent);
    CHECK(!child.get("damaged").has_value());
    const std::optional<pinned_mice> found = child.get("whole");
    REQUIRE(found.has_value());
    CHECK_CHARS(found->payload(), "inherited");
    CHECK(found->pinned().origin() == phicache::origin::parent);
    CHECK_UINT(child.size(), 1);
    CHECK_INFO(*parent, 0, 0, 2);
    parent->set("later", mice{direction::effect, {1}, {0}, 0.5, "later"});
    CHECK(child.contains("later"));
    CHECK(child.memoize("later", []() -> mice<> { throw 1; }).pinned().origin() == phicache::origin::parent);
    parent.reset();
    CHECK_CHARS(child.get("whole")->payload(), "inherited");
    child.clear();
    CHECK(!child.get("whole").has_value());
}

void a_parent_must_fit() {
    mice_cache uncut(whole());
    const mice_cache child(severed(), uncut);  // the parent or its address
    CHECK_ERROR(status::error_invalid_argument, mice_cache(severed(), &child));
    const auto other = phicache::fingerprint::of_network(std::vector<double>{0, 1}, {node_set{0}}, "another");
    CHECK_ERROR(status::error_invalid_argument, mice_cache(subsystem(other, {1}, {0}), &uncut));
    const mice_cache moved = std::move(uncut);
    CHECK_ERROR(status::error_invalid_argument, mice_cache(severed(), &uncut));
    CHECK(mice_cache::try_make(severed(), &moved).has_value());
    CHECK(mice_cache::try_dict(severed(), &moved).has_value());
}

void memoize_computes_once() {
    mice_cache cache(whole());
    int calls = 0;
    for (int i = 0; i < 3; ++i) check_is_some_mice(cache.memoize("key", [&] { return ++calls, some_mice(); }));
    CHECK_INT(calls, 1);
    CHECK_INFO(cache, 2, 1, 1);
    const pinned_mice refused = cache.memoize("zero", [] { return some_mice(0); });
    CHECK_NEAR(refused.phi(), 0.0, 0.0);
    CHECK(refused.pinned().refusal() == status::refused_phi);
    CHECK(!cache.contains("zero"));
    try {
        cache.memoize("throws", []() -> mice<> { throw std::range_error("no purview"); });
        CHECK_HAS_THROWN();
    } catch (const std::range_error& caught) {
        CHECK_TEXT(caught.what(), "no purview");
    }
    CHECK_INT(cache.try_memoize("fails", []() -> phicache::expected<mice<>> { return phicache::failure::callback(3); })
                  .error().callback_code(), 3);
    CHECK_ERROR(status::error_damaged, cache.memoize("bytes", [](phicache::result& out) { out.write("no record"); }));
    CHECK_ERROR(status::error_invalid_argument,
                cache.memoize("nan", [] { return some_mice(std::numeric_limits<double>::quiet_NaN()); }));
    CHECK_UINT(cache.size(), 1);
}

void a_payload_is_written_in_place() {
    mice_cache cache(whole());
    const pinned_mice made = cache.memoize("key", [](phicache::result& out) {
        const phicache::span<double> room = phicache::reserve_mice<double>(out, some_mice(), 2);
        CHECK_NEAR(room[1], 0.0, 0.0);
        room[0] = 0.25;
        room[1] = 0.75;
    });
    check_is_some_mice(made);
    check_is_some_mice(*cache.get("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("huge", [](phicache::result& out) {
        phicache::reserve_mice<double>(out, some_mice(), static_cast<std::size_t>(-1));
    }));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("nobody writes it", [] {
        return mice<>{direction::effect, {0}, {1}, 0.5, phicache::bytes(nullptr, 16)};
    }));
}

void a_record_stays_pinned() {
    std::optional<mice_cache> cache(std::in_place, whole());
    cache->set("key", some_mice());
    pinned_mice first = *cache->get("key");
    cache.reset();
    check_is_some_mice(first);
    pinned_mice second = std::move(first);
    check_is_some_mice(second);
    CHECK(first.payload().empty());
    CHECK_NEAR(first.phi(), 0.0, 0.0);
    first = std::move(second);
    check_is_some_mice(first);
    CHECK(second.payload().empty());
    const pinned_mice none;
    CHECK(none.payload().empty());
}

void records_are_bytes_in_every_language() {
    const std::vector<std::uint8_t> record = phicache::encode(some_mice());
    CHECK_UINT(record.size(), 64 + 16);
    CHECK(phicache::encode(mice<>{}).size() == 64);
    const mice<> decoded = phicache::decode_mice(record);
    CHECK(decoded.dir == direction::effect);
    CHECK((decoded.mechanism == node_set{0, 2} && decoded.purview == node_set{1}));
    CHECK_NEAR(decoded.phi, 0.5, 0.0);
    CHECK(decoded.payload.data() == record.data() + 64);
    std::vector<std::uint8_t> damaged = record;
    damaged.back() ^= 1;
    CHECK_ERROR(status::error_damaged, phicache::decode_mice(damaged));
    CHECK(phicache::try_decode_mice("too short").code() == status::error_damaged);
    CHECK(phicache::try_encode(some_mice(std::numeric_limits<double>::quiet_NaN())).code() ==
          status::error_invalid_argument);
    mice_cache cache(whole());
    cache.set("key", some_mice());
    const phicache::cache view = cache;
    CHECK(bytes(*view.get("key")) == record);
}

void the_configuration_chooses_the_store() {
    phicache::config config;
    config.settings().set_redis_cache(false);
    CHECK(mice_cache(whole(), nullptr, {}, config).set("key", some_mice()).stored());
    if ((phicache_features() & PHICACHE_FEATURE_REDIS) != 0) return;
    config.settings().set_redis_cache(true);
    CHECK_ERROR(status::error_unsupported, mice_cache(whole(), nullptr, {}, config));
    CHECK_ERROR(status::error_unsupported, mice_cache::redis(whole(), nullptr, {}, config));
    CHECK(mice_cache::dict(whole(), nullptr, {}, config).set("key", some_mice()).stored());
}

void a_moved_from_cache_refuses_every_call() {
    mice_cache cache(whole());
    subsystem system = whole();
    const subsystem moved_system = std::move(system);
    const mice_cache moved = std::move(cache);
    CHECK_ERROR(status::error_invalid_argument, mice_cache(system));
    CHECK_ERROR(status::error_invalid_argument, cache.get("key"));
    CHECK_ERROR(status::error_invalid_argument, cache.set("key", some_mice()));
    CHECK_ERROR(status::error_invalid_argument, cache.would_store(1));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("key", [] { return some_mice(); }));
    CHECK_ERROR(status::error_invalid_argument, cache.view());
    CHECK_ERROR(status::error_invalid_argument, cache.size());
}

}  // namespace

int main() {
    RUN(a_stored_record_is_found);
    RUN(payloads_may_be_anything_that_converts_to_bytes);
    RUN(refusals_are_checked_in_order);
    RUN(a_child_inherits_undamaged_records);
    RUN(a_parent_must_fit);
    RUN(memoize_computes_once);
    RUN(a_payload_is_written_in_place);
    RUN(a_record_stays_pinned);
    RUN(records_are_bytes_in_every_language);
    RUN(the_configuration_chooses_the_store);
    RUN(a_moved_from_cache_refuses_every_call);
    return check_report();
}
