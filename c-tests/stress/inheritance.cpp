#include <thread>

#include "phases.hpp"
#include "report.hpp"

namespace stress {

namespace {

constexpr unsigned rounds = 60, records = 40;

}  // namespace

void inheritance(unsigned threads, std::uint64_t seed) {
    const Unlimited config;
    Phase phase;
    phase.churn = true;
    const std::shared_ptr<Cache> parent = make_mice(config.handle(), "inheritance.parent", 0, Cut::none, nullptr);
    phase.caches = {parent};

    std::mutex lock;
    std::shared_ptr<Cache> copy, cut;  // of the round
    std::atomic<bool> done{false};
    const auto children = [&] {
        const std::lock_guard<std::mutex> guard(lock);
        return std::make_pair(copy, cut);
    };
    const auto expect_size = [&](const Cache &child, std::uint64_t expected, const char *when) {
        std::uint64_t size = 0;
        phicache_cache_size(child.view(), &size);
        expect(size == expected, "a child says it has %llu values %s, expected %llu",
               static_cast<unsigned long long>(size), when, static_cast<unsigned long long>(expected));
    };
    std::uint64_t undamaged = 0, all = 0;
    for (unsigned key = 0; key < records; key++) {
        all += positive(key);
        undamaged += positive(key) && !damaged(key);
    }

    const auto change_parent = [&](Worker &worker) {
        for (unsigned round = 0; round < rounds; round++) {
            for (unsigned key = 0; key < records; key++) worker.set(*parent, key);
            {
                const auto new_copy = make_mice(config.handle(), "", 1, Cut::none, parent.get());
                const auto new_cut = make_mice(config.handle(), "", 1, Cut::severed, parent.get());
                const std::lock_guard<std::mutex> guard(lock);
                copy = new_copy;
                cut = new_cut;
            }
            // The parent loses and regains its values; its children keep them throughout.
            for (unsigned again = 0; again < 3; again++) {
                expect_size(*copy, all, "before its parent is cleared");
                worker.clear(*parent);
                expect_size(*copy, all, "after its parent was cleared");
                expect_size(*cut, undamaged, "after its parent was cleared");
                for (unsigned key = 0; key < records; key++)
                    if (worker.random.chance(500)) worker.set(*parent, key);
                expect_size(*copy, all, "after its parent was filled");
            }
        }
        done = true;
    };
    const auto inherit = [&](Worker &worker) {
        while (!done) {
            const auto [copy_now, cut_now] = children();
            if (copy_now == nullptr) continue;
            const unsigned key = worker.random.below(records);
            worker.doing("get", *copy_now, key);
            phicache_value value{};
            phicache_status status = copy_now->get(key, &value);
            expect((status == PHICACHE_OK) == positive(key), "a child has lost key %u: %s", key,
                   phicache_status_name(status));
            if (status == PHICACHE_OK) copy_now->check({value.data, value.len}, key, {0, 0});
            phicache_value_release(&value);
            status = phicache_cache_contains(cut_now->view(), cut_now->key(key));
            expect((status == PHICACHE_OK) == (positive(key) && !damaged(key)), "a cut child and key %u: %s", key,
                   phicache_status_name(status));
            std::uint64_t size = 0;
            phicache_cache_size(copy_now->view(), &size);
        }
    };
    run_workers(phase, threads, seed, [&](Worker &worker) {
        if (worker.number() == 0) change_parent(worker);
        else inherit(worker);
    });
}

}  // namespace stress
