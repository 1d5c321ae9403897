/// test_keys.cpp: key builders, the standard keys and fingerprints: the same bytes as in all other languages.
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <list>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "check.hpp"

using phicache::bytes;
using phicache::direction;
using phicache::key;
using phicache::key_bytes;
using phicache::node_set;
using phicache::status;
using phicache::typing;

namespace library {

/// A type of the user with its own encoding.
struct partition {
    std::vector<node_set> parts;
    bool ordered;
};
void add_to_key(key& to, const partition& from) {
    if (from.ordered) {
        to.add(from.parts);
    } else {
        to.begin_set();
        for (node_set part : from.parts) to.add(part);
        to.end_set();
    }
}

/// A type that adds as many elements as it has.
struct numbers {
    std::vector<int> all;
    friend bool operator<(const numbers& a, const numbers& b) { return a.all < b.all; }
};
void add_to_key(key& to, const numbers& from) {
    for (int number : from.all) to.add(number);
}

/// For structured bindings: a tuple of its coordinates.
struct point {
    double x, y;
};
template <std::size_t At>
const double& get(const point& from) {
    return At == 0 ? from.x : from.y;
}

/// An enum with a named encoding.
enum class color { red = 1 };
void add_to_key(key& to, color from) { to.add_named("color", static_cast<int>(from)); }

/// A base class, of which one derived class has no more members, and another an encoding of its own.
struct node {
    std::string name;
};
void add_to_key(key& to, const node& from) { to.add(from.name); }
struct renamed : node {};
struct placed : node {
    int at = 0;
    friend void add_to_key(key& to, const placed& from) { to.add(from.name).add(from.at); }
};
/// One function for a base class and all that are derived from it.
struct shape {
    virtual ~shape() = default;
    virtual int size() const = 0;
};
template <class Shape, std::enable_if_t<std::is_base_of_v<shape, Shape>, int> = 0>
void add_to_key(key& to, const Shape& from) {
    to.add(from.size());
}
struct circle : shape {
    int radius = 2;
    int size() const override { return radius; }
};

}  // namespace library

template <>
struct std::tuple_size<library::point> : std::integral_constant<std::size_t, 2> {};
template <std::size_t At>
struct std::tuple_element<At, library::point> {
    using type = double;
};

/// Its base class is in another namespace.
struct farther : library::node {};

namespace {

enum class measure : std::uint8_t { l1 = 3 };

std::string from_hex(const std::string& digits) {
    std::string decoded;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        decoded += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
    return decoded;
}

void perform(key& to, const std::string& operation) {
    const std::size_t colon = operation.find(':');
    const std::string name = operation.substr(0, colon);
    const std::string word = colon == std::string::npos ? "" : operation.substr(colon + 1);
    const auto number = [&] { return static_cast<std::uint64_t>(std::stoull(word, nullptr, 16)); };
    if (name == "none") to.add(nullptr);
    else if (name == "bool") to.add(word == "1");
    else if (name == "int") to.add(static_cast<std::int64_t>(std::stoll(word)));
    else if (name == "uint") to.add(static_cast<std::uint64_t>(std::stoull(word)));
    else if (name == "double") {
        const std::uint64_t bits = number();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        to.add(value);
    }
    else if (name == "bytes") to.add(bytes(from_hex(word)));
    else if (name == "string") to.add(from_hex(word));
    else if (name == "direction") to.add(static_cast<direction>(std::stoi(word)));
    else if (name == "nodes") to.add(node_set::from_mask(number()));
    else if (name == "kw") to.keyword(from_hex(word));
    else if (name == "(") to.begin_tuple();
    else if (name == ")") to.end_tuple();
    else if (name == "{") to.begin_set();
    else if (name == "}") to.end_set();
    else if (name == "doubles") {
        std::vector<double> values;
        std::istringstream list(word);
        for (std::string digits; std::getline(list, digits, ',');) {
            const std::uint64_t bits = std::stoull(digits, nullptr, 16);
            values.push_back(0);
            std::memcpy(&values.back(), &bits, sizeof bits);
        }
        to.add(values);
    }
    else if (name == "<") to.begin_named(from_hex(word));
    else if (name == ">") to.end_named();
    else CHECK_TEXT(operation.c_str(), "an operation of key_vectors.txt");
}

void the_test_vectors_agree() {
    std::ifstream file(PHICACHE_SOURCE_DIR "/c-tests/data/key_vectors.txt");
    key built;
    int vectors = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        std::string kind, expected, operation;
        words >> kind >> expected;
        built.reset();
        while (words >> operation) perform(built, operation);
        const std::string wanted = from_hex(expected);
        const bytes encoded = built.encode(kind == "typed" ? typing::typed : typing::untyped);
        if (!CHECK_BYTES(encoded.data(), encoded.size(), wanted.data(), wanted.size()))
            std::fprintf(stderr, "    in: %s\n", line.c_str());
        ++vectors;
    }
    CHECK(vectors > 100);
}

