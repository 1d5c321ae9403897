// libcuckoo::cuckoohash_map.
#include <libcuckoo/cuckoohash_map.hh>
#include <string>

#include "../hash.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

class Concurrent {
public:
    using Value = Counted<true>;
    static constexpr bool thread_safe = true;

    // The replaced value is freed outside the lock.
    void set(std::string_view key, Value value) {
        if (map_.update_fn(key, [&](Value &old) { std::swap(old, value); })) return;
        map_.insert_or_assign(std::string(key), value);
    }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        return map_.find_fn(key, look);
    }

private:
    // Its default capacity is 262,144 entries; the others begin small.
    libcuckoo::cuckoohash_map<std::string, Value, Hash, Equal> map_{16};
};

const bench_peer peers[] = {Loops<Concurrent>::peer("libcuckoo"), {}};

}  // namespace

const bench_peer *bench_cuckoo() { return peers; }
