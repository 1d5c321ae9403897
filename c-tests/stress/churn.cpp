#include <algorithm>
#include <chrono>
#include <cstring>

#include "phases.hpp"
#include "report.hpp"

namespace stress {

namespace {

constexpr unsigned all_calls = 24000;  // of all threads together, without those made inside computations
constexpr std::uint64_t limit = 150000;

// Short-lived children of the parent; a thread that uses one keeps it alive.
class Children {
public:
    std::shared_ptr<Cache> any(Random &random) {
        const std::lock_guard<std::mutex> guard(lock_);
        return children_[random.below(children_.size())];
    }
    void replace(Random &random, std::shared_ptr<Cache> child) {
        const std::lock_guard<std::mutex> guard(lock_);
        child.swap(children_[random.below(children_.size())]);
    }

private:
    std::mutex lock_;
    std::array<std::shared_ptr<Cache>, 8> children_;
};

struct Scene {
    Unlimited config, of_dict, of_purviews;
    Phase phase;
    std::shared_ptr<Cache> dict, parent;
    Children children;
    unsigned child_index = 0;
};

void use_child(Scene &scene, Worker &worker) {
    Random &random = worker.random;
    std::shared_ptr<Cache> child = scene.children.any(random);
    if (child == nullptr || random.chance(250)) {
        worker.doing("making a child", *scene.parent, 0);
        // A child may have a child of its own, if it is uncut.
        const Cut cut = random.chance(500) ? Cut::none : Cut::severed;
        const bool grandchild = child != nullptr && child->refusal(0) == PHICACHE_OK && random.chance(200);
        child = make_mice(scene.config.handle(), "", scene.child_index, cut, grandchild ? nullptr : scene.parent.get());
        scene.children.replace(random, child);
    }
    const unsigned key = worker.any_key();
    switch (random.below(8)) {
        case 0: worker.set(*child, key); break;
        case 1: worker.remove(*child, key); break;
        case 2:
            if (random.chance(100)) worker.clear(*child);
            break;
        case 3: {
            worker.doing("size", *child, 0);
            std::uint64_t size = 0;
            expect(phicache_cache_size(child->view(), &size) == PHICACHE_OK && size <= 2 * shared_keys,
                   "a child of %llu values", static_cast<unsigned long long>(size));
            break;
        }
        case 4: worker.begin(child, key); break;
        case 5: worker.look(child, key); break;
        default: worker.ask(child, key);
    }
}

// Changes a setting that takes effect at once.
void switch_something(Scene &scene, Random &random) {
    if (random.chance(500)) {
        const double percent = random.chance(300) ? 0.0 : PHICACHE_MEMORY_UNLIMITED;
        expect(phicache_config_set_maximum_memory_percent(scene.of_dict.handle(), percent) == PHICACHE_OK,
               "no such maximum");
    } else {
        expect(phicache_config_set_cache_potential_purviews(scene.of_purviews.handle(), random.chance(700)) ==
                   PHICACHE_OK,
               "no such switch");
    }
}

// A short-lived cache, named or not, freed while its pins and leases are alive.
void use_short_lived_cache(Scene &scene, Worker &worker) {
    worker.doing("making and freeing", *scene.dict, 0);
    const std::string name = worker.random.chance(500) ? "passing." + std::to_string(worker.number()) : "";
    const std::shared_ptr<Cache> cache = make_dict(scene.config.handle(), name, scene.child_index);
    for (unsigned calls = worker.random.below(5); calls > 0; calls--) worker.ask(cache, worker.any_key(), 5);
    if (worker.random.chance(200)) worker.begin(cache, worker.any_key());
    cache->close();
    phicache_dict_cache *second = nullptr;
    phicache_cache_options options{};
    options.struct_size = sizeof options;
    options.name = scene.dict->name();
    const phicache_status status = phicache_dict_cache_new(nullptr, &options, &second);
    expect(status == PHICACHE_ERROR_NAME_IN_USE && second == nullptr, "a second cache of one name: %s",
           phicache_status_name(status));
}

void consult_registry(Scene &scene, Worker &worker) {
    Phase &phase = scene.phase;
    worker.doing("the registry", *scene.dict, 0);
    std::array<phicache_registry_item, 100> items{};
    items[0].struct_size = sizeof items[0];
    std::size_t count = 0;
    const phicache_status status = phicache_registry_list(items.data(), items.size(), &count);
    expect(status == PHICACHE_OK && count < items.size(), "the registry lists %zu caches: %s", count,
           phicache_status_name(status));
    count = std::min(count, items.size());
    for (std::size_t i = 1; i < count; i++)
        expect(std::strcmp(items[i - 1].name, items[i].name) < 0, "the registry lists %s before %s", items[i - 1].name,
               items[i].name);
    for (const std::shared_ptr<Cache> &cache : phase.caches) {
        const bool listed = std::any_of(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count),
                                        [&](const auto &item) { return std::strcmp(item.name, cache->name()) == 0; });
        expect(listed == (cache->view() != nullptr), "the registry is wrong about %s", cache->name());
    }
    const Cache &cache = *worker.any_viewed_cache();
    phicache_info info{};
    expect(phicache_registry_info(cache.name(), &info) == PHICACHE_OK, "no info of %s in the registry", cache.name());
    expect(phicache_registry_info("nobody", &info) == PHICACHE_ERROR_INVALID_ARGUMENT, "the registry knows nobody");
}

void clear_something(Scene &scene, Worker &worker) {
    const std::shared_ptr<Cache> cache = worker.any_cache();
    if (cache->view() == nullptr || worker.random.chance(600)) {
        worker.clear(*cache);
    } else if (worker.random.chance(800)) {
        worker.doing("clear in the registry", *cache, 0);
        const std::uint64_t number = cache->before_clear();
        expect(phicache_registry_clear(cache->name()) == PHICACHE_OK, "%s: the registry cannot clear it",
               cache->name());
        cache->after_clear(number);
    } else {
        worker.doing("clear_all in the registry", *cache, 0);
        std::vector<std::uint64_t> numbers;
        for (const std::shared_ptr<Cache> &each : scene.phase.caches) numbers.push_back(each->before_clear());
        expect(phicache_registry_clear_all() == PHICACHE_OK, "the registry cannot clear all");
        // Memos' caches have no name.
        for (std::size_t i = 0; i < numbers.size(); i++)
            if (scene.phase.caches[i]->view() != nullptr) scene.phase.caches[i]->after_clear(numbers[i]);
    }
}

void use(Scene &scene, Worker &worker) {
    const unsigned key = worker.any_key(), dice = worker.random.below(1000);
    if (dice < 400) worker.ask(worker.any_cache(), key);
    else if (dice < 520) worker.look(worker.any_viewed_cache(), key);
    else if (dice < 560) worker.look_into_buffer(*worker.any_viewed_cache(), key);
    else if (dice < 640) worker.begin(worker.any_viewed_cache(), key);
    else if (dice < 680) worker.wait(worker.any_viewed_cache(), key);
    else if (dice < 740) worker.release_some_pin();
    else if (dice < 800) worker.set(*worker.any_viewed_cache(), key);
    else if (dice < 850) worker.remove(*worker.any_viewed_cache(), key);
    else if (dice < 950) use_child(scene, worker);
    else if (dice < 970) use_short_lived_cache(scene, worker);
    else if (dice < 980) consult_registry(scene, worker);
    else if (dice < 990) switch_something(scene, worker.random);
    else clear_something(scene, worker);
}

// No thread runs any more: the size of a cache is the number of keys that it contains.
void check_at_rest(Cache &cache) {
    if (cache.view() == nullptr) return;
    std::uint64_t size = 0, there = 0;
    expect(phicache_cache_size(cache.view(), &size) == PHICACHE_OK, "%s has no size", cache.name());
    for (unsigned key = 0; key < shared_keys; key++)
        there += phicache_cache_contains(cache.view(), cache.key(key)) == PHICACHE_OK;
    expect(size == there, "%s says it holds %llu values; it holds %llu", cache.name(),
           static_cast<unsigned long long>(size), static_cast<unsigned long long>(there));
}

void check_empty(Cache &cache) {
    expect(cache.clear() == PHICACHE_OK, "%s cannot be cleared", cache.name());
    phicache_info info{1, 1, 1};
    expect(cache.info(&info) == PHICACHE_OK && info.hits + info.misses + info.size == 0, "%s is not empty after clear",
           cache.name());
}

}  // namespace