/// Two ways of adding the same arguments make the same key.
template <class Build>
void check_same(int line, key&& by_type, Build&& by_hand) {
    key built;
    by_hand(built);
    const bytes a = by_type.encode(), b = built.encode();
    if (!CHECK_BYTES(a.data(), a.size(), b.data(), b.size()))
        std::fprintf(stderr, "    in the check of line %d\n", line);
    const bytes typed_a = by_type.encode(typing::typed), typed_b = built.encode(typing::typed);
    if (!CHECK(typed_a == typed_b)) std::fprintf(stderr, "    in the check of line %d\n", line);
}
#define CHECK_SAME(by_type, ...) check_same(__LINE__, (by_type), [](key & k) { k __VA_ARGS__; })

void every_type_has_its_element() {
    CHECK_SAME(key::of(std::nullopt), .add(nullptr));
    CHECK_SAME(key::of(short{-3}, char{3}, 3u), .add(std::int64_t{-3}).add(std::int64_t{3}).add(std::uint64_t{3}));
    CHECK_SAME(key::of(measure::l1), .add(std::uint64_t{3}));
    CHECK_SAME(key::of(0.5f), .add(0.5));
    CHECK_SAME(key::of("text"), .add(std::string("text")));
    const char *text = "text", *none = nullptr;
    CHECK(key::of(text, none).encode() == key::of("text", nullptr).encode());
    CHECK_SAME(key::of(std::string_view("text")), .add("text"));
    CHECK_SAME(key::of(std::optional<int>(), std::optional<int>(4)), .add(nullptr).add(4));
    CHECK_SAME(key::of(std::make_tuple(1, "a", 0.5)), .begin_tuple().add(1).add("a").add(0.5).end_tuple());
    CHECK_SAME(key::of(std::make_pair(1, 2)), .begin_tuple().add(1).add(2).end_tuple());
    CHECK_SAME(key::of(std::tuple<>()), .begin_tuple().end_tuple());
    CHECK_SAME(key::of(library::point{1, 2}), .begin_tuple().add(1.0).add(2.0).end_tuple());
    const double pair[] = {1, 2};
    CHECK_SAME(key::of(std::vector<double>{1, 2}), .add(phicache::span<const double>({1, 2})));
    CHECK_SAME(key::of(std::array<double, 2>{1, 2}), .add(std::vector<double>{1, 2}));
    CHECK(key::of(pair).encode() == key::of(std::vector<double>{1, 2}).encode());
    CHECK(key::of(std::vector<double>{1, 2}).encode() != key::of(std::make_tuple(1.0, 2.0)).encode());
    CHECK(key::of(std::vector<double>{1, 2}).encode() != key::of(std::list<double>{1, 2}).encode());
    CHECK_SAME(key::of(std::vector<float>{1, 2}), .begin_tuple().add(1.0).add(2.0).end_tuple());
    CHECK_SAME(key::of(library::color::red), .begin_named("color").add(1).end_named());
    CHECK_SAME(key::of(std::vector<library::color>{library::color::red}),
               .begin_tuple().add_named("color", 1).end_tuple());
    CHECK_SAME(key::of(std::array<int, 2>{1, 2}, std::list<int>{3}),
               .begin_tuple().add(1).add(2).end_tuple().begin_tuple().add(3).end_tuple());
    using no_doubles = std::array<double, 0>;
    using no_integers = std::array<int, 0>;
    CHECK_SAME(key::of(no_doubles(), no_integers()), .add(std::vector<double>()).begin_tuple().end_tuple());
    CHECK_SAME(key::of(std::make_tuple(no_integers(), 1)), .begin_tuple().begin_tuple().end_tuple().add(1).end_tuple());
    CHECK_SAME(key::of(std::vector<bool>{true, false}), .begin_tuple().add(true).add(false).end_tuple());
    CHECK_SAME(key::of(std::set<int>{2, 1}), .begin_set().add(2).add(1).end_set());
    CHECK_SAME(key::of(std::unordered_set<std::string>{"b", "a"}), .begin_set().add("a").add("b").end_set());
    // A map in order is a tuple of pairs, a hashed one a set of them; what may hold an element twice is a tuple.
    using one = std::pair<int, int>;
    using ordered = std::map<int, int>;
    using hashed = std::unordered_map<int, int>;
    CHECK_SAME(key::of(ordered{{2, 3}, {1, 5}}), .begin_tuple().add(one(1, 5)).add(one(2, 3)).end_tuple());
    CHECK_SAME(key::of(hashed{{2, 3}, {1, 5}}), .begin_set().add(one(1, 5)).add(one(2, 3)).end_set());
    CHECK_SAME(key::of(std::multiset<int>{2, 1, 1}), .begin_tuple().add(1).add(1).add(2).end_tuple());
    CHECK_SAME(key::of(std::vector<std::vector<node_set>>{{{0}, {1}}, {}}), .begin_tuple()
                                                                                .begin_tuple()
                                                                                .add(node_set{0})
                                                                                .add(node_set{1})
                                                                                .end_tuple()
                                                                                .begin_tuple()
                                                                                .end_tuple()
                                                                                .end_tuple());
    CHECK_SAME(key::of(library::partition{{{0}, {1}}, true}),
               .begin_tuple().begin_tuple().add(node_set{0}).add(node_set{1}).end_tuple().end_tuple());
    CHECK_SAME(key::of(std::vector<library::partition>{{{{1}, {0}}, false}}),
               .begin_tuple()
                   .begin_tuple().begin_set().add(node_set{0}).add(node_set{1}).end_set().end_tuple()
                   .end_tuple());
    CHECK_SAME(key::of(library::color::red), .add_named("color", 1));
}

