// test_gathered.cpp: values of several parts, by add_to_value and read_from_value: stored in one entry, read back
// equal, refused if the bytes do not fit.
#include "check.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

using phicache::bytes;
using phicache::direction;
using phicache::expected;
using phicache::node_set;
using phicache::status;

namespace iit {

struct part {
    node_set mechanism, purview;
    std::vector<double> repertoire;
};
bool operator==(const part& a, const part& b) {
    return a.mechanism == b.mechanism && a.purview == b.purview && a.repertoire == b.repertoire;
}
void add_to_value(phicache::value_writer& out, const part& x) { out.add(x.mechanism).add(x.purview).add(x.repertoire); }
void read_from_value(phicache::value_reader& in, part& x) { in.read(x.mechanism).read(x.purview).read(x.repertoire); }

struct irreducible {
    char kind = 'c';
    double phi = 0;
    std::vector<part> parts;
    std::string name;
    std::optional<part> tie;
    std::pair<int, std::vector<bool>::size_type> counts;
};
bool operator==(const irreducible& a, const irreducible& b) {
    return a.kind == b.kind && a.phi == b.phi && a.parts == b.parts && a.name == b.name && a.tie == b.tie &&
           a.counts == b.counts;
}
void add_to_value(phicache::value_writer& out, const irreducible& x) {
    out.add(x.kind).add(x.phi).add(x.parts).add(x.name).add(x.tie).add(x.counts);
}
void read_from_value(phicache::value_reader& in, irreducible& x) {
    in.read(x.kind).read(x.phi).read(x.parts).read(x.name).read(x.tie).read(x.counts);
}

/// Has no parts of its own, and is not copied as bytes.
struct nothing {
    nothing() = default;
    nothing(const nothing&) noexcept {}
    nothing& operator=(const nothing&) = default;
};
bool operator==(const nothing&, const nothing&) { return true; }
void add_to_value(phicache::value_writer&, const nothing&) {}
void read_from_value(phicache::value_reader&, nothing&) {}

/// Has parts without bytes between others.
struct sparse {
    std::vector<nothing> many;
    std::vector<std::tuple<nothing>> empty;
    std::vector<std::pair<nothing, std::vector<nothing>>> nested;
    int last = 0;
};
bool operator==(const sparse& a, const sparse& b) {
    return a.many == b.many && a.empty == b.empty && a.nested == b.nested && a.last == b.last;
}
void add_to_value(phicache::value_writer& out, const sparse& x) {
    out.add(x.many).add(x.empty).add(x.nested).add(x.last);
}
void read_from_value(phicache::value_reader& in, sparse& x) {
    in.read(x.many).read(x.empty).read(x.nested).read(x.last);
}

/// A container with a member beside its elements.
struct route : std::vector<double> {
    using vector::vector;
    int cost = 0;
};
void add_to_key(phicache::key& to, const route& x) {
    to.add(x.cost).add(static_cast<const std::vector<double>&>(x));
}
void add_to_value(phicache::value_writer& out, const route& x) {
    out.add(x.cost).add(static_cast<const std::vector<double>&>(x));
}
void read_from_value(phicache::value_reader& in, route& x) {
    in.read(x.cost).read(static_cast<std::vector<double>&>(x));
}

/// Derived classes: one has no more members than its base, and one functions of its own.
struct same_part : part {};
struct weighted_part : part {
    double weight = 0;
};
bool operator==(const weighted_part& a, const weighted_part& b) {
    return static_cast<const part&>(a) == b && a.weight == b.weight;
}
void add_to_value(phicache::value_writer& out, const weighted_part& x) {
    out.add(static_cast<const part&>(x)).add(x.weight);
}
void read_from_value(phicache::value_reader& in, weighted_part& x) { in.read(static_cast<part&>(x)).read(x.weight); }

/// Its functions misbehave on request.
struct unruly {
    int number = 0;
};
int added = 0;
bool grows = false, throws = false;
void add_to_value(phicache::value_writer& out, const unruly& x) {
    if (throws) throw x.number;
    out.add(x.number);
    if (grows && ++added > 1) out.add(std::string(100, 'x'));
}
void read_from_value(phicache::value_reader& in, unruly& x) {
    if (in.read<int>() < 0) in.fail();
    x.number = 1;
}

}  // namespace iit

