// iit: integrated information of a small network, computed with and without phicache.

#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis.hpp"
#include "network.hpp"
#include "options.hpp"
#include "report.hpp"

namespace {

int run(const std::vector<std::string>& arguments) {
    const iit::Options options = iit::parse_options(arguments);
    if (options.help) {
        std::cout << iit::usage();
        return 0;
    }
    iit::Network network;
    try {
        network = iit::read_network(options.network);
    } catch (const iit::InputError& error) {
        throw iit::InputError(options.network + ": " + error.what());
    }
    if (!options.redis_url.empty()) {
        const auto set = phicache::config_ref().try_set_redis_url(options.redis_url);
        if (!set) throw iit::UsageError(std::string("--redis-url: ") + set.error().what());
    }
    std::vector<iit::Run> runs;
    for (const iit::Settings& settings : options.runs) runs.push_back({settings, iit::analyse(network, settings)});
    if (options.json) {
        iit::print_json(std::cout, runs.front());
    } else {
        iit::print_text(std::cout, options.network, network, runs);
    }
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("cannot write to standard output");
    return 0;
}

// Prints the message as one line on standard error, whatever it quotes.
int fail(int status, std::string what) {
    for (char& c : what) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    std::cerr << "iit: " << what << "\n";
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const iit::UsageError& error) {
        return fail(2, error.what());
    } catch (const iit::InputError& error) {
        return fail(2, error.what());
    } catch (const std::bad_alloc&) {
        return fail(1, "out of memory");
    } catch (const std::exception& error) {
        return fail(1, error.what());
    }
}