void the_elements_of_an_object_do_not_run_into_those_of_the_next() {
    using library::numbers;
    CHECK(key::of(numbers{{1}}, numbers{{2, 3}}).encode() != key::of(numbers{{1, 2}}, numbers{{3}}).encode());
    CHECK(key::of(numbers{{}}, 1).encode() != key::of(numbers{{1}}).encode());
    CHECK_SAME(key::of(numbers{{1, 2}}), .begin_tuple().add(1).add(2).end_tuple());
    CHECK_SAME(key::of(std::set<numbers>{{{1, 2}}, {{3, 4}}}), .begin_set()
                                                                   .begin_tuple().add(3).add(4).end_tuple()
                                                                   .begin_tuple().add(1).add(2).end_tuple()
                                                                   .end_set());
}

/// The bytes of the same keys in Julia are in julia/PhiCache/test/keys.jl.
/// As a vector of a library for linear algebra: it has a number of rows, and a real part that has one too.
struct column : std::vector<double> {
    enum { IsVectorAtCompileTime = 1, InnerStrideAtCompileTime = 1 };
    using vector::vector;
    std::size_t rows() const { return size(); }
    std::size_t cols() const { return 1; }
    const column& real() const { return *this; }
    column imag() const { return {}; }
    [[maybe_unused]] friend column operator+(const column& a, const column&) { return a; }
};
/// As a column of Armadillo, which is a matrix too.
struct one_column : std::vector<double> {
    using vector::vector;
    static constexpr bool is_col = true, is_row = false;
    std::size_t n_rows() const { return size(); }
    double operator()(std::size_t row, std::size_t) const { return at(row); }
};
void a_full_array_of_characters_ends_without_a_nul() {
    const struct {
        char symbol[2], next[2];
    } iron{{'F', 'e'}, {'A', '\0'}};
    CHECK(key::of(iron.symbol).encode() == key::of("Fe").encode());
    CHECK(key::of(iron.next).encode() == key::of("A").encode());
    CHECK(bytes(iron.symbol) == bytes("Fe"));
    CHECK(bytes(iron.next) == bytes("A"));
    char buffer[8] = "Fe";
    CHECK(bytes(buffer) == bytes("Fe"));
}

void an_array_of_characters_is_text_and_a_span_of_it_all_characters() {
    const char states[] = {0, 1, 0, 1};
    CHECK(bytes(states).empty());
    CHECK_INT(bytes(phicache::span<const char>(states)).size(), 4);
    CHECK_INT(bytes(std::array<char, 4>{0, 1, 0, 1}).size(), 4);
    const char others[] = {0, 0, 1, 1};
    CHECK(key::of(phicache::span<const char>(states)).encode() != key::of(phicache::span<const char>(others)).encode());
}

void a_text_is_not_cut_at_a_nul_and_is_no_null_pointer() {
    const std::string text("a\0b", 3);
    CHECK(key::of(text).encode() != key::of("a").encode());
    CHECK_MESSAGE("contains a NUL", key().add_named(text, 1).encode());
    CHECK_MESSAGE("contains a NUL", key().add_keyword(text, 1).encode());
    const phicache::fingerprint one(phicache_fingerprint{{1}});
    CHECK_MESSAGE("contains a NUL", phicache::dict_cache::shared(one, text));
    phicache::cache_options options;
    options.name = text;
    CHECK_MESSAGE("contains a NUL", phicache::dict_cache(options));
    options.name = nullptr;
    CHECK_MESSAGE("is a null pointer", phicache::dict_cache(options));
}

void a_vector_of_a_library_is_an_array_of_doubles() {
    const column vector{1, 2.5};
    CHECK(key::of(vector).encode() == key::of(std::vector<double>{1, 2.5}).encode());
    CHECK(key::of(one_column{1, 2.5}).encode() == key::of(vector).encode());
    const phicache::memo<double(const column&)> memo([](const column& x) { return x[1]; });
    CHECK_NEAR(memo(vector), 2.5, 0);
    const phicache::dict_cache cache;
    CHECK(cache.set(vector, 1).stored());
    CHECK(cache.contains(std::vector<double>{1, 2.5}));
}

