/// quiet.cpp: what owns something, held in ways in which compilers see only a part of its life. It compiles without a
/// warning at all levels of optimization; it is never run.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <phicache.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

struct analysis {
    int phi(int n) const { return n; }
    phicache::dict_cache results{};
};
struct irreducible {
    double phi = 0;
    std::vector<double> repertoire{};
    std::optional<std::string> name{};
};
void add_to_value(phicache::value_writer& out, const irreducible& x) { out.add(x.phi).add(x.repertoire).add(x.name); }
void read_from_value(phicache::value_reader& in, irreducible& x) { in.read(x.phi).read(x.repertoire).read(x.name); }
void add_to_key(phicache::key& key, const irreducible& x) { key.add(x.phi).add(x.repertoire).add(x.name); }

/// Made or not, moved, emptied and destroyed.
template <class T, class Make>
bool hold(bool wanted, const Make& make) {
    std::optional<T> held;
    if (wanted) held.emplace(make());
    std::optional<T> moved = std::move(held);
    if (wanted) held = std::move(moved);
    std::vector<T> several;
    if (held) several.push_back(std::move(*held));
    std::variant<int, T> either;
    if (!several.empty()) either = std::move(several.back());
    return either.index() == 1;
}

template <class T>
bool hold_made(bool wanted, const phicache::expected<T>& made) {
    const std::optional<phicache::status> failed = made ? std::nullopt : std::optional(made.code());
    return wanted && !failed;
}

template <class Cache>
bool is_shared(const Cache& original) {
    std::optional<Cache> first(Cache::shared(phicache::fingerprint(), "role"));
    const Cache second = Cache::shared(phicache::fingerprint(), "role");
    if (first->size() != second.size()) return false;
    first.reset();
    first.emplace();
    return first->size() == original.size();
}

}  // namespace

bool use(bool wanted, int number, const std::string& text);
bool use(bool wanted, int number, const std::string& text) {
    using namespace phicache;
    const auto system = [] { return subsystem(fingerprint(), {1, 0}, {0, 1}, std::vector<node_set>{{1}, {0}}); };
    bool all = hold<dict_cache>(wanted, [] { return dict_cache(); });
    all |= hold<disk_cache>(wanted, [&] { return disk_cache(text); });
    all |= hold<redis_cache>(wanted, [] { return redis_cache(); });
    all |= hold<purview_cache>(wanted, [] { return purview_cache(); });
    all |= hold<subsystem>(wanted, system);
    all |= hold<mice_cache>(wanted, [&] { return mice_cache(system()); });
    all |= hold<config>(wanted, [] { return config(); });
    all |= hold<key>(wanted, [&] { return key::of(number, text); });
    all |= hold<key_bytes>(wanted, [&] { return key_bytes{text, text}; });
    all |= hold<memo<double(double)>>(wanted, [] { return memo<double(double)>([](double x) { return x; }); });
    all |= hold<method<int(const analysis&, int)>>(wanted, [] { return method{"phi", &analysis::phi}; });
    const auto add = [number](int n) { return n + number; };
    all |= hold<callback<int(int)>>(wanted, [add] { return callback<int(int)>(add); });

    const dict_cache cache;
    all |= hold_made(wanted, dict_cache::try_make());
    all |= hold_made(wanted, mice_cache::try_make(system()));
    all |= hold_made(wanted, cache.try_get<std::map<int, std::string>>(text));
    all |= hold_made(wanted, cache.try_get<std::variant<int, std::string, std::vector<irreducible>>>(text));
    all |= hold_made(wanted, cache.try_memoize<irreducible>(text, [] { return irreducible(); }));
    all |= hold_made(wanted, cache.try_memoize<std::optional<irreducible>>(text, [] {
        return std::optional<irreducible>();
    }));
    all |= is_shared(cache);
    all |= hold<value>(wanted, [&] { return cache.memoize(text, std::function<double()>([] { return 0.5; })); });
    all |= cache.get<std::unordered_map<std::string, irreducible>>(text).has_value();
    all |= cache.get<std::set<std::optional<int>>>({text, text}).has_value();
    all |= cache.get<std::optional<std::optional<std::string>>>(text).has_value();
    all |= cache.memoize<double>({text, "part"}, [number] { return 0.5 * number; }) > 0;
    const memo by_object{[](const irreducible& x, std::optional<double> y) { return x.phi + y.value_or(0); }};
    all |= by_object(irreducible(), wanted ? std::optional(0.5) : std::nullopt) > 0;
    using either = std::variant<std::vector<int>, std::map<int, int>>;
    const memo of_either{[](int n) { return n > 0 ? either(std::vector<int>(9, n)) : std::map<int, int>{{n, n}}; }};
    all |= hold_made(wanted, of_either.try_call(number));
    const analysis of{};
    const method phi{"phi", &analysis::phi};
    all |= phi(of.results, of, number) > 0;

    const phicache::cache view_of = cache;
    begin_result begun = view_of.begin(text);
    if (begun.lease) begun.lease.write(irreducible());
    std::optional<lease> granted;
    if (wanted) granted = std::move(begun.lease);
    for (const entry& each : view_of.entries()) all |= each.key.empty();
    const read_section section;
    std::optional<double> total;
    phicache::reader lookups = cache.reader();
    if (const std::optional<double> found = lookups.get<double>(text)) total = total.value_or(0) + *found;
    return all || total > 0.5 || granted;
}
