#include "worker.hpp"

#include <chrono>
#include <cstring>
#include <thread>

#include "phicache.hpp"
#include "report.hpp"

namespace stress {

namespace {

constexpr unsigned deepest = 5;

// Every lease has an owner of its own, except the leases of threads (owner 0).
std::uint64_t new_owner() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

}  // namespace

struct Worker::Computation {
    Worker &worker;
    const std::shared_ptr<Cache> &cache;
    unsigned key;
    unsigned depth;
    unsigned runs = 0;
    std::int32_t code = 0;  // 0, or the code with which it failed on purpose
};

Observed &Observed::operator+=(const Observed &other) {
    hits += other.hits;
    waited += other.waited;
    misses += other.misses;
    begun += other.begun;
    computed += other.computed;
    again += other.again;
    failed += other.failed;
    recursions += other.recursions;
    callbacks += other.callbacks;
    sets += other.sets;
    for (std::size_t reason = 0; reason < refused.size(); reason++) refused[reason] += other.refused[reason];
    return *this;
}

const std::shared_ptr<Cache> &Worker::any_cache() { return phase_.caches[random.below(phase_.caches.size())]; }

const std::shared_ptr<Cache> &Worker::any_viewed_cache() {
    for (;;)
        if (const std::shared_ptr<Cache> &cache = any_cache(); cache->view() != nullptr) return cache;
}

unsigned Worker::any_key() { return random.chance(250) ? random.below(8) : random.below(shared_keys); }

bool Worker::is_mine(const Cache &cache, unsigned key) const {
    for (const auto &each : computing_)
        if (each == std::make_pair(&cache, key)) return true;
    return leased_.count({&cache, key}) != 0;
}

// ---- memoizing

void Worker::ask(const std::shared_ptr<Cache> &cache, unsigned key, unsigned depth) {
    doing("memoize", *cache, key);
    const Stamp oldest = cache->oldest(key);
    Computation computation{*this, cache, key, depth};
    phicache_value value{};
    std::int32_t code = 0;
    const bool in_cpp = cache->view() != nullptr && random.chance(300);
    const phicache_status status = in_cpp ? ask_in_cpp(computation, &value, &code)
                                          : cache->memoize(key, compute, &computation, &value, &code);
    switch (status) {
        case PHICACHE_OK:
            if (computation.runs == 0) found(*cache, value);
            else computed(*cache, key, value);
            break;
        case PHICACHE_ERROR_CALLBACK:
            observed(*cache).failed++;
            expect(computation.code != 0 && code == computation.code,
                   "%s, key %u: a failure with code %d; the computation's own is %d", cache->name(), key, code,
                   computation.code);
            break;
        case PHICACHE_ERROR_RECURSION:
            observed(*cache).recursions++;
            expect(computation.runs == 0 && is_mine(*cache, key), "%s, key %u: ERROR_RECURSION without recursion",
                   cache->name(), key);
            break;
        default: fail("%s, key %u: memoize is %s", cache->name(), key, phicache_status_name(status));
    }
    if (status == PHICACHE_OK)
        check_and_release(cache, key, value, value.origin == PHICACHE_ORIGIN_PARENT ? Stamp{0, 0} : oldest);
    else expect(value.pin == nullptr, "%s, key %u: a value beside an error", cache->name(), key);
}

phicache_status Worker::ask_in_cpp(Computation &computation, phicache_value *out, std::int32_t *callback_code) {
    const phicache_bytes key = computation.cache->key(computation.key);
    try {
        phicache::value value =
            phicache::cache(computation.cache->view()).memoize(phicache::bytes(key), [&](phicache::result &result) {
                const std::int32_t code = compute(computation, key, result.handle());
                if (code != 0) throw OnPurpose{code};
            });
        *out = value.release();
        return PHICACHE_OK;
    } catch (const OnPurpose &failure) {
        *callback_code = failure.code;
        return PHICACHE_ERROR_CALLBACK;
    } catch (const phicache::error &error) {
        return static_cast<phicache_status>(error.code());
    }
}

std::int32_t Worker::compute(void *, void *call_data, phicache_bytes key, phicache_result *result) {
    Computation &computation = *static_cast<Computation *>(call_data);
    return computation.worker.compute(computation, key, result);
}

std::int32_t Worker::compute(Computation &computation, phicache_bytes key, phicache_result *result) {
    const Cache &cache = *computation.cache;
    const phicache_bytes own = cache.key(computation.key);
    expect(key.len == own.len && std::memcmp(key.data, own.data, own.len) == 0, "%s, key %u: computes another key",
           cache.name(), computation.key);
    expect(++computation.runs == 1, "%s, key %u: computed twice by one call", cache.name(), computation.key);
    observed(cache).callbacks++;
    computing_.emplace_back(&cache, computation.key);
    const Stamp stamp = cache.now(computation.key);
    if (random.chance(100)) rest(20 + random.below(300));
    if (phase_.within) phase_.within(*this, computation.key, computation.depth);
    else if (computation.depth < deepest && random.chance(300))
        ask_for_others(cache, computation.key, computation.depth);
    if (random.chance(80)) {
        // A code that no other computation returns.
        computation.code = static_cast<std::int32_t>(number_ + 1) << 24 | (++last_code_ & 0xFFFFFF);
    }
    // A computation may write its value and then fail.
    if (computation.code == 0 || random.chance(500)) {
        const phicache_status status = cache.write(result, computation.key, stamp);
        expect(status == PHICACHE_OK, "%s, key %u: writing is %s", cache.name(), computation.key,
               phicache_status_name(status));
    }
    computing_.pop_back();
    doing("the end of memoize", cache, computation.key);
    return computation.code;
}

void Worker::ask_for_others(const Cache &cache, unsigned key, unsigned depth) {
    for (unsigned more = 1 + random.below(3); more > 0; more--) {
        const std::shared_ptr<Cache> &other = any_cache();
        unsigned wanted = any_key();
        if (!phase_.wait_cycles) {
            if (key == 0 && other->index() >= cache.index()) continue;
            if (wanted >= key) wanted = other->index() < cache.index() ? random.below(key + 1) : random.below(key);
        }
        ask(other, wanted, depth + 1);
    }
}

// ---- checking what was found or computed

void Worker::found(const Cache &cache, const phicache_value &value) {
    if (value.origin == PHICACHE_ORIGIN_WAITED) observed(cache).waited++;
    else observed(cache).hits++;
    expect(value.origin >= PHICACHE_ORIGIN_HIT && value.origin <= PHICACHE_ORIGIN_PARENT &&
               value.origin != PHICACHE_ORIGIN_COMPUTED,
           "%s: a value that was not computed here has origin %u", cache.name(), value.origin);
}

void Worker::computed(const Cache &cache, unsigned key, const phicache_value &value) {
    if (value.origin == PHICACHE_ORIGIN_COMPUTED) {
        observed(cache).computed++;
        const unsigned before = phase_.stored[cache.index()][key].fetch_add(1);
        expect(before == 0 || phase_.wait_cycles || phase_.churn, "%s, key %u: computed again", cache.name(), key);
        if (before > 0 && !phase_.churn) observed(cache).again++;
        return;
    }
    const phicache_status reason =
        value.origin < PHICACHE_ORIGIN_NOT_STORED
            ? 0
            : static_cast<phicache_status>(value.origin - PHICACHE_ORIGIN_NOT_STORED);
    if (expect(reason > 0 && reason < 16 && may_refuse(cache, key, reason),
               "%s, key %u: a computed value has origin %u", cache.name(), key, value.origin))
        observed(cache).refused[static_cast<std::size_t>(reason)]++;
}

bool Worker::may_refuse(const Cache &cache, unsigned key, phicache_status reason) const {
    if (reason == PHICACHE_REFUSED_CLEARED) return phase_.churn;
    const phicache_status always = cache.refusal(key);
    if (always != PHICACHE_OK) return reason == always;
    return cache.may_refuse(reason) && (phase_.churn || reason == PHICACHE_REFUSED_CAPACITY);
}

// Checks a pinned value, then releases it or hands it off to another thread.
void Worker::check_and_release(const std::shared_ptr<Cache> &cache, unsigned key, phicache_value value, Stamp oldest) {
    cache->check({value.data, value.len}, key, oldest);
    expect(reinterpret_cast<std::uintptr_t>(value.data) % 16 == 0, "%s, key %u: a value at %p", cache->name(), key,
           static_cast<const void *>(value.data));
    if (random.chance(30) && phase_.handoff.pins.size() < 256) {
        phase_.handoff.pins.put({cache, key, value});
        return;
    }
    doing("releasing a value", *cache, key);
    phicache_value_release(&value);
    expect(value.pin == nullptr && value.len == 0, "%s, key %u: a released value is not zero", cache->name(), key);
}

bool Worker::release_some_pin() {
    std::optional<Pin> pin = phase_.handoff.pins.take(random);
    if (!pin) return false;
    doing("releasing another thread's value", *pin->cache, pin->key);
    pin->cache->check({pin->value.data, pin->value.len}, pin->key, {0, 0});
    phicache_value_release(&pin->value);
    return true;
}

// ---- looking up

void Worker::look(const std::shared_ptr<Cache> &cache, unsigned key) {
    doing("get", *cache, key);
    const Stamp oldest = cache->oldest(key);
    phicache_value value{};
    const phicache_status status = cache->get(key, &value);
    if (status == PHICACHE_OK) {
        found(*cache, value);
        expect(value.origin != PHICACHE_ORIGIN_WAITED, "%s, key %u: get has waited", cache->name(), key);
        check_and_release(cache, key, value, value.origin == PHICACHE_ORIGIN_PARENT ? Stamp{0, 0} : oldest);
    } else if (expect(status == PHICACHE_MISS, "%s, key %u: get is %s", cache->name(), key,
                      phicache_status_name(status))) {
        observed(*cache).misses++;
    }
}

// The buffer may be too small; such a lookup counts nothing.
void Worker::look_into_buffer(Cache &cache, unsigned key) {
    doing("get_into", cache, key);
    std::array<std::uint8_t, longest_value + 100> buffer;
    const std::size_t capacity = random.chance(200) ? 64 : buffer.size();
    std::size_t len = 0;
    const phicache_status status = phicache_cache_get_into(cache.view(), cache.key(key), buffer.data(), capacity, &len);
    switch (status) {
        case PHICACHE_OK:
            observed(cache).hits++;
            cache.check({buffer.data(), len}, key, {0, 0});
            break;
        case PHICACHE_MISS: observed(cache).misses++; break;
        case PHICACHE_ERROR_BUFFER_TOO_SMALL:
            expect(len > capacity, "%s, key %u: %zu bytes do not fit into %zu", cache.name(), key, len, capacity);
            break;
        default: fail("%s, key %u: get_into is %s", cache.name(), key, phicache_status_name(status));
    }
}

// ---- leases

void Worker::begin(const std::shared_ptr<Cache> &cache, unsigned key) {
    doing("begin", *cache, key);
    const std::uint64_t owner = phase_.wait_cycles && random.chance(400) ? 0 : new_owner();
    const Stamp oldest = cache->oldest(key);
    phicache_value value{};
    phicache_lease *lease = nullptr;
    phase_.leases_out++;
    const phicache_status status = phicache_cache_begin(cache->view(), cache->key(key), owner, &value, &lease);
    if (status != PHICACHE_LEASE) phase_.leases_out--;
    switch (status) {
        case PHICACHE_OK:
            found(*cache, value);
            check_and_release(cache, key, value, value.origin == PHICACHE_ORIGIN_PARENT ? Stamp{0, 0} : oldest);
            break;
        case PHICACHE_LEASE:
            observed(*cache).begun++;
            if (owner == 0) leased_.emplace(cache.get(), key);
            phase_.handoff.leases.put({cache, key, cache->now(key), lease});
            break;
        case PHICACHE_BUSY: break;
        case PHICACHE_ERROR_RECURSION:
            expect(owner == 0 && is_mine(*cache, key), "%s, key %u: ERROR_RECURSION without recursion", cache->name(),
                   key);
            break;
        default: fail("%s, key %u: begin is %s", cache->name(), key, phicache_status_name(status));
    }
}

void Worker::wait(const std::shared_ptr<Cache> &cache, unsigned key) {
    doing("wait", *cache, key);
    const Stamp oldest = cache->oldest(key);
    phicache_value value{};
    const phicache_status status =
        phicache_cache_wait(cache->view(), cache->key(key), random.chance(500) ? 0 : new_owner(), random.below(3),
                            &value);
    if (status == PHICACHE_OK) {
        found(*cache, value);
        check_and_release(cache, key, value, value.origin == PHICACHE_ORIGIN_PARENT ? Stamp{0, 0} : oldest);
    } else if (status == PHICACHE_BUSY) {
        expect(is_mine(*cache, key) || phase_.wait_cycles, "%s, key %u: wait is BUSY without a wait cycle",
               cache->name(), key);
    } else {
        expect(status == PHICACHE_MISS || status == PHICACHE_TIMEOUT, "%s, key %u: wait is %s", cache->name(), key,
               phicache_status_name(status));
    }
}

bool Worker::end_some_lease() {
    const std::optional<Begun> begun = phase_.handoff.leases.take(random);
    if (!begun) return false;
    const Cache &cache = *begun->cache;
    if (random.chance(150)) {
        doing("abandoning a lease", cache, begun->key);
        expect(phicache_lease_abandon(begun->lease) == PHICACHE_OK, "%s, key %u: abandon fails", cache.name(),
               begun->key);
    } else {
        doing("completing a lease", cache, begun->key);
        const std::vector<std::uint8_t> bytes = cache.value(begun->key, begun->stamp);
        const std::size_t more = random.below(3) * 40;
        std::uint8_t *room = nullptr;
        phicache_value value{};
        phicache_status status = phicache_lease_reserve(begun->lease, bytes.size() + more, &room);
        if (status == PHICACHE_OK && !bytes.empty()) std::memcpy(room, bytes.data(), bytes.size());
        if (status == PHICACHE_OK && more != 0) status = phicache_lease_truncate(begun->lease, bytes.size());
        if (status == PHICACHE_OK) status = phicache_lease_complete(begun->lease, &value);
        if (expect(status == PHICACHE_OK, "%s, key %u: completing a lease is %s", cache.name(), begun->key,
                   phicache_status_name(status))) {
            computed(cache, begun->key, value);
            check_and_release(begun->cache, begun->key, value, {0, 0});
        }
    }
    phase_.leases_out--;
    return true;
}

void Worker::serve() {
    while (!phase_.over) {
        const bool ended = end_some_lease(), released = random.chance(500) && release_some_pin();
        if (!ended && !released) rest();
    }
}

void Worker::rest(unsigned microseconds) {
    watched_.enter("its rest", "the program", 0);
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

// ---- churn

void Worker::set(Cache &cache, unsigned key) {
    doing("set", cache, key);
    const phicache_status status = cache.set(key, timeless);
    expect(status == PHICACHE_OK || (status > 0 && may_refuse(cache, key, status)), "%s, key %u: set is %s",
           cache.name(), key, phicache_status_name(status));
}

void Worker::remove(Cache &cache, unsigned key) {
    doing("remove", cache, key);
    const phicache_status status = cache.remove(key);
    expect(status == PHICACHE_OK || status == PHICACHE_MISS, "%s, key %u: remove is %s", cache.name(), key,
           phicache_status_name(status));
}

void Worker::clear(Cache &cache) {
    doing("clear", cache, 0);
    const phicache_status status = cache.clear();
    expect(status == PHICACHE_OK, "%s: clear is %s", cache.name(), phicache_status_name(status));
}

}  // namespace stress
