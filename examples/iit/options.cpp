#include "options.hpp"

#include <optional>

namespace iit {
namespace {

// The value of an option given as `--name value` or as `--name=value`; nothing when the argument is another one.
std::optional<std::string> value_of(const std::string& name, const std::vector<std::string>& arguments, std::size_t& at) {
    const std::string& argument = arguments[at];
    if (argument.compare(0, name.size() + 1, name + "=") == 0) return argument.substr(name.size() + 1);
    if (argument != name) return std::nullopt;
    if (++at == arguments.size()) throw UsageError(name + " needs a value");
    return arguments[at];
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
    Options options;
    std::string cache;
    std::string reuse;
    std::vector<std::string> files;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& argument = arguments[at];
        if (auto which = value_of("--cache", arguments, at)) {
            cache = *which;
            if (cache != "none" && cache != "dict" && cache != "redis")
                throw UsageError("--cache is none, dict or redis, not '" + cache + "'");
        } else if (auto url = value_of("--redis-url", arguments, at)) {
            options.redis_url = *url;
        } else if (auto how = value_of("--reuse", arguments, at)) {
            reuse = *how;
            if (reuse != "parent" && reuse != "cuts") throw UsageError("--reuse is parent or cuts, not '" + reuse + "'");
        } else if (argument == "--json") {
            options.json = true;
        } else if (argument == "--help" || argument == "-h") {
            options.help = true;
        } else if (argument.size() > 1 && argument[0] == '-') {
            throw UsageError("unknown option '" + argument + "'");
        } else {
            files.push_back(argument);
        }
    }
    if (options.help) return options;
    if (files.empty()) throw UsageError("no network file given (--help says more)");
    if (files.size() > 1) throw UsageError("more than one network file given");
    options.network = files.front();

    if (!options.redis_url.empty() && cache != "redis") throw UsageError("--redis-url goes with --cache redis");

    const Caching nothing{Reuse::none};
    const Caching with_caches{reuse == "parent" ? Reuse::parent : Reuse::cuts, cache == "redis" ? Store::redis : Store::dict};
    if (cache == "none") options.runs = {nothing};
    else if (!cache.empty() || options.json) options.runs = {with_caches};
    else if (reuse.empty()) options.runs = {nothing, {Reuse::parent}, {Reuse::cuts}};
    else options.runs = {nothing, with_caches};
    return options;
}

const char* usage() {
    return "usage: iit NETWORK.json [--cache none|dict|redis] [--redis-url URL] [--reuse parent|cuts] [--json]\n"
           "\n"
           "Finds the maximally irreducible cause and effect of every mechanism of a network, evaluates every system\n"
           "cut, and says what the caches of phicache contributed.\n"
           "\n"
           "  --cache none    compute everything anew\n"
           "  --cache dict    remember results in this process\n"
           "  --cache redis   as dict, and share the causes and effects with all processes that analyse this network\n"
           "                  (without --cache: first without, then with caches, and what they saved)\n"
           "  --redis-url URL where the server is: redis://host:port/0, rediss://..., unix:///path/to/socket\n"
           "                  (without it: PHICACHE_REDIS_URL, or redis://127.0.0.1:6379/0)\n"
           "  --reuse parent  each cut has caches of its own and inherits what the cut leaves alone, as in PyPhi\n"
           "  --reuse cuts    all cuts share their caches through cut-scoped keys (default)\n"
           "  --json          print one JSON object; one analysis, with caches unless --cache none says otherwise\n"
           "\n"
           "The network is a JSON object: tpm (2^n rows of n probabilities; row i is for the state whose node k is bit k\n"
           "of i), state (n zeros and ones), and optionally cm (cm[a][b] is 1 for a connection a -> b). All nodes belong\n"
           "to the subsystem. Exit status: 0, 2 for a bad command line or input, 1 for any other failure.\n";
}

}  // namespace iit
