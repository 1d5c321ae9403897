#include "process.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "report.hpp"

extern char** environ;

namespace iit {
namespace {

std::system_error failure(int code, const char* what) { return std::system_error(code, std::generic_category(), what); }

// Everything that can be read from the descriptor.
std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 1 << 16> block;
    while (true) {
        const ssize_t length = read(descriptor, block.data(), block.size());
        if (length > 0) text.append(block.data(), static_cast<std::size_t>(length));
        else if (length == 0) return text;
        else if (errno != EINTR) throw failure(errno, "the report of a second process cannot be read");
    }
}

// The standard output of this program with these arguments; its standard error is ours.
std::string output_of_this_program(std::vector<std::string> arguments) {
    int ends[2];
    if (pipe(ends) != 0) throw failure(errno, "no pipe for a second process");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    pid_t child = 0;
    const int error = posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        throw failure(error, "a second process does not start");
    }
    std::string text = read_all(ends[0]);
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("a second process failed");
    return text;
}

}  // namespace

Result analyse_in_new_process(const std::string& path, const std::string& redis_url, const Settings& settings) {
    std::vector<std::string> arguments{"iit", path, "--json", "--force", "--cache", "redis",
                                       "--reuse", settings.caching.reuse == Reuse::parent ? "parent" : "cuts",
                                       "--measure", settings.measure == Measure::emd ? "emd" : "l1",
                                       "--threads", std::to_string(settings.threads)};
    if (!redis_url.empty()) arguments.insert(arguments.end(), {"--redis-url", redis_url});
    return read_json(output_of_this_program(std::move(arguments)));
}

}  // namespace iit
