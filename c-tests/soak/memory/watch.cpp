#include "watch.hpp"

#include <fcntl.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "stress/report.hpp"
#include "stress/watchdog.hpp"

namespace soak {

using stress::expect;

namespace {

// What the program itself may occupy beside its caches, more than at the baseline: stacks of threads, and pages that
// the system counts late. What the allocator keeps and the values that no cache has (`Uncached`) are counted.
constexpr double OWN = 8 * MIB;

double mib(double bytes) { return bytes / MIB; }

// The free bytes that the allocator has not returned to the system.
double kept_by_the_allocator() {
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    return double(mallinfo2().fordblks);
#else
    return 0;
#endif
}

// What all caches of the process hold, by their own account.
double held() { return double(phicache::memory_usage().held); }

}  // namespace

std::uint64_t resident() {
    static const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[128] = {};
    unsigned long long pages = 0, resident = 0;
    if (pread(file, text, sizeof text - 1, 0) <= 0 || std::sscanf(text, "%llu %llu", &pages, &resident) != 2)
        throw std::runtime_error("/proc/self/statm is unreadable");
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t resident_without_caches() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return resident();
}

void check_baseline(const char *empty, std::uint64_t baseline) {
    if (!MEASURES_RESIDENT || baseline == 0) return;
    const double over = double(resident_without_caches()) - double(baseline);
    std::printf("%s: %+.1f MiB\n", empty, mib(over));
    expect(over <= OWN / 2, "the process occupies %.1f MiB more than at first, and all caches are %s", mib(over),
           empty);
}

Watch::Watch(const Caches &caches, std::uint64_t baseline)
    : caches_(caches), baseline_(baseline), thread_([this] {
          while (!over_) {
              look();
              std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          stress::add_checks();
      }) {}

void Watch::stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
}

void Watch::look() {
    caches_.account();
    // Of all caches: workers make more, which live for a moment.
    const double before = held(), now = double(resident());
    const double account = std::max(before, held());
    const double uncached = double(Uncached::all()), kept = kept_by_the_allocator();
    looks_++;
    if (!MEASURES_RESIDENT || baseline_ == 0) return;
    const double over_account = now - double(baseline_) - account, over_limit = now - double(caches_.limit());
    over_account_ = looks_ == 1 ? over_account : std::max(over_account_, over_account);
    over_limit_ = looks_ == 1 ? over_limit : std::max(over_limit_, over_limit);
    expect(over_account <= account * 0.03 + OWN + uncached + kept,
           "the process occupies %.1f MiB for caches that have %.1f MiB; %.1f MiB are values that no cache has, and "
           "the allocator keeps %.1f MiB",
           mib(over_account + account), mib(account), mib(uncached), mib(kept));
    expect(over_limit <= double(caches_.limit()) * 0.01 + OWN, "the process occupies %.1f MiB, its limit is %.1f MiB",
           mib(now), mib(double(caches_.limit())));
}

void Watch::check_steady() {
    const Account account = caches_.account();
    const double live = double(account.live_bytes), accounted = double(account.bytes);
    live_ = live;
    accounted_ = accounted / live;
    if (!MEASURES_RESIDENT || baseline_ == 0) return;
    expect(accounted <= 1.5 * live + MIB, "caches have %.1f MiB for entries of %.1f MiB", mib(accounted),
           mib(live));
    const double occupied = double(resident()) - double(baseline_);
    occupied_ = occupied / live;
    expect(occupied <= 1.5 * live + OWN, "the process occupies %.1f MiB for entries of %.1f MiB", mib(occupied),
           mib(live));
}

std::string Watch::text() const {
    char text[512];
    std::snprintf(text, sizeof text,
                  "%llu looks: resident at most the account and %.1f MiB, the limit and %.1f MiB; then %.1f MiB live, "
                  "accounted %.3f and resident %.3f times that",
                  static_cast<unsigned long long>(looks_), mib(over_account_), mib(over_limit_), mib(live_), accounted_,
                  occupied_);
    return text;
}

}  // namespace soak
