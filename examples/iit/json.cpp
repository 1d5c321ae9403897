// The parser behind json.hpp: recursive descent over the text, with a limit on nesting.

#include "json.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace iit::json {
namespace {

constexpr int kDeepest = 500;

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Value document() {
        Value value = this->value(0);
        skip_space();
        if (at_ != text_.size()) fail("text after the end of the JSON value");
        return value;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        std::size_t line = 1;
        std::size_t column = 1;
        for (std::size_t i = 0; i < at_; ++i) {
            ++column;
            if (text_[i] == '\n') {
                ++line;
                column = 1;
            }
        }
        throw ParseError("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what);
    }

    // The character at the cursor; 0 at the end (no JSON text contains that outside string escapes).
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    bool take(char expected) {
        if (peek() != expected || at_ == text_.size()) return false;
        ++at_;
        return true;
    }

    bool take_word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    bool take_digits() {
        std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        return at_ > start;
    }

    void skip_space() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
    }

    Value value(int depth) {
        if (depth > kDeepest) fail("nested too deeply");
        skip_space();
        if (at_ == text_.size()) fail("unexpected end of the text");
        switch (peek()) {
            case '{': return {object(depth)};
            case '[': return {array(depth)};
            case '"': return {string()};
            default: break;
        }
        if (take_word("true")) return {true};
        if (take_word("false")) return {false};
        if (take_word("null")) return {nullptr};
        for (const char* word : {"NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"}) {
            if (take_word(word)) fail(std::string(word) + " is not a number in JSON");
        }
        if (peek() == '-' || (peek() >= '0' && peek() <= '9')) return {number()};
        fail("expected a JSON value");
    }

    Object object(int depth) {
        Object members;
        take('{');
        skip_space();
        if (take('}')) return members;
        do {
            skip_space();
            if (peek() != '"') fail("expected a member's name in quotes");
            std::string name = string();
            skip_space();
            if (!take(':')) fail("expected ':'");
            members.emplace_back(std::move(name), value(depth + 1));
            skip_space();
        } while (take(','));
        if (!take('}')) fail("expected ',' or '}'");
        refuse_duplicates(members);
        return members;
    }

    // Two members with one name: readers differ in which of them counts.
    void refuse_duplicates(const Object& members) const {
        std::vector<std::string_view> names;
        for (const auto& member : members) names.push_back(member.first);
        std::sort(names.begin(), names.end());
        const auto twice = std::adjacent_find(names.begin(), names.end());
        if (twice != names.end()) fail('"' + std::string(*twice) + "\" occurs twice in this object");
    }

    Array array(int depth) {
        Array elements;
        take('[');
        skip_space();
        if (take(']')) return elements;
        do {
            elements.push_back(value(depth + 1));
            skip_space();
        } while (take(','));
        if (!take(']')) fail("expected ',' or ']'");
        return elements;
    }

    double number() {
        std::size_t start = at_;
        take('-');
        if (!take('0') && !take_digits()) fail("expected a digit");
        if (take('.') && !take_digits()) fail("expected a digit after the decimal point");
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (!take('+')) take('-');
            if (!take_digits()) fail("expected a digit in the exponent");
        }
        return std::strtod(std::string(text_.substr(start, at_ - start)).c_str(), nullptr);
    }

    std::string string() {
        std::string out;
        take('"');
        for (;;) {
            if (at_ == text_.size()) fail("unterminated string");
            char c = text_[at_];
            if (static_cast<unsigned char>(c) < 0x20) fail("control character in a string: write it as an escape");
            ++at_;
            if (c == '"') return out;
            if (c == '\\') {
                append_escape(out);
            } else {
                out += c;
            }
        }
    }

    void append_escape(std::string& out) {
        char c = peek();
        ++at_;
        switch (c) {
            case '"':
            case '\\':
            case '/': out += c; return;
            case 'b': out += '\b'; return;
            case 'f': out += '\f'; return;
            case 'n': out += '\n'; return;
            case 'r': out += '\r'; return;
            case 't': out += '\t'; return;
            case 'u': append_code_point(out); return;
            default: --at_; fail("unknown escape in a string");
        }
    }

    std::uint32_t four_hex_digits() {
        std::uint32_t unit = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            char c = peek();
            unit <<= 4;
            if (c >= '0' && c <= '9') unit |= static_cast<std::uint32_t>(c - '0');
            else if (c >= 'a' && c <= 'f') unit |= static_cast<std::uint32_t>(c - 'a' + 10);
            else if (c >= 'A' && c <= 'F') unit |= static_cast<std::uint32_t>(c - 'A' + 10);
            else fail("expected four hexadecimal digits");
        }
        return unit;
    }

    // Appends the character of \uXXXX, or of a surrogate pair, as UTF-8.
    void append_code_point(std::string& out) {
        std::uint32_t code = four_hex_digits();
        if (code >= 0xDC00 && code <= 0xDFFF) fail("half a surrogate pair");
        if (code >= 0xD800 && code <= 0xDBFF) {
            if (!take_word("\\u")) fail("half a surrogate pair");
            std::uint32_t low = four_hex_digits();
            if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
        if (code < 0x80) {
            byte(code);
        } else if (code < 0x800) {
            byte(0xC0 | (code >> 6));
            byte(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            byte(0xE0 | (code >> 12));
            byte(0x80 | ((code >> 6) & 0x3F));
            byte(0x80 | (code & 0x3F));
        } else {
            byte(0xF0 | (code >> 18));
            byte(0x80 | ((code >> 12) & 0x3F));
            byte(0x80 | ((code >> 6) & 0x3F));
            byte(0x80 | (code & 0x3F));
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Value parse(std::string_view text) { return Parser(text).document(); }

const Value* find(const Object& object, std::string_view name) {
    for (const auto& member : object) {
        if (member.first == name) return &member.second;
    }
    return nullptr;
}

}  // namespace iit::json