void numbers_of_the_standard_library_have_the_keys_of_julia() {
    const auto check = [](const key& made, const std::string& expected) {
        const bytes encoded = made.encode();
        const std::string wanted = from_hex(expected);
        CHECK_BYTES(encoded.data(), encoded.size(), wanted.data(), wanted.size());
    };
    check(key::of(std::complex<double>(1, 2.5)),
          "a10e10000000436f6d706c65787b466c6f617436347d0a02000000030100000000000000050000000000000440");
    check(key::of(std::complex<float>(1, 2)),
          "a10e10000000436f6d706c65787b466c6f617433327d0a02000000030100000000000000030200000000000000");
    check(key::of(std::vector<std::complex<double>>{{1, 2.5}}),
          "a10a010000000e10000000436f6d706c65787b466c6f617436347d0a02000000030100000000000000050000000000000440");
    check(key::of(std::bitset<2>(1)), "a10a02000000030100000000000000030000000000000000");
    check(key::of(std::chrono::seconds(1)), "a10e0c00000044617465732e5365636f6e640a01000000030100000000000000");
    using namespace std::chrono_literals;
    using days = std::chrono::duration<int, std::ratio<86400>>;
    using weeks = std::chrono::duration<int, std::ratio_multiply<std::ratio<7>, days::period>>;
    CHECK_SAME(key::of(2ns), .add_named("Dates.Nanosecond", std::make_tuple(2)));
    CHECK_SAME(key::of(2us), .add_named("Dates.Microsecond", std::make_tuple(2)));
    CHECK_SAME(key::of(2ms), .add_named("Dates.Millisecond", std::make_tuple(2)));
    CHECK_SAME(key::of(2min), .add_named("Dates.Minute", std::make_tuple(2)));
    CHECK_SAME(key::of(2h), .add_named("Dates.Hour", std::make_tuple(2)));
    CHECK_SAME(key::of(days(2)), .add_named("Dates.Day", std::make_tuple(2)));
    CHECK_SAME(key::of(weeks(2)), .add_named("Dates.Week", std::make_tuple(2)));
    const phicache::memo memo{[](std::chrono::milliseconds time, std::complex<double> z) {
        return z * std::chrono::duration<double>(time).count();
    }};
    CHECK(memo(500ms, {1, 2}) == std::complex<double>(0.5, 1));
    CHECK(memo(250ms, {1, 2}) == std::complex<double>(0.25, 0.5));
}

/// Its alternatives may have equal elements: these differ by the index.
void a_variant_is_its_index_and_its_alternative() {
    using variant = std::variant<std::monostate, int, double, std::vector<std::string>>;
    CHECK_SAME(key::of(variant()), .begin_tuple().add(0).add(nullptr).end_tuple());
    CHECK_SAME(key::of(variant(3)), .begin_tuple().add(1).add(3).end_tuple());
    CHECK_SAME(key::of(variant(3.0)), .begin_tuple().add(2).add(3.0).end_tuple());
    CHECK_SAME(key::of(variant(std::vector<std::string>{"a"})),
               .begin_tuple().add(3).begin_tuple().add("a").end_tuple().end_tuple());
    CHECK(key::of(variant(3)).encode() != key::of(variant(3.0)).encode());
    const phicache::memo memo{[](const variant& x) { return static_cast<int>(x.index()); }};
    CHECK_INT(memo(3), 1);
    CHECK_INT(memo(3.0), 2);
}

void an_optional_that_holds_an_empty_one_is_not_empty() {
    using inner = std::optional<int>;
    using outer = std::optional<inner>;
    CHECK_SAME(key::of(outer()), .add(nullptr));
    CHECK_SAME(key::of(outer(inner())), .begin_tuple().add(nullptr).end_tuple());
    CHECK_SAME(key::of(outer(3)), .begin_tuple().add(3).end_tuple());
    // Not the key of an optional that holds a tuple of nothing but none.
    using deep = std::optional<std::optional<std::vector<inner>>>;
    CHECK(key::of(deep(std::vector<inner>(1))).encode() != key::of(deep(std::in_place)).encode());
    const char* none = nullptr;
    CHECK_SAME(key::of(std::optional<const char*>()), .add(nullptr));
    CHECK_SAME(key::of(std::optional<const char*>(none)), .begin_tuple().add(nullptr).end_tuple());
    CHECK_SAME(key::of(std::optional<const char*>("text")), .add("text"));
    const phicache::memo holds{[](const outer& x) { return x.has_value(); }};
    CHECK(!holds({}));
    CHECK(holds(outer(inner())));
    const phicache::memo is_set{[](std::optional<std::nullptr_t> x) { return x.has_value(); }};
    CHECK(!is_set({}));
    CHECK(is_set(nullptr));
}

