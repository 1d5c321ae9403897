#include "caches.hpp"

#include <cstring>
#include <stdexcept>

#include "report.hpp"

namespace stress {

namespace {

void require(phicache_status status, const std::string &what) {
    if (status != PHICACHE_OK)
        throw std::runtime_error(what + ": " + phicache_status_name(status) + ": " + phicache_last_error());
}

phicache_bytes bytes(const std::string &text) {
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

phicache_cache_options options(const std::string &name, std::uint64_t max_bytes) {
    phicache_cache_options all{};
    all.struct_size = sizeof all;
    all.name = name.empty() ? nullptr : name.c_str();
    all.max_bytes = max_bytes;
    // The model knows of every value that is stored.
    all.on_full = PHICACHE_ON_FULL_REFUSE;
    return all;
}

template <class Make>
std::vector<std::string> keys_by(Make make) {
    std::vector<std::string> keys;
    for (unsigned key = 0; key < all_keys; key++) keys.push_back(make(key));
    return keys;
}

// This thread's own key builder.
phicache_key *builder() {
    struct Builder {
        phicache_key *handle = nullptr;
        Builder() { require(phicache_key_new(&handle), "a key builder"); }
        ~Builder() { phicache_key_free(handle); }
    };
    static thread_local Builder own;
    require(phicache_key_reset(own.handle), "resetting a key builder");
    return own.handle;
}

std::string built(phicache_key *key) {
    phicache_bytes all{};
    require(phicache_key_bytes(key, 0, &all), "a key's bytes");
    return std::string(reinterpret_cast<const char *>(all.data), all.len);
}

}  // namespace

Cache::Cache(std::string name, unsigned index, std::size_t unit, const std::vector<std::string> &keys)
    : values_(unit), name_(std::move(name)), index_(index), keys_(keys), removals_(new Removals[all_keys]) {}

phicache_bytes Cache::key(unsigned key) const { return bytes(keys_[key]); }

phicache_status Cache::info(phicache_info *out) const { return phicache_cache_info(view_, out); }

std::vector<std::uint8_t> Cache::value(unsigned key, Stamp stamp) const {
    std::vector<std::uint8_t> all(values_.length(key));
    values_.write(all.data(), key, stamp);
    return all;
}

phicache_status Cache::write(phicache_result *result, unsigned key, Stamp stamp) const {
    const std::size_t len = values_.length(key);
    if (len == 0) return PHICACHE_OK;  // a value that is never reserved is empty
    std::uint8_t *room = nullptr;
    const std::size_t more = key % 4 == 1 ? 100 : 0;
    const phicache_status status = phicache_result_reserve(result, len + more, &room);
    if (status != PHICACHE_OK) return status;
    values_.write(room, key, stamp);
    return more == 0 ? PHICACHE_OK : phicache_result_truncate(result, len);
}

bool Cache::check(phicache_bytes value, unsigned key, Stamp oldest) const {
    return values_.check(name(), value.data, value.len, key, oldest);
}

bool Cache::may_refuse(phicache_status reason) const { return reason == PHICACHE_REFUSED_MEMORY; }

phicache_status Cache::clear() {
    const std::uint64_t number = before_clear();
    const phicache_status status = clear_handle();
    after_clear(number);
    return status;
}

void Cache::after_clear(std::uint64_t number) {
    std::uint64_t ended = clears_ended_;
    while (ended < number && !clears_ended_.compare_exchange_weak(ended, number)) {}
}

phicache_status Cache::remove(unsigned key) {
    Removals &removals = removals_[key];
    const std::uint64_t number = ++removals.begun;
    const phicache_status status = phicache_cache_remove(view_, this->key(key));
    std::uint64_t ended = removals.ended;
    while (ended < number && !removals.ended.compare_exchange_weak(ended, number)) {}
    return status;
}

Stamp Cache::now(unsigned key) const { return {clears_begun_, removals_[key].begun}; }

Stamp Cache::oldest(unsigned key) const { return {clears_ended_, removals_[key].ended}; }

namespace {

class Dict : public Cache {
public:
    Dict(phicache_config *config, const std::string &name, unsigned index, std::uint64_t max_bytes)
        : Cache(name, index, 1, keys()), limited_(max_bytes != 0) {
        const phicache_cache_options with = options(name, max_bytes);
        require(phicache_dict_cache_new(config, &with, &handle_), name);
        require(phicache_dict_cache_as_cache(handle_, &view_), name);
    }
    ~Dict() override { close(); }

