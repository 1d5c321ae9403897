// replay.cpp: see replay.hpp.
#include "replay.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "session.hpp"

namespace replay {

namespace {

constexpr std::uint64_t DIFFERENCES_SHOWN = 10;

std::string named(phicache_status status) {
    std::string text = phicache_status_name(status);
    if (status < 0) text += std::string(" (") + phicache_last_error() + ")";
    return text;
}

}  // namespace

void Report::begin(const std::string &file) {
    file_ = file;
    shown_ = 0;
}

void Report::check(bool agrees, std::uint64_t line, const char *what, const std::string &actual,
                   const std::string &expected) {
    checks++;
    if (agrees) return;
    differences++;
    shown_++;
    if (shown_ <= DIFFERENCES_SHOWN)
        std::fprintf(stderr, "%s:%llu: %s is %s, recorded %s\n", file_.c_str(), static_cast<unsigned long long>(line),
                     what, actual.c_str(), expected.c_str());
    else if (shown_ == DIFFERENCES_SHOWN + 1)
        std::fprintf(stderr, "%s: more differences\n", file_.c_str());
}

void Report::number(std::uint64_t line, const char *what, std::uint64_t actual, std::uint64_t expected) {
    check(actual == expected, line, what, std::to_string(actual), std::to_string(expected));
}

void Report::status(std::uint64_t line, const char *what, phicache_status actual, phicache_status expected) {
    if (actual == expected) checks++;
    else check(false, line, what, named(actual), named(expected));
}

namespace {

class CheckedReplay {
public:
    CheckedReplay(const Trace &trace, Report &report) : trace_(trace), report_(report), session_(trace) {}

    void run() {
        for (const Operation &operation : trace_.operations) step(operation);
    }

private:
    void step(const Operation &o) {
        switch (o.verb) {
            case Verb::New: return report_.status(o.line, "new", session_.create(o), PHICACHE_OK);
            case Verb::Reject:
                return report_.status(o.line, "new with a cut parent", session_.reject(o),
                                      PHICACHE_ERROR_INVALID_ARGUMENT);
            case Verb::Damage: return damage(o);
            default: break;
        }
        Cache *cache = session_.cache(o.cache);
        if (cache == nullptr) return report_.check(false, o.line, "the cache", "absent", "present");
        switch (o.verb) {
            case Verb::Get: return get(o, *cache);
            case Verb::Set:
                report_.status(o.line, "set", session_.set(o), o.outcome);
                return size(o, *cache);
            case Verb::Inherit: return inherit(o, *cache);
            case Verb::Built: return size(o, *cache);
            default:  // Verb::Clear
                report_.status(o.line, "clear", cache->clear(), PHICACHE_OK);
                return figures(o, *cache);
        }
    }

    void get(const Operation &o, Cache &cache) {
        phicache_value value{};
        const phicache_status status = cache.get(trace_.keys[o.key], &value);
        report_.status(o.line, "get", status, o.outcome);
        if (status == PHICACHE_OK && o.outcome == PHICACHE_OK) {
            const bool equal = cache.answered(trace_.values[o.value], value);
            report_.check(equal, o.line, "the value", "another", std::to_string(o.value));
            report_.check(possible_origin(o.cache, value.origin), o.line, "the origin", std::to_string(value.origin),
                          "that of the cache's own or the parent's entry");
        }
        phicache_value_release(&value);
        figures(o, cache);
    }

    // Without a parent nothing is inherited; the cache of a cut subsystem refuses every set, so it has nothing else.
    bool possible_origin(std::uint32_t id, std::uint32_t origin) const {
        const CacheLine &line = trace_.caches[id];
        if (line.parent == NONE) return origin == PHICACHE_ORIGIN_HIT;
        return origin == PHICACHE_ORIGIN_PARENT ||
               (origin == PHICACHE_ORIGIN_HIT && !trace_.subsystems[line.subsystem].severed);
    }

