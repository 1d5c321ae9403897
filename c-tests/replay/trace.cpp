// trace.cpp: see trace.hpp.
#include "trace.hpp"

#include "encoding.hpp"

namespace replay {

namespace {

using Fields = std::vector<std::string_view>;

// More than any trace defines; a larger id is an error in the trace.
constexpr std::uint64_t LAST_ID = 100'000'000;

// The value of a key in the H line's JSON, up to the next comma or brace; empty without one.
std::string header_value(std::string_view json, std::string_view key) {
    const std::string quoted = '"' + std::string(key) + "\":";
    std::size_t at = json.find(quoted);
    if (at == std::string_view::npos) return {};
    json.remove_prefix(at + quoted.size());
    at = json.find_first_not_of(" \"");
    if (at == std::string_view::npos) return {};
    json.remove_prefix(at);
    return std::string(json.substr(0, json.find_first_of(",}\"")));
}

// The bytes of a value without its bytes in the trace: made from the digest, so that different values differ.
std::vector<std::uint8_t> bytes_from_digest(std::string_view digest, std::uint64_t count) {
    std::uint64_t state = hexadecimal(digest);
    std::vector<std::uint8_t> bytes(count);
    for (std::uint8_t &byte : bytes) {
        byte = static_cast<std::uint8_t>(state >> 56);
        state = state * 6364136223846793005U + 1442695040888963407U;
    }
    return bytes;
}

// Builds one trace.
class TraceBuilder {
public:
    explicit TraceBuilder(bool with_redis) : with_redis_(with_redis) {}

    void line(std::string_view text, std::uint64_t number) {
        const Fields f = split(text, ' ');
        if (f[0].size() != 1) throw Malformed("\"" + std::string(f[0]) + "\" is not a kind of line");
        switch (f[0][0]) {
            case 'S': return subsystem(f);
            case 'C': return cache(f, number);
            case 'K': return key(f);
            case 'V': return value(f);
            case 'r':  // counted in the hits and misses of the get that it belongs to
                need(f, 4);
                trace.left_out += with_redis_ ? 0 : 1;
                return;
            default: return operation(f, number);
        }
    }

    Trace trace;

private:
    static void need(const Fields &f, std::size_t count) {
        if (f.size() < count)
            throw Malformed(std::to_string(f.size()) + " fields; a line " + std::string(f[0]) + " has " +
                            std::to_string(count));
    }

    // The slot of a new definition.
    template <typename T>
    static T &define(std::vector<T> &all, std::vector<bool> &defined, std::string_view text) {
        const std::uint64_t id = number(text);
        if (id > LAST_ID) throw Malformed("id " + std::string(text) + " is too large");
        if (id >= all.size()) {
            all.resize(id + 1);
            defined.resize(id + 1);
        }
        if (defined[id]) throw Malformed("id " + std::string(text) + " is defined twice");
        defined[id] = true;
        return all[id];
    }

    static std::uint32_t known(const std::vector<bool> &defined, std::string_view text, const char *what) {
        const std::uint64_t id = number(text);
        if (id >= defined.size() || !defined[id])
            throw Malformed(std::string(what) + " " + std::string(text) + " is not defined");
        return static_cast<std::uint32_t>(id);
    }

    void subsystem(const Fields &f) {
        need(f, 12);
        Subsystem &s = define(trace.subsystems, has_subsystem_, f[1]);
        const std::uint64_t size = number(f[3]);
        if (size < 1 || size > 64) throw Malformed("a network of " + std::string(f[3]) + " nodes; expected 1 to 64");
        s.nodes = nodes(f[4]);
        if (f[5] != "-")
            for (const std::string_view state : split(f[5], ',')) s.state.push_back(small(state));
        s.state.resize(size, 0);
        if (flag(f[6])) s.severed = rows(f[9], size);
        s.connections = rows(f[10], size);
        s.hash = std::string(f[11]);
    }