/// Has functions with the names of ours, which calls with its types must not find.
namespace lattice {

struct site {
    int x, y;
};
struct walk {
    std::vector<int> steps;
    int length = 0;
};
void add_to_value(phicache::value_writer& out, const walk& x) { out.add(x.steps).add(x.length); }
void read_from_value(phicache::value_reader& in, walk& x) { in.read(x.steps).read(x.length); }

std::vector<std::uint8_t> to_bytes(const site& x) { return std::vector<std::uint8_t>(sizeof x); }
std::size_t gathered_size(const walk&) { return 1; }
int gather(const walk&, void*, std::size_t) { return 1; }
int to_c(const phicache::mice<walk>&, phicache_bytes) { return 1; }
template <class... A>
int invoke(A&...) {
    return 1;
}

}  // namespace lattice

namespace {

iit::irreducible sample() {
    iit::irreducible made;
    made.phi = 0.25;
    made.parts = {{{0}, {1, 2}, {0.5, 0.5}}, {{}, {3}, {}}};
    made.name = "AB/CD";
    made.tie = iit::part{{5}, {}, {1.0}};
    made.counts = {-1, 7};
    return made;
}

void a_value_of_several_parts_is_read_back() {
    phicache::dict_cache cache;
    int calls = 0;
    const auto compute = [&] { return ++calls, sample(); };
    CHECK(cache.memoize<iit::irreducible>("key", compute) == sample());
    CHECK(cache.memoize<iit::irreducible>("key", compute) == sample());
    CHECK(*cache.try_memoize<iit::irreducible>("key", compute) == sample());
    CHECK_INT(calls, 1);
    CHECK(cache.get<iit::irreducible>("key") == sample());
    CHECK(**cache.try_get<iit::irreducible>("key") == sample());
    CHECK(cache.get("key")->as<iit::irreducible>() == sample());
    CHECK(cache.set("set", iit::irreducible()).stored());
    CHECK(cache.get<iit::irreducible>("set") == iit::irreducible());
    CHECK(cache.set_with_cost("cost", sample(), std::chrono::seconds(1)).stored());
    CHECK(cache.get<iit::irreducible>("cost") == sample());
    CHECK(!cache.get<iit::irreducible>("other"));
    auto leased = cache.view().begin("leased");
    leased.lease.write(sample());
    CHECK(leased.lease.complete().as<iit::irreducible>() == sample());
}

void it_is_one_entry_of_its_parts() {
    phicache::dict_cache cache;
    cache.set("key", iit::part{{0}, {1}, {0.5, 0.25}});
    const phicache::value stored = *cache.get("key");
    CHECK_UINT(stored.size(), 8 + 8 + 8 + 16);  // two masks, a length, two doubles
    CHECK(stored.view<double>()[3] == 0.5);
    const phicache::value same = cache.memoize("same", [] { return iit::part{{0}, {1}, {0.5, 0.25}}; });
    CHECK(bytes(same) == bytes(stored));
}

iit::part part_of(int n) { return {{n}, {}, {static_cast<double>(n)}}; }

void memos_and_methods_return_it() {
    const phicache::memo memo{[](int n) { return part_of(n); }};
    for (int turn = 0; turn < 2; ++turn) {
        CHECK(memo(2) == part_of(2));
        CHECK(*memo.try_call(3) == part_of(3));
        CHECK(memo.call_pinned(4).as<iit::part>() == part_of(4));
    }
    CHECK_COUNTS(memo.info(), 3, 3, 3);
    phicache::dict_cache cache;
    int object = 5;
    const phicache::method method{"m", [](int& self, int n) -> expected<iit::part> {
                                      if (n < 0) return phicache::failure::callback(n);
                                      return part_of(self + n);
                                  }};
    CHECK(method(cache, object, 1) == part_of(6));
    CHECK(method(cache, object, 1) == part_of(6));
    CHECK_INT(method.try_call(cache, object, -3).error().callback_code(), -3);
}

/// Stores a value in every way, and reads it back in every way.
template <class T>
void check_stored(int line, const T& given) {
    phicache::dict_cache cache;
    const phicache::memo memo{[&](int) { return given; }};
    const auto compute = [&] { return given; };
    bool good = cache.set("set", given).stored() && *cache.get<T>("set") == given && **cache.try_get<T>("set") == given;
    for (int turn = 0; turn < 2; ++turn) {
        good = good && memo(1) == given && *memo.try_call(2) == given && memo.call_pinned(3).template as<T>() == given;
        good = good && cache.memoize<T>("key", compute) == given && *cache.try_memoize<T>("try", compute) == given;
        good = good && cache.memoize("pinned", compute).template try_as<T>().value() == given;
    }
    if (!CHECK(good)) std::fprintf(stderr, "    in the check of line %d\n", line);
}
#define CHECK_STORED(...) check_stored(__LINE__, __VA_ARGS__)

void types_of_the_standard_library_are_values() {
    using text = std::string;
    using numbers = std::vector<double>;
    CHECK_STORED(std::optional<text>("text"));
    CHECK_STORED(std::optional<text>());
    CHECK_STORED(std::optional<int>(3));
    CHECK_STORED(std::make_pair(1, 0.5));
    CHECK_STORED(std::make_tuple(text("a"), numbers{1, 2}, std::optional<numbers>(), true));
    CHECK_STORED(std::vector<numbers>{{1, 2}, {}, {3}});
    CHECK_STORED(std::vector<text>{"", "two", text("\0", 1)});
    CHECK_STORED(std::vector<bool>{true, false, true});
    CHECK_STORED(std::vector<std::pair<int, text>>{{1, "a"}, {2, ""}});
    CHECK_STORED(std::array<text, 2>{"a", "b"});
    CHECK_STORED(std::list<int>{1, 2});
    CHECK_STORED(std::deque<text>{"a", "b"});
    CHECK_STORED(std::set<int>{3, 1});
    CHECK_STORED(std::map<text, numbers>{{"a", {1}}, {"b", {}}});
    CHECK_STORED(std::multimap<int, int>{{1, 2}, {1, 3}});
    CHECK_STORED(std::unordered_map<int, text>{{1, "a"}, {2, "b"}});
    CHECK_STORED(std::variant<int, text>("text"));
    CHECK_STORED(std::variant<int, text>(3));
    CHECK_STORED(std::variant<std::monostate, int>());
    CHECK_STORED(std::vector<std::optional<iit::part>>{iit::part{{0}, {}, {0.5}}, std::nullopt});
    phicache::dict_cache cache;
    const phicache::subsystem system(phicache::fingerprint(phicache_fingerprint{{1}}), {1, 0, 1}, {0, 1, 2});
    phicache::mice_cache mice(system);
    const std::vector<numbers> repertoires{{0.5, 0.5}, {1}};
    mice.set("key", phicache::mice{direction::cause, {0}, {1}, 0.5, repertoires});
    CHECK(mice.get("key")->payload_as<std::vector<numbers>>() == repertoires);
}

/// An empty object may have the address of another part, which is not its own to write.
void empty_parts_change_no_other_part() {
    struct mark {
        bool operator==(mark) const { return true; }
    };
    CHECK_STORED(std::tuple<std::vector<double>, mark>({1, 2, 3}, mark()));
    CHECK_STORED(std::tuple<char, mark, std::string, mark>('c', mark(), "text", mark()));
    // Equal values are stored as equal bytes, whatever was in the memory before.
    phicache::dict_cache cache;
    const std::tuple<mark, std::vector<double>, mark> first(mark(), {1}, mark()), second = first;
    cache.set("first", first), cache.set("second", second);
    CHECK(bytes(*cache.get("first")) == bytes(*cache.get("second")));
}

/// A view in a range is added as what it shows, not as an address.
void views_are_added_as_text() {
    const std::string text = "one two";
    const std::vector<std::string_view> views{std::string_view(text).substr(0, 3), std::string_view(text).substr(4)};
    phicache::value_writer size;
    size.add(views);
    std::vector<std::uint8_t> room(size.size());
    phicache::value_writer out(room.data(), room.size());
    out.add(views);
    CHECK(out.is_complete());
    phicache::value_reader in{bytes(room)};
    CHECK(in.read<std::vector<std::string>>() == std::vector<std::string>({"one", "two"}));
    CHECK(in.is_complete());
}

/// Bytes of other values, and all beginnings of the right ones.
void their_bytes_are_checked() {
    phicache::dict_cache cache;
    using type = std::tuple<std::variant<int, std::string>, std::vector<bool>, std::map<int, std::string>>;
    const type given("text", {true, false}, {{1, "a"}, {2, ""}});
    cache.set("key", given);
    const phicache::value whole = *cache.get("key");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        cache.set("cut", bytes(whole.data(), size));
        CHECK(cache.try_get<type>("cut").code() == status::error_invalid_argument);
    }
    std::string other(bytes(whole).text());
    other[0] = 2;  // the index of the variant, which has two alternatives
    cache.set("other", other);
    CHECK_ERROR(status::error_invalid_argument, cache.get<type>("other"));
    // A vector of vectors is no vector of numbers.
    cache.set("flat", std::vector<double>{1, 2});
    CHECK_ERROR(status::error_invalid_argument, cache.get<std::vector<std::vector<double>>>("flat"));
}

