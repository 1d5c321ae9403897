/// refused.cpp: code that must not compile. Each case is one mistake, with a part of the expected message.
#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <phicache.hpp>
#if defined(__cpp_lib_ranges)
#include <ranges>
#endif
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <valarray>
#include <variant>
#include <vector>

struct owns_memory {
    std::string text;
};
/// For structured bindings, by a member.
struct bindable {
    std::string text;
    template <std::size_t>
    const std::string& get() const {
        return text;
    }
};
template <>
struct std::tuple_size<bindable> : std::integral_constant<std::size_t, 1> {};
template <>
struct std::tuple_element<0, bindable> {
    using type = std::string;
};
struct no_element {};
[[maybe_unused]] static int overloaded(int n) { return n; }
[[maybe_unused]] static double overloaded(double x) { return x; }
[[maybe_unused]] static double with_default(double x, double step = 0.1) { return x * step; }
struct analysis {
    phicache::dict_cache cache;
    int count;
    int phi(int n) { return n; }
    int shifted(int n, int by = 1) { return n + by; }
};

namespace apart {
struct only_written {
    std::string text;
};
struct only_read {
    std::string text;
};
struct elsewhere {
    std::string text;
};
struct without_default {
    explicit without_default(int n) : number(n) {}
    int number;
};
[[maybe_unused]] static void add_to_value(phicache::value_writer& out, const only_written& x) { out.add(x.text); }
[[maybe_unused]] static void read_from_value(phicache::value_reader& in, only_read& x) { in.read(x.text); }
/// Without the references, what is written or read is lost.
struct read_into_a_copy {
    std::string text;
};
[[maybe_unused]] static void add_to_value(phicache::value_writer& out, const read_into_a_copy& x) { out.add(x.text); }
[[maybe_unused]] static void read_from_value(phicache::value_reader& in, read_into_a_copy x) { in.read(x.text); }
struct written_by_a_copy {
    std::string text;
};
[[maybe_unused]] static void add_to_value(phicache::value_writer out, const written_by_a_copy& x) { out.add(x.text); }
[[maybe_unused]] static void read_from_value(phicache::value_reader in, written_by_a_copy& x) { in.read(x.text); }
}  // namespace apart
// These are not found: they are not in the namespace of the type.
[[maybe_unused]] static void add_to_value(phicache::value_writer& out, const apart::elsewhere& x) { out.add(x.text); }
[[maybe_unused]] static void add_to_key(phicache::key& key, const apart::elsewhere& x) { key.add(x.text); }

/// Its elements are not all of its key.
struct grid {
    std::size_t rows = 2;
    std::vector<double> elements = std::vector<double>(6);
    const double* data() const { return elements.data(); }
    std::size_t size() const { return elements.size(); }
};
[[maybe_unused]] static void add_to_key(phicache::key& key, const grid& x) { key.add(x.rows).add(x.elements); }

/// A range with a member beside what it iterates over.
struct labelled {
    auto begin() const { return p.begin(); }
    auto end() const { return p.end(); }
    std::vector<double> p{};
    int base = 2;
};

/// An add_to_key that takes no constant object is not called.
struct with_tag : std::vector<double> {
    int tag = 0;
};
[[maybe_unused]] static void add_to_key(phicache::key& key, with_tag& x) { key.add(x.tag); }
enum class mode { fast, exact };
[[maybe_unused]] static void add_to_key(phicache::key& key, mode& x) { key.add_named("mode", static_cast<int>(x)); }

/// Matrices, of which the elements alone are not the key.
struct matrix {
    std::vector<double> elements = std::vector<double>(6);
    long rows() const { return 2; }
    long cols() const { return 3; }
    const double* data() const { return elements.data(); }
    std::size_t size() const { return elements.size(); }
    auto begin() const { return elements.begin(); }
    auto end() const { return elements.end(); }
};
struct tensor : std::vector<float> {
    std::array<int, 3> shape() const { return {1, 2, 3}; }
};
/// As in Armadillo: the size is in members.
struct table_of_numbers {
    std::size_t n_rows = 2, n_cols = 3;
    std::array<double, 6> elements{};
    auto begin() const { return elements.begin(); }
    auto end() const { return elements.end(); }
};
struct image : std::deque<double> {
    int width() const { return 2; }
    int height() const { return 3; }
};
/// A program's own matrices, known by their elements alone.
struct by_two_indices : std::deque<double> {
    double operator()(std::size_t row, std::size_t column) const { return at(3 * row + column); }
};
struct by_row {
    std::vector<double> elements = std::vector<double>(6);
    const double* operator[](std::size_t row) const { return &elements[3 * row]; }
    auto begin() const { return elements.begin(); }
    auto end() const { return elements.end(); }
    const double* data() const { return elements.data(); }
    std::size_t size() const { return elements.size(); }
};

/// The elements of their bases are not all of them.
struct path : std::vector<double> {
    using vector::vector;
    double cost = 1;
};
struct table : std::map<int, std::string> {
    bool is_complete = false;
};
struct label : std::string {
    int color = 0;
};
template <class... A>
struct tagged : std::variant<A...> {
    using std::variant<A...>::variant;
    char tag = 0;  // in the padding of the variant
};

