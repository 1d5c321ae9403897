// A strict JSON reader (RFC 8259): parses text to a tree of values, or throws a ParseError with line and column.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace iit::json {

struct Value;
using Array = std::vector<Value>;
using Object = std::vector<std::pair<std::string, Value>>;

struct Value {
    std::variant<std::nullptr_t, bool, double, std::string, Array, Object> held = nullptr;

    // The value as a T, or null if it is of another kind.
    template <class T>
    const T* as() const {
        return std::get_if<T>(&held);
    }
};

struct ParseError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Objects with two members of one name are refused.
Value parse(std::string_view text);

// The member with the name, or null.
const Value* find(const Object& object, std::string_view name);

}  // namespace iit::json