void a_mice_may_have_a_payload_of_several_parts() {
    const phicache::subsystem system(phicache::fingerprint(phicache_fingerprint{{1}}), {1, 0, 1}, {0, 1, 2});
    phicache::mice_cache cache(system);
    const auto record = [] { return phicache::mice{direction::cause, {0}, {1}, 0.5, sample()}; };
    const phicache::key_bytes key = phicache::mice_key("find", direction::cause, {0});
    CHECK(cache.memoize(key, record).payload_as<iit::irreducible>() == sample());
    CHECK(cache.get(key)->payload_as<iit::irreducible>() == sample());
    CHECK(cache.set("set", record()).stored());
    CHECK(*cache.get("set")->try_payload_as<iit::irreducible>() == sample());
    const std::vector<std::uint8_t> encoded = phicache::encode(record());
    CHECK(bytes(cache.get("set")->pinned()) == bytes(encoded));
}

void bytes_that_do_not_fit_are_an_error() {
    phicache::dict_cache cache;
    cache.set("key", sample());
    const phicache::value whole = *cache.get("key");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        cache.set("cut", bytes(whole.data(), size));
        CHECK(cache.try_get<iit::irreducible>("cut").code() == status::error_invalid_argument);
    }
    std::string longer(bytes(whole).text());
    longer += '\0';
    cache.set("longer", longer);
    CHECK_MESSAGE("its read_from_value has changed, change the version in the prefix or context",
                  cache.get<iit::irreducible>("longer"));
    CHECK_ERROR(status::error_invalid_argument,
                cache.memoize<iit::irreducible>("longer", []() -> iit::irreducible { throw 0; }));
    // A number of elements for which there is no memory.
    for (const std::uint64_t count : {~std::uint64_t{0}, std::uint64_t{1} << 61, std::uint64_t{1} << 40}) {
        const std::uint64_t words[3] = {1, 2, count};
        cache.set("huge", words);
        CHECK_ERROR(status::error_invalid_argument, cache.get<iit::part>("huge"));
        cache.set("many", count);
        CHECK(phicache::value_reader(*cache.get("many")).read<std::vector<iit::part>>().size() <= 1);
    }
}

