// tbb::concurrent_hash_map.
#include <tbb/concurrent_hash_map.h>

#include <string>

#include "../hash.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

struct Compare {
    using is_transparent = void;
    std::size_t hash(std::string_view key) const { return Hash()(key); }
    bool equal(std::string_view a, std::string_view b) const { return a == b; }
};

class Concurrent {
    using Container = tbb::concurrent_hash_map<std::string, Counted<true>, Compare>;

public:
    using Value = Counted<true>;
    static constexpr bool thread_safe = true;

    void set(std::string_view key, Value value) {
        Container::accessor entry;
        map_.insert(entry, key);
        entry->second = std::move(value);
    }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        Container::const_accessor entry;
        if (!map_.find(entry, key)) return false;
        look(entry->second);
        return true;
    }

private:
    Container map_;
};

const bench_peer peers[] = {Loops<Concurrent>::peer("tbb::concurrent_hash_map"), {}};

}  // namespace

const bench_peer *bench_tbb() { return peers; }