    void cache(const Fields &f, std::uint64_t line) {
        need(f, 6);
        CacheLine &c = define(trace.caches, has_cache_, f[1]);
        if (f[2] == "dict" || f[2] == "func") c.kind = Kind::Dict;
        else if (f[2] == "purview") c.kind = Kind::Purview;
        else if (f[2] == "mice") c.kind = Kind::Mice;
        else if (f[2] == "redis") c.kind = Kind::Redis;
        else if (f[2] == "redis_mice") c.kind = Kind::RedisMice;
        else throw Malformed("\"" + std::string(f[2]) + "\" is no kind of cache");
        if (f[4] != "-") c.subsystem = known(has_subsystem_, f[4], "subsystem");
        if (f[5] != "-") c.parent = known(has_cache_, f[5], "cache");
        const bool of_subsystem = c.kind == Kind::Mice || c.kind == Kind::RedisMice;
        if (of_subsystem && c.subsystem == NONE) throw Malformed("a MICE cache without a subsystem");
        if (c.parent != NONE && trace.caches[c.parent].kind != c.kind)
            throw Malformed("the parent of a cache is of another kind");
        Operation operation{Verb::New};
        operation.cache = known(has_cache_, f[1], "cache");
        append(operation, line);
    }

    void key(const Fields &f) {
        need(f, 4);
        define(trace.keys, has_key_, f[1]).bytes = hex_bytes(f[3]);
    }

    void value(const Fields &f) {
        need(f, 7);
        Value &v = define(trace.values, has_value_, f[1]);
        v.bytes = f[6] == "-" ? bytes_from_digest(f[5], number(f[3])) : hex_bytes(f[6]);
        v.is_mice = f[2] == "mice";
        if (!v.is_mice) return;
        need(f, 11);
        v.direction = direction(f[7]);
        v.mechanism = nodes(f[8]);
        v.purview = nodes(f[9]);
        v.phi = real(f[10]);
    }

    void operation(const Fields &f, std::uint64_t line) {
        Operation o{static_cast<Verb>(f[0][0])};
        switch (o.verb) {
            case Verb::Get:
                need(f, 8);
                if (f[3] != "h" && f[3] != "m") throw Malformed("a get is h or m, not " + std::string(f[3]));
                o.outcome = f[3] == "h" ? PHICACHE_OK : PHICACHE_MISS;
                if (o.outcome == PHICACHE_OK) o.value = known(has_value_, f[4], "value");
                o.hits = number(f[5]);
                o.misses = number(f[6]);
                o.size = number(f[7]);
                break;
            case Verb::Set:
                need(f, 6);
                o.value = known(has_value_, f[3], "value");
                o.outcome = set_outcome(f[4]);
                o.size = number(f[5]);
                break;
            case Verb::Inherit:
                need(f, 5);
                o.value = known(has_value_, f[3], "value");
                o.damaged = flag(f[4]);
                break;
            case Verb::Damage:
                need(f, 4);
                o.value = known(has_value_, f[2], "value");
                o.damaged = flag(f[3]);
                break;
            case Verb::Built:
                need(f, 3);
                o.size = number(f[2]);
                break;
            case Verb::Clear: need(f, 2); break;
            case Verb::Reject:
                need(f, 4);
                o.subsystem = known(has_subsystem_, f[1], "subsystem");
                break;
            default: throw Malformed("\"" + std::string(f[0]) + "\" is not a kind of line");
        }
        const bool keyed = o.verb == Verb::Get || o.verb == Verb::Set || o.verb == Verb::Inherit;
        o.cache = known(has_cache_, f[o.verb == Verb::Reject ? 2 : 1], "cache");
        if (keyed) o.key = known(has_key_, f[2], "key");
        append(o, line);
    }

