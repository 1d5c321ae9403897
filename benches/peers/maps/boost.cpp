// boost::unordered_flat_map, for one thread, and boost::concurrent_flat_map.
#include <boost/unordered/concurrent_flat_map.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <string>

#include "../hash.hpp"
#include "../locked.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

using Flat = Plain<boost::unordered_flat_map<std::string, Counted<false>, Hash, Equal>>;

class Concurrent {
public:
    using Value = Counted<true>;
    static constexpr bool thread_safe = true;

    // The replaced value is freed outside the group's lock.
    void set(std::string_view key, Value value) {
        if (map_.visit(key, [&](auto &entry) { std::swap(entry.second, value); })) return;
        map_.insert_or_assign(std::string(key), std::move(value));
    }
    template <class Look>
    bool look(std::string_view key, Look &&look) {
        return map_.cvisit(key, [&](const auto &entry) { look(entry.second); }) > 0;
    }

private:
    boost::concurrent_flat_map<std::string, Value, Hash, Equal> map_;
};

const bench_peer peers[] = {Loops<Flat>::peer("boost::unordered_flat_map"),
                            Loops<Concurrent>::peer("boost::concurrent_flat_map"),
                            {}};

}  // namespace

const bench_peer *bench_boost() { return peers; }
