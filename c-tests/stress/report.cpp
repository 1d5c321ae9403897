#include "report.hpp"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace stress {

namespace {

constexpr std::uint64_t enough = 20;

std::atomic<std::uint64_t> failed{0}, checked{0};

}  // namespace

void fail(const char *format, ...) {
    char text[512];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    std::fprintf(stderr, "FAILED: %s\n", text);
    if (failed.fetch_add(1) + 1 == enough) {
        std::fprintf(stderr, "stopped after %llu failures\n", static_cast<unsigned long long>(enough));
        std::_Exit(1);
    }
}

std::uint64_t failures() { return failed; }

void add_checks() {
    checked += checks_of_thread;
    checks_of_thread = 0;
}

std::uint64_t checks() { return checked; }

}  // namespace stress
