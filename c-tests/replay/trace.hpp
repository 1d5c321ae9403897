// trace.hpp: a recorded run of PyPhi: its definitions, and its operations in order.
//
// One operation of PyPhi in each line, with its outcome:
//
//   H json                                    first line of a trace; `name`, and `rows`: the number of its lines
//   S sid class N nodes state is_cut cut_kind cut_spec cut_rows cm_rows hash    a subsystem
//   C cid kind role sid parent_cid            a new cache
//   K kid encoding hex text                   a key
//   V vid class nbytes pickled digest payload [direction mechanism purview phi]    a value
//   G cid kid h/m vid hits misses size        get, and the cache's figures after it
//   P cid kid vid stored/refused:why size     set
//   I cid kid vid damaged                     an entry of the parent of a new MICE cache, inherited unless damaged
//   B cid size                                that cache is built
//   F sid cid ValueError                      a MICE cache with this parent was rejected: the parent is cut
//   X cid                                     clear
//   r cid kid h/m                             a GET that Redis saw
//   d cid vid damaged                         a record found under the parent's Redis key was tested for damage
//
// Operations that need a Redis server are left out and counted in `Trace::left_out`, unless the reader is told to keep
// them.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "fields.hpp"
#include "phicache.h"

namespace replay {

constexpr std::uint32_t NONE = UINT32_MAX;

struct Subsystem {
    std::vector<std::int32_t> state;
    NodeMask nodes = 0;
    std::vector<NodeMask> connections;
    std::optional<std::vector<NodeMask>> severed;  // a cut that severs nothing is still a cut
    std::string hash;                              // its part of PyPhi's Redis keys
};

// A key; in a purview cache it is (None, direction, mechanism); in a Redis MICE cache the part behind the subsystem,
// for which the cache has an identity of its own.
struct Key {
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint8_t> behind_subsystem;
    std::int32_t direction = -1;
    NodeMask mechanism = 0;
};

// A value: also the fields of a MICE record, or the masks of a purview cache.
struct Value {
    std::vector<std::uint8_t> bytes;
    bool is_mice = false;
    std::int32_t direction = 0;
    NodeMask mechanism = 0, purview = 0;
    double phi = 0;
    std::optional<std::vector<NodeMask>> purviews;
};

enum class Kind { Dict, Purview, Mice, Redis, RedisMice };

struct CacheLine {
    Kind kind = Kind::Dict;
    std::uint32_t subsystem = NONE, parent = NONE;
};

enum class Verb : char {
    New = 'C', Get = 'G', Set = 'P', Inherit = 'I', Built = 'B', Reject = 'F', Clear = 'X', Damage = 'd'
};

struct Operation {
    Verb verb;
    phicache_status outcome = PHICACHE_OK;  // get: OK or MISS; set: OK or the refusal
    bool damaged = false;
    std::uint32_t cache = NONE, key = NONE, value = NONE, subsystem = NONE;
    std::uint64_t line = 0, hits = 0, misses = 0, size = 0;
};

struct Trace {
    std::string name;
    std::vector<Subsystem> subsystems;
    std::vector<Key> keys;
    std::vector<Value> values;
    std::vector<CacheLine> caches;
    std::vector<Operation> operations;
    std::uint64_t left_out = 0;  // operations that need Redis
};

// Reads traces one after the other; an H line begins the next one. Throws Malformed, with file name and line.
class TraceReader {
public:
    TraceReader(std::istream &input, std::string file, bool with_redis);
    std::optional<Trace> next();

private:
    std::istream &input_;
    std::string file_;
    bool with_redis_;
    std::uint64_t line_ = 0;
    std::string pending_;  // the H line of the next trace
    bool has_pending_ = false;
};

}  // namespace replay
