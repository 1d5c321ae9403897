// test_exception.cpp: an exception that escapes from a C callback ends the process with one line that names the
// function.

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "phicache.h"

namespace {

std::int32_t throwing(void*, void*, phicache_bytes, phicache_result*) { throw std::runtime_error("on purpose"); }
std::int32_t throwing_visit(void*, const phicache_entry*, phicache_value*) { throw std::runtime_error("on purpose"); }
void throwing_drop(void*) { throw std::runtime_error("on purpose"); }
std::int32_t throwing_same(void*, phicache_bytes, phicache_bytes, phicache_bytes) {
    throw std::runtime_error("on purpose");
}
void throwing_difference(void*, phicache_bytes, phicache_bytes, phicache_bytes) {
    throw std::runtime_error("on purpose");
}
std::int32_t empty(void*, void*, phicache_bytes, phicache_result*) { return 0; }

void memoize() {
    phicache_dict_cache* cache = nullptr;
    phicache_value value;
    const phicache_bytes key = {nullptr, 0};
    if (phicache_dict_cache_new(nullptr, nullptr, &cache) == PHICACHE_OK)
        phicache_dict_cache_memoize(cache, key, throwing, nullptr, nullptr, &value, nullptr);
}

void visit() {
    phicache_dict_cache* dict = nullptr;
    phicache_cache* cache = nullptr;
    const phicache_bytes key = {nullptr, 0};
    if (phicache_dict_cache_new(nullptr, nullptr, &dict) == PHICACHE_OK &&
        phicache_dict_cache_as_cache(dict, &cache) == PHICACHE_OK &&
        phicache_dict_cache_set(dict, key, key) == PHICACHE_OK)
        phicache_cache_for_each(cache, throwing_visit, nullptr, nullptr);
}

void drop() {
    phicache_memo* memo = nullptr;
    if (phicache_memo_new(nullptr, throwing, nullptr, throwing_drop, 50, 0, nullptr, nullptr, &memo) == PHICACHE_OK)
        phicache_memo_free(memo);
}

void verify(phicache_same_fn same, phicache_difference_fn difference) {
    phicache_dict_cache* cache = nullptr;
    phicache_value value;
    const phicache_bytes key = {nullptr, 0};
    const phicache_bytes kept = {reinterpret_cast<const std::uint8_t*>("kept"), 4};
    phicache_cache_options options = {};
    options.struct_size = sizeof options;
    options.verify_every = 1;
    options.same = same;
    options.difference = difference;
    if (phicache_dict_cache_new(nullptr, &options, &cache) == PHICACHE_OK &&
        phicache_dict_cache_set(cache, key, kept) == PHICACHE_OK)
        phicache_dict_cache_memoize(cache, key, empty, nullptr, nullptr, &value, nullptr);
}
void same() { verify(throwing_same, nullptr); }
void difference() { verify(nullptr, throwing_difference); }

// The standard error of a child that runs `work` until SIGABRT ends it.
std::string last_words(void (*work)()) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        work();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char piece[256];
    for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0;) words.append(piece, static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : "no abort: " + words;
}

}  // namespace

int main() {
    const std::string memoized = last_words(memoize), visited = last_words(visit), dropped = last_words(drop),
                      compared = last_words(same), reported = last_words(difference);
    for (const std::string &words : {memoized, visited, dropped, compared, reported}) std::printf("%s", words.c_str());
    CHECK(memoized.find("phicache_dict_cache_memoize") != std::string::npos);
    CHECK(visited.find("phicache_cache_for_each") != std::string::npos);
    CHECK(visited.find('\n') == visited.size() - 1);
    CHECK(dropped.find("phicache_drop") != std::string::npos);
    CHECK(compared.find("phicache_same_fn") != std::string::npos);
    CHECK(reported.find("phicache_difference_fn") != std::string::npos);
    CHECK(memoized.find('\n') == memoized.size() - 1);
    return check_report();
}
