// stores.cpp: stores one value after the other: stores WORK COUNT. Without arguments it lists the works.
//
// make/count_instructions.py runs it under callgrind, which writes down the instructions whenever `boundary` is called:
// before and after each store. A work begins with a cache that is full, or that has as many entries and room for more,
// which is what a store in a full cache is compared with. A work whose name ends in "with room" is the measure of those
// that follow it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <phicache.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t MIB = 1 << 20;
constexpr std::size_t ALL = SIZE_MAX;

struct Work {
    const char *name;
    std::size_t smallest;           // value
    unsigned doublings;             // sizes of values, each as often, from the smallest on
    std::uint64_t max_bytes;        // 0: with room
    std::uint64_t filled;           // bytes stored at first
    std::uint64_t keys = 0;         // the number of different keys; 0: each store has a new one
    std::size_t pins = 0;           // values that are pinned, of all that were stored last
    unsigned hits = 0;              // lookups after each store
    bool costs = false;             // costs that differ a lot
    unsigned pinned_part = 10;      // every which value is pinned
};

const Work WORKS[] = {
    {"64 bytes, with room", 64, 0, 0, 8 * MIB},
    {"64 bytes, full", 64, 0, 4 * MIB, 8 * MIB},
    {"64 bytes, full, many of them hit", 64, 0, 4 * MIB, 8 * MIB, 0, 0, 3},
    {"64 bytes, full, with costs", 64, 0, 4 * MIB, 8 * MIB, 0, 0, 0, true},
    {"64 bytes, full, 1,000 pins", 64, 0, 4 * MIB, 8 * MIB, 0, 1'000},
    {"64 bytes, full, 10,000 pins", 64, 0, 4 * MIB, 8 * MIB, 0, 10'000},
    {"64 bytes, full, half of it pinned", 64, 0, 4 * MIB, 8 * MIB, 0, 20'000, 0, false, 2},
    {"64 bytes, full of pins", 64, 0, 4 * MIB, 8 * MIB, 0, ALL, 0, false, 1},
    {"64 bytes, 1,000,000 keys, with room", 64, 0, 0, 24 * MIB, 1'000'000},
    {"64 bytes, 1,000,000 keys, full", 64, 0, 16 * MIB, 24 * MIB, 1'000'000},
    {"16 B to 16 KiB, with room", 16, 10, 0, 24 * MIB},
    {"16 B to 16 KiB, full", 16, 10, 16 * MIB, 24 * MIB},
    {"16 B to 16 KiB, full, many of them hit", 16, 10, 16 * MIB, 24 * MIB, 0, 0, 3},
    {"16 B to 16 KiB, full, 100 pins", 16, 10, 16 * MIB, 24 * MIB, 0, 100},
    {"16 B to 16 KiB, full, 1,000 pins", 16, 10, 16 * MIB, 24 * MIB, 0, 1'000},
    {"16 B to 16 KiB, full of pins", 16, 10, 16 * MIB, 24 * MIB, 0, ALL, 0, false, 1},
};

extern "C" [[gnu::noinline]] void boundary() { asm volatile(""); }

class Stores {
public:
    explicit Stores(const Work &work) : work_(work), cache_(options(work)), value_(work.smallest << work.doublings) {
        for (std::uint64_t stored = 0; stored < work.filled; stored += len_ + 64) once(false);
    }

    void once(bool counts) {
        const std::uint64_t number = random();
        len_ = work_.smallest << random() % (work_.doublings + 1);
        const std::uint64_t words[2] = {work_.keys == 0 ? number : number % work_.keys, 0};
        const phicache_bytes key = {reinterpret_cast<const std::uint8_t *>(words), sizeof words};
        const std::uint64_t cost = work_.costs ? std::uint64_t(1) << random() % 20 : 0;
        if (counts) boundary();
        const phicache_status status = phicache_cache_set_with_cost(view_.handle(), key, {value_.data(), len_}, cost);
        if (counts) boundary();
        if (status != PHICACHE_OK) refused_++;
        after(key);
    }

    std::uint64_t refused() const { return refused_; }

private:
    static phicache::cache_options options(const Work &work) {
        phicache::cache_options made;
        made.max_bytes = work.max_bytes;
        made.on_full = phicache::on_full::evict;
        return made;
    }

    std::uint64_t random() {  // splitmix64
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }

    void after(phicache_bytes key) {
        // Some are pinned. The last 4,000 are hit again and again.
        if (work_.pins > 0 && random() % work_.pinned_part == 0)
            if (std::optional<phicache::value> found = cache_.get(key)) {
                if (pinned_.size() < work_.pins) pinned_.emplace_back();
                pinned_[next_++ % work_.pins] = std::move(*found);
            }
        if (work_.hits == 0) return;
        if (recent_.size() < 4'000) recent_.emplace_back();
        std::memcpy(&recent_[next_++ % 4'000], key.data, sizeof(std::uint64_t));
        for (unsigned i = 0; i < work_.hits; i++) {
            const std::uint64_t words[2] = {recent_[random() % recent_.size()], 0};
            cache_.get({phicache_bytes{reinterpret_cast<const std::uint8_t *>(words), sizeof words}});
        }
    }

    const Work &work_;
    phicache::dict_cache cache_;
    phicache::cache view_ = cache_;
    std::vector<std::uint8_t> value_;
    std::vector<phicache::value> pinned_;
    std::vector<std::uint64_t> recent_;
    std::size_t len_ = 0, next_ = 0;
    std::uint64_t state_ = 1, refused_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        for (const Work &work : WORKS) std::puts(work.name);
        return argc == 1 ? 0 : 2;
    }
    for (const Work &work : WORKS)
        if (argv[1] == std::string(work.name)) {
            Stores stores(work);
            const std::uint64_t before = stores.refused();
            for (std::size_t done = 0, count = std::stoul(argv[2]); done < count; done++) stores.once(true);
            std::printf("%llu\n", static_cast<unsigned long long>(stores.refused() - before));
            return 0;
        }
    std::fprintf(stderr, "stores: there is no work \"%s\"; the works are listed without arguments\n", argv[1]);
    return 2;
}