void a_named_type_is_told_from_its_element_and_from_other_types() {
    CHECK(key::of(library::color::red).encode() != key::of(1).encode());
    CHECK(key().add_named("color", 1).encode() != key().add_named("colour", 1).encode());
    CHECK(key().add_named("point", std::make_tuple(1, 2)).encode() != key::of(std::make_tuple(1, 2)).encode());
    CHECK_ERROR(status::error_invalid_argument, key().begin_named("color").end_named().encode());
    CHECK_ERROR(status::error_invalid_argument, key().begin_named("color").add(1).add(2).end_named().encode());
    CHECK_ERROR(status::error_invalid_argument, key().begin_named("color").add(1).encode());
}

/// The parts are joined in C, where short keys and long ones take different ways.
void parts_in_a_call_are_the_same_key() {
    using doubles = std::vector<double>;
    const doubles two{1, 2};
    for (const std::size_t count : {0u, 1u, 4u, 40u, 63u, 64u, 1000u}) {
        const doubles p(count, 0.5), q(count / 2, 0.25);
        phicache::dict_cache cache;
        int calls = 0;
        const auto compute = [&] { return ++calls, 2.0; };
        CHECK(cache.memoize<double>({p, q}, compute) == 2.0);
        CHECK(cache.memoize<double>({p, q}, compute) == 2.0);
        CHECK(cache.memoize({p, q}, compute).as<double>() == 2.0);
        CHECK(*cache.try_memoize<double>({p, q}, compute) == 2.0);
        CHECK(cache.try_memoize({p, q}, compute)->as<double>() == 2.0);
        CHECK(cache.get<double>({p, q}) == 2.0);
        CHECK(*cache.try_get<double>({p, q}) == 2.0);
        CHECK(cache.get({p, q})->as<double>() == 2.0);
        CHECK(cache.try_get({p, q}).value()->as<double>() == 2.0);
        CHECK(cache.get<double>(key_bytes::of(p, q)) == 2.0);
        CHECK_INT(calls, 1);
        CHECK(cache.set({"distance", p, q}, 3.0).stored());
        CHECK(cache.get<double>(key_bytes::of("distance", p, q)) == 3.0);
        CHECK(cache.view().set({"a", "b", "c", "d", "e", p}, two).stored());
        CHECK(cache.get<doubles>({"a", "b", "c", "d", "e", p}).value() == two);
        CHECK(!cache.get<doubles>({"a", "b", "c", "d", "e"}));
        CHECK_UINT(cache.size(), 3);
    }
    phicache::dict_cache cache;
    cache.set({doubles{1}, doubles{2, 3}}, 0.5);
    CHECK(!cache.get<double>({doubles{1, 2}, doubles{3}}));
    CHECK(!cache.get({doubles{1, 2}, doubles{3}}));
    CHECK_ERROR(status::error_invalid_argument, cache.get<int>({doubles{1}, doubles{2, 3}}));
    CHECK(cache.try_get<doubles>({doubles{1}, doubles{2, 3}}).value()->size() == 1);
    phicache::dict_cache elsewhere = std::move(cache);
    CHECK_ERROR(status::error_invalid_argument, cache.get({"a", "b"}));
    CHECK_ERROR(status::error_invalid_argument, cache.memoize<int>({"a", "b"}, [] { return 1; }));
    try {
        elsewhere.memoize<int>({"a", "b"}, []() -> int { throw 7; });
        CHECK_HAS_THROWN();
    } catch (int thrown) {
        CHECK_INT(thrown, 7);
    }
}

void keys_of_several_parts_keep_the_parts_apart() {
    using doubles = std::vector<double>;
    CHECK(bytes(key_bytes::of(doubles{1}, doubles{2, 3})) != bytes(key_bytes::of(doubles{1, 2}, doubles{3})));
    CHECK(bytes(key_bytes{doubles{1}, doubles{2, 3}}) == bytes(key_bytes::of(doubles{1}, doubles{2, 3})));
    // Short texts in up to four parts; all are different.
    const std::vector<std::string> texts{"", "a", "aa", std::string(1, '\0'), std::string("\1\0\0\0", 4),
                                         std::string(4, '\0'), std::string(8, '\0')};
    std::set<std::string> seen;
    std::size_t made = 0;
    const auto note = [&](const key_bytes& key) {
        seen.insert(std::string(reinterpret_cast<const char*>(key.data()), key.size()));
        ++made;
    };
    note(key_bytes::of());
    for (const auto& a : texts) {
        note(key_bytes::of(a));
        for (const auto& b : texts) {
            note(key_bytes::of(a, b));
            for (const auto& c : texts) {
                note(key_bytes::of(a, b, c));
                for (const auto& d : texts) note(key_bytes::of(a, b, c, d));
            }
        }
    }
    CHECK_UINT(seen.size(), made);
    // As docs/keys.md says.
    CHECK(bytes(key_bytes::of("ab", "c")) == bytes(std::string("abc\2\0\0\0\1\0\0\0", 11)));
    CHECK_UINT(key_bytes::of(doubles(1000), "x").size(), 8000 + 1 + 8);
    phicache::dict_cache cache;
    cache.set(key_bytes::of(doubles{1}, doubles{2, 3}), 0.5);
    CHECK(!cache.contains(key_bytes::of(doubles{1, 2}, doubles{3})));
    CHECK(cache.get<double>(key_bytes::of(doubles{1}, doubles{2, 3})) == 0.5);
}

