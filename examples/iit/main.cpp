// iit: integrated information of a small network, computed with and without phicache.

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis.hpp"
#include "estimate.hpp"
#include "network.hpp"
#include "options.hpp"
#include "process.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace {

constexpr double kLong = 60;  // seconds, of an analysis that is announced with an estimate

std::vector<iit::Run> analyse(const iit::Network& network, const iit::Options& options) {
    std::vector<iit::Run> runs;
    for (const iit::Plan& plan : options.plans) {
        const std::string where = "run " + std::to_string(runs.size() + 1) + " of " +
            std::to_string(options.plans.size());
        runs.push_back({plan, plan.processes > 0
                                  ? iit::analyse_in_new_processes(options.network, options.redis_url, plan)
                                  : iit::analyse(network, plan.settings, options.plans.size() > 1 ? where : "")});
    }
    return runs;
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
    iit::end_with_parent(program);
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
    const iit::Estimate work = iit::estimate(network, options.plans.front().settings.measure);
    if (work.seconds > iit::kMostSeconds && !options.force) {
        throw iit::InputError(options.network + ": " + in_words(network, work) + "; --force begins it anyway");
    }
    if (work.seconds > kLong) iit::announce(in_words(network, work));
    if (!options.redis_url.empty()) {
        const auto set = phicache::config_ref().try_set_redis_url(options.redis_url);
        if (!set) throw iit::UsageError(std::string("--redis-url: ") + set.error().what());
    }
    if (const iit::Plan& plan = options.plans.front(); !plan.directory.empty()) {
        phicache::config_ref().set_disk_directory(plan.directory);
    }
    const std::vector<iit::Run> runs = analyse(network, options);
    if (options.json) {
        iit::print_json(std::cout, runs.front());
    } else {
        iit::print_text(std::cout, program, options.network, network, runs);
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
        return run(argc > 0 ? argv[0] : "iit", std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
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
