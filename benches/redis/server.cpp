#include "server.hpp"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace bench {

namespace {

struct Free {
    void operator()(redisContext *context) const { redisFree(context); }
    void operator()(redisReply *reply) const { freeReplyObject(reply); }
};

// The server's answer; empty if there is none.
std::unique_ptr<redisReply, Free> ask(const std::string &socket, const char *command, const char *argument) {
    const std::unique_ptr<redisContext, Free> context(redisConnectUnix(socket.c_str()));
    if (!context || context->err) return nullptr;
    const char *words[] = {command, argument};
    void *const reply = redisCommandArgv(context.get(), argument ? 2 : 1, words, nullptr);
    return std::unique_ptr<redisReply, Free>(static_cast<redisReply *>(reply));
}

int free_port() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, reinterpret_cast<sockaddr *>(&address), len) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr *>(&address), &len) != 0)
        throw std::runtime_error("no local port is free for the server");
    close(listener);
    return ntohs(address.sin_port);
}

std::string new_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "phicache-bench-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error(name + " cannot be created");
    return name;
}

}  // namespace

Server::Server(const std::string &program)
    : folder_(new_folder()), socket_(folder_ + "/socket"), port_(free_port()), process_(fork()) {
    const std::string port = std::to_string(port_);
    if (process_ == 0) {
        execlp(program.c_str(), program.c_str(), "--bind", "127.0.0.1", "--port", port.c_str(), "--unixsocket",
               socket_.c_str(), "--dir", folder_.c_str(), "--logfile", "log", "--save", "", "--appendonly", "no",
               static_cast<char *>(nullptr));
        _exit(127);
    }
    for (int tries = 0; process_ > 0 && tries < 2000; tries++) {
        if (ask(socket_, "PING", nullptr)) return;
        if (waitpid(process_, nullptr, WNOHANG) != 0) process_ = -1;
        usleep(5000);
    }
    stop();
    throw std::runtime_error(program + " does not start");
}

Server::~Server() { stop(); }

void Server::stop() {
    if (process_ > 0) {
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void Server::run_on(const std::vector<int> &cores) const {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores) CPU_SET(core, &set);
    if (sched_setaffinity(process_, sizeof set, &set) != 0)
        throw std::runtime_error("the server cannot be bound to a core");
}

std::string Server::info(const char *section) const {
    const auto reply = ask(socket_, "INFO", section);
    if (!reply || !reply->str) throw std::runtime_error("the server does not answer");
    return std::string(reply->str, reply->len);
}

std::uint64_t Server::calls(const std::string &command) const {
    const std::string text = info("commandstats"), name = "cmdstat_" + command + ":calls=";
    const std::size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
}

std::string Server::version() const {
    const std::string text = info("server"), name = "redis_version:";
    const std::size_t at = text.find(name) + name.size();
    return text.substr(at, text.find_first_of("\r\n", at) - at);
}

}  // namespace bench
