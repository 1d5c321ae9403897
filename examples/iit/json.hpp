// A strict reader of JSON (RFC 8259): text in, a tree of values out, or a ParseError that names line and column.
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

    // The value as a T, or null when it is of another kind.
    template <class T>
    const T* as() const {
        return std::get_if<T>(&held);
    }
};

struct ParseError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Value parse(std::string_view text);

// The member of that name (the last one, should the name occur twice), or null.
const Value* find(const Object& object, std::string_view name);

}  // namespace iit::json
