// absl::flat_hash_map, for one thread and behind a shared mutex.
#include <absl/container/flat_hash_map.h>

#include <string>

#include "../hash.hpp"
#include "../locked.hpp"
#include "../loops.hpp"

namespace {

using namespace bench;

template <bool Atomic>
using Map = Plain<absl::flat_hash_map<std::string, Counted<Atomic>, Hash, Equal>>;

const bench_peer peers[] = {Loops<Map<false>>::peer("absl::flat_hash_map"),
                            Loops<Locked<Map<true>>>::peer("absl::flat_hash_map + shared_mutex"),
                            {}};

}  // namespace

const bench_peer *bench_absl() { return peers; }
