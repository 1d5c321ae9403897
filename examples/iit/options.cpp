#include "options.hpp"

#include <charconv>
#include <optional>
#include <system_error>

namespace iit {
namespace {

constexpr int kMostThreads = 256;

// The value of an option given as `--name value` or `--name=value`; empty if the argument is another option.
std::optional<std::string> value_of(const std::string& name, const std::vector<std::string>& arguments, std::size_t& at) {
    const std::string& argument = arguments[at];
    if (argument.compare(0, name.size() + 1, name + "=") == 0) return argument.substr(name.size() + 1);
    if (argument != name) return std::nullopt;
    if (++at == arguments.size()) throw UsageError(name + " needs a value");
    return arguments[at];
}

int thread_count(const std::string& text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > kMostThreads)
        throw UsageError("--threads is '" + text + "'; expected a number from 1 to " + std::to_string(kMostThreads));
    return number;
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
    Options options;
    std::string cache;
    std::string reuse;
    bool distances = true;
    Measure measure = Measure::emd;
    std::optional<int> threads;
    std::vector<std::string> files;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& argument = arguments[at];
        if (auto which = value_of("--cache", arguments, at)) {
            cache = *which;
            if (cache != "none" && cache != "dict" && cache != "redis")
                throw UsageError("--cache is '" + cache + "'; expected none, dict or redis");
        } else if (auto url = value_of("--redis-url", arguments, at)) {
            options.redis_url = *url;
        } else if (auto how = value_of("--reuse", arguments, at)) {
            reuse = *how;
            if (reuse != "parent" && reuse != "cuts") throw UsageError("--reuse is '" + reuse + "'; expected parent or cuts");
        } else if (auto which_measure = value_of("--measure", arguments, at)) {
            if (*which_measure != "emd" && *which_measure != "l1")
                throw UsageError("--measure is '" + *which_measure + "'; expected emd or l1");
            measure = *which_measure == "emd" ? Measure::emd : Measure::l1;
        } else if (auto number = value_of("--threads", arguments, at)) {
            threads = thread_count(*number);
        } else if (argument == "--no-distances") {
            distances = false;
        } else if (argument == "--json") {
            options.json = true;
        } else if (argument == "--help" || argument == "-h") {
            options.help = true;
        } else if (argument.size() > 1 && argument[0] == '-') {
            throw UsageError("unknown option '" + argument + "' (see --help)");
        } else {
            files.push_back(argument);
        }
    }
    if (options.help) return options;
    if (files.empty()) throw UsageError("no network file given (see --help)");
    if (files.size() > 1) throw UsageError("more than one network file given");
    options.network = files.front();

    if (!options.redis_url.empty() && cache != "redis") throw UsageError("--redis-url needs --cache redis");

    const auto add = [&](Caching caching, int with_threads) { options.runs.push_back({measure, caching, with_threads}); };
    const Caching nothing{Reuse::none};
    const Caching asked{reuse == "parent" ? Reuse::parent : Reuse::cuts, cache == "redis" ? Store::redis : Store::dict, distances};
    if (cache == "none") {
        add(nothing, threads.value_or(1));
    } else if (!cache.empty() || options.json) {
        add(asked, threads.value_or(1));
    } else {
        add(nothing, 1);
        add({Reuse::parent, Store::dict, false}, 1);
        add({Reuse::parent}, 1);
        add({Reuse::cuts}, 1);
        add({Reuse::cuts}, threads.value_or(2));
    }
    return options;
}

const char* usage() {
    return "usage: iit NETWORK.json [--cache none|dict|redis] [--redis-url URL] [--reuse parent|cuts] [--json]\n"
           "\n"
           "Computes the maximally irreducible cause and effect of every mechanism of a network and the phi of every\n"
           "system cut, and reports what the caches of phicache contributed.\n"
           "\n"
           "  --cache none    use no caches\n"
           "  --cache dict    cache results in this process\n"
           "  --cache redis   as dict, and share causes and effects with all processes that analyze this network\n"
           "                  (default: run without caches and with caches, and compare)\n"
           "  --redis-url URL the server: redis://host:port/0, rediss://..., unix:///path/to/socket\n"
           "                  (default: PHICACHE_REDIS_URL, or redis://127.0.0.1:6379/0)\n"
           "  --reuse parent  each cut has its own caches and inherits undamaged results, as in PyPhi\n"
           "  --reuse cuts    all cuts share caches with cut-scoped keys (default)\n"
           "  --json          run one analysis, with caches unless --cache none is given, and print one JSON object\n"
           "\n"
           "The network is a JSON object: tpm (2^n rows of n probabilities; row i is for the state in which node k is\n"
           "bit k of i), state (n zeros and ones), and optionally cm (cm[a][b] is 1 for a connection a -> b). All nodes\n"
           "belong to the subsystem. Exit status: 0, 2 for a bad command line or input, 1 for any other failure.\n";
}

}  // namespace iit
