// cut_damage.cpp: cut_damage [FILE]: compares phicache with PyPhi's answers to "does this cut damage this MICE?".
//
// Reads the table damaged_by_cut as plain text from the file or standard input, one case a line:
//
//   N nodes cut_kind cut_spec cut_rows direction mechanism purview splits_mechanism damaged
//
// The cut is made from its specification (`from/to` of a bipartition, `DIRECTION/mechanism:purview|...` of a
// K-partition) and compared with its rows; then phicache_cut_damages and phicache_subsystem_damages are called for the
// case. A cut that splits the mechanism damages the MICE for every purview, so a call without a purview tests
// `splits_mechanism`. The last line has the numbers of checks and of differences; exit status as in replay.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "phicache.h"
#include "replay/fields.hpp"
#include "replay/replay.hpp"

namespace {

using replay::Malformed;
using replay::NodeMask;

struct Case {
    std::size_t size = 0;
    NodeMask nodes = 0;
    std::string_view kind, spec;
    std::vector<NodeMask> severed;
    std::int32_t direction = 0;
    NodeMask mechanism = 0, purview = 0;
    bool splits = false, damaged = false;
};

Case parse(std::string_view line) {
    const std::vector<std::string_view> f = replay::split(line, ' ');
    if (f.size() != 10) throw Malformed(std::to_string(f.size()) + " fields; expected 10");
    Case c;
    c.size = replay::number(f[0]);
    c.nodes = replay::nodes(f[1]);
    c.kind = f[2];
    c.spec = f[3];
    c.severed = replay::rows(f[4], c.size);
    c.direction = replay::direction(f[5]);
    c.mechanism = replay::nodes(f[6]);
    c.purview = replay::nodes(f[7]);
    c.splits = replay::flag(f[8]);
    c.damaged = replay::flag(f[9]);
    return c;
}

// The two halves of a text around a separator.
std::pair<std::string_view, std::string_view> halves(std::string_view text, char separator) {
    const std::vector<std::string_view> pieces = replay::split(text, separator);
    if (pieces.size() != 2) throw Malformed("\"" + std::string(text) + "\" does not specify a cut");
    return {pieces[0], pieces[1]};
}

// Makes the cut from its specification.
phicache_status make_cut(const Case &c, std::vector<NodeMask> &severed) {
    severed.assign(c.size, ~NodeMask{0});
    const auto [first, second] = halves(c.spec, '/');
    if (c.kind == "Cut")
        return phicache_cut_bipartition(c.size, replay::nodes(first), replay::nodes(second), severed.data());
    std::vector<NodeMask> mechanisms, purviews;
    for (const std::string_view part : replay::split(second, '|')) {
        const auto [mechanism, purview] = halves(part, ':');
        mechanisms.push_back(replay::nodes(mechanism));
        purviews.push_back(replay::nodes(purview));
    }
    return phicache_cut_partition(c.size, replay::direction(first), mechanisms.data(), purviews.data(),
                                  mechanisms.size(), severed.data());
}

class Table {
public:
    void check(const Case &c, std::uint64_t line) {
        if (c.kind != "NullCut") {
            std::vector<NodeMask> severed;
            report.status(line, "making the cut", make_cut(c, severed), PHICACHE_OK);
            report.check(severed == c.severed, line, "the cut", "another", std::string(c.spec));
        }
        // No cut must give the same answers as a cut that severs nothing.
        const NodeMask *severed = c.kind == "NullCut" ? nullptr : c.severed.data();
        damages(c, line, c.severed.data());
        damages(c, line, severed);
        subsystem_damages(c, line, severed);
        subsystem_damages(c, line, c.severed.data());
    }

    replay::Report report;

private:
    void damages(const Case &c, std::uint64_t line, const NodeMask *severed) {
        std::int32_t damaged = -1, splits = -1;
        report.status(line, "phicache_cut_damages",
                      phicache_cut_damages(c.size, severed, c.direction, c.mechanism, c.purview, &damaged),
                      PHICACHE_OK);
        report.number(line, "damage by the cut", static_cast<std::uint64_t>(damaged), c.damaged);
        report.status(line, "phicache_cut_damages without a purview",
                      phicache_cut_damages(c.size, severed, c.direction, c.mechanism, 0, &splits), PHICACHE_OK);
        report.number(line, "the mechanism's split", static_cast<std::uint64_t>(splits), c.splits);
    }

    void subsystem_damages(const Case &c, std::uint64_t line, const NodeMask *severed) {
        const std::vector<std::int32_t> state(c.size, 0);
        const phicache_fingerprint network{{1}};
        phicache_subsystem *subsystem = nullptr;
        std::int32_t damaged = -1;
        report.status(line, "phicache_subsystem_new",
                      phicache_subsystem_new(&network, c.size, state.data(), c.nodes, nullptr, severed, &subsystem),
                      PHICACHE_OK);
        report.status(line, "phicache_subsystem_damages",
                      phicache_subsystem_damages(subsystem, c.direction, c.mechanism, c.purview, &damaged),
                      PHICACHE_OK);
        report.number(line, "damage in the subsystem", static_cast<std::uint64_t>(damaged), c.damaged);
        report.status(line, "phicache_subsystem_free", phicache_subsystem_free(subsystem), PHICACHE_OK);
    }
};

int run(int argc, char **argv) {
    if (argc > 2) throw Malformed("usage: cut_damage [FILE]");
    const std::string file = argc == 2 ? argv[1] : "standard input";
    std::ifstream opened;
    if (argc == 2) {
        opened.open(file);
        if (!opened) throw Malformed(file + ": cannot be opened");
    }
    std::istream &input = argc == 2 ? opened : std::cin;

    Table table;
    table.report.begin(file);
    std::uint64_t line = 0, cases = 0;
    for (std::string text; std::getline(input, text);) {
        line++;
        if (text.empty() || text[0] == '#') continue;
        try {
            table.check(parse(text), line);
        } catch (const Malformed &error) {
            throw Malformed(file + ":" + std::to_string(line) + ": " + error.what());
        }
        cases++;
    }
    if (cases == 0) throw Malformed(file + ": contains no cases");
    std::printf("%llu cases\n%llu checks, %llu differences\n", static_cast<unsigned long long>(cases),
                static_cast<unsigned long long>(table.report.checks),
                static_cast<unsigned long long>(table.report.differences));
    return table.report.differences == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "cut_damage: %s\n", error.what());
        return 2;
    }
}