/// The functions of their bases leave out their own members.
namespace shapes {
struct shape {
    std::string name;
};
[[maybe_unused]] static void add_to_key(phicache::key& key, const shape& x) { key.add(x.name); }
[[maybe_unused]] static void add_to_value(phicache::value_writer& out, const shape& x) { out.add(x.name); }
[[maybe_unused]] static void read_from_value(phicache::value_reader& in, shape& x) { in.read(x.name); }
template <class T>
struct point {
    T x, y;
};
template <class T>
void add_to_key(phicache::key& key, const point<T>& p) {
    key.add(p.x).add(p.y);
}
template <class T>
void add_to_value(phicache::value_writer& out, const point<T>& p) {
    out.add(p.x).add(p.y);
}
template <class T>
void read_from_value(phicache::value_reader& in, point<T>& p) {
    in.read(p.x).read(p.y);
}
}  // namespace shapes
struct visited {
    int number = 0;
    template <class Visitor>
    friend void add_to_key(Visitor& to, const visited& x) {
        to.add(x.number);
    }
};
struct visited_more : visited {
    int more = 0;
};
struct colored : shapes::shape {
    int color = 0;
};
struct weighted : shapes::point<double> {
    double weight = 1;
};
struct half_done : shapes::shape {
    int color = 0;
};
[[maybe_unused]] static void add_to_key(phicache::key& key, half_done& x) { key.add(x.name).add(x.color); }
[[maybe_unused]] static void add_to_value(phicache::value_writer& out, const half_done& x) {
    out.add(x.name).add(x.color);
}

/// A default-made one has another salt.
struct salted_hash {
    std::size_t salt = 0;
    std::size_t operator()(int n) const { return static_cast<std::size_t>(n) ^ salt; }
};

