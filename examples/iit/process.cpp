#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "report.hpp"

extern char** environ;

namespace iit {
namespace {

// What such a process is called, as its first argument says.
constexpr char kName[] = "iit (one of several)";

std::system_error failure(int code, const char* what) { return std::system_error(code, std::generic_category(), what); }

// Everything that can be read from the descriptor.
std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 1 << 16> block;
    while (true) {
        const ssize_t length = read(descriptor, block.data(), block.size());
        if (length > 0) text.append(block.data(), static_cast<std::size_t>(length));
        else if (length == 0) return text;
        else if (errno != EINTR) throw failure(errno, "the report of a process cannot be read");
    }
}

// This program, running in a process of its own.
class Process {
  public:
    // If it is `quiet`, its messages are kept instead of printed.
    Process(std::vector<std::string> arguments, bool quiet)
        : messages_(quiet ? std::tmpfile() : nullptr, &std::fclose) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw failure(errno, "no pipe for a process");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);

        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (messages_) posix_spawn_file_actions_adddup2(&actions, fileno(messages_.get()), STDERR_FILENO);
        const int error = posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        output_ = ends[0];
        if (error != 0) {
            close(output_);
            throw failure(error, "a process does not start");
        }
    }

    ~Process() {
        close(output_);  // a process that is not waited for ends when it writes its report
        if (!waited_) wait();
    }

    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // Waits for its end; returns why it failed, or nothing.
    std::string finish(std::string& report) {
        report = read_all(output_);
        const int status = wait();
        std::string messages;
        if (messages_) {
            std::rewind(messages_.get());
            messages = read_all(fileno(messages_.get()));
        }
        if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
        if (WEXITSTATUS(status) == 0) return "";
        return "failed" + (messages.empty() ? "" : ": " + messages.substr(0, messages.find('\n')));
    }

  private:
    int wait() {
        int status = 0;
        while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {}
        waited_ = true;
        return status;
    }

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> messages_;
    pid_t process_ = 0;
    int output_ = -1;
    bool waited_ = false;
};

std::vector<std::string> arguments_for(const std::string& path, const std::string& redis_url, const Plan& plan) {
    const Settings& settings = plan.settings;
    std::vector<std::string> arguments{kName, path, "--json", "--force",
                                       "--cache", settings.caching.store == Store::redis ? "redis" : "disk",
                                       "--reuse", settings.caching.reuse == Reuse::parent ? "parent" : "cuts",
                                       "--measure", settings.measure == Measure::emd ? "emd" : "l1",
                                       "--threads", std::to_string(settings.threads)};
    if (!settings.caching.distances) arguments.push_back("--no-distances");
    if (!redis_url.empty()) arguments.insert(arguments.end(), {"--redis-url", redis_url});
    if (!plan.directory.empty()) arguments.insert(arguments.end(), {"--directory", plan.directory});
    return arguments;
}

bool same_phi(const Result& a, const Result& b) {
    const auto same_mice = [](const Mice& one, const Mice& other) {
        return one.phi == other.phi && one.purview == other.purview;
    };
    const auto same_cut = [](const EvaluatedCut& one, const EvaluatedCut& other) { return one.phi == other.phi; };
    return std::equal(a.mice.begin(), a.mice.end(), b.mice.begin(), b.mice.end(), same_mice) &&
           std::equal(a.cuts.begin(), a.cuts.end(), b.cuts.begin(), b.cuts.end(), same_cut) && a.phi == b.phi;
}

// Adds what another process did for the same analysis.
void add(Result& sum, const Result& other) {
    if (!same_phi(sum, other)) throw std::runtime_error("two processes have found different phi");
    sum.seconds = std::max(sum.seconds, other.seconds);
    sum.cpu_seconds += other.cpu_seconds;
    sum.computed += other.computed;
    for (std::size_t i = 0; i < sum.caches.size(); ++i) {
        CacheUse& use = sum.caches[i];
        const CacheUse& more = other.caches[i];
        use.caches += more.caches;
        use.hits += more.hits;
        use.misses += more.misses;
        use.size = std::max(use.size, more.size);  // mostly they are the same entries
        use.bytes += more.bytes;
    }
    if (sum.redis && other.redis) {
        sum.redis->failures += other.redis->failures;
        sum.redis->refusals += other.redis->refusals;
        sum.redis->skipped += other.redis->skipped;
        if (sum.redis->last_error.empty()) sum.redis->last_error = other.redis->last_error;
    }
    if (sum.disk && other.disk) {
        sum.disk->failures += other.disk->failures;
        sum.disk->damaged += other.disk->damaged;
        if (sum.disk->last_failure.empty()) sum.disk->last_failure = other.disk->last_failure;
        // One of them may be the first run itself.
        if (!other.disk->first_seconds) sum.disk->first_seconds.reset();
    }
}

}  // namespace

void end_with_parent(const std::string& program) {
    if (program == kName) prctl(PR_SET_PDEATHSIG, SIGTERM);
}

Result analyse_in_new_processes(const std::string& path, const std::string& redis_url, const Plan& plan) {
    std::vector<std::unique_ptr<Process>> processes;
    const std::vector<std::string> arguments = arguments_for(path, redis_url, plan);
    for (int i = 0; i < plan.processes; ++i) processes.push_back(std::make_unique<Process>(arguments, i > 0));

    std::optional<Result> sum;
    std::string why;
    for (std::size_t i = 0; i < processes.size(); ++i) {
        std::string report;
        const std::string failed = processes[i]->finish(report);
        if (failed.empty()) {
            Result result = read_json(report);
            if (sum) add(*sum, result);
            else sum = std::move(result);
            continue;
        }
        why = "process " + std::to_string(i + 1) + " of " + std::to_string(processes.size()) + " " + failed;
        if (processes.size() > 1) std::cerr << "iit: " << why << "\n";
    }
    if (!sum) throw std::runtime_error(why);
    return *std::move(sum);
}

}  // namespace iit