    void close() final {
        expect(phicache_dict_cache_free(handle_) == PHICACHE_OK, "%s cannot be freed", name());
        handle_ = nullptr;
    }
    phicache_status memoize(unsigned key, phicache_compute compute, void *call_data, phicache_value *out,
                            std::int32_t *callback_code) override {
        return phicache_dict_cache_memoize(handle_, this->key(key), compute, nullptr, call_data, out, callback_code);
    }
    phicache_status get(unsigned key, phicache_value *out) override {
        return phicache_dict_cache_get(handle_, this->key(key), out);
    }
    phicache_status set(unsigned key, Stamp stamp) override {
        const std::vector<std::uint8_t> all = value(key, stamp);
        return phicache_dict_cache_set(handle_, this->key(key), {all.data(), all.size()});
    }
    bool may_refuse(phicache_status reason) const override {
        return Cache::may_refuse(reason) || (limited_ && reason == PHICACHE_REFUSED_CAPACITY);
    }

private:
    static const std::vector<std::string> &keys() {
        static const std::vector<std::string> all = keys_by([](unsigned key) {
            return std::string(reinterpret_cast<const char *>(&key), sizeof key) + std::string(key % 60, 'k');
        });
        return all;
    }

    phicache_dict_cache *handle_ = nullptr;
    bool limited_;
};

// The MICE and the purview list of a key, in a network of twelve nodes.
std::int32_t direction_of(unsigned key) { return key % 2 == 0 ? PHICACHE_CAUSE : PHICACHE_EFFECT; }
std::uint64_t mechanism_of(unsigned key) { return key + 1; }
std::uint64_t purview_of(unsigned key) { return (key * 2654435761u >> 7) & 4095; }
double phi_of(unsigned key) { return positive(key) ? 1 + 0.25 * key : 0; }

constexpr std::size_t nodes = 12;
constexpr std::uint64_t everything = (1u << nodes) - 1;
// The cut severs the connection from the first mask's node to the second's.
constexpr std::uint64_t severed_from = 1, severed_to = 2;
static_assert(all_keys < 1u << nodes, "each key has a mechanism of its own");

class Purviews : public Cache {
public:
    Purviews(phicache_config *config, const std::string &name, unsigned index) : Cache(name, index, 8, keys()) {
        const phicache_cache_options with = options(name, 0);
        require(phicache_purview_cache_new(config, &with, &handle_), name);
        require(phicache_purview_cache_as_cache(handle_, &view_), name);
    }
    ~Purviews() override { close(); }

    void close() final {
        expect(phicache_purview_cache_free(handle_) == PHICACHE_OK, "%s cannot be freed", name());
        handle_ = nullptr;
    }
    phicache_status memoize(unsigned key, phicache_compute compute, void *call_data, phicache_value *out,
                            std::int32_t *callback_code) override {
        const std::uint64_t *masks = nullptr;
        std::size_t count = 0;
        return phicache_purview_cache_memoize(handle_, direction_of(key), mechanism_of(key), compute, nullptr,
                                              call_data, &masks, &count, out, callback_code);
    }
    phicache_status get(unsigned key, phicache_value *out) override {
        const std::uint64_t *masks = nullptr;
        std::size_t count = 0;
        const phicache_status status =
            phicache_purview_cache_get(handle_, direction_of(key), mechanism_of(key), &masks, &count, out);
        if (status == PHICACHE_OK)
            expect(count * 8 == out->len, "%s, key %u: %zu masks of %zu bytes", name(), key, count, out->len);
        return status;
    }
    phicache_status set(unsigned key, Stamp stamp) override {
        std::vector<std::uint64_t> masks(values_.length(key) / 8);
        if (!masks.empty()) values_.write(reinterpret_cast<std::uint8_t *>(masks.data()), key, stamp);
        return phicache_purview_cache_set(handle_, direction_of(key), mechanism_of(key), masks.data(), masks.size());
    }
    bool may_refuse(phicache_status reason) const override {
        return Cache::may_refuse(reason) || reason == PHICACHE_REFUSED_DISABLED;
    }

private:
    static const std::vector<std::string> &keys() {
        static const std::vector<std::string> all = keys_by([](unsigned key) {
            phicache_key *args = builder();
            require(phicache_key_add_direction(args, direction_of(key)), "a direction");
            require(phicache_key_add_nodes(args, mechanism_of(key)), "a mechanism");
            return built(args);
        });
        return all;
    }

