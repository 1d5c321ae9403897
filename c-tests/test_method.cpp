/// test_method.cpp: member functions with a cache in their object.
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

using phicache::dict_cache;
using phicache::method;
using phicache::method_kind;
using phicache::node_set;
using phicache::result;
using phicache::status;

namespace {

struct analysis {
    double factor = 1;
    dict_cache cache{};
    mutable int calls = 0;

    double small_phi(node_set mechanism, node_set purview) {
        ++calls;
        return factor * static_cast<double>(mechanism.size() + purview.size());
    }
    std::string describe(int level) const noexcept { return ++calls, "level " + std::to_string(level); }
    int fails(int) { throw std::runtime_error("no such level"); }
    int of_lvalues(int n) & { return ++calls, n; }
    int of_constant_lvalues(int n) const& noexcept { return ++calls, n; }
};

static_assert(
    std::is_same_v<decltype(method("p", &analysis::small_phi)), method<double(analysis&, node_set, node_set)>>);
static_assert(std::is_same_v<decltype(method("p", &analysis::describe)), method<std::string(const analysis&, int)>>);
static_assert(std::is_same_v<decltype(method("p", &analysis::of_lvalues)), method<int(analysis&, int)>>);
static_assert(std::is_same_v<decltype(method("p", &analysis::of_constant_lvalues)), method<int(const analysis&, int)>>);

void a_member_function_is_called_once_for_each_object() {
    const method small_phi{"small_phi", &analysis::small_phi};
    analysis one{1}, two{2};
    for (int i = 0; i < 2; ++i) {
        CHECK_NEAR(small_phi(one.cache, one, {0}, {1, 2}), 3.0, 0.0);
        CHECK_NEAR(small_phi(two.cache, two, {0}, {1, 2}), 6.0, 0.0);
    }
    CHECK_INT(one.calls, 1);
    CHECK_INT(two.calls, 1);
    CHECK_INFO(one.cache, 1, 1, 1);
    CHECK(one.cache.contains(one.cache.key_of(phicache::key::of(node_set{0}, node_set{1, 2}), "small_phi")));
}

void methods_of_one_cache_differ_by_prefix() {
    const method first{"first", [](analysis& object, int n) { return ++object.calls, n + 1; }};
    const method second{std::string("second"), [](analysis& object, int n) { return ++object.calls, n + 2; }};
    analysis object;
    CHECK_INT(first(object.cache, object, 1), 2);
    CHECK_INT(second(object.cache, object, 1), 3);
    CHECK_INT(first.call(object.cache, object, 1), 2);
    CHECK_INT(*second.try_call(object.cache, object, 1), 3);
    CHECK_INT(object.calls, 2);
    CHECK_MESSAGE("contains a NUL", method{std::string("first\0n", 7), [](analysis&, int n) { return n; }});
}

int overloaded(analysis&, int n) { return n + 1; }
double overloaded(analysis&, double x) { return x / 2; }
struct two_ways {
    dict_cache cache;
    int level(int n) { return n + 1; }
    int level(int n) const { return n + 2; }
};

void a_signature_chooses_one_of_several_overloads() {
    analysis object;
    const method<double(analysis&, double)> half{"half", overloaded};
    const method<int(analysis&, int)> next{"next", overloaded};
    CHECK_NEAR(half(object.cache, object, 3), 1.5, 0.0);
    CHECK_INT(next(object.cache, object, 3), 4);
    two_ways other;
    const method<int(two_ways&, int)> variable{"variable", &two_ways::level};
    const method<int(const two_ways&, int)> constant{"constant", &two_ways::level, phicache::method_kind::repertoire};
    CHECK_INT(variable(other.cache, other, 1), 2);
    CHECK_INT(constant(other.cache, other, 1), 3);
}

void a_value_has_the_type_in_the_signature() {
    const method<double(analysis&, int)> counted{"counted", [](auto& object, int n) { return ++object.calls, n; }};
    analysis object;
    for (int i = 0; i < 2; ++i) CHECK_NEAR(counted(object.cache, object, 3), 3.0, 0.0);
    CHECK_INT(object.calls, 1);
    const method lvalues{"lvalues", &analysis::of_lvalues};
    CHECK_INT(lvalues(object.cache, object, 4), 4);
}

void constant_objects_and_methods_that_write_in_place() {
    const method describe{nullptr, &analysis::describe};
    const analysis object;
    CHECK_TEXT(describe(object.cache, object, 3).c_str(), "level 3");
    CHECK_TEXT(describe(object.cache, object, 3).c_str(), "level 3");
    CHECK_INT(object.calls, 1);
    const method<void(result&, const analysis&, int)> fill{"fill", [](result& out, const analysis& self, int n) {
        ++self.calls;
        out.reserve<int>(1)[0] = n;
    }};
    CHECK_INT(fill(object.cache, object, 9).as<int>(), 9);
    CHECK_INT(fill.call_pinned(object.cache, object, 9).as<int>(), 9);
    CHECK_INT(object.calls, 2);
}

void a_repertoire_method_does_not_cache_while_repertoires_are_off() {
    phicache::config config;
    analysis object;
    object.cache = dict_cache(config);
    const method repertoire{"r", &analysis::small_phi, method_kind::repertoire};
    const method other{"o", &analysis::small_phi};
    config.settings().set_cache_repertoires(false);
    CHECK_NEAR(repertoire(object.cache, object, {0}, {1}), 2.0, 0.0);
    CHECK_NEAR(repertoire(object.cache, object, {0}, {1}), 2.0, 0.0);
    CHECK_INT(object.calls, 2);
    CHECK(repertoire.call_pinned(object.cache, object, {0}, {1}).refusal() == status::refused_disabled);
    CHECK_INFO(object.cache, 0, 0, 0);
    object.calls = 0;
    other(object.cache, object, {0}, {1});
    other(object.cache, object, {0}, {1});
    CHECK_INT(object.calls, 1);
    config.settings().set_cache_repertoires(true);
    repertoire(object.cache, object, {0}, {1});
    repertoire(object.cache, object, {0}, {1});
    CHECK_INT(object.calls, 2);
}

void an_exception_of_a_method_is_passed_on() {
    const method fails{"fails", &analysis::fails};
    analysis object;
    try {
        fails(object.cache, object, 1);
        CHECK_HAS_THROWN();
    } catch (const std::runtime_error& caught) {
        CHECK_TEXT(caught.what(), "no such level");
    }
    CHECK_UINT(object.cache.size(), 0);
}

void a_method_calls_itself() {
    struct counting {
        const method<double(counting&, int)>* self = nullptr;
        dict_cache cache{};
        double fibonacci(int n) {
            return n < 2 ? n : (*self)(cache, *this, n - 1) + (*self)(cache, *this, n - 2);
        }
    };
    const method fibonacci{"fibonacci", &counting::fibonacci};
    counting object{&fibonacci};
    CHECK_NEAR(fibonacci(object.cache, object, 50), 12586269025.0, 0.0);
    CHECK_UINT(object.cache.size(), 51);
}

void a_null_pointer_is_no_method() {
    int (*const function)(analysis&, int) = nullptr;
    CHECK_MESSAGE("the function is a null pointer", method{"null", function});
    int (analysis::*const member)(int) = nullptr;
    CHECK_MESSAGE("the function is a null pointer", method{"null", member});
    CHECK_MESSAGE("empty std::function", method{"null", std::function<int(analysis&, int)>()});
}

void moved_from_methods_and_caches_are_errors() {
    method small_phi{"small_phi", &analysis::small_phi};
    analysis object;
    const method moved = std::move(small_phi);
    CHECK_ERROR(status::error_invalid_argument, small_phi(object.cache, object, {0}, {1}));
    CHECK_NEAR(moved(object.cache, object, {0}, {1}), 2.0, 0.0);
    const dict_cache elsewhere = std::move(object.cache);
    CHECK_ERROR(status::error_invalid_argument, moved(object.cache, object, {0}, {1}));
    CHECK_NEAR(moved(elsewhere, object, {0}, {1}), 2.0, 0.0);
    CHECK_INT(object.calls, 1);
}

void copies_share_the_function_which_is_destroyed_once() {
    const auto token = std::make_shared<int>(0);
    {
        const method<int(analysis&, int)> first{"m", [token](analysis&, int n) { return n + *token; }};
        const long owners = token.use_count();
        auto copy = std::make_unique<method<int(analysis&, int)>>(first);
        analysis object;
        CHECK_INT((*copy)(object.cache, object, 3), 3);
        CHECK_INT(first(object.cache, object, 3), 3);
        CHECK_INFO(object.cache, 1, 1, 1);
        copy.reset();
        CHECK_INT(token.use_count(), owners);
        CHECK_INT(first(object.cache, object, 4), 4);
    }
    CHECK_INT(token.use_count(), 1);
}

/// The class of the guide's chapter "Which cache".
class channel {
public:
    explicit channel(double noise) : noise_(noise) {}
    channel(const channel& other) : noise_(other.noise_) {}
    channel& operator=(const channel& other) { return *this = channel(other); }
    channel(channel&&) = default;
    channel& operator=(channel&&) = default;
    ~channel() = default;