void different_types_of_one_value_differ_where_they_should() {
    CHECK(key::of(3).encode() == key::of(3.0).encode());
    CHECK(key::of(true).encode() == key::of(1).encode());
    CHECK(key::of(3).encode(typing::typed) != key::of(3.0).encode(typing::typed));
    CHECK(key::of(true).encode(typing::typed) != key::of(1).encode(typing::typed));
    CHECK(key::of("3").encode() != key::of(3).encode());
    CHECK(key::of("ab").encode() != key::of(bytes("ab")).encode());
    CHECK(key::of(node_set{0}).encode() != key::of(1).encode());
    CHECK(key::of(direction::cause).encode() != key::of(0).encode());
    CHECK(key::of(std::make_tuple(1, 2), 3).encode() != key::of(1, std::make_tuple(2, 3)).encode());
    CHECK(key::of(-0.0).encode() == key::of(0.0).encode());
    CHECK(key::of(std::numeric_limits<std::int64_t>::max()).encode() != key::of(9223372036854775807.0).encode());
}

void keyword_arguments_have_no_order() {
    CHECK(key::of(1).add_keyword("a", 2).add_keyword("b", 3).encode() ==
          key::of(1).add_keyword("b", 3).add_keyword("a", 2).encode());
    CHECK(key::of(1).add_keyword("a", 2).encode() != key::of(1).add_keyword("b", 2).encode());
    CHECK(key::of(1).add_keyword("a", 2).encode() != key::of(1, 2).encode());
}

void a_builder_is_reused() {
    key built;
    for (int i = 0; i < 100; ++i) {
        built.reset().add(i).add("text");
        CHECK(built.encode() == key::of(i, "text").encode());
    }
}

void a_bad_element_fails_the_key_until_reset() {
    key built;
    built.add(1).add(std::string("\xff")).add(2);
    CHECK(built.check().code() == status::error_invalid_argument);
    CHECK(built.try_encode().code() == status::error_invalid_argument);
    CHECK_CONTAINS(built.try_encode().error().what(), "UTF-8");
    CHECK_ERROR(status::error_invalid_argument, built.encode());
    phicache::dict_cache cache;
    CHECK_ERROR(status::error_invalid_argument, cache.get(built));
    CHECK_ERROR(status::error_invalid_argument, cache.key_of(built));
    CHECK(built.reset().add(1).encode() == key::of(1).encode());
    CHECK(built.check().has_value());
    CHECK_CONTAINS(key().add("\xff").end_tuple().try_encode().error().what(), "UTF-8");
    CHECK_ERROR(status::error_invalid_argument, key().end_tuple().encode());
    CHECK_ERROR(status::error_invalid_argument, key().begin_tuple().encode());
    CHECK_ERROR(status::error_invalid_argument, key().begin_set().end_tuple().encode());
    CHECK_ERROR(status::error_invalid_argument, key().keyword("a").encode());
    CHECK_ERROR(status::error_invalid_argument, key().add_keyword("a", 1).add_keyword("a", 1).encode());
    CHECK_ERROR(status::error_invalid_argument, key().add(static_cast<direction>(3)).encode());
}

void a_key_converts_to_bytes_where_a_key_is_expected() {
    phicache::dict_cache cache;
    cache.set(key::of(1, "a"), 0.5);
    CHECK(cache.get<double>(key::of(1.0, "a")) == 0.5);
    CHECK(!cache.contains(key::of(1, "b")));
    const key args = key::of(1);
    CHECK(cache.key_of(args) == key::of(nullptr, 1).encode() || cache.key_of(args) == key::of(1).encode());
    CHECK(cache.key_of(args, "prefix") == key::of("prefix", 1).encode());
    CHECK(cache.key_of(args, "prefix") != cache.key_of(args, "other"));
}

void a_moved_key_leaves_one_that_fails() {
    key first = key::of(1);
    const key second = std::move(first);
    CHECK(second.encode() == key::of(1).encode());
    CHECK(!first);
    CHECK_ERROR(status::error_invalid_argument, first.encode());
    CHECK_ERROR(status::error_invalid_argument, first.reset().add(1).encode());
}