void numbers_of_parts_without_bytes_are_checked_too() {
    phicache::dict_cache cache;
    iit::sparse made;
    made.many.resize(3);
    made.empty.resize(300);
    made.nested.resize(2);
    made.nested[1].second.resize(5);
    made.last = 7;
    cache.set("key", made);
    CHECK(cache.get<iit::sparse>("key") == made);
    cache.set("none", iit::sparse());
    CHECK(cache.get<iit::sparse>("none") == iit::sparse());
    // The first number is that of `many`. One that is too large is an error, and no loop of as many steps.
    std::string whole(bytes(*cache.get("key")).text());
    for (const std::uint64_t count : {std::uint64_t{9}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        std::memcpy(&whole[0], &count, sizeof count);
        cache.set("damaged", whole);
        CHECK(cache.try_get<iit::sparse>("damaged").code() == status::error_invalid_argument);
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        cache.set("cut", bytes(cache.get("key")->data(), size));
        CHECK(cache.try_get<iit::sparse>("cut").code() == status::error_invalid_argument);
    }
}

void a_batch_gathers_its_values() {
    const phicache::dict_cache cache;
    const iit::part one{{0}, {1}, {0.5}}, other{{1}, {0}, {0.25, 0.75}};
    cache.view().set_many({"one", "other"}, std::vector<iit::part>{one, other});
    CHECK(cache.get<iit::part>("one") == one && cache.get<iit::part>("other") == other);
    cache.view().set_many({"several"}, {std::vector<std::string>{"a", "bc"}});
    CHECK((cache.get<std::vector<std::string>>("several") == std::vector<std::string>{"a", "bc"}));
    iit::grows = true, iit::added = 0;
    CHECK_MESSAGE("add_to_value added other parts", cache.view().set_many({"unruly"}, {iit::unruly()}));
    iit::grows = false;
}

void functions_that_misbehave_are_noticed() {
    phicache::dict_cache cache;
    iit::grows = true;
    iit::added = 0;
    CHECK_ERROR(status::error_invalid_argument, cache.set("key", iit::unruly{1}));
    iit::added = 0;
    CHECK_ERROR(status::error_invalid_argument, cache.memoize("key", [] { return iit::unruly{1}; }));
    iit::grows = false;
    CHECK(!cache.contains("key"));
    iit::throws = true;
    try {
        cache.memoize<iit::unruly>("key", [] { return iit::unruly{7}; });
        CHECK_HAS_THROWN();
    } catch (int thrown) {
        CHECK_INT(thrown, 7);
    }
    iit::throws = false;
    CHECK(!cache.contains("key"));
    cache.set("refused", -1);
    CHECK_ERROR(status::error_invalid_argument, cache.get<iit::unruly>("refused"));
}

/// A contiguous container of the program's own, without a constructor from two iterators.
class samples {
public:
    using value_type = double;
    const double* data() const { return elements_.data(); }
    std::size_t size() const { return elements_.size(); }
    const double* begin() const { return data(); }
    const double* end() const { return data() + size(); }
    void clear() { elements_.clear(); }
    const double* insert(const double*, double element) {
        elements_.push_back(element);
        return end() - 1;
    }

private:
    std::vector<double> elements_;
};
struct path : std::vector<double> {
    using vector::vector;
};

/// Also where the elements take as many bytes as the object itself.
template <class T>
void check_own_container() {
    const phicache::dict_cache cache;
    for (std::size_t count : {std::size_t(0), std::size_t(1), sizeof(T) / sizeof(double), std::size_t(100)}) {
        const auto compute = [count] {
            T made;
            for (std::size_t at = 0; at < count; ++at) made.insert(made.end(), double(at) + 0.5);
            return made;
        };
        for (int again = 0; again < 2; ++again) {
            const T found = cache.memoize<T>(std::to_string(count), compute);
            CHECK_UINT(found.size(), count);
            CHECK(count == 0 || found.data()[count - 1] == double(count) - 0.5);
        }
    }
}
void a_contiguous_container_that_is_not_std_vector_is_read_back() {
    check_own_container<samples>();
    check_own_container<path>();
}

void functions_of_the_program_are_not_taken_for_ours() {
    const phicache::dict_cache cache;
    CHECK(cache.set("site", lattice::site{1, 2}).stored());
    CHECK_INT(cache.get<lattice::site>("site")->y, 2);
    CHECK(cache.set("walk", lattice::walk{{3, 4}, 5}).stored());
    CHECK_INT(cache.get<lattice::walk>("walk")->length, 5);
    cache.view().set_many(std::vector<std::string>{"a", "b"}, std::vector<lattice::site>{{1, 2}, {3, 4}});
    CHECK_INT(cache.get<lattice::site>("b")->x, 3);

    const phicache::memo memo([](const std::tuple<int>& at) { return lattice::walk{{}, std::get<0>(at)}; });
    for (int again = 0; again < 2; ++again) CHECK_INT(memo(std::make_tuple(6)).length, 6);
    const phicache::method method("walk", [](const lattice::site& from, int n) { return from.x + n; });
    CHECK_INT(method(cache, lattice::site{1, 2}, 3), 4);

    const phicache::fingerprint network(phicache_fingerprint{{1}});
    const phicache::mice_cache mice(phicache::subsystem(network, {1, 0}, {0, 1}));
    const phicache::mice<lattice::walk> record{direction::cause, {0}, {1}, 0.5, {{7}, 8}};
    CHECK(mice.set("mice", record).stored());
    CHECK_INT(mice.get("mice")->payload_as<lattice::walk>().length, 8);
    CHECK_INT(mice.memoize("other", [&] { return record; }).payload_as<lattice::walk>().length, 8);
}

/// Its functions are older than its last member.
struct grown {
    double score;
    std::vector<int> path;
    int added_later;
};
void add_to_value(phicache::value_writer& out, const grown& x) { out.add(x.score).add(x.path); }
void read_from_value(phicache::value_reader& in, grown& x) { in.read(x.score).read(x.path); }

/// Leaves bytes that are not 0 where the next functions have their variables.
[[gnu::noinline]] void fill_the_stack() {
    volatile unsigned char bytes[4096];
    for (volatile unsigned char& byte : bytes) byte = 0x5A;
}

void a_member_that_the_functions_leave_out_is_0_on_a_hit() {
    const phicache::dict_cache cache;
    const phicache::memo memo([](int n) { return grown{0.5, {n}, 7}; });
    CHECK_INT(memo(1).added_later, 7);
    cache.set("key", memo(1));
    fill_the_stack();
    CHECK_INT(memo(1).added_later, 0);
    fill_the_stack();
    CHECK_INT(cache.get("key")->as<grown>().added_later, 0);
    fill_the_stack();
    CHECK_INT(cache.memoize<grown>("key", [] { return grown{}; }).added_later, 0);
}

void a_container_with_more_members_is_what_its_functions_add() {
    const phicache::memo longer{[](const iit::route& x) {
        iit::route made = x;
        made.cost += 1;
        return made;
    }};
    iit::route given{0.5, 1.5};
    for (const int cost : {3, 4, 3, 4}) {
        given.cost = cost;
        CHECK(longer(given) == given);
        CHECK_INT(longer(given).cost, cost + 1);
    }
    CHECK_COUNTS(longer.info(), 6, 2, 2);
}

/// As of numbers for the vector registers of a processor. The bytes of a value are aligned to 16.
void parts_may_have_a_larger_alignment_than_values() {
    struct alignas(64) wide {
        double numbers[8];
        bool operator==(const wide& other) const {
            return std::equal(std::begin(numbers), std::end(numbers), std::begin(other.numbers));
        }
    };
    const std::vector<std::pair<char, wide>> given{{'a', {{1, 2, 3}}}, {'b', {}}};
    const phicache::memo memo{[&](int) { return given; }};
    phicache::dict_cache cache;
    cache.set("key", given);
    for (int turn = 0; turn < 2; ++turn) CHECK(memo(1) == given);
    CHECK((*cache.get<std::vector<std::pair<char, wide>>>("key") == given));
}

/// Every operation of a cache is for any number of threads, so a constant cache has it.
void a_derived_class_has_the_functions_of_its_base_if_they_leave_out_nothing() {
    iit::same_part same{{{0}, {1}, {0.5}}};
    check_stored(__LINE__, std::vector<iit::same_part>{same});
    iit::weighted_part weighted{{{0}, {1}, {0.5}}, 2};
    check_stored(__LINE__, weighted);
    check_stored(__LINE__, std::vector<iit::weighted_part>{weighted, {}});
}

double half() { return 0.5; }

void a_constant_cache_memoizes_and_stores() {
    const phicache::dict_cache cache;
    CHECK(cache.memoize<double>("key", half) == 0.5);
    CHECK(cache.set("set", 1.0).stored());
    const auto compute = [] { return 2.0; };  // constant, too
    CHECK(cache.memoize("key", compute).as<double>() == 0.5);
    const phicache::cache view = cache;
    CHECK(view.memoize<double>("other", compute) == 2.0);
    CHECK(view.begin("key").status == status::ok);
    CHECK(cache.remove("key"));
    cache.clear();
    CHECK_UINT(cache.size(), 0);
    const phicache::purview_cache purviews;
    CHECK(purviews.set(direction::cause, {0}, {{1}}).stored());
    CHECK_UINT(purviews.memoize(direction::effect, {0}, [] { return std::vector<node_set>{{1}, {2}}; }).size(), 2);
}

}  // namespace

int main() {
    RUN(a_value_of_several_parts_is_read_back);
    RUN(it_is_one_entry_of_its_parts);
    RUN(memos_and_methods_return_it);
    RUN(types_of_the_standard_library_are_values);
    RUN(empty_parts_change_no_other_part);
    RUN(views_are_added_as_text);
    RUN(their_bytes_are_checked);
    RUN(a_mice_may_have_a_payload_of_several_parts);
    RUN(bytes_that_do_not_fit_are_an_error);
    RUN(numbers_of_parts_without_bytes_are_checked_too);
    RUN(a_batch_gathers_its_values);
    RUN(functions_that_misbehave_are_noticed);
    RUN(a_derived_class_has_the_functions_of_its_base_if_they_leave_out_nothing);
    RUN(a_constant_cache_memoizes_and_stores);
    RUN(a_contiguous_container_that_is_not_std_vector_is_read_back);
    RUN(functions_of_the_program_are_not_taken_for_ours);
    RUN(a_member_that_the_functions_leave_out_is_0_on_a_hit);
    RUN(a_container_with_more_members_is_what_its_functions_add);
    RUN(parts_may_have_a_larger_alignment_than_values);
    return check_report();
}
