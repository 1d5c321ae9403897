/// no_exceptions.cpp: phicache.hpp with -fno-exceptions and -fno-rtti: the try_ forms, and how the others abort.
#include <phicache.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "check.h"

#if defined(__cpp_exceptions)
#error "this test is to be compiled without exceptions"
#endif

using phicache::direction;
using phicache::expected;
using phicache::failure;
using phicache::node_set;
using phicache::status;

namespace {

const phicache::fingerprint NETWORK{phicache_fingerprint{{1}}};

void every_constructor_has_a_try_form() {
    CHECK(phicache::dict_cache::try_make().has_value());
    CHECK(phicache::purview_cache::try_make().has_value());
    CHECK(phicache::config::try_make().has_value());
    CHECK(phicache::memo<int(int)>::try_make([](int n) { return n; }).has_value());
    CHECK(phicache::method<int(const int&, int)>::try_make("m", [](const int& object, int n) {
              return object + n;
          }).has_value());
    CHECK(phicache::subsystem::try_make(NETWORK, {1}, {0}).has_value());
    CHECK(phicache::subsystem::try_make(NETWORK, {}, {0}).code() == status::error_invalid_argument);
}

void caches_work() {
    phicache::dict_cache cache;
    CHECK(cache.set("key", 0.5).stored());
    CHECK(cache.get<double>("key") == 0.5);
    CHECK(cache.try_get<double>("key").value() == 0.5);
    CHECK(!cache.try_get<double>("other").value().has_value());
    CHECK(cache.try_get<int>("key").code() == status::error_invalid_argument);
    CHECK(cache.try_get(phicache::bytes(nullptr, 1)).code() == status::error_invalid_argument);
    CHECK(*cache.try_contains("key") && *cache.try_remove("key") && !*cache.try_remove("key"));
    phicache::purview_cache purviews;
    CHECK(purviews.try_memoize(direction::cause, {0}, [] { return std::vector<node_set>{{1}}; })->copy()[0] ==
          node_set{1});
}

void functions_fail_by_what_they_return() {
    phicache::dict_cache cache;
    int calls = 0;
    const auto compute = [&]() -> expected<double> {
        if (++calls == 1) return failure::callback(5);
        return 2.5;
    };
    const expected<double> first = cache.try_memoize<double>("key", compute);
    CHECK(first.code() == status::error_callback);
    CHECK_INT(first.error().callback_code(), 5);
    CHECK_CONTAINS(first.error().what(), "5");
    CHECK_NEAR(*cache.try_memoize<double>("key", compute), 2.5, 0.0);
    CHECK_NEAR(*cache.try_memoize<double>("key", compute), 2.5, 0.0);
    CHECK_INT(calls, 2);
    const auto made = cache.try_memoize("place", [](phicache::result& out) -> expected<void> {
        const auto room = out.try_reserve<int>(1);
        if (!room) return room.error();
        (*room)[0] = 7;
        return {};
    });
    CHECK_INT(made->as<int>(), 7);
}

void memos_and_methods_work() {
    const phicache::memo checked{[](int n) -> expected<int> {
        if (n < 0) return failure::callback(n);
        return 2 * n;
    }};
    CHECK_INT(*checked.try_call(4), 8);
    CHECK_INT(checked.try_call(-4).error().callback_code(), -4);
    const phicache::memo text{[](const std::string& words) { return words.size(); }};
    CHECK(text.try_call("\xff").code() == status::error_invalid_argument);
    CHECK_UINT(*text.try_call("fine"), 4);
    const phicache::method sum{"sum", [](const int& object, int n) { return object + n; }};
    phicache::dict_cache cache;
    CHECK_INT(*sum.try_call(cache, 3, 4), 7);
    CHECK_INT(*sum.try_call(cache, 100, 4), 7);
}

void mice_caches_work() {
    const expected<phicache::subsystem> system = phicache::subsystem::try_make(NETWORK, {1, 0}, {0, 1});
    REQUIRE(system.has_value());
    expected<phicache::mice_cache> cache = phicache::mice_cache::try_dict(*system);
    REQUIRE(cache.has_value());
    const phicache::mice record{direction::cause, {0}, {1}, 0.5, std::vector<double>{1, 2}};
    CHECK(cache->try_set("key", record)->stored());
    CHECK_UINT((*cache->try_get("key"))->payload_view<double>().size(), 2);
    CHECK(cache->try_would_store(0).value() == status::refused_phi);
    CHECK_NEAR(
        cache->try_memoize("other", [&]() -> expected<phicache::mice<std::vector<double>>> { return record; })->phi(),
        0.5, 0.0);
}

void redis_caches_work() {
    const expected<phicache::config> own = phicache::config::try_make();
    REQUIRE(own.has_value());
    CHECK(own->settings().try_set_redis_url("unix:///nowhere/at/all").has_value());
    CHECK(phicache::try_redis_ping(*own).code() == status::error_redis);
    CHECK(phicache::try_redis_available(*own).value() == false);
    expected<phicache::redis_cache> cache = phicache::redis_cache::try_make({}, *own);
    REQUIRE(cache.has_value());
    CHECK(cache->try_set("key", 1).value() == status::refused_server);
    CHECK_INT(*cache->try_memoize<int>("key", [] { return 7; }), 7);
    const std::vector<phicache_bytes> keys{phicache::bytes("key")};
    CHECK(cache->try_view()->try_get_many(keys)->at(0).data() == nullptr);
    CHECK(cache->try_view()->try_set_many(keys, keys)->at(0) == status::refused_server);
    CHECK(cache->try_view()->try_redis_health()->failures > 0);
}

/// Runs a call in a child process. Returns its standard error, and whether it aborts.
template <class Call>
std::string last_words(Call&& call) {
    int ends[2];
    if (!CHECK(pipe(ends) == 0)) return "";
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        call();
        _exit(0);
    }
    close(ends[1]);
    std::string words;
    char part[256];
    for (ssize_t size; (size = read(ends[0], part, sizeof part)) > 0;)
        words.append(part, static_cast<std::size_t>(size));
    close(ends[0]);
    int ended = 0;
    CHECK(waitpid(child, &ended, 0) == child);
    CHECK(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
    return words;
}

void other_forms_end_the_program_with_one_line() {
    const std::string words = last_words([] { phicache::dict_cache().get(phicache::bytes(nullptr, 1)); });
    CHECK_CONTAINS(words.c_str(), "phicache: ERROR_INVALID_ARGUMENT: phicache_dict_cache_get:");
    CHECK(words.find('\n') == words.size() - 1);
    CHECK_CONTAINS(last_words([] { node_set().insert(64); }).c_str(), "index");
    CHECK_CONTAINS(last_words([] { (void)phicache::dict_cache::try_make({std::string(100, 'n')}).value(); }).c_str(),
                   "name");
}

}  // namespace

int main() {
    RUN(every_constructor_has_a_try_form);
    RUN(caches_work);
    RUN(functions_fail_by_what_they_return);
    RUN(memos_and_methods_work);
    RUN(mice_caches_work);
    RUN(redis_caches_work);
    RUN(other_forms_end_the_program_with_one_line);
    return check_report();
}