void the_standard_keys_are_those_of_a_builder() {
    CHECK(bytes(phicache::repertoire_key("cause_repertoire", direction::cause, {0, 2}, {1})) ==
          key::of("cause_repertoire", direction::cause, node_set{0, 2}, node_set{1}).encode());
    CHECK(bytes(phicache::repertoire_key(nullptr, direction::effect, {}, {63})) ==
          key::of(nullptr, direction::effect, node_set{}, node_set{63}).encode());
    CHECK(*phicache::try_repertoire_key(std::string("p"), direction::cause, {0}, {1}) ==
          bytes(phicache::repertoire_key("p", direction::cause, {0}, {1})));
    CHECK_ERROR(status::error_invalid_argument, phicache::repertoire_key(nullptr, static_cast<direction>(9), {}, {}));
    CHECK(phicache::try_repertoire_key("\xff", direction::cause, {}, {}).code() == status::error_invalid_argument);
}

void candidates_in_braces_are_a_list_of_node_sets() {
    using phicache::mice_key;
    const std::vector<node_set> candidates{{0}, {1, 2}};
    const key_bytes with_list = mice_key("x", direction::cause, {0}, candidates);
    CHECK(bytes(with_list) == mice_key("x", direction::cause, {0}, {{0}, {1, 2}}));
    CHECK(bytes(with_list) == mice_key("x", direction::cause, {0}, {node_set{0}, node_set{1, 2}}));
    CHECK(bytes(with_list) == *phicache::try_mice_key("x", direction::cause, {0}, {{0}, {1, 2}}));
    const std::optional<phicache::span<const node_set>> maybe(candidates);
    CHECK(bytes(with_list) == mice_key("x", direction::cause, {0}, maybe));
    CHECK(bytes(with_list) != mice_key("x", direction::cause, {0}, {{1, 2}, {0}}));
    CHECK(bytes(mice_key("x", direction::cause, {0}, {{0}})) ==
          mice_key("x", direction::cause, {0}, std::vector<node_set>{node_set{0}}));
    CHECK(bytes(mice_key("x", direction::cause, {0}, {})) == mice_key("x", direction::cause, {0}));
}

void no_candidates_and_an_empty_list_have_different_mice_keys() {
    const key_bytes none = phicache::mice_key(nullptr, direction::cause, {0});
    const key_bytes empty = phicache::mice_key(nullptr, direction::cause, {0}, std::vector<node_set>());
    const key_bytes two = phicache::mice_key(nullptr, direction::cause, {0}, std::vector<node_set>{{0}, {1}});
    const key_bytes swapped = phicache::mice_key(nullptr, direction::cause, {0}, std::vector<node_set>{{1}, {0}});
    CHECK(bytes(none) != empty);
    CHECK(bytes(empty) != two);
    CHECK(bytes(two) != swapped);
    CHECK(bytes(two) == *phicache::try_mice_key(nullptr, direction::cause, {0}, std::vector<node_set>{{0}, {1}}));
    CHECK(phicache::try_mice_key(nullptr, static_cast<direction>(7), {0}).code() == status::error_invalid_argument);
}

void long_keys_move_and_copy_as_short_ones_do() {
    const std::vector<node_set> many(1000, node_set{1, 2, 3});
    for (std::size_t count : {std::size_t{1}, std::size_t{1000}}) {
        const phicache::span<const node_set> candidates(many.data(), count);
        const key_bytes original = phicache::mice_key("prefix", direction::effect, {0}, candidates);
        CHECK(original.size() > count * 8);
        CHECK((original.size() > PHICACHE_KEY_BUFFER) == (count == 1000));
        key_bytes copy = original;
        CHECK(bytes(copy) == original);
        key_bytes moved = std::move(copy);
        CHECK(bytes(moved) == original);
        copy = moved;
        CHECK(bytes(copy) == original);
        key_bytes other = phicache::repertoire_key("other", direction::cause, {0}, {1});
        other = std::move(moved);
        CHECK(bytes(other) == original);
        other = phicache::repertoire_key("other", direction::cause, {0}, {1});
        CHECK(bytes(other) == phicache::repertoire_key("other", direction::cause, {0}, {1}));
        key_bytes& same = copy;
        copy = same;
        CHECK(bytes(copy) == original);
        copy = std::move(same);
        CHECK(bytes(copy) == original);
    }
    CHECK_UINT(key_bytes().size(), 0);
}

/// Ranges of a program: what they iterate over is all that they are, or they say what else there is.
struct distribution {
    auto begin() const { return p.begin(); }
    auto end() const { return p.end(); }
    std::vector<double> p;
};
struct part_of_one {
    auto begin() const { return first; }
    auto end() const { return last; }
    std::vector<double>::const_iterator first, last;
};
struct with_base : distribution {
    int base;
};
void add_to_key(key& into, const with_base& x) { into.add(x.p).add(x.base); }

