// server.hpp: a Redis server of our own, on a free port and a unix socket; the destructor stops it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class Server {
public:
    // Starts the program and waits until it answers. Throws std::runtime_error if it does not.
    explicit Server(const std::string &program);
    ~Server();
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    const std::string &socket() const { return socket_; }
    int port() const { return port_; }
    // Binds it to these cores.
    void run_on(const std::vector<int> &cores) const;
    // How often a command (in lower case) was called.
    std::uint64_t calls(const std::string &command) const;
    // Its version, as it says itself.
    std::string version() const;

private:
    std::string info(const char *section) const;
    void stop();

    std::string folder_, socket_;
    int port_;
    pid_t process_;
};

}  // namespace bench
