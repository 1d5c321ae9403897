// An event loop with leases: each value is computed once, and nothing blocks in the cache.
//
// `memoize` blocks while another caller computes the value. In a loop that serves many tasks use `begin`, which returns
// at once: the value (ok), the right and the duty to compute it (lease), or that another task computes it (busy). Here
// child processes compute, and poll() tells which of them have written their results.
//
// It prints
//
//     task 1: 6 * 7 = 42, computed
//     task 2: 2 * 3 = 6, computed
//     task 3: 6 * 7 = 42, waited for another task
//     1 hit, 2 misses

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <phicache.hpp>
#include <string>
#include <utility>
#include <vector>

namespace {

struct task {
    std::string product;
    phicache::lease lease{nullptr};  // while it computes: the lease, and the output of its child process
    std::FILE* child = nullptr;
    phicache::value answer{};
    bool waited = false, failed = false;
};

// Looks the task's value up, and starts to compute it if nobody else does. Its number is the owner of the lease: all
// tasks run in one thread, and the owner 0 would be that thread, which cannot wait for itself.
void start(phicache::cache cache, task& one, std::uint64_t number) {
    phicache::begin_result found = cache.begin(one.product, number);
    if (found.status == phicache::status::ok) one.answer = std::move(found.value);
    if (found.status == phicache::status::busy) one.waited = true;  // it starts again in the next round
    if (found.status == phicache::status::lease) {
        one.child = popen(("set -f; expr " + one.product).c_str(), "r");
        one.failed = one.child == nullptr;
        if (!one.failed) one.lease = std::move(found.lease);
    }
}

// Gives the result of the child process to the cache. Without a result the lease is abandoned: a task that waits for
// this value gets a lease of its own when it starts again.
void finish(task& one) {
    int number = 0;
    one.failed = std::fscanf(one.child, "%d", &number) != 1;
    pclose(std::exchange(one.child, nullptr));
    if (one.failed) return one.lease.reset();
    one.lease.write(number);
    one.answer = one.lease.complete();
}

}  // namespace

int main() {
    phicache::dict_cache cache;
    std::array<task, 3> tasks{{{"6 * 7"}, {"2 * 3"}, {"6 * 7"}}};
    for (bool running = true; running;) {
        std::vector<pollfd> outputs;
        running = false;
        for (task& one : tasks) {
            if (one.answer.empty() && !one.failed && one.child == nullptr) start(cache, one, outputs.size() + 1);
            outputs.push_back({one.child != nullptr ? fileno(one.child) : -1, POLLIN, 0});  // poll ignores -1
            running = running || one.child != nullptr;
        }
        if (running) poll(outputs.data(), outputs.size(), -1);
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            if (outputs[i].revents != 0) finish(tasks[i]);
        }
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (tasks[i].failed) return std::printf("task %zu failed\n", i + 1), 1;
        std::printf("task %zu: %s = %d, %s\n", i + 1, tasks[i].product.c_str(), tasks[i].answer.as<int>(),
                    tasks[i].waited ? "waited for another task" : "computed");
    }
    const phicache_info info = cache.info();
    std::printf("%d hit, %d misses\n", static_cast<int>(info.hits), static_cast<int>(info.misses));
}