void a_range_that_has_more_than_its_elements_says_what() {
    const std::vector<double> p{0.25, 0.75};
    CHECK(key::of(distribution{p}).encode() == key::of(std::make_tuple(0.25, 0.75)).encode());
    CHECK(key::of(part_of_one{p.begin(), p.end()}).encode() == key::of(std::make_tuple(0.25, 0.75)).encode());
    CHECK(key::of(with_base{{p}, 2}).encode() != key::of(with_base{{p}, 10}).encode());
}

void a_derived_class_has_the_encoding_of_its_base_if_that_leaves_out_nothing() {
    CHECK(key::of(library::renamed{{"a"}}).encode() == key::of(library::node{"a"}).encode());
    CHECK(key::of(farther{{"a"}}).encode() == key::of(library::node{"a"}).encode());
    library::placed one, other;
    other.at = 1;
    CHECK(key::of(one).encode() != key::of(other).encode());
    library::circle small, large;
    large.radius = 3;
    CHECK(key::of(small).encode() != key::of(large).encode());
    const phicache::memo size([](const library::shape& x) { return x.size(); });
    CHECK_INT(size(small), 2);
    CHECK_INT(size(large), 3);
}

void fingerprints_tell_networks_and_contexts_apart() {
    const std::vector<double> tpm{0, 0, 1, 0, 0, 1, 1, 1};
    const std::vector<double> columns{0, 1, 0, 1, 0, 0, 1, 1};
    const std::vector<node_set> connections{{1}, {0}};
    const auto one = phicache::fingerprint::of_network(tpm, connections, "L1");
    CHECK(one == phicache::fingerprint::of_network(tpm, connections, "L1"));
    CHECK(one == phicache::fingerprint::of_network(columns, connections, "L1", phicache::layout::column_major));
    CHECK(one != phicache::fingerprint::of_network(tpm, connections, "EMD"));
    CHECK(one != phicache::fingerprint::of_network(columns, connections, "L1"));
    CHECK((one != phicache::fingerprint::of_network(tpm, {node_set{0, 1}, node_set{0}}, "L1")));
    CHECK_UINT(one.hex().size(), 64);
    CHECK(one.hex() != phicache::fingerprint().hex());
    CHECK_ERROR(status::error_invalid_argument, phicache::fingerprint::of_network({0, 1, 0}, connections, "L1"));
    CHECK_ERROR(status::error_invalid_argument, phicache::fingerprint::of_network({}, {}, "L1"));
    CHECK_ERROR(status::error_invalid_argument, phicache::fingerprint::of_network(tpm, connections, ""));
    CHECK_ERROR(status::error_invalid_argument,
                phicache::fingerprint::of_network({0, std::numeric_limits<double>::quiet_NaN()}, {node_set{0}}, "L1"));
    CHECK_ERROR(status::error_invalid_argument,
                phicache::fingerprint::of_network(tpm, std::vector<node_set>(60), "L1"));
}

}  // namespace

int main() {
    RUN(the_test_vectors_agree);
    RUN(every_type_has_its_element);
    RUN(the_elements_of_an_object_do_not_run_into_those_of_the_next);
    RUN(a_full_array_of_characters_ends_without_a_nul);
    RUN(an_array_of_characters_is_text_and_a_span_of_it_all_characters);
    RUN(a_text_is_not_cut_at_a_nul_and_is_no_null_pointer);
    RUN(a_vector_of_a_library_is_an_array_of_doubles);
    RUN(numbers_of_the_standard_library_have_the_keys_of_julia);
    RUN(a_variant_is_its_index_and_its_alternative);
    RUN(an_optional_that_holds_an_empty_one_is_not_empty);
    RUN(a_named_type_is_told_from_its_element_and_from_other_types);
    RUN(keys_of_several_parts_keep_the_parts_apart);
    RUN(parts_in_a_call_are_the_same_key);
    RUN(different_types_of_one_value_differ_where_they_should);
    RUN(keyword_arguments_have_no_order);
    RUN(a_builder_is_reused);
    RUN(a_bad_element_fails_the_key_until_reset);
    RUN(a_key_converts_to_bytes_where_a_key_is_expected);
    RUN(a_moved_key_leaves_one_that_fails);
    RUN(the_standard_keys_are_those_of_a_builder);
    RUN(candidates_in_braces_are_a_list_of_node_sets);
    RUN(no_candidates_and_an_empty_list_have_different_mice_keys);
    RUN(long_keys_move_and_copy_as_short_ones_do);
    RUN(a_range_that_has_more_than_its_elements_says_what);
    RUN(a_derived_class_has_the_encoding_of_its_base_if_that_leaves_out_nothing);
    RUN(fingerprints_tell_networks_and_contexts_apart);
    return check_report();
}
