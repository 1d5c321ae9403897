// std::unordered_map, for one thread and behind a shared mutex.
#include <string>
#include <unordered_map>

#include "../hash.hpp"
#include "../locked.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

template <bool Atomic>
using Map = Plain<std::unordered_map<std::string, Counted<Atomic>, Hash, Equal>>;

const bench_peer peers[] = {Loops<Map<false>>::peer("std::unordered_map"),
                            Loops<Locked<Map<true>>>::peer("std::unordered_map + shared_mutex"),
                            {}};

}  // namespace

const bench_peer *bench_std() { return peers; }
