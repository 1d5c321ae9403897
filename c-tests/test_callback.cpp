// test_callback.cpp: functions that options and memos store.
#include "check.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace {

void a_callback_is_a_copy_of_a_function_or_none() {
    using function = phicache::callback<int(int)>;
    int calls = 0;
    const auto count = [&calls, copy = std::vector<int>(3, 1)](int n) { return ++calls, n + copy[0]; };
    const function first = count;
    function second = first;
    CHECK_INT(first(1) + second(2), 5);
    second = function(std::move(second));
    CHECK_INT(second(2), 3);
    const std::function<int(int)> standard = second;
    CHECK_INT(standard(4), 5);
    CHECK_INT(calls, 4);
    int (*const no_function)(int) = nullptr;
    const std::function<int(int)> empty;
    for (const function& none : {function(), function(nullptr), function(no_function), function(empty)})
        CHECK(!none && !function(none));
    CHECK(function([](int n) { return n; }) && function(standard));
    second = nullptr;
    CHECK(!second);
}

}  // namespace

int main() {
    RUN(a_callback_is_a_copy_of_a_function_or_none);
    return check_report();
}
