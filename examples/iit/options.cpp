#include "options.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

namespace iit {
namespace {

constexpr int kMostThreads = 256;
constexpr int kMostProcesses = 64;

// The value of an option given as `--name value` or `--name=value`; empty if the argument is another option.
std::optional<std::string> value_of(const std::string& name, const std::vector<std::string>& arguments,
                                    std::size_t& at) {
    const std::string& argument = arguments[at];
    if (argument.compare(0, name.size() + 1, name + "=") == 0) return argument.substr(name.size() + 1);
    if (argument != name) return std::nullopt;
    if (++at == arguments.size()) throw UsageError(name + " needs a value");
    return arguments[at];
}

void expect(const std::string& option, const std::string& value, bool known, const std::string& expected) {
    if (!known) throw UsageError(option + " is '" + value + "'; expected " + expected);
}

int count_of(const std::string& option, const std::string& text, int most) {
    int number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const bool known = error == std::errc() && stop == end && number >= 1 && number <= most;
    expect(option, text, known, "a number from 1 to " + std::to_string(most));
    return number;
}

// What is there would be found by the run that is called the first one.
void expect_empty(const std::string& directory) {
    std::error_code error;
    if (std::filesystem::is_directory(directory, error) && !std::filesystem::is_empty(directory, error)) {
        throw UsageError("--directory: " + directory + " is not empty, and the comparison has a first run: give a new "
                         "directory, or add --cache disk for one run that uses what is there");
    }
}

std::string in_words(int threads) { return threads == 1 ? "one thread" : std::to_string(threads) + " threads"; }

// What the options say about the analyses.
struct Asked {
    std::string cache;
    std::string reuse;
    Measure measure = Measure::emd;
    bool distances = true;
    std::optional<int> threads;
    std::optional<int> processes;
    std::string directory;
};

Store store_named(const std::string& name) {
    return name == "redis" ? Store::redis : name == "disk" ? Store::disk : Store::dict;
}

Plan single_plan(const Asked& asked) {
    const int threads = asked.threads.value_or(1);
    if (asked.cache == "none") return {"no caches", {asked.measure, {}, threads}};
    const std::string store = asked.cache.empty() ? "dict" : asked.cache;
    const std::string reuse = asked.reuse.empty() ? "cuts" : asked.reuse;
    const Caching caching{reuse == "parent" ? Reuse::parent : Reuse::cuts, store_named(store), asked.distances};
    return {store + ", reuse " + reuse, {asked.measure, caching, threads}, asked.processes.value_or(0),
            asked.directory};
}

// Each row adds one thing to the row above.
std::vector<Plan> comparison(const Asked& asked, bool with_redis) {
    const int threads = asked.threads.value_or(2);
    const Caching parent_only{Reuse::parent, Store::dict, false};
    const Caching parent{Reuse::parent, Store::dict, true};
    const Caching cuts{Reuse::cuts, Store::dict, true};
    const Caching redis{Reuse::cuts, Store::redis, true};
    const Caching disk{Reuse::cuts, Store::disk, true};
    std::vector<Plan> plans{{"no caches", {asked.measure, {Reuse::none}, 1}},
                            {"PyPhi's caches", {asked.measure, parent_only, 1}},
                            {"+ memo of distances", {asked.measure, parent, 1}},
                            {"+ cut-scoped keys", {asked.measure, cuts, 1}},
                            {"+ " + in_words(threads), {asked.measure, cuts, threads}}};
    if (with_redis) {
        plans.push_back({"+ Redis, 1st process", {asked.measure, redis, threads}, 1});
        plans.push_back({"  Redis, 2nd process", {asked.measure, redis, threads}, 1});
    }
    if (!asked.directory.empty()) {
        const int processes = asked.processes.value_or(2);
        plans.push_back({"on disk, first run", {asked.measure, disk, threads}, 1, asked.directory});
        plans.push_back({kSecondRun, {asked.measure, disk, threads}, 1, asked.directory});
        plans.push_back({"on disk, " + std::to_string(processes) + " at once", {asked.measure, disk, 1}, processes,
                         asked.directory + "/at-once"});
    }
    return plans;
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments) {
    Options options;
    Asked asked;
    std::vector<std::string> files;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string& argument = arguments[at];
        if (auto cache = value_of("--cache", arguments, at)) {
            const bool known = *cache == "none" || *cache == "dict" || *cache == "redis" || *cache == "disk";
            expect("--cache", *cache, known, "none, dict, redis or disk");
            asked.cache = *cache;
        } else if (auto url = value_of("--redis-url", arguments, at)) {
            options.redis_url = *url;
        } else if (auto directory = value_of("--directory", arguments, at)) {
            expect("--directory", *directory, !directory->empty(), "the path of a directory");
            asked.directory = std::filesystem::absolute(*directory).lexically_normal().string();
        } else if (auto reuse = value_of("--reuse", arguments, at)) {
            expect("--reuse", *reuse, *reuse == "parent" || *reuse == "cuts", "parent or cuts");
            asked.reuse = *reuse;
        } else if (auto measure = value_of("--measure", arguments, at)) {
            expect("--measure", *measure, *measure == "emd" || *measure == "l1", "emd or l1");
            asked.measure = *measure == "emd" ? Measure::emd : Measure::l1;
        } else if (auto threads = value_of("--threads", arguments, at)) {
            asked.threads = count_of("--threads", *threads, kMostThreads);
        } else if (auto processes = value_of("--processes", arguments, at)) {
            asked.processes = count_of("--processes", *processes, kMostProcesses);
        } else if (argument == "--no-distances") {
            asked.distances = false;
        } else if (argument == "--force") {
            options.force = true;
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

    const bool single = options.json || !asked.cache.empty() || !asked.reuse.empty() || !asked.distances;
    if (!options.redis_url.empty() && single && asked.cache != "redis")
        throw UsageError("--redis-url needs --cache redis");
    if (!asked.directory.empty() && !single) expect_empty(asked.directory);
    if (!asked.directory.empty() && single && asked.cache != "disk") throw UsageError("--directory needs --cache disk");
    if (asked.cache == "disk" && asked.reuse == "parent") {
        throw UsageError("--cache disk needs --reuse cuts: the files have results under cut-scoped keys");
    }
    if (asked.processes && (single ? asked.cache != "redis" && asked.cache != "disk" : asked.directory.empty())) {
        throw UsageError("--processes needs --cache redis or --cache disk: other caches are not shared");
    }
    const char* const url = std::getenv("PHICACHE_REDIS_URL");
    const bool with_redis = !options.redis_url.empty() || (url && *url);
    options.plans = single ? std::vector<Plan>{single_plan(asked)} : comparison(asked, with_redis);
    return options;
}

const char* usage() {
    return "usage: iit NETWORK.json [--measure emd|l1] [--cache none|dict|redis|disk] [--reuse parent|cuts]\n"
           "           [--no-distances] [--threads N] [--processes N] [--redis-url URL] [--directory D]\n"
           "           [--force] [--json]\n"
           "\n"
           "Computes the integrated information (phi) of a network as PyPhi does: the cause and the effect of every\n"
           "set of nodes, and what every cut of the network in two destroys. Without --cache, --reuse,\n"
           "--no-distances and --json it does so without caches, then with more and more of them, and compares the\n"
           "seconds.\n"
           "\n"
           "  --measure emd   the earth mover's distance between causes, PyPhi's default (default)\n"
           "  --measure l1    the sum of absolute differences\n"
           "  --cache none    use no caches\n"
           "  --cache dict    cache results in this process\n"
           "  --cache redis   as dict, and share causes and effects with all processes that analyze this network\n"
           "  --cache disk    as dict, and keep causes, effects, small phi and distances in files: a second run\n"
           "                  computes nothing, and of several processes one computes each of them\n"
           "  --reuse parent  each cut has its own caches and inherits undamaged results, as in PyPhi\n"
           "  --reuse cuts    all cuts share caches with cut-scoped keys (default)\n"
           "  --no-distances  keep no earth mover's distances\n"
           "  --threads N     divide the cuts among N threads (default: 1; the comparison ends with 2)\n"
           "  --processes N   analyze in N processes that share results in Redis or on disk. On disk, a process that\n"
           "                  is killed costs only what it was computing\n"
           "  --redis-url URL the server: redis://host:port/0, rediss://..., unix:///path/to/socket\n"
           "                  (default: PHICACHE_REDIS_URL, or redis://127.0.0.1:6379/0). The comparison uses Redis\n"
           "                  if the option or the variable is set\n"
           "  --directory D   the directory of the files (default: PHICACHE_DISK_DIRECTORY, or below the user's cache\n"
           "                  directory). The comparison ends with runs on disk if the option is given: D must be new\n"
           "                  or empty\n"
           "  --force         analyze a network that is too large to be done in days\n"
           "  --json          run one analysis, with caches unless --cache none is given, and print one JSON object\n"
           "\n"
           "The network is a JSON object: tpm (2^n rows of n probabilities; row i is for the state in which node k is\n"
           "bit k of i), state (n zeros and ones), and optionally cm (cm[a][b] is 1 for a connection a -> b). All\n"
           "nodes belong to the system. examples/iit/README.md shows a file. Exit status: 0, 2 for a bad command\n"
           "line or input, 1 for any other failure.\n";
}

}  // namespace iit