    double capacity(int inputs) const {
        static const method cached("capacity", &channel::compute_capacity);
        return cached(results_, *this, inputs);
    }
    std::size_t results() const { return results_.size(); }
    double noise_;

private:
    double compute_capacity(int inputs) const { return inputs * (1 - noise_); }
    dict_cache results_{};
};

void a_copied_object_begins_with_an_empty_cache() {
    channel quiet(0.25);
    CHECK_NEAR(quiet.capacity(4), 3.0, 0.0);
    channel copy(quiet);
    CHECK_UINT(copy.results(), 0);
    copy.noise_ = 0.5;
    CHECK_NEAR(copy.capacity(4), 2.0, 0.0);
    CHECK_NEAR(quiet.capacity(4), 3.0, 0.0);

    const channel moved(std::move(copy));
    CHECK_UINT(moved.results(), 1);
    copy = quiet;  // the cache of this object was moved from
    CHECK_NEAR(copy.capacity(4), 3.0, 0.0);
    quiet = moved;
    CHECK_NEAR(quiet.capacity(4), 2.0, 0.0);

    std::vector<channel> channels(3, quiet);
    for (int i = 0; i < 3; ++i) channels[static_cast<std::size_t>(i)].noise_ = 0.25 * i;
    for (const channel& each : channels) CHECK_NEAR(each.capacity(4), 4 * (1 - each.noise_), 0.0);
    channels.insert(channels.begin(), quiet);
    for (const channel& each : channels) CHECK_NEAR(each.capacity(4), 4 * (1 - each.noise_), 0.0);
}

}  // namespace

int main() {
    RUN(a_member_function_is_called_once_for_each_object);
    RUN(methods_of_one_cache_differ_by_prefix);
    RUN(a_signature_chooses_one_of_several_overloads);
    RUN(a_value_has_the_type_in_the_signature);
    RUN(constant_objects_and_methods_that_write_in_place);
    RUN(a_repertoire_method_does_not_cache_while_repertoires_are_off);
    RUN(an_exception_of_a_method_is_passed_on);
    RUN(a_method_calls_itself);
    RUN(a_null_pointer_is_no_method);
    RUN(moved_from_methods_and_caches_are_errors);
    RUN(copies_share_the_function_which_is_destroyed_once);
    RUN(a_copied_object_begins_with_an_empty_cache);
    return check_report();
}