void churn(unsigned threads, std::uint64_t seed) {
    Scene scene;
    Phase &phase = scene.phase;
    phase.wait_cycles = phase.churn = true;
    scene.dict = make_dict(scene.of_dict.handle(), "churn.dict", 0);
    scene.parent = make_mice(scene.config.handle(), "churn.parent", 1, Cut::none, nullptr);
    phase.caches = {scene.dict,
                    scene.parent,
                    make_dict(scene.config.handle(), "churn.limited", 2, limit),
                    make_purview(scene.of_purviews.handle(), "churn.purviews", 3),
                    make_mice(scene.config.handle(), "churn.cut", 4, Cut::severed, scene.parent.get()),
                    make_mice(scene.config.handle(), "churn.copy", 5, Cut::none, scene.parent.get()),
                    make_memo(scene.of_dict.handle(), "a memo", 6, &Worker::compute)};
    scene.child_index = 7;
    run_workers(phase, threads, seed, [&](Worker &worker) {
        for (unsigned call = 0; call < all_calls / threads; call++) use(scene, worker);
    });
    for (const std::shared_ptr<Cache> &cache : phase.caches) check_at_rest(*cache);
    for (const std::shared_ptr<Cache> &cache : phase.caches) check_empty(*cache);
}

}  // namespace stress
