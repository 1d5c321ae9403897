#include "requests.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "../peers/machine.hpp"

namespace bench {

namespace {

constexpr Shape SHAPE = {10'000, 40, 256};
constexpr std::size_t LENGTH = 20'000, LEAST = 2 * BENCH_AT_ONCE;

// Keys that need no escaping: as phicache gets them, and for the others with a prefix as long as phicache's, but
// another one, because their values have no seal. Or keys of any bytes, which phicache has to escape.
class Keys {
public:
    Keys(const Stream &stream, bool escaped) : stream_(stream) {
        const bench_work work = stream.work(0, stream.length(), scratch_);
        for (std::size_t place = 0; place < work.count; place++) {
            const std::uint8_t *const key = work.keys + place * work.key_len;
            if (!escaped) named_ += "phicache/-:raw:";
            for (std::size_t at = 0; at < work.key_len; at++) {
                const char byte = escaped ? static_cast<char>(key[at]) : LETTERS[key[at] % 64];
                given_ += byte, named_ += byte;
            }
        }
    }

    bench_work work(const bench_client *client, std::size_t count, const Scratch &scratch) const {
        const std::string &keys = client->names ? given_ : named_;
        bench_work work = stream_.work(0, count, scratch);
        work.keys = reinterpret_cast<const std::uint8_t *>(keys.data());
        work.key_len = keys.size() / stream_.length();
        return work;
    }
    std::uint64_t expected(std::size_t count) const { return stream_.expected(0, count); }

private:
    static constexpr char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const Stream stream_;
    const Scratch scratch_{SHAPE.value_len};
    std::string given_, named_;
};

// A client, closed by the destructor.
class Open {
public:
    Open(const bench_client *client, const Server &server, bool by_unix_socket)
        : client_(client), handle_(client->open(by_unix_socket ? server.socket().c_str() : nullptr, server.port())) {
        if (!handle_) throw std::runtime_error(std::string(client->name) + " cannot connect");
    }
    ~Open() { client_->close(handle_); }
    Open(const Open &) = delete;
    Open &operator=(const Open &) = delete;

    std::uint64_t run(bench_requests requests, const bench_work &work) const { return requests(handle_, &work); }

private:
    const bench_client *client_;
    void *handle_;
};

void expect_sum(const char *name, std::uint64_t expected, std::uint64_t sum) {
    if (sum != expected) throw std::runtime_error(std::string(name) + " returned wrong values or lost some");
}

// One kind of request: a loop of a client, and whether it stores.
struct Kind {
    const char *work;
    bench_requests bench_client::*loop;
    bool stores;
};

constexpr Kind KINDS[] = {{"GET", &bench_client::get, false},
                          {"SET", &bench_client::set, true},
                          {"get_many, 100 keys", &bench_client::get_many, false},
                          {"set_many, 100 keys", &bench_client::set_many, true}};

// Nanoseconds per key of one loop over the first `count` keys.
double time(const Kind &kind, const bench_client *client, const Open &open, const Keys &keys, const Scratch &scratch,
            std::size_t count) {
    const bench_work work = keys.work(client, count, scratch);
    const std::int64_t start = now();
    const std::uint64_t sum = open.run(client->*kind.loop, work);
    const double each = static_cast<double>(now() - start) / static_cast<double>(count);
    expect_sum(client->name, kind.stores ? count : keys.expected(count), sum);
    return each;
}

void measure_kind(Session &session, const Kind &kind, bool by_unix_socket, bool escaped) {
    const Keys entries(Stream::all(SHAPE), escaped), stream(Stream::hits(SHAPE, LENGTH, 1), escaped);
    const Scratch scratch(SHAPE.value_len);
    std::vector<const bench_client *> clients;
    std::copy_if(session.clients.begin(), session.clients.end(), std::back_inserter(clients),
                 [&](const bench_client *client) { return client->*kind.loop; });
    std::vector<std::unique_ptr<Open>> open;
    std::vector<Name> names;
    std::vector<std::size_t> counts;
    for (const bench_client *client : clients) {
        open.push_back(std::make_unique<Open>(client, session.server, by_unix_socket));
        names.push_back({client->name, true});
        time(KINDS[3], client, *open.back(), entries, scratch, SHAPE.entries);
        time(kind, client, *open.back(), stream, scratch, LEAST);
        const double each = time(kind, client, *open.back(), stream, scratch, LEAST);
        const auto count = static_cast<std::size_t>(session.slice_ms * 1e6 / each);
        counts.push_back(std::clamp(count / BENCH_AT_ONCE * BENCH_AT_ONCE, LEAST, LENGTH));
    }
    const Rounds rounds = interleave(clients.size(), session.rounds, [&](std::size_t i, std::size_t) {
        return time(kind, clients[i], *open[i], stream, scratch, counts[i]) / 1e3;
    });
    const char *const form = escaped ? "escaped keys" : by_unix_socket ? "unix socket" : "TCP";
    session.report.add({kind.work, form, SHAPE, "µs per key", 2}, names, rounds);
}

void measure_two(Session &session, bool by_unix_socket) {
    constexpr std::size_t THREADS = 2;
    const Keys entries(Stream::all(SHAPE), false), stream(Stream::hits(SHAPE, LENGTH, 2), false);
    std::vector<std::unique_ptr<Scratch>> scratch;
    for (std::size_t i = 0; i < THREADS; i++) scratch.push_back(std::make_unique<Scratch>(SHAPE.value_len));
    std::vector<const bench_client *> clients;
    std::vector<std::vector<std::unique_ptr<Open>>> open;
    std::vector<Name> names;
    for (const bench_client *client : session.clients) {
        if (!client->get) continue;
        clients.push_back(client);
        names.push_back({client->name, true});
        open.emplace_back();
        for (std::size_t i = 0; i < (client->shared ? 1 : THREADS); i++)
            open.back().push_back(std::make_unique<Open>(client, session.server, by_unix_socket));
        time(KINDS[3], client, *open.back()[0], entries, *scratch[0], SHAPE.entries);
    }
    const auto count = static_cast<std::size_t>(session.slice_ms * 1e6 / 20'000);
    const Rounds rounds = interleave(clients.size(), session.rounds, [&](std::size_t i, std::size_t) {
        const auto run = [&](std::size_t thread, std::size_t keys) {
            time(KINDS[0], clients[i], *open[i][std::min(thread, open[i].size() - 1)], stream, *scratch[thread], keys);
        };
        const std::int64_t took = run_together(
            THREADS, [&](std::size_t thread) { run(thread, 10); }, [&](std::size_t thread) { run(thread, count); });
        return static_cast<double>(took) / static_cast<double>(THREADS * count) / 1e3;
    });
    session.report.add({"GET, 2 threads", by_unix_socket ? "unix socket" : "TCP", SHAPE, "µs per key", 2}, names,
                       rounds);
}

}  // namespace

void measure_requests(Session &session) {
    pin(session.core);
    session.server.run_on({session.core});
    for (const Kind &kind : KINDS) {
        for (const bool by_unix_socket : {false, true}) measure_kind(session, kind, by_unix_socket, false);
        measure_kind(session, kind, true, true);
    }
}

void measure_threads(Session &session) {
    session.server.run_on(cores());
    for (const bool by_unix_socket : {false, true}) measure_two(session, by_unix_socket);
}

}  // namespace bench
