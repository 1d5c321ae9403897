#include "options.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace bench {

namespace {

std::vector<std::string> split(const std::string &list) {
    std::vector<std::string> parts;
    std::istringstream stream(list);
    for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
    return parts;
}

std::string join(const std::vector<std::string> &words) {
    std::string text;
    for (const std::string &word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::size_t number(const std::string &option, const std::string &text) {
    std::size_t end = 0;
    unsigned long value = 0;
    try {
        value = std::stoul(text, &end);
    } catch (const std::exception &) {
        end = 0;
    }
    if (end == 0 || end != text.size() || value == 0)
        throw std::invalid_argument(option + " takes a whole number above 0, not \"" + text + "\"");
    return value;
}

}  // namespace

bool Options::wants_peer(const std::string &name) const {
    return peers.empty() || std::any_of(peers.begin(), peers.end(), [&](const std::string &part) {
               return name.find(part) != std::string::npos;
           });
}

Options read_options(int argc, char **argv, const std::vector<std::string> &works) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string option = argv[i];
        if (option == "--quick") {
            options.quick = true;
            options.slice_ms = 0.3;
            options.large = 100'000;
            options.growth = 1'000'000;
            continue;
        }
        const auto argument = [&]() -> std::string {
            if (i + 1 == argc) throw std::invalid_argument(option + " takes an argument");
            return argv[++i];
        };
        if (option == "--only") options.only = split(argument());
        else if (option == "--peers") options.peers = split(argument());
        else if (option == "--json") options.json = argument();
        else if (option == "--rounds") options.rounds = number(option, argument());
        else if (option == "--large") options.large = number(option, argument());
        else if (option == "--growth") options.growth = number(option, argument());
        else
            throw std::invalid_argument("unknown option " + option +
                                        "; usage: peers [--quick] [--only WORK,…] [--peers NAME,…] [--rounds N] "
                                        "[--large ENTRIES] [--growth ENTRIES] [--json FILE]; works: " + join(works));
    }
    for (const std::string &name : options.only)
        if (std::find(works.begin(), works.end(), name) == works.end())
            throw std::invalid_argument("unknown work " + name + "; the works are: " + join(works));
    return options;
}

}  // namespace bench
