// caches.cpp: see caches.hpp.
#include "caches.hpp"

#include <cstring>

namespace replay {

bool Cache::same(const std::vector<std::uint8_t> &expected, const std::uint8_t *data, std::size_t len) {
    return len == expected.size() && (len == 0 || std::memcmp(data, expected.data(), len) == 0);
}

namespace {

phicache_bytes view(const std::vector<std::uint8_t> &bytes) { return {bytes.data(), bytes.size()}; }

// What all kinds have in common: the handle, and the operations without arguments.
template <typename Handle, auto Free, auto Clear, auto Size, auto Info>
class Owned : public Cache {
public:
    ~Owned() override { Free(handle); }
    phicache_status clear() override { return Clear(handle); }
    phicache_status size(std::uint64_t *out) override { return Size(handle, out); }
    phicache_status info(phicache_info *out) override { return Info(handle, out); }

    Handle *handle = nullptr;
};

class Dict : public Owned<phicache_dict_cache, phicache_dict_cache_free, phicache_dict_cache_clear,
                          phicache_dict_cache_size, phicache_dict_cache_info> {
public:
    phicache_status get(const Key &key, phicache_value *out) override {
        return phicache_dict_cache_get(handle, view(key.bytes), out);
    }
    bool answered(const Value &expected, const phicache_value &got) const override {
        return same(expected.bytes, got.data, got.len);
    }
    phicache_status set(const Key &key, const Value &value) override {
        return phicache_dict_cache_set(handle, view(key.bytes), view(value.bytes));
    }
};

class Redis : public Owned<phicache_redis_cache, phicache_redis_cache_free, phicache_redis_cache_clear,
                           phicache_redis_cache_size, phicache_redis_cache_info> {
public:
    phicache_status get(const Key &key, phicache_value *out) override {
        return phicache_redis_cache_get(handle, view(key.bytes), out);
    }
    bool answered(const Value &expected, const phicache_value &got) const override {
        return same(expected.bytes, got.data, got.len);
    }
    phicache_status set(const Key &key, const Value &value) override {
        return phicache_redis_cache_set(handle, view(key.bytes), view(value.bytes));
    }
};

class Purview : public Owned<phicache_purview_cache, phicache_purview_cache_free, phicache_purview_cache_clear,
                             phicache_purview_cache_size, phicache_purview_cache_info> {
public:
    phicache_status get(const Key &key, phicache_value *out) override {
        return phicache_purview_cache_get(handle, key.direction, key.mechanism, &purviews_, &count_, out);
    }
    bool answered(const Value &expected, const phicache_value &) const override {
        if (count_ != expected.purviews->size()) return false;
        return count_ == 0 || std::memcmp(purviews_, expected.purviews->data(), count_ * sizeof(NodeMask)) == 0;
    }
    phicache_status set(const Key &key, const Value &value) override {
        return phicache_purview_cache_set(handle, key.direction, key.mechanism, value.purviews->data(),
                                          value.purviews->size());
    }

private:
    const std::uint64_t *purviews_ = nullptr;
    std::size_t count_ = 0;
};

class Mice : public Owned<phicache_mice_cache, phicache_mice_cache_free, phicache_mice_cache_clear,
                          phicache_mice_cache_size, phicache_mice_cache_info> {
public:
    phicache_status get(const Key &key, phicache_value *out) override {
        mice_.struct_size = sizeof mice_;
        return phicache_mice_cache_get(handle, view(of_subsystem(key)), &mice_, out);
    }
    bool answered(const Value &expected, const phicache_value &) const override {
        return mice_.direction == expected.direction && mice_.mechanism == expected.mechanism &&
               mice_.purview == expected.purview && !(mice_.phi < expected.phi) && !(mice_.phi > expected.phi) &&
               same(expected.bytes, mice_.payload.data, mice_.payload.len);
    }
    phicache_status set(const Key &key, const Value &value) override {
        phicache_mice mice{};
        mice.struct_size = sizeof mice;
        mice.direction = value.direction;
        mice.mechanism = value.mechanism;
        mice.purview = value.purview;
        mice.phi = value.phi;
        mice.payload = view(value.bytes);
        return phicache_mice_cache_set(handle, view(of_subsystem(key)), &mice);
    }

protected:
    // The key among those of one subsystem.
    virtual const std::vector<std::uint8_t> &of_subsystem(const Key &key) const { return key.bytes; }

private:
    phicache_mice mice_{};
};

class RedisMice : public Mice {
protected:
    const std::vector<std::uint8_t> &of_subsystem(const Key &key) const override { return key.behind_subsystem; }
};

template <typename Kind, typename New>
Made make(New make_handle) {
    auto cache = std::make_unique<Kind>();
    const phicache_status status = make_handle(&cache->handle);
    if (status != PHICACHE_OK) return {status, nullptr};
    return {status, std::move(cache)};
}

}  // namespace

Made make_dict(phicache_config *config) {
    return make<Dict>([&](phicache_dict_cache **out) { return phicache_dict_cache_new(config, nullptr, out); });
}

Made make_purview(phicache_config *config) {
    return make<Purview>(
        [&](phicache_purview_cache **out) { return phicache_purview_cache_new(config, nullptr, out); });
}

Made make_mice(phicache_config *config, phicache_subsystem *subsystem, Cache *parent) {
    phicache_mice_cache *from = parent == nullptr ? nullptr : static_cast<Mice *>(parent)->handle;
    return make<Mice>([&](phicache_mice_cache **out) {
        return phicache_dict_mice_cache_new(config, nullptr, subsystem, from, out);
    });
}

Made make_redis(phicache_config *config) {
    return make<Redis>([&](phicache_redis_cache **out) { return phicache_redis_cache_new(config, nullptr, out); });
}

Made make_redis_mice(phicache_config *config, phicache_subsystem *subsystem, Cache *parent) {
    phicache_mice_cache *from = parent == nullptr ? nullptr : static_cast<RedisMice *>(parent)->handle;
    return make<RedisMice>([&](phicache_mice_cache **out) {
        return phicache_redis_mice_cache_new(config, nullptr, subsystem, from, out);
    });
}

phicache_status mice_contains(Cache &cache, const Key &key) {
    return phicache_mice_cache_contains(static_cast<Mice &>(cache).handle, view(key.bytes));
}

}  // namespace replay
