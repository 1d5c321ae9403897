// test_exception.cpp: an exception that escapes from a C callback, or a thread that ends there, ends the process with
// one line that names the function.

#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "check.h"
#include "phicache.h"

namespace {

bool ends_thread = false;

// As a callback must not.
[[noreturn]] void leave() {
    if (ends_thread) pthread_exit(nullptr);
    throw std::runtime_error("on purpose");
}

std::int32_t leaving(void*, void*, phicache_bytes, phicache_result*) { leave(); }
std::int32_t leaving_visit(void*, const phicache_entry*, phicache_value*) { leave(); }
void leaving_drop(void*) { leave(); }
std::int32_t leaving_same(void*, phicache_bytes, phicache_bytes, phicache_bytes) { leave(); }
void leaving_difference(void*, phicache_bytes, phicache_bytes, phicache_bytes) { leave(); }
std::int32_t empty(void*, void*, phicache_bytes, phicache_result*) { return 0; }

void memoize() {
    phicache_dict_cache* cache = nullptr;
    phicache_value value;
    const phicache_bytes key = {nullptr, 0};
    if (phicache_dict_cache_new(nullptr, nullptr, &cache) == PHICACHE_OK)
        phicache_dict_cache_memoize(cache, key, leaving, nullptr, nullptr, &value, nullptr);
}

void call() {
    phicache_memo* memo = nullptr;
    phicache_key* args = nullptr;
    phicache_value value;
    if (phicache_memo_new(nullptr, leaving, nullptr, nullptr, 50, 0, nullptr, nullptr, &memo) == PHICACHE_OK &&
        phicache_key_new(&args) == PHICACHE_OK)
        phicache_memo_call(memo, args, nullptr, &value, nullptr);
}

void visit() {
    phicache_dict_cache* dict = nullptr;
    phicache_cache* cache = nullptr;
    const phicache_bytes key = {nullptr, 0};
    if (phicache_dict_cache_new(nullptr, nullptr, &dict) == PHICACHE_OK &&
        phicache_dict_cache_as_cache(dict, &cache) == PHICACHE_OK &&
        phicache_dict_cache_set(dict, key, key) == PHICACHE_OK)
        phicache_cache_for_each(cache, leaving_visit, nullptr, nullptr);
}

void drop() {
    phicache_memo* memo = nullptr;
    if (phicache_memo_new(nullptr, leaving, nullptr, leaving_drop, 50, 0, nullptr, nullptr, &memo) == PHICACHE_OK)
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
void same() { verify(leaving_same, nullptr); }
void difference() { verify(nullptr, leaving_difference); }

// The standard error of a child that runs `work` until SIGABRT ends it.
std::string last_words(void (*work)()) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        std::thread(work).join();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char piece[256];
    for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0;)
        words.append(piece, static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : "no abort: " + words;
}

}  // namespace

int main() {
    const std::pair<void (*)(), const char *> all[] = {{memoize, "phicache_dict_cache_memoize"},
                                                       {call, "phicache_memo_call"},
                                                       {visit, "phicache_cache_for_each"},
                                                       {drop, "phicache_drop"},
                                                       {same, "phicache_same_fn"},
                                                       {difference, "phicache_difference_fn"}};
    for (const bool ends : {false, true}) {
        ends_thread = ends;
        for (const auto &[work, function] : all) {
            const std::string words = last_words(work);
            std::printf("%s", words.c_str());
            CHECK(words.find(function) != std::string::npos);
            CHECK(words.find('\n') == words.size() - 1);
        }
    }
    return check_report();
}
