#include "report.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace bench {

namespace {

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

std::string number(double value) {
    std::ostringstream text;
    text.precision(6);
    text << value;
    return std::isfinite(value) ? text.str() : "null";
}

std::string json(const Spread &spread) {
    return "{\"median\": " + number(spread.median) + ", \"p10\": " + number(spread.low) +
           ", \"p90\": " + number(spread.high) + "}";
}

std::string title(const Subject &subject) {
    std::ostringstream text;
    text << subject.work;
    if (!subject.form.empty()) text << ", " << subject.form;
    if (subject.shape.entries > 0) text << " · " << subject.shape.entries << " entries";
    if (subject.shape.key_len > 0)
        text << " · keys of " << subject.shape.key_len << ", values of " << subject.shape.value_len << " bytes";
    return text.str();
}

}  // namespace

void Report::add(const Subject &subject, const std::vector<Name> &names, const Rounds &rounds) {
    std::printf("\n%s\n%-36s %10s %9s %9s   %8s %7s %7s %6s\n", title(subject).c_str(), "", subject.unit.c_str(),
                "10 %", "90 %", "ratio", "10 %", "90 %", "rounds");
    for (std::size_t i = 0; i < names.size(); i++) {
        const Spread own = spread(rounds[i]), to_first = ratio(rounds, i);
        const std::string name = names[i].name + (names[i].thread_safe ? "" : " (one thread)");
        std::printf("%-36s %10.*f %9.*f %9.*f", name.c_str(), subject.digits, own.median, subject.digits, own.low,
                    subject.digits, own.high);
        if (i > 0) std::printf("   %8.3f %7.3f %7.3f", to_first.median, to_first.low, to_first.high);
        else std::printf("   %8s %7s %7s", "", "", "");
        std::printf(" %6zu\n", rounds[i].size());
        rows_.push_back("{\"work\": " + quoted(subject.work) + ", \"form\": " + quoted(subject.form) +
                        ", \"entries\": " + std::to_string(subject.shape.entries) +
                        ", \"key\": " + std::to_string(subject.shape.key_len) +
                        ", \"value\": " + std::to_string(subject.shape.value_len) + ", \"unit\": " +
                        quoted(subject.unit) +
                        ", \"name\": " + quoted(names[i].name) +
                        ", \"thread_safe\": " + (names[i].thread_safe ? "true" : "false") + ", \"figure\": " +
                        json(own) +
                        ", \"ratio\": " + (i > 0 ? json(to_first) : "null") +
                        ", \"rounds\": " + std::to_string(rounds[i].size()) + "}");
    }
    std::fflush(stdout);
}

void Report::note(const std::string &text) {
    std::printf("\n%s\n", text.c_str());
    std::fflush(stdout);
}

void Report::write_json(const std::string &file, const std::string &machine) const {
    std::ofstream out(file);
    out << "{\"machine\": " << machine << ",\n \"rows\": [\n";
    for (std::size_t i = 0; i < rows_.size(); i++) out << "  " << rows_[i] << (i + 1 < rows_.size() ? ",\n" : "\n");
    out << " ]}\n";
    if (!out.flush()) throw std::runtime_error(file + " cannot be written");
}

}  // namespace bench
