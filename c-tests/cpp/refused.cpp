/// refused.cpp: code that must not compile. Each case is one mistake, with a part of the expected message.
#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <phicache.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

struct owns_memory {
    std::string text;
};
struct no_element {};
struct analysis {
    phicache::dict_cache cache;
    int count;
    int phi(int n) { return n; }
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

/// An add_to_key that takes no constant object is not called.
struct tagged : std::vector<double> {
    int tag = 0;
};
[[maybe_unused]] static void add_to_key(phicache::key& key, tagged& x) { key.add(x.tag); }
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
#elif CASE == 37  // span<const
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
#elif CASE == 48  // deleted
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
#elif CASE == 67  // or T is no value
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
#elif CASE == 98  // the context comes before the options
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
    phicache::memo memo{[](const tagged& x) { return x.tag; }};
    (void)memo(tagged());
#elif CASE == 117  // write add_to_key(phicache::key&, const T&)
    phicache::key().add(mode::fast);
#elif CASE == 118  // use_key_of_or_bytes_of
    (void)cache.get(tagged());
#elif CASE == 50  // deleted
    (void)phicache::memo{[](int n) { return n; }}.call_pinned(1).view<int>();
#endif
}
