// hiredis, with arguments and lengths (no format strings), and MGET, MSET or a pipeline for batches.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "../../peers/loops.hpp"
#include "../client.h"

namespace {

using namespace bench;

redisContext *context_of(void *client) { return static_cast<redisContext *>(client); }

void *open(const char *path, std::int32_t port) {
    redisContext *const context = path ? redisConnectUnix(path) : redisConnect("127.0.0.1", port);
    if (!context || !context->err) return context;
    redisFree(context);
    return nullptr;
}

void close(void *client) { redisFree(context_of(client)); }

// The arguments of one command.
struct Words {
    const char *words[1 + 2 * BENCH_AT_ONCE];
    std::size_t lens[1 + 2 * BENCH_AT_ONCE];
    int count = 0;

    explicit Words(const char *name) { add(name, std::strlen(name)); }
    void add(const void *word, std::size_t len) {
        words[count] = static_cast<const char *>(word);
        lens[count++] = len;
    }
};

std::uint64_t word_in(const redisReply *reply) {
    return reply && reply->type == REDIS_REPLY_STRING ? word_of(reinterpret_cast<const std::uint8_t *>(reply->str)) : 0;
}

bool is_ok(const redisReply *reply) { return reply && reply->type == REDIS_REPLY_STATUS; }

template <class Look>
std::uint64_t look_and_free(void *reply, Look &&look) {
    const std::uint64_t seen = look(static_cast<redisReply *>(reply));
    if (reply) freeReplyObject(reply);
    return seen;
}

Words get_words(const bench_work &work, std::size_t place) {
    Words words("GET");
    words.add(key_at(work, place).data(), work.key_len);
    return words;
}

Words set_words(const bench_work &work, std::size_t place) {
    Words words("SET");
    words.add(key_at(work, place).data(), work.key_len);
    words.add(value_at(work, place), work.value_len);
    return words;
}

std::uint64_t get(void *client, const bench_work *work) {
    std::uint64_t sum = 0;
    for (std::size_t place = 0; place < work->count; place++) {
        Words words = get_words(*work, place);
        sum += look_and_free(redisCommandArgv(context_of(client), words.count, words.words, words.lens), word_in);
    }
    return sum;
}

std::uint64_t set(void *client, const bench_work *work) {
    std::uint64_t stored = 0;
    for (std::size_t place = 0; place < work->count; place++) {
        Words words = set_words(*work, place);
        stored += look_and_free(redisCommandArgv(context_of(client), words.count, words.words, words.lens), is_ok);
    }
    return stored;
}

// Calls `part(from, to)` for each batch and sums the results.
template <class Part>
std::uint64_t sum_batches(const bench_work &work, Part &&part) {
    std::uint64_t sum = 0;
    for (std::size_t from = 0; from < work.count; from += BENCH_AT_ONCE)
        sum += part(from, std::min<std::size_t>(from + BENCH_AT_ONCE, work.count));
    return sum;
}

std::uint64_t mget(void *client, const bench_work *work) {
    return sum_batches(*work, [&](std::size_t from, std::size_t to) {
        Words words("MGET");
        for (std::size_t place = from; place < to; place++) words.add(key_at(*work, place).data(), work->key_len);
        return look_and_free(redisCommandArgv(context_of(client), words.count, words.words, words.lens),
                             [](const redisReply *reply) {
                                 std::uint64_t sum = 0;
                                 for (std::size_t i = 0; reply && i < reply->elements; i++)
                                     sum += word_in(reply->element[i]);
                                 return sum;
                             });
    });
}

// The values of a batch must stay until hiredis packs all of them.
template <class Make, class Look>
std::uint64_t pipeline(void *client, const bench_work &work, Make &&make, Look &&look) {
    return sum_batches(work, [&](std::size_t from, std::size_t to) {
        for (std::size_t place = from; place < to; place++) {
            Words words = make(work, place);
            redisAppendCommandArgv(context_of(client), words.count, words.words, words.lens);
        }
        std::uint64_t sum = 0;
        for (std::size_t place = from; place < to; place++) {
            void *reply = nullptr;
            redisGetReply(context_of(client), &reply);
            sum += look_and_free(reply, look);
        }
        return sum;
    });
}

std::uint64_t get_pipeline(void *client, const bench_work *work) { return pipeline(client, *work, get_words, word_in); }

std::uint64_t set_pipeline(void *client, const bench_work *work) { return pipeline(client, *work, set_words, is_ok); }

// One command for all values. They differ only in their word, so each needs its own copy.
std::uint64_t mset(void *client, const bench_work *work) {
    thread_local std::vector<std::uint8_t> values;
    values.resize(work->value_len * BENCH_AT_ONCE);
    return sum_batches(*work, [&](std::size_t from, std::size_t to) {
        Words words("MSET");
        for (std::size_t place = from; place < to; place++) {
            std::uint8_t *const value = values.data() + (place - from) * work->value_len;
            std::memcpy(value, value_at(*work, place), work->value_len);
            words.add(key_at(*work, place).data(), work->key_len);
            words.add(value, work->value_len);
        }
        const bool stored =
            look_and_free(redisCommandArgv(context_of(client), words.count, words.words, words.lens), is_ok);
        return stored ? to - from : 0;
    });
}

const bench_client clients[] = {{"hiredis", open, close, 0, 0, get, set, mget, set_pipeline},
                                {"hiredis (GETs; MSET)", open, close, 0, 0, nullptr, nullptr, get_pipeline, mset},
                                {}};

}  // namespace

const bench_client *bench_client_hiredis() { return clients; }