    phicache_purview_cache *handle_ = nullptr;
};

// The subsystem of all nodes, uncut and cut.
phicache_subsystem *subsystem(Cut cut) {
    struct Subsystems {
        phicache_subsystem *uncut = nullptr, *severed = nullptr;
        Subsystems() {
            const phicache_fingerprint network{{1, 2, 3}};
            const std::int32_t state[nodes] = {};
            std::uint64_t connections[nodes];
            require(phicache_cut_bipartition(nodes, severed_from, severed_to, connections), "a cut");
            require(phicache_subsystem_new(&network, nodes, state, everything, nullptr, nullptr, &uncut),
                    "a subsystem");
            require(phicache_subsystem_cut(uncut, connections, &severed), "a cut subsystem");
        }
        ~Subsystems() {
            phicache_subsystem_free(uncut);
            phicache_subsystem_free(severed);
        }
    };
    static const Subsystems all;
    return cut == Cut::none ? all.uncut : all.severed;
}

class Mice : public Cache {
public:
    Mice(phicache_config *config, const std::string &name, unsigned index, Cut cut, const Mice *parent)
        : Cache(name.empty() ? "a child" : name, index, 1, keys()), cut_(cut) {
        const phicache_cache_options with = options(name, 0);
        require(phicache_dict_mice_cache_new(config, &with, subsystem(cut), parent ? parent->handle_ : nullptr,
                                             &handle_),
                name);
        require(phicache_mice_cache_as_cache(handle_, &view_), name);
    }
    ~Mice() override { close(); }

    void close() final {
        expect(phicache_mice_cache_free(handle_) == PHICACHE_OK, "%s cannot be freed", name());
        handle_ = nullptr;
    }
    phicache_status memoize(unsigned key, phicache_compute compute, void *call_data, phicache_value *out,
                            std::int32_t *callback_code) override {
        phicache_mice mice = none();
        const phicache_status status = phicache_mice_cache_memoize(handle_, this->key(key), compute, nullptr, call_data,
                                                                   &mice, out, callback_code);
        if (status == PHICACHE_OK) check_mice(mice, key, {0, 0});
        return status;
    }
    phicache_status get(unsigned key, phicache_value *out) override {
        phicache_mice mice = none();
        const phicache_status status = phicache_mice_cache_get(handle_, this->key(key), &mice, out);
        if (status == PHICACHE_OK) check_mice(mice, key, {0, 0});
        return status;
    }
    phicache_status set(unsigned key, Stamp stamp) override {
        const std::vector<std::uint8_t> payload = Cache::value(key, stamp);
        const phicache_mice mice = record(key, {payload.data(), payload.size()});
        return phicache_mice_cache_set(handle_, this->key(key), &mice);
    }
    std::vector<std::uint8_t> value(unsigned key, Stamp stamp) const override {
        const std::vector<std::uint8_t> payload = Cache::value(key, stamp);
        const phicache_mice mice = record(key, {payload.data(), payload.size()});
        std::size_t len = 0;
        phicache_mice_encode(&mice, nullptr, 0, &len);
        std::vector<std::uint8_t> all(len);
        require(phicache_mice_encode(&mice, all.data(), len, &len), "encoding a MICE");
        return all;
    }
    phicache_status write(phicache_result *result, unsigned key, Stamp stamp) const override {
        std::uint8_t *room = nullptr;
        const phicache_mice mice = record(key, {nullptr, values_.length(key)});
        const phicache_status status = phicache_result_mice(result, &mice, &room);
        if (status == PHICACHE_OK) values_.write(room, key, stamp);
        return status;
    }
    bool check(phicache_bytes value, unsigned key, Stamp oldest) const override {
        phicache_mice mice = none();
        const phicache_status status = phicache_mice_decode(value, &mice);
        return expect(status == PHICACHE_OK, "%s, key %u: a record that is %s", name(), key,
                      phicache_status_name(status)) &&
               check_mice(mice, key, oldest);
    }
    phicache_status refusal(unsigned key) const override {
        if (cut_ != Cut::none) return PHICACHE_REFUSED_CUT;
        return positive(key) ? PHICACHE_OK : PHICACHE_REFUSED_PHI;
    }

private:
    static phicache_mice none() {
        phicache_mice mice{};
        mice.struct_size = sizeof mice;
        return mice;
    }
    static phicache_mice record(unsigned key, phicache_bytes payload) {
        phicache_mice mice = none();
        mice.direction = direction_of(key);
        mice.mechanism = mechanism_of(key);
        mice.purview = purview_of(key);
        mice.phi = phi_of(key);
        mice.payload = payload;
        return mice;
    }
    bool check_mice(const phicache_mice &mice, unsigned key, Stamp oldest) const {
        const bool same = mice.direction == direction_of(key) && mice.mechanism == mechanism_of(key) &&
                          mice.purview == purview_of(key) && !(mice.phi < phi_of(key)) && !(mice.phi > phi_of(key));
        return expect(same, "%s, key %u: the MICE of mechanism %llx", name(), key,
                      static_cast<unsigned long long>(mice.mechanism)) &&
               values_.check(name(), mice.payload.data, mice.payload.len, key, oldest);
    }
    static const std::vector<std::string> &keys() {
        static const std::vector<std::string> all = keys_by([](unsigned key) {
            std::uint8_t buffer[PHICACHE_KEY_BUFFER];
            std::size_t len = 0;
            require(phicache_key_mice("stress", direction_of(key), mechanism_of(key), nullptr, 0, buffer, sizeof buffer,
                                      &len),
                    "a MICE key");
            return std::string(reinterpret_cast<const char *>(buffer), len);
        });
        return all;
    }

