#include "worker.hpp"

#include <cmath>

#include "stress/report.hpp"

namespace soak {

using stress::expect;

namespace {

constexpr std::uint64_t SHARED_KEYS = 20'000, PURVIEW_KEYS = 4'000;
constexpr std::uint64_t QUESTIONS = 2 * ((1 << NODES) - 1);
constexpr std::size_t BATCH = 8, FILLED = 100;

struct OnPurpose {};

phicache_bytes bytes(const phicache::value &value) { return {value.data(), value.size()}; }

bool is_full(phicache::status refusal) {
    return refusal == phicache::status::refused_capacity || refusal == phicache::status::refused_memory;
}

std::vector<phicache::node_set> purviews_of(std::uint64_t number) {
    std::vector<phicache::node_set> list;
    for (std::size_t i = 0; i < mix(number) % 64; i++) list.push_back(phicache::node_set::from_mask(mix(number + i)));
    return list;
}

}  // namespace

std::size_t Load::length(double progress, Random &random) const {
    const auto between = [](double from, double to, double part) { return from * std::pow(to / from, part); };
    const auto now = [&](double from, double to) { return between(from, to, progress); };
    const double smallest = now(first.smallest, last.smallest), largest = now(first.largest, last.largest);
    const double len = between(smallest, largest, random.below(1001) / 1000.0);
    return static_cast<std::size_t>(len + 0.5);
}

Worker::Worker(Caches &caches, unsigned number, std::uint64_t seed)
    : caches_(caches), number_(number), random_(seed), own_(caches.places().size()) {
    buffer_.reserve(LARGEST);
}

const std::vector<std::pair<unsigned, Worker::Operation>> &Worker::operations() {
    static const std::vector<std::pair<unsigned, Operation>> all = {
        {150, &Worker::get},       {60, &Worker::get_own},  {30, &Worker::get_into}, {20, &Worker::get_many},
        {10, &Worker::peek},       {250, &Worker::set},     {80, &Worker::set_own},  {15, &Worker::set_many},
        {20, &Worker::remove},     {15, &Worker::remove_own}, {150, &Worker::memoize}, {40, &Worker::lease},
        {10, &Worker::held_lease}, {3, &Worker::walk},      {3, &Worker::short_lived}, {40, &Worker::purviews},
        {60, &Worker::mice},       {10, &Worker::child},
    };
    return all;
}

void Worker::work(const Load &load, std::size_t operations, double begin, double end) {
    watched_.emplace();
    load_ = &load;
    unsigned weights = 0;
    for (const auto &[weight, operation] : Worker::operations()) weights += weight;
    for (std::size_t done = 0; done < operations; done++) {
        progress_ = begin + (end - begin) * static_cast<double>(done) / static_cast<double>(operations);
        watched_->enter(load.name, "the memory soak", number_);
        if (random_.below(20'000) == 0) clear();
        if (random_.chance(load.sections)) read();
        unsigned chosen = random_.below(weights);
        for (const auto &[weight, operation] : Worker::operations()) {
            if (chosen < weight) {
                (this->*operation)();
                break;
            }
            chosen -= weight;
        }
        while (pins_.size() > load.pins) {
            const std::size_t place = random_.below(pins_.size());
            check("a pinned value", pins_[place].key, bytes(pins_[place].value));
            std::swap(pins_[place], pins_.back());
            pins_.pop_back();
        }
    }
    watched_.reset();
}

void Worker::fill(const Load &load, double progress) {
    load_ = &load;
    progress_ = progress;
    std::vector<std::uint64_t> before;
    for (const Place &place : caches_.places()) before.push_back(place.cache.stats().evictions);
    // In turn, because a cache that has nothing when the process reaches its limit has nothing to evict.
    bool was_stored = true;
    for (std::size_t pass = 0; pass < 4'000 && was_stored; pass++) {
        was_stored = false;
        for (std::size_t at = 0; at < caches_.places().size(); at++) {
            phicache::dict_cache &cache = caches_.places()[at].cache;
            if (cache.stats().evictions > before[at] + FILLED) continue;
            for (std::size_t i = 0; i < FILLED; i++) {
                const Key key(random_.next() | 1ull << 63);
                was_stored |= cache.set(key.bytes(), value(key, new_stamp())).stored();
            }
        }
    }
}

void Worker::release() {
    for (const Pinned &pinned : pins_) check("a pinned value", pinned.key, bytes(pinned.value));
    pins_.clear();
    pins_.shrink_to_fit();
    outlives_.reset();
    held_.reset();
    child_.reset();
}

// The two without a `max_bytes` are chosen as often as the others together.
std::size_t Worker::place() {
    constexpr std::size_t chosen[] = {0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 4};
    return chosen[random_.below(std::size(chosen))];
}

// Some are requested much more often than others.
Key Worker::shared_key() { return Key(random_.below(1 + random_.below(1 + random_.below(SHARED_KEYS)))); }

Key Worker::own_key(std::size_t place, std::size_t index) const {
    return Key(SHARED_KEYS + (number_ * own_.size() + place) * OWN + index);
}

const std::vector<std::uint8_t> &Worker::value(const Key &key, Stamp stamp) {
    buffer_.resize(length(stamp));
    soak::fill(key.number(), stamp, buffer_.data());
    return buffer_;
}

void Worker::check(const char *what, const Key &key, phicache_bytes value) {
    expect(is_value_of(key.number(), value), "%s of key %llu is wrong: %zu bytes", what,
           static_cast<unsigned long long>(key.number()), value.len);
}

void Worker::check_own(const char *what, std::size_t place, std::size_t index, const Key &key, phicache_bytes value) {
    check(what, key, value);
    expect(stamp_of(value) == own_[place][index], "%s of key %llu is not what was stored last", what,
           static_cast<unsigned long long>(key.number()));
}

void Worker::keep(const Key &key, phicache::value &&value) {
    if (load_->pins > 0 && random_.chance(200)) pins_.push_back({key, std::move(value)});
}

void Worker::get() {
    const Key key = shared_key();
    std::optional<phicache::value> found = caches_.places()[place()].cache.get(key.bytes());
    if (!found) return;
    check("a value", key, bytes(*found));
    keep(key, std::move(*found));
}

void Worker::get_own() {
    const std::size_t at = place(), index = random_.below(OWN);
    const Key key = own_key(at, index);
    std::optional<phicache::value> found = caches_.places()[at].cache.get(key.bytes());
    if (!found) return;
    check_own("a value", at, index, key, bytes(*found));
    keep(key, std::move(*found));
}

void Worker::get_into() {
    const Key key = shared_key();
    buffer_.resize(LARGEST);
    std::size_t len = 0;
    phicache_cache *const cache = caches_.places()[place()].view.handle();
    const phicache_status status =
        phicache_cache_get_into(cache, key.bytes(), buffer_.data(), buffer_.size(), &len);
    expect(status == PHICACHE_OK || status == PHICACHE_MISS, "get_into is %s", phicache_status_name(status));
    if (status == PHICACHE_OK) check("a copied value", key, {buffer_.data(), len});
}

void Worker::get_many() {
    std::vector<Key> keys;
    std::vector<phicache_bytes> names;
    for (std::size_t i = 0; i < BATCH; i++) keys.push_back(shared_key());
    for (const Key &key : keys) names.push_back(key.bytes());
    const phicache::cache &cache = caches_.places()[place()].view;
    const std::vector<phicache::value> found = cache.get_many(phicache::span<const phicache_bytes>(names));
    for (std::size_t i = 0; i < BATCH; i++)
        if (found[i].data() != nullptr) check("a value of many", keys[i], bytes(found[i]));
}

void Worker::peek() {
    const Key key = shared_key();
    if (const auto found = caches_.places()[place()].cache.peek(key.bytes())) check("a value", key, bytes(*found));
    caches_.places()[place()].cache.contains(key.bytes());
}

// Values that were read in place stay valid until the section ends, also if they are replaced or evicted.
void Worker::read() {
    const phicache::read_section section;
    std::vector<std::pair<Key, phicache::bytes>> found;
    for (std::size_t i = 0; i < BATCH; i++) {
        const Key key = shared_key();
        const phicache::cache &cache = caches_.places()[place()].view;
        if (const auto value = section.get(cache, key.bytes())) found.emplace_back(key, *value);
        if (random_.chance(100)) set();
    }
    if (random_.chance(50)) std::this_thread::sleep_for(std::chrono::microseconds(random_.below(200)));
    for (const auto &[key, value] : found) check("a value in place", key, value);
}

void Worker::set() {
    Place &at = caches_.places()[place()];
    const Key key = shared_key();
    const Stamp stamp = new_stamp();
    const std::chrono::nanoseconds cost(random_.chance(500) ? 0 : random_.below(1'000'000));
    const phicache::outcome outcome = at.cache.set_with_cost(key.bytes(), value(key, stamp), cost);
    expect(outcome.stored() || is_full(outcome.code()), "a store is %s", phicache::name(outcome.code()));
}

// A key that no other slot stores has what was stored last, or nothing.
void Worker::set_own() {
    const std::size_t at = place(), index = random_.below(OWN);
    const Key key = own_key(at, index);
    const Stamp stamp = new_stamp();
    const phicache::outcome outcome = caches_.places()[at].cache.set(key.bytes(), value(key, stamp));
    if (outcome.stored()) own_[at][index] = stamp;
    expect(outcome.stored() || is_full(outcome.code()), "a store is %s", phicache::name(outcome.code()));
    if (const auto found = caches_.places()[at].cache.get(key.bytes()))
        check_own("a value just stored", at, index, key, bytes(*found));
}

void Worker::set_many() {
    std::vector<Key> keys;
    std::vector<std::vector<std::uint8_t>> values;
    std::vector<phicache_bytes> names, contents;
    for (std::size_t i = 0; i < BATCH; i++) {
        keys.push_back(shared_key());
        // Not large, so that the memory of this program is little beside that of the caches.
        const Stamp stamp = new_stamp();
        if (length(stamp) > LARGEST / BATCH) return;
        values.push_back(value(keys.back(), stamp));
    }
    for (std::size_t i = 0; i < BATCH; i++) {
        names.push_back(keys[i].bytes());
        contents.push_back({values[i].data(), values[i].size()});
    }
    const auto outcomes = caches_.places()[place()].view.set_many(phicache::span<const phicache_bytes>(names),
                                                                  phicache::span<const phicache_bytes>(contents));
    for (const phicache::outcome &outcome : outcomes)
        expect(outcome.stored() || is_full(outcome.code()), "a store of many is %s", phicache::name(outcome.code()));
}

void Worker::remove() { caches_.places()[place()].cache.remove(shared_key().bytes()); }

void Worker::remove_own() {
    const std::size_t at = place(), index = random_.below(OWN);
    const Key key = own_key(at, index);
    phicache::dict_cache &cache = caches_.places()[at].cache;
    cache.remove(key.bytes());
    own_[at][index] = 0;
    expect(!cache.get(key.bytes()), "key %llu has a value after its removal",
           static_cast<unsigned long long>(key.number()));
}

void Worker::memoize() {
    Place &at = caches_.places()[place()];
    const Key key = shared_key();
    const Stamp stamp = new_stamp();
    const bool fails = random_.chance(20), nests = random_.chance(100);
    bool computed = false;
    try {
        phicache::value found = at.cache.memoize(key.bytes(), [&](phicache::result &result) {
            computed = true;
            // Smaller keys only, so that computations do not wait for each other in a cycle.
            if (nests && key.number() > 0) {
                const Key smaller(random_.below(key.number()));
                if (const auto other = at.cache.get(smaller.bytes())) check("a value", smaller, bytes(*other));
            }
            if (fails) throw OnPurpose();
            soak::fill(key.number(), stamp, result.reserve_uninitialized(length(stamp)).data());
        });
        check("a memoized value", key, bytes(found));
        // Another value only if the key got one while this one was computed.
        expect(!computed || found.is_stored() || stamp_of(bytes(found)) == stamp,
               "the computed value of key %llu is lost", static_cast<unsigned long long>(key.number()));
        keep(key, std::move(found));
    } catch (const OnPurpose &) {
        expect(computed && fails, "a computation failed for no reason");
    }
}

void Worker::lease() {
    phicache::cache &cache = caches_.places()[place()].view;
    const Key key = shared_key();
    phicache::begin_result begun = cache.begin(key.bytes());
    if (begun.status == phicache::status::ok) check("a value", key, bytes(begun.value));
    if (begun.status == phicache::status::busy) begun = cache.wait(key.bytes(), 1);
    if (begun.status != phicache::status::lease || random_.chance(100)) return;
    const Stamp stamp = new_stamp();
    soak::fill(key.number(), stamp, begun.lease.reserve_uninitialized(length(stamp)).data());
    begun.lease.set_cost(std::chrono::nanoseconds(random_.below(1'000'000)));
    check("a value of a lease", key, bytes(begun.lease.complete()));
}

// A lease that stays open during other operations, and may end after its thread: on a key that no other slot requests.
void Worker::held_lease() {
    if (held_) {
        check("a value of a lease", held_->key, bytes(held_->lease.complete()));
        held_.reset();
        return;
    }
    const Key key(~std::uint64_t(number_));
    phicache::cache &cache = caches_.places()[place()].view;
    cache.remove(key.bytes());
    phicache::begin_result begun = cache.begin(key.bytes());
    expect(begun.status == phicache::status::lease, "a key of one slot is %s", phicache::name(begun.status));
    if (begun.status != phicache::status::lease) return;
    const Stamp stamp = new_stamp();
    soak::fill(key.number(), stamp, begun.lease.reserve_uninitialized(length(stamp)).data());
    held_.emplace(Held{key, stamp, std::move(begun.lease)});
}

void Worker::walk() {
    const std::size_t most = 1 + random_.below(100);
    std::size_t seen = 0;
    for (phicache::entry &entry : caches_.places()[place()].cache.entries()) {
        const Key key = Key::from(entry.key);
        expect(key.is(entry.key), "a walk finds a key that was never stored");
        check("a value of a walk", key, bytes(entry.value));
        expect(entry.bytes > entry.key.size() + entry.value.size(), "an entry takes only %llu bytes",
               static_cast<unsigned long long>(entry.bytes));
        keep(key, std::move(entry.value));
        if (++seen == most) break;
    }
}

void Worker::clear() {
    switch (random_.below(4)) {
        case 0: caches_.purviews().clear(); break;
        case 1: caches_.mice().clear(); break;
        default: caches_.places()[place()].cache.clear();
    }
}

// A cache that is made, filled and freed. One of its values outlives it.
void Worker::short_lived() {
    phicache::cache_options options;
    constexpr std::uint64_t sizes[] = {0, 4 * KIB, 64 * KIB, MIB};
    options.max_bytes = sizes[random_.below(std::size(sizes))];
    options.on_full = phicache::on_full::evict;
    phicache::dict_cache cache(options, caches_.config());
    std::size_t bytes_left = SHORT_LIVED;
    for (std::size_t i = 0; i < 100; i++) {
        const Key key(i);
        const Stamp stamp = new_stamp();
        if (length(stamp) > bytes_left) break;
        bytes_left -= length(stamp);
        cache.set(key.bytes(), value(key, stamp));
        const Key other(random_.below(i + 1));
        if (const auto found = cache.get(other.bytes())) check("a value", other, bytes(*found));
    }
    const phicache_stats stats = cache.stats();
    expect(options.max_bytes == 0 || stats.bytes <= options.max_bytes, "a new cache has %llu of %llu bytes",
           static_cast<unsigned long long>(stats.bytes), static_cast<unsigned long long>(options.max_bytes));
    if (outlives_) check("a value without a cache", Key(0), bytes(*outlives_));
    outlives_ = cache.get(Key(0).bytes());
}

void Worker::purviews() {
    const std::uint64_t number = random_.below(PURVIEW_KEYS);
    const auto direction = number % 2 == 0 ? phicache::direction::cause : phicache::direction::effect;
    const auto mechanism = phicache::node_set::from_mask(number + 1);
    const std::vector<phicache::node_set> list = purviews_of(number);
    const auto check = [&](const phicache::purview_list &found) {
        expect(found.copy() == list, "a purview list is wrong");
    };
    if (random_.chance(300)) {
        const phicache::outcome outcome = caches_.purviews().set(direction, mechanism, list);
        expect(outcome.stored() || is_full(outcome.code()), "a store is %s", phicache::name(outcome.code()));
    } else if (random_.chance(500)) {
        if (const auto found = caches_.purviews().get(direction, mechanism)) check(*found);
    } else {
        check(caches_.purviews().memoize(direction, mechanism, [&] { return list; }));
    }
}

// A MICE of the uncut system, or of this slot's cut system, which inherits it unless the cut damages it.
void Worker::mice() {
    const Question question(random_.below(QUESTIONS));
    const phicache::mice<std::vector<std::uint8_t>> record = [&] {
        std::vector<std::uint8_t> payload(question.payload_len());
        write(question.number, payload.data(), payload.size());
        return phicache::mice<std::vector<std::uint8_t>>{
            static_cast<phicache::direction>(question.direction), phicache::node_set::from_mask(question.mechanism),
            phicache::node_set::from_mask(question.purview()), 0.5, std::move(payload)};
    }();
    const auto check = [&](const phicache::pinned_mice &found) {
        const phicache::bytes payload = found.payload();
        expect(found.purview() == record.purview && found.phi() == record.phi &&
                   payload.size() == question.payload_len() &&
                   is_right(question.number, payload.data(), payload.size()),
               "the MICE of question %llu is wrong", static_cast<unsigned long long>(question.number));
    };
    const bool of_child = child_ && random_.chance(500);
    phicache::mice_cache &cache = of_child ? child_->cache : caches_.mice();
    if (random_.chance(500)) {
        check(cache.memoize(question.bytes(), [&] { return record; }));
    } else if (const auto found = cache.get(question.bytes())) {
        check(*found);
        expect(!of_child || !child_->cut.damages(record.dir, record.mechanism, record.purview),
               "a child inherits a MICE that its cut damages");
    }
    if (random_.chance(20)) caches_.mice().remove(question.bytes());
}

void Worker::child() {
    if (child_ && random_.chance(500)) return child_.reset();
    const std::uint64_t from = 1 + random_.below((1 << NODES) - 2);
    const auto part = phicache::node_set::from_mask(from);
    const auto rest = phicache::node_set::from_mask(~from & ((1 << NODES) - 1));
    const phicache::cut cut = phicache::cut::bipartition(NODES, part, rest);
    const phicache::subsystem system = caches_.uncut().under(cut);
    phicache::cache_options options;
    options.max_bytes = 64 * KIB;
    options.on_full = phicache::on_full::evict;
    child_.emplace(Child{cut, phicache::mice_cache::dict(system, &caches_.mice(), options, caches_.config())});
}

}  // namespace soak