    static phicache_status set_outcome(std::string_view text) {
        if (text == "stored") return PHICACHE_OK;
        if (text == "refused:cut") return PHICACHE_REFUSED_CUT;
        if (text == "refused:phi") return PHICACHE_REFUSED_PHI;
        if (text == "refused:memory") return PHICACHE_REFUSED_MEMORY;
        if (text == "refused:config") return PHICACHE_REFUSED_DISABLED;
        throw Malformed("\"" + std::string(text) + "\" is no outcome of a set");
    }

    void append(Operation o, std::uint64_t line) {
        const CacheLine &cache = trace.caches[o.cache];
        o.line = line;
        const bool redis = cache.kind == Kind::Redis || cache.kind == Kind::RedisMice;
        if (redis && !with_redis_ && o.verb != Verb::Damage) {
            trace.left_out++;
            return;
        }
        const bool of_mice = cache.kind == Kind::Mice || cache.kind == Kind::RedisMice;
        const bool inheriting = o.verb == Verb::Inherit || o.verb == Verb::Built || o.verb == Verb::Reject;
        if (inheriting && cache.kind != Kind::Mice) throw Malformed("inheritance of a cache that holds no MICE");
        if (o.verb == Verb::Inherit && cache.parent == NONE) throw Malformed("inheritance without a parent");
        if (o.verb == Verb::Damage && cache.subsystem == NONE) throw Malformed("damage without a subsystem");
        if (o.value != NONE) {
            Value &value = trace.values[o.value];
            if ((of_mice || o.verb == Verb::Damage) && !value.is_mice)
                throw Malformed("a MICE cache's value of another class");
            if (cache.kind == Kind::Purview && !value.purviews) decode_purviews(value);
        }
        if (o.key != NONE && cache.kind == Kind::Purview && trace.keys[o.key].direction < 0)
            decode_purview_key(trace.keys[o.key]);
        if (o.key != NONE && cache.kind == Kind::RedisMice)
            cut_off_subsystem(trace.keys[o.key], trace.subsystems[cache.subsystem].hash);
        trace.operations.push_back(o);
    }

    static void cut_off_subsystem(Key &key, const std::string &hash) {
        const std::string head = "subsys:" + hash + ":", text(key.bytes.begin(), key.bytes.end());
        if (text.compare(0, head.size(), head) != 0) throw Malformed("a Redis key of another subsystem: " + text);
        key.behind_subsystem.assign(key.bytes.begin() + static_cast<std::ptrdiff_t>(head.size()), key.bytes.end());
    }

    bool with_redis_;
    std::vector<bool> has_subsystem_, has_key_, has_value_, has_cache_;
};

}  // namespace

TraceReader::TraceReader(std::istream &input, std::string file, bool with_redis)
    : input_(input), file_(std::move(file)), with_redis_(with_redis) {}

std::optional<Trace> TraceReader::next() {
    const auto malformed = [&](const std::string &what) {
        return Malformed(file_ + ":" + std::to_string(line_) + ": " + what);
    };
    std::string text;
    if (!has_pending_) {
        if (!std::getline(input_, text)) return std::nullopt;
        line_++;
        if (text.compare(0, 2, "\x1f\x8b") == 0) throw malformed("compressed; decompress it first (gzip -dc)");
        pending_ = text;
    }
    if (pending_.compare(0, 2, "H ") != 0) throw malformed("a trace begins with a line H");
    TraceBuilder builder(with_redis_);
    builder.trace.name = header_value(pending_, "name");
    const std::string expected = header_value(pending_, "rows");
    std::uint64_t count = 1;
    has_pending_ = false;
    while (std::getline(input_, text)) {
        line_++;
        if (text.compare(0, 2, "H ") == 0) {
            pending_ = text;
            has_pending_ = true;
            break;
        }
        count++;
        try {
            builder.line(text, line_);
        } catch (const Malformed &error) {
            throw malformed(error.what());
        }
    }
    if (!expected.empty() && expected != std::to_string(count))
        throw malformed(std::to_string(count) + " lines; the line H says " + expected);
    return std::move(builder.trace);
}

}  // namespace replay