    phicache_mice_cache *handle_ = nullptr;
    Cut cut_;
};

class Memo : public Cache {
public:
    Memo(phicache_config *config, const std::string &name, unsigned index, phicache_compute compute)
        : Cache(name, index, 1, keys()) {
        require(phicache_memo_new(config, compute, nullptr, nullptr, PHICACHE_MEMORY_CONFIGURED, 0, nullptr, nullptr,
                                  &handle_),
                name);
    }
    ~Memo() override { close(); }

    void close() final {
        expect(phicache_memo_free(handle_) == PHICACHE_OK, "%s cannot be freed", name());
        handle_ = nullptr;
    }
    phicache_status memoize(unsigned key, phicache_compute, void *call_data, phicache_value *out,
                            std::int32_t *callback_code) override {
        return phicache_memo_call(handle_, arguments(key), call_data, out, callback_code);
    }
    phicache_status get(unsigned, phicache_value *) override { return PHICACHE_ERROR_UNSUPPORTED; }
    phicache_status set(unsigned, Stamp) override { return PHICACHE_ERROR_UNSUPPORTED; }
    phicache_status info(phicache_info *out) const override { return phicache_memo_info(handle_, out); }

private:
    phicache_status clear_handle() override { return phicache_memo_clear(handle_); }
    static phicache_key *arguments(unsigned key) {
        phicache_key *args = builder();
        require(phicache_key_add_uint(args, key), "an argument");
        require(phicache_key_add_double(args, 0.5 * key), "an argument");
        return args;
    }
    static const std::vector<std::string> &keys() {
        static const std::vector<std::string> all = keys_by([](unsigned key) { return built(arguments(key)); });
        return all;
    }

    phicache_memo *handle_ = nullptr;
};

}  // namespace

bool positive(unsigned key) { return key % 11 != 5; }

bool damaged(unsigned key) {
    const std::uint64_t mechanism = mechanism_of(key), purview = purview_of(key);
    const std::uint64_t from = direction_of(key) == PHICACHE_CAUSE ? purview : mechanism;
    const std::uint64_t to = direction_of(key) == PHICACHE_CAUSE ? mechanism : purview;
    return ((mechanism & severed_from) != 0 && (mechanism & severed_to) != 0) ||
           ((from & severed_from) != 0 && (to & severed_to) != 0);
}

std::shared_ptr<Cache> make_dict(phicache_config *config, const std::string &name, unsigned index,
                                 std::uint64_t max_bytes) {
    return std::make_shared<Dict>(config, name, index, max_bytes);
}

std::shared_ptr<Cache> make_purview(phicache_config *config, const std::string &name, unsigned index) {
    return std::make_shared<Purviews>(config, name, index);
}

std::shared_ptr<Cache> make_mice(phicache_config *config, const std::string &name, unsigned index, Cut cut,
                                 const Cache *parent) {
    return std::make_shared<Mice>(config, name, index, cut, dynamic_cast<const Mice *>(parent));
}

std::shared_ptr<Cache> make_memo(phicache_config *config, const std::string &name, unsigned index,
                                 phicache_compute compute) {
    return std::make_shared<Memo>(config, name, index, compute);
}

}  // namespace stress