    void figures(const Operation &o, Cache &cache) {
        phicache_info info{};
        report_.status(o.line, "info", cache.info(&info), PHICACHE_OK);
        report_.number(o.line, "hits", info.hits, o.hits);
        report_.number(o.line, "misses", info.misses, o.misses);
        report_.number(o.line, "entries", info.size, o.size);
    }

    void size(const Operation &o, Cache &cache) {
        std::uint64_t size = 0;
        report_.status(o.line, "size", cache.size(&size), PHICACHE_OK);
        report_.number(o.line, "entries", size, o.size);
    }

    void inherit(const Operation &o, Cache &child) {
        const Key &key = trace_.keys[o.key];
        Cache *parent = session_.cache(trace_.caches[o.cache].parent);
        report_.status(o.line, "the parent's entry", mice_contains(*parent, key), PHICACHE_OK);
        report_.status(o.line, "the child's entry", mice_contains(child, key), o.damaged ? PHICACHE_MISS : PHICACHE_OK);
        damage(o);
    }

    void damage(const Operation &o) {
        const Value &mice = trace_.values[o.value];
        std::int32_t damaged = -1;
        const phicache_status status = phicache_subsystem_damages(
            session_.subsystem(trace_.caches[o.cache].subsystem), mice.direction, mice.mechanism, mice.purview,
            &damaged);
        report_.status(o.line, "damages", status, PHICACHE_OK);
        report_.number(o.line, "damaged", static_cast<std::uint64_t>(damaged), o.damaged);
    }

    const Trace &trace_;
    Report &report_;
    Session session_;
};

bool is_timed(const Operation &o) {
    return o.verb == Verb::New || o.verb == Verb::Reject || o.verb == Verb::Get || o.verb == Verb::Set ||
           o.verb == Verb::Clear;
}

// Replays one operation. Returns whether its outcome is the recorded one.
bool timed_step(const Trace &trace, Session &session, const Operation &o) {
    switch (o.verb) {
        case Verb::New: return session.create(o) == PHICACHE_OK;
        case Verb::Reject: return session.reject(o) < 0;
        case Verb::Get: {
            phicache_value value;
            const phicache_status status = session.cache(o.cache)->get(trace.keys[o.key], &value);
            if (status == PHICACHE_OK) phicache_value_release(&value);
            return status == o.outcome;
        }
        case Verb::Set: return session.set(o) == o.outcome;
        default: return session.cache(o.cache)->clear() == PHICACHE_OK;  // Verb::Clear
    }
}

}  // namespace

void replay_checked(const Trace &trace, Report &report) { CheckedReplay(trace, report).run(); }

Timing replay_timed(const Trace &trace, Report &report) {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t FEWEST_ROUNDS = 5, MOST_ROUNDS = 1000;
    constexpr double ENOUGH = 0.5e9;  // nanoseconds

    std::vector<Operation> operations;
    std::copy_if(trace.operations.begin(), trace.operations.end(), std::back_inserter(operations), is_timed);
    Timing timing;
    timing.operations = operations.size();
    if (operations.empty()) return timing;

    std::vector<double> rounds;
    double spent = 0;
    while (rounds.size() < FEWEST_ROUNDS || (spent < ENOUGH && rounds.size() < MOST_ROUNDS)) {
        Session session(trace);
        std::uint64_t wrong = 0;
        const Clock::time_point start = Clock::now();
        for (const Operation &operation : operations) wrong += !timed_step(trace, session, operation);
        const std::chrono::duration<double, std::nano> took = Clock::now() - start;
        report.number(operations.front().line, "operations that went otherwise in a timed round", wrong, 0);
        spent += took.count();
        rounds.push_back(took.count() / static_cast<double>(operations.size()));
    }
    std::sort(rounds.begin(), rounds.end());
    timing.rounds = rounds.size();
    timing.best = rounds.front();
    timing.median = rounds[rounds.size() / 2];
    return timing;
}

}  // namespace replay