void use(phicache::dict_cache& cache, phicache::purview_cache& purviews, phicache::mice_cache& mice);
void use(phicache::dict_cache& cache, phicache::purview_cache& purviews, phicache::mice_cache& mice) {
    [[maybe_unused]] const int number = 1;
    [[maybe_unused]] const std::uint64_t mask = 1;
    [[maybe_unused]] const phicache::direction cause = phicache::direction::cause;
    (void)cache, (void)purviews, (void)mice;
#if CASE == 0
    cache.set("key", number);
    cache.set("key", std::make_pair(1, 0.5));
    [[maybe_unused]] const analysis made{};
    (void)cache.get<int>("key");
    (void)phicache::cut::bipartition(4, {0, number}, {2});
    purviews.set(cause, {0}, {{0}, {1, 2}});
    (void)phicache::node_set::from_mask(mask);
    (void)mice.get("key").value().pinned().origin();
    (void)phicache::memo<double(double)>(overloaded);
    (void)cache.view().get_many({"key", "other"});
    // A function object with a name of its own is as other structs.
    struct line {
        double slope;
        double operator()(double x) const { return slope * x; }
    };
    cache.set("key", line{0.5});
    (void)cache.get<line>("key")->operator()(2);
#elif CASE == 1  // no pointer and no view
    cache.set("key", &number);
#elif CASE == 2  // no pointer and no view
    cache.set("key", owns_memory{"text"});
#elif CASE == 3  // no pointer and no view
    (void)cache.get<std::string_view>("key");
#elif CASE == 4  // no pointer and no view
    (void)cache.get<std::vector<const char*>>("key");
#elif CASE == 5  // takes nothing, or a result&
    cache.memoize("key", [](int n) { return n; });
#elif CASE == 6  // returns nothing, or expected<void>
    cache.memoize("key", [](phicache::result&) { return 1; });
#elif CASE == 7  // values or constant references
    phicache::memo memo{[](std::vector<double>& changed) { return changed.size(); }};
    (void)memo;
#elif CASE == 8  // write add_to_key
    phicache::key().add(no_element());
#elif CASE == 9  // has no order
    phicache::key().add(std::unordered_multimap<int, int>());
#elif CASE == 10  // at most 64 bits
    phicache::key().add(1.0L);
#elif CASE == 11  // of node_set or of 64-bit masks
    purviews.memoize(cause, {0}, [] { return std::vector<int>{1}; });
#elif CASE == 12  // a MICE cache a phicache::mice
    mice.memoize("key", [] { return 0.5; });
#elif CASE == 13  // deleted
    cache.get(number);
#elif CASE == 14  // deleted
    phicache::dict_cache copy = cache;
    (void)copy;
#elif CASE == 15  // no pointer and no view
    (void)cache.get("key")->view<const char*>();
#elif CASE == 16  // no pointer and no view
    cache.set("key", std::make_pair(1, &number));
#elif CASE == 17  // no pointer and no view
    cache.set("key", nullptr);
#elif CASE == 18  // bytes(std::nullptr_t)
    (void)cache.get(nullptr);
#elif CASE == 19  // deleted
    (void)cache.get(0);
#elif CASE == 20  // another type than the T of memoize<T>
    (void)cache.memoize<double>("key", [] { return 1; });
#elif CASE == 21  // another type than the T of memoize<T>
    (void)cache.try_memoize<std::vector<double>>("key", [] { return phicache::expected(std::vector<float>(1)); });
#elif CASE == 22  // returns its value, or takes a result& and writes there
    cache.memoize("key", [] {});
#elif CASE == 23  // it, as in phicache::memo<double(double)>
    phicache::memo memo{[](auto x) { return x; }};
#elif CASE == 24  // it is for phicache::method
    phicache::memo memo{&analysis::phi};
#elif CASE == 25  // its object, by reference
    phicache::method method{"phi", [](int n) { return n; }};
#elif CASE == 26  // does not convert to the type in the signature
    phicache::memo<double(int)> memo{[](int) { return std::string("text"); }};
#elif CASE == 27  // add its text
    phicache::key().add(std::filesystem::path("file"));
#elif CASE == 28  // a key must convert to phicache::bytes
    (void)cache.view().get_many(std::vector<double>{1});
#elif CASE == 29  // node_index
    (void)phicache::cut::bipartition(4, {mask}, {mask});
#elif CASE == 30  // node_index
    (void)phicache::node_set{std::uint32_t{1}};
#elif CASE == 31  // node_index
    (void)phicache::node_set{0, mask};
#elif CASE == 32  // node_index
    (void)phicache::node_set{std::int64_t{1}};
#elif CASE == 33  // node_index
    (void)phicache::node_set{std::uint8_t{1}};
#elif CASE == 34  // node_index
    (void)phicache::mice_key("mice", cause, {mask});
#elif CASE == 35  // node_index
    (void)phicache::mice<>{cause, {mask}, {}, 0.5, {}};
#elif CASE == 36  // node_index
    (void)purviews.get(cause, {mask});
#elif CASE == 37  // a_direction_a_node_set_and_a_list
    purviews.set(cause, {0}, {mask, mask});
#elif CASE == 38  // not_an_address
    purviews.set(cause, {0}, {0, 5});
#elif CASE == 39  // node_index
    (void)phicache::node_set{1.5};
#elif CASE == 40  // deleted
    for (const double p : cache.memoize("key", [] { return 1.0; }).view<double>()) (void)p;
#elif CASE == 41  // deleted
    (void)(*cache.get("key")).view<double>();
#elif CASE == 42  // deleted
    (void)cache.get("key").value().try_view<double>();
#elif CASE == 43  // deleted
    (void)cache.memoize("key", [] { return 1.0; }).text();
#elif CASE == 44  // deleted
    (void)mice.get("key").value().payload();
#elif CASE == 45  // deleted
    (void)mice.memoize("key", [] { return phicache::mice{}; }).payload_view<double>();
#elif CASE == 46  // deleted
    (void)(*mice.get("key")).try_payload_view<double>();
#elif CASE == 47  // deleted
    (void)phicache::dict_cache().view();
#elif CASE == 48  // would dangle: name the cache first
    const phicache::cache of_nothing = phicache::dict_cache();
    (void)of_nothing;
#elif CASE == 49  // deleted
    (void)phicache::config().settings();
#elif CASE == 51  // the signature of this function is unknown
    phicache::method method{"n", &analysis::count};
#elif CASE == 52  // the signature of this function is unknown
    phicache::memo memo{&analysis::count};
#elif CASE == 53  // without_a_number_of_nodes
    (void)phicache::subsystem(phicache::fingerprint(), mask, {0});
#elif CASE == 54  // a bool or an integer
    (void)phicache::subsystem(phicache::fingerprint(), std::vector<double>{0, 1}, {0});
#elif CASE == 55  // does not return a value
    cache.memoize("key", [&] { return &number; });
#elif CASE == 56  // does not take the arguments in the signature
    phicache::memo<double(std::string)> memo{[](int) { return 0.5; }};
#elif CASE == 57  // returns nothing, or expected<void>
    cache.memoize({"k", "ey"}, [](phicache::result&) { return 1; });
#elif CASE == 58  // no pointer and no view
    cache.set({"k", "ey"}, &number);
#elif CASE == 59  // no pointer and no view
    cache.set_with_cost("key", &number, std::chrono::seconds(1));
#elif CASE == 60  // deleted
    cache.set(0.5, 1);
#elif CASE == 61  // deleted
    phicache::mice_cache copy = mice;
    (void)copy;
#elif CASE == 62  // a MICE cache a phicache::mice
    (void)mice.try_memoize("key", [] { return 0.5; });
#elif CASE == 63  // deleted
    (void)cache.contains(cause);
#elif CASE == 64  // the function takes nothing, or a result&
    (void)cache.memoize<double>({"k", "ey"}, [](double p) { return p; });
#elif CASE == 65  // no pointer and no view
    phicache::memo memo{[](int n) { return std::make_unique<int>(n); }};
    (void)memo(1);
#elif CASE == 66  // into a struct of your own
    cache.memoize<std::unique_ptr<int>>("key", [] { return std::make_unique<int>(1); });
#elif CASE == 67  // no pointer and no view
    (void)cache.memoize<std::string_view>("key", [] { return std::string("text"); });
#elif CASE == 68  // returns nothing
    phicache::memo memo{[](int) {}};
    memo(1);
#elif CASE == 69  // returns nothing
    phicache::memo<void(int)> memo{[](int) {}};
    (void)memo.try_call(1);
#elif CASE == 70  // returns nothing
    phicache::method method{"phi", [](analysis& of, int) { ++of.count; }};
    analysis of;
    method(cache, of, 1);
#elif CASE == 71  // read_from_value(phicache::value_reader&, T&) in the namespace of T
    (void)cache.get<apart::only_written>("key");
#elif CASE == 72  // read_from_value(phicache::value_reader&, T&) in the namespace of T
    phicache::memo memo{[](int) { return apart::only_written{}; }};
    (void)memo(1);
#elif CASE == 73  // add_to_value(phicache::value_writer&, const T&) and
    phicache::memo memo{[](int) { return apart::only_read{}; }};
    (void)memo(1);
#elif CASE == 74  // in the namespace of T
    cache.set("key", apart::elsewhere{});
#elif CASE == 75  // in the namespace of T
    phicache::key().add(apart::elsewhere{});
#elif CASE == 76  // in the namespace of T
    phicache::memo memo{[](const apart::elsewhere& x) { return x.text.size(); }};
    (void)memo(apart::elsewhere{});
#elif CASE == 77  // in the namespace of T
    phicache::method method{"phi", [](analysis&, const std::vector<no_element>&) { return 1; }};
    analysis of;
    (void)method(cache, of, std::vector<no_element>(1));
#elif CASE == 78  // has to be converted
    phicache::memo memo{[](std::chrono::system_clock::time_point at) { return at.time_since_epoch().count(); }};
    (void)memo.call_pinned({});
#elif CASE == 79  // has to be converted
    phicache::key().add(std::chrono::duration<double>(1));
#elif CASE == 80  // in the namespace of T
    phicache::key().add(std::variant<int, no_element, owns_memory>());
#elif CASE == 81  // phicache::memo<phicache::expected<int>(int)>
    phicache::memo<int(int)> memo{[](int n) { return phicache::expected<int>(n); }};
    (void)memo(1);
#elif CASE == 82  // name there what the function returns
    phicache::memo<int(int)> memo{[](int n) { return std::optional<int>(n); }};
    (void)memo(1);
#elif CASE == 83  // name the signature of a function
    phicache::memo<int> memo{[](int n) { return n; }};
    (void)memo(1);
#elif CASE == 84  // the first argument is a text
    phicache::method method{&analysis::phi};
    analysis of;
    (void)method(cache, of, 1);
#elif CASE == 85  // the first argument of the call is a cache
    phicache::method method{"phi", &analysis::phi};
    analysis of;
    (void)method(of, 1);
#elif CASE == 86  // the first argument of the call is a cache
    phicache::method method{"phi", &analysis::phi};
    analysis of;
    (void)method(of, of.cache, 1);
#elif CASE == 87  // the object, and the arguments of the function
    phicache::method method{"phi", &analysis::phi};
    analysis of;
    (void)method(of.cache, of);
#elif CASE == 88  // a constant object needs a constant member function
    phicache::method method{"phi", &analysis::phi};
    const analysis of{};
    (void)method(of.cache, of, 1);
#elif CASE == 89  // deleted
    phicache::memo memo{[](int n) { return n; }};
    auto copy = memo;
    (void)copy(1);
#elif CASE == 90  // does not convert to the type in the signature
    phicache::method<int(analysis&, int)> method{"phi", [](analysis&, int) { return std::string(); }};
#elif CASE == 91  // does not take the object and the arguments
    phicache::method<int(analysis&, int)> method{"phi", [](analysis&, const std::string&) { return 1; }};
#elif CASE == 92  // returns nothing, or expected<void>
    phicache::memo memo{[](phicache::result&, int) { return 1; }};
    (void)memo(1);
#elif CASE == 93  // values or constant references
    phicache::method method{"phi", [](analysis&, std::vector<int>& changed) { return changed.size(); }};
#elif CASE == 94  // use_key_of_or_bytes_of
    cache.set(no_element(), 1);
#elif CASE == 95  // use_key_of_or_bytes_of
    (void)cache.memoize<double>(std::make_tuple(1, 2), [] { return 0.5; });
#elif CASE == 96  // use_key_of_or_bytes_of
    (void)cache.get<int>(std::vector<std::string>{"a"});
#elif CASE == 97  // it needs a context
    phicache::disk_cache disk;
    (void)disk;
#elif CASE == 98  // the_context_comes_before_the_options
    phicache::disk_cache disk{phicache::cache_options()};
    (void)disk;
#elif CASE == 99  // no pointer and no view
    cache.set("key", std::vector<std::string_view>{"text"});
#elif CASE == 100  // no pointer and no view
    (void)cache.get<std::array<const char*, 2>>("key");
#elif CASE == 101  // no pointer and no view
    cache.memoize("key", [] { return std::optional<std::string_view>("text"); });
#elif CASE == 102  // no pointer and no view
    (void)phicache::bytes_of(std::array<int*, 1>());
#elif CASE == 103  // It has a default constructor
    phicache::memo memo{[](int n) { return apart::without_default(n); }};
    (void)memo(1);
#elif CASE == 104  // It has a default constructor
    (void)cache.get<apart::without_default>("key");
#elif CASE == 105  // It has a default constructor
    (void)cache.memoize<std::vector<apart::without_default>>(
        "key", [] { return std::vector<apart::without_default>(1, apart::without_default(1)); });
#elif CASE == 240  // both parameters are references
    phicache::memo memo{[](int) { return apart::read_into_a_copy{}; }};
    (void)memo(1);
#elif CASE == 241  // both parameters are references
    cache.set("key", apart::read_into_a_copy{});
#elif CASE == 242  // both parameters are references
    (void)cache.memoize<apart::written_by_a_copy>("key", [] { return apart::written_by_a_copy{}; });
#elif CASE == 243  // both parameters are references
    apart::read_into_a_copy part;
    phicache::value_reader({}).read(part);
#elif CASE == 244  // It has a default constructor
    const std::valarray<double> numbers(3);
    cache.set("key", 2.0 * numbers);
#elif CASE == 245  // It has a default constructor
    const std::valarray<double> numbers(3);
    cache.memoize("key", [&] { return numbers + numbers; });
#elif CASE == 246  // It has a default constructor
    phicache::value_writer().add(apart::without_default(1));
#elif CASE == 247  // no pointer and no view
    const std::vector<double> numbers(3);
#if defined(__cpp_lib_ranges)
    struct every_second : std::ranges::view_base {
        const std::vector<double>* numbers = nullptr;
    };
    cache.set("key", every_second{{}, &numbers});
#else
    cache.set("key", numbers.rbegin());
#endif
#elif CASE == 248  // write add_to_key
    phicache::memo memo{[](const bindable& x) { return x.text.size(); }};
    (void)memo(bindable());
#elif CASE == 249  // in the namespace of T
    (void)cache.get<bindable>("key");
#elif CASE == 250  // no pointer and no view
    (void)cache.get<const double>("key");
#elif CASE == 251  // no pointer and no view
    (void)cache.memoize("key", [] { return 1.0; }).as<const double>();
#elif CASE == 253  // auto& \[key, value\]
    for (auto [key, value] : cache.entries()) (void)key, (void)value;
#elif CASE == 254  // key(const key&)
    const phicache::key key = phicache::key::of(number);
    const auto copy = key;
    (void)copy;
#elif CASE == 255  // it needs a function
    phicache::memo<double(double)> memo;
#elif CASE == 252  // the range is that of entries
    for (auto& [key, value] : cache) (void)key, (void)value;
#elif CASE == 256  // instead of a pointer pass a phicache::span of its elements
    phicache::memo memo{[](const double* x, std::size_t n) { return x[n - 1]; }};
#elif CASE == 106  // initializer list
    (void)cache.memoize<double>({"iron", 2}, [] { return 0.5; });
#elif CASE == 107  // initializer list
    (void)cache.get({"iron", sizeof number});
#elif CASE == 108  // use_a_span_of_elements
    const std::vector<double> numbers(3);
    (void)cache.get(phicache::bytes(numbers.data(), numbers.size()));
#elif CASE == 109  // use_a_span_of_elements
    const std::vector<double> numbers(3);
    cache.set({numbers.data(), numbers.size()}, number);
#elif CASE == 110  // use_key_of_or_bytes_of
    (void)cache.memoize<double>(grid(), [] { return 0.5; });
#elif CASE == 111  // `store` is the cache
    (void)phicache::memo([](int n) { return n; }, cache);
#elif CASE == 112  // write add_to_key
    phicache::key().add(matrix());
#elif CASE == 113  // write add_to_key
    phicache::memo memo{[](const tensor& x) { return x.size(); }};
    (void)memo(tensor());
#elif CASE == 114  // use_key_of_or_bytes_of
    (void)cache.memoize<double>(matrix(), [] { return 0.5; });
#elif CASE == 115  // no pointer and no view
    cache.set("key", matrix());
#elif CASE == 116  // write add_to_key(phicache::key&, const T&)
    phicache::memo memo{[](const with_tag& x) { return x.tag; }};
    (void)memo(with_tag());
#elif CASE == 117  // write add_to_key(phicache::key&, const T&)
    phicache::key().add(mode::fast);
#elif CASE == 118  // use_key_of_or_bytes_of
    (void)cache.get(with_tag());
#elif CASE == 120  // in the namespace of T
    cache.set("key", path{1, 2});
#elif CASE == 121  // in the namespace of T
    (void)cache.get<path>("key");
#elif CASE == 122  // in the namespace of T
    phicache::memo memo{[](int) { return table(); }};
    (void)memo(1);
#elif CASE == 123  // in the namespace of T
    (void)cache.memoize<std::vector<label>>("key", [] { return std::vector<label>(1); });
#elif CASE == 124  // use_key_of_or_bytes_of
    (void)cache.get<int>(path{1, 2});
#elif CASE == 125  // write add_to_key
    phicache::key().add(table());
#elif CASE == 126  // write add_to_key
    phicache::memo memo{[](const label& x) { return x.size(); }};
    (void)memo({});
#elif CASE == 127  // write add_to_key
    phicache::memo memo{[](const tagged<int, double>& x) { return x.tag; }};
    (void)memo(1);
#elif CASE == 128  // no pointer and no view
    cache.set("key", std::ref(number));
#elif CASE == 129  // no pointer and no view
    (void)cache.memoize<std::optional<std::reference_wrapper<const int>>>("key", [&] {
        return std::optional(std::ref(number));
    });
#elif CASE == 130  // use_key_of_or_bytes_of
    (void)cache.get<int>(std::vector<std::reference_wrapper<const int>>{number});
#elif CASE == 131  // no pointer and no view
    cache.memoize("key", [] { return std::vector<int>(1).begin(); });
#elif CASE == 132  // no pointer and no view
    cache.set("key", cache.try_get<int>("other"));
#elif CASE == 133  // no pointer and no view
    (void)cache.get<phicache_bytes>("key");
#elif CASE == 134  // in the namespace of T
    (void)cache.get<std::set<int, std::function<bool(int, int)>>>("key");
#elif CASE == 136  // in the namespace of T
    (void)cache.get<std::unordered_map<int, std::string, salted_hash>>("key");
#elif CASE == 137  // in the namespace of T
    cache.set("key", std::unordered_set<int, std::hash<int>, bool (*)(int, int)>());
#elif CASE == 135  // in the namespace of T
    (void)cache.get<std::pair<const int, std::string>>("key");
#elif CASE == 140  // the_name_is_in_the_options
    (void)phicache::dict_cache("name");
#elif CASE == 141  // the_address_is_in_the_configuration
    (void)phicache::redis_cache("redis://localhost");
#elif CASE == 142  // would dangle: name the cache first
    phicache::memo_options options;
    options.store = phicache::dict_cache();
#elif CASE == 143  // the_context_comes_before_the_options
    (void)phicache::disk_cache(phicache::cache_options(), "context");
#elif CASE == 144  // the_directory_is_in_the_configuration
    (void)phicache::disk_cache("context", "/tmp");
#elif CASE == 145  // use_key_of_or_a_vector
    (void)cache.memoize<double>({1.0, 2.0}, [] { return 0.5; });
#elif CASE == 146  // use_key_of_or_a_vector
    cache.set({1, number}, 0.5);
#elif CASE == 147  // set takes a key and a value
    cache.set("key");
#elif CASE == 148  // memoize takes a key and a function
    (void)cache.memoize<int>("key");
#elif CASE == 149  // memoize takes a key and a function
    (void)cache.memoize([] { return 1; });
#elif CASE == 150  // overloaded function
    (void)phicache::memo(overloaded);
#elif CASE == 151  // a memo is made from a function, a memo_options, and a config
    (void)phicache::memo(+[](int n) { return n; }, phicache::memo_options(), "name");
#elif CASE == 154  // overloaded function
    (void)phicache::method("text", overloaded);
#elif CASE == 155  // a method is made from a text, a function, and a method_kind
    (void)phicache::method("text", &analysis::phi, "other text");
#elif CASE == 156  // that of a base class leaves out members of T
    phicache::key().add(colored());
#elif CASE == 157  // that of a base class leaves out members of T
    phicache::memo memo{[](const weighted& p) { return p.x; }};
    (void)memo(weighted());
#elif CASE == 158  // that of a base class leaves out members of T
    phicache::key().add(std::vector<half_done>(1));
#elif CASE == 160  // those of a base class leave out members of T
    cache.set("key", colored());
#elif CASE == 161  // those of a base class leave out members of T
    (void)cache.get<colored>("key");
#elif CASE == 162  // those of a base class leave out members of T
    cache.set("key", weighted());
#elif CASE == 163  // those of a base class leave out members of T
    phicache::memo memo{[](int) { return half_done(); }};
    (void)memo(1);
#elif CASE == 164  // those of a base class leave out members of T
    (void)cache.memoize<std::vector<colored>>("key", [] { return std::vector<colored>(1); });
#elif CASE == 165  // those of a base class leave out members of T
    (void)cache.memoize<weighted>("key", [] { return weighted(); });
#elif CASE == 166  // no pointer and no view
    cache.set("key", [number] { return number; });
#elif CASE == 167  // no pointer and no view
    cache.set("key", [](auto x) { return x; });
#elif CASE == 168  // no pointer and no view
    cache.set("key", std::mem_fn(&analysis::phi));
#elif CASE == 169  // no pointer and no view
    (void)cache.get<int>(phicache::bytes_of([number](std::vector<int>) mutable { return number; }));
#elif CASE == 170  // no pointer and no view
    cache.set("key", &analysis::phi);
#elif CASE == 171  // write add_to_key
    phicache::key().add(&analysis::phi);
#elif CASE == 172  // set takes a key and a value
    cache.set("p", number, 2);
#elif CASE == 173  // get takes one key
    (void)cache.get("p", "q");
#elif CASE == 174  // get takes one key
    (void)cache.try_get<int>("p", "q");
#elif CASE == 175  // memoize takes a key and a function
    (void)cache.memoize<int>("p", "q", [] { return 1; });
#elif CASE == 176  // the call takes the arguments of the function
    const phicache::memo memo{[](int n, const std::string& text) { return n + static_cast<int>(text.size()); }};
    (void)memo("p", number);
#elif CASE == 177  // the call takes the arguments of the function
    const phicache::memo memo{[](const std::vector<double>& x) { return x.size(); }};
    (void)memo.call(number);
#elif CASE == 178  // use_key_of
    (void)cache.get({"p", number, "q"});
#elif CASE == 179  // an_address_is_neither_text_nor_a_range
    (void)cache.get<int>(use);
#elif CASE == 180  // an_address_is_neither_text_nor_a_range
    (void)cache.get<int>(&number);
#elif CASE == 152  // use_key_of
    (void)phicache::key(1, 2);
#elif CASE == 153  // deleted
    (void)phicache::mice_cache();
#elif CASE == 181  // write add_to_key
    phicache::memo memo{[](const table_of_numbers& x) { return x.n_rows; }};
    (void)memo({});
#elif CASE == 182  // write add_to_key
    phicache::key().add(image());
#elif CASE == 183  // write add_to_key
    phicache::memo memo{[](const by_two_indices& x) { return x(0, 1); }};
    (void)memo({});
#elif CASE == 159  // write add_to_key
    phicache::key().add(by_row());
#elif CASE == 184  // use_key_of_or_bytes_of
    (void)cache.memoize<double>(by_row(), [] { return 0.5; });
#elif CASE == 185  // in the namespace of T
    (void)cache.get<by_two_indices>("key");
#elif CASE == 186  // views only of constants
    phicache::memo memo{[](phicache::span<double> x) { return x[0] = 1; }};
    (void)memo(std::vector<double>(1));
#elif CASE == 187  // views only of constants
    phicache::method method{"phi", [](analysis&, phicache::span<int> x) { return x[0] = 1; }};
#elif CASE == 188  // use_key_of
    (void)cache.memoize<double>({std::string("iron"), number}, [] { return 0.5; });
#elif CASE == 189  // use_key_of
    (void)cache.memoize<double>({0.5, number}, [] { return 0.5; });
#elif CASE == 190  // use_key_of
    (void)cache.get<double>({"iron", "gold", number});
#elif CASE == 191  // use_key_of
    cache.set({std::vector<double>{1}, number}, 0.5);
#elif CASE == 192  // use_key_of
    (void)cache.get({no_element(), "iron"});
#elif CASE == 193  // does not return a value
    struct constant {
        const int n = 3;
    };
    phicache::memo memo{[](int) { return std::optional<constant>(constant{}); }};
    (void)memo(1);
#elif CASE == 194  // use_node_set_from_mask
    (void)phicache::fingerprint::of_network(std::vector<double>{0, 1}, std::vector<std::uint64_t>{1}, "context");
#elif CASE == 195  // use_node_set_from_mask
    (void)phicache::cut::from_masks(std::vector<std::uint64_t>{2, 0});
#elif CASE == 196  // use_node_set_from_mask
    (void)phicache::subsystem(phicache::fingerprint(), {1}, {0}, std::vector<std::vector<int>>{{0}});
#elif CASE == 230  // a std::chrono::duration, as in
    cache.set_with_cost("key", number, 5);
#elif CASE == 231  // a std::chrono::duration, as in
    (void)cache.view().try_set_with_cost("key", number);
#elif CASE == 232  // one_in_each_call
    phicache::key().add(number, 2);
#elif CASE == 233  // one_in_each_call
    phicache::key().add();
#elif CASE == 234  // a_value_is_in_the_payload_of_a_mice
    mice.set("key", number);
#elif CASE == 235  // memoize takes a key and a function
    (void)cache.memoize<int>("key", number);
#elif CASE == 236  // memoize takes a key and a function
    (void)cache.memoize("key", "value");
#elif CASE == 237  // limits_are_in_the_options
    (void)phicache::dict_cache(1 << 20);
#elif CASE == 238  // limits_are_in_the_options
    (void)phicache::disk_cache("context", 1 << 20);
#elif CASE == 239  // limits_are_in_the_options
    (void)phicache::redis_cache(1e9);
#elif CASE == 257  // limits_are_in_the_options
    (void)phicache::purview_cache(1 << 20);
#elif CASE == 258  // write add_to_key
    phicache::key().add(visited_more());
#elif CASE == 259  // deleted
    const phicache::memo memo{[](int n) { return n; }};
    phicache::memo copy = memo;
#elif CASE == 260  // tpm_is_one_range_of_doubles
    const std::vector<std::vector<double>> rows(2, std::vector<double>(1));
    (void)phicache::fingerprint::of_network(rows, std::vector<phicache::node_set>(1), "context");
#elif CASE == 261  // tpm_is_one_range_of_doubles
    (void)phicache::fingerprint::of_network(std::vector<int>{0, 1}, std::vector<phicache::node_set>(1), "context");
#elif CASE == 262  // the context is missing
    (void)phicache::fingerprint::of_network(std::vector<double>{0, 1}, std::vector<phicache::node_set>(1));
#elif CASE == 263  // it needs a network
    phicache::subsystem system;
#elif CASE == 264  // made by one of the functions below
    (void)phicache::cut();
#elif CASE == 265  // grants it
    phicache::lease lease;
#elif CASE == 266  // deleted
    phicache::lease copy = cache.view().begin("key").lease;
    phicache::lease second = copy;
#elif CASE == 267  // the_parent_comes_before_the_options
    phicache::mice_cache child(phicache::subsystem(phicache::fingerprint(), {1}, {0}), phicache::cache_options{});
#elif CASE == 268  // it_needs_a_subsystem
    phicache::mice_cache child("name");
#elif CASE == 269  // one_piece_is_a_key_by_itself
    phicache::key_bytes bytes("iron");
#elif CASE == 270  // use_key_of
    phicache::key_bytes bytes(1, 2.5);
#elif CASE == 271  // it_needs_the_fingerprint_of_a_network
    (void)phicache::subsystem("network", {1}, {0});
#elif CASE == 272  // use_node_set_of_indices_or_from_mask
    (void)phicache::subsystem(phicache::fingerprint(), {1}, number);
#elif CASE == 273  // use_node_set_of_indices_or_from_mask
    (void)phicache::subsystem(phicache::fingerprint(), {1}, std::vector<int>{0});
#elif CASE == 274  // memoize_takes_a_key_and_a_function
    (void)cache.memoize<int>({"iron", "gold"}, number);
#elif CASE == 275  // memoize_takes_a_key_and_a_function
    (void)mice.memoize("key", number);
#elif CASE == 276  // one_in_each_call
    phicache::key().add_named("name");
#elif CASE == 277  // one_in_each_call
    phicache::key().add_keyword("name", number, 2);
#elif CASE == 278  // a_value_is_in_the_payload_of_a_mice
    mice.set("key", {}, 0.5);
#elif CASE == 279  // limits_are_in_the_options
    (void)phicache::mice_cache(1 << 20);
#elif CASE == 280  // limits_are_in_the_options
    const phicache::subsystem* system = nullptr;
    (void)phicache::mice_cache(*system, 1 << 20);
#elif CASE == 281  // limits_are_in_the_options
    (void)phicache::dict_cache::try_make(1 << 20);
#elif CASE == 282  // limits_are_in_the_options
    (void)phicache::dict_cache(phicache::cache_options{}, 1 << 20);
#elif CASE == 283  // limits_are_in_the_options
    (void)phicache::disk_cache::try_make("context", 1 << 20);
#elif CASE == 284  // a value is read as an object
    (void)cache.get<double&>("key");
#elif CASE == 285  // a value is read as an object
    (void)cache.try_get<void>("key");
#elif CASE == 286  // settings_have_functions
    const phicache::config settings("redis://localhost");
#elif CASE == 287  // returns another type than the T of memoize<T>
    (void)cache.memoize<double>("key", [] { return std::vector<double>{1, 2}; });
#elif CASE == 288  // returns another type than the T of memoize<T>
    (void)cache.try_memoize<char>({"iron", "gold"}, [] { return std::string("text"); });
#elif CASE == 289  // returns another type than the T of memoize<T>
    (void)cache.memoize<std::array<int, 2>>("key", [] { return std::array<int, 3>{}; });
#elif CASE == 290  // returns another type than the T of memoize<T>
    (void)cache.memoize<double>("key", [] { return std::uint8_t(1); });
#elif CASE == 291  // the function does not return a value
    (void)cache.memoize<int>("key", [&number] { return &number; });
#elif CASE == 292  // a_direction_a_node_set_and_a_list
    purviews.set(1, 2, 3);
#elif CASE == 293  // a_direction_a_node_set_and_a_list
    (void)purviews.try_set(cause, number, std::vector<phicache::node_set>(1));
#elif CASE == 294  // a_direction_a_node_set_and_a_list
    purviews.set(cause, {0}, number);
#elif CASE == 295  // a_direction_a_node_set_and_a_list
    purviews.set(cause, {0});
#elif CASE == 296  // a_direction_and_a_node_set
    (void)purviews.get(number, 2);
#elif CASE == 297  // a_direction_and_a_node_set
    (void)purviews.try_get("key");
#elif CASE == 298  // a_direction_a_node_set_and_a_function
    (void)purviews.memoize("key", [] { return std::vector<phicache::node_set>(); });
#elif CASE == 299  // a_direction_a_node_set_and_a_function
    (void)purviews.try_memoize(number, 2, [] { return std::vector<phicache::node_set>(); });
#elif CASE == 300  // set_takes_a_key_and_a_mice
    mice.set("key");
#elif CASE == 301  // try_set_takes_a_key_and_a_mice
    (void)mice.try_set("key", 0.5, 1, 2);
#elif CASE == 302  // a text that tells the methods of one cache apart
    phicache::method method(&analysis::phi, "phi");
#elif CASE == 303  // a text that tells the methods of one cache apart
    phicache::method method(number, &analysis::phi);
#elif CASE == 304  // use_key_of
    cache.set_with_cost({"iron", "gold"}, 1, std::chrono::seconds(5));
#elif CASE == 305  // write add_to_key
    (void)phicache::key::of(labelled{});
#elif CASE == 306  // write add_to_key
    (void)phicache::memo{[](const labelled&) { return 1; }};
#elif CASE == 310  // also those that have a default
    (void)phicache::memo{with_default}(0.5);
#elif CASE == 311  // also those that have a default
    analysis object{};
    (void)phicache::method("shifted", &analysis::shifted)(cache, object, number);
#elif CASE == 330  // a value is read as an object
    cache.memoize<void>("key", [] { return 1; });
#elif CASE == 331  // a value is read as an object
    (void)cache.try_memoize<double&>("key", [] { return 1; });
#elif CASE == 332  // a value is read as an object
    cache.memoize<void>({"iron", "gold"}, [] { return 1; });
#elif CASE == 333  // a value is read as an object
    (void)cache.try_memoize<void>({"iron", "gold"}, [] { return 1; });
#elif CASE == 334  // the call takes the arguments of the function
    (void)phicache::memo{[](int n, int m) { return n + m; }}({1, 2}, 3);
#elif CASE == 335  // the call takes the arguments of the function
    (void)phicache::memo{[](const std::vector<double>& p) { return p[0]; }}({1, 2}, 3);
#elif CASE == 336  // the call takes the arguments of operator
    (void)phicache::memo{[](int n) { return n; }}.call({1, 2});
#elif CASE == 337  // the call takes a cache, the object, and the arguments of the function
    (void)phicache::method("m", [](const int& object, int n) { return object + n; })(cache, number, {1, 2});
#elif CASE == 50  // deleted
    (void)phicache::memo{[](int n) { return n; }}.call_pinned(1).view<int>();
#endif
}
