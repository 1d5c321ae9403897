/// check.hpp: checks for C++ in addition to check.h: for a call that throws phicache::error, and for values.
#ifndef PHICACHE_CHECK_HPP
#define PHICACHE_CHECK_HPP

#include <cstring>

#include "check.h"
#include "phicache.hpp"

template <class Call>
bool check_error(const char* file, int line, const char* text, phicache::status expected, Call&& call) {
    try {
        call();
        std::fprintf(stderr, "%s:%d: %s does not throw, expected %s\n", file, line, text, phicache::name(expected));
    } catch (const phicache::error& error) {
        if (error.code() == expected && error.what()[0] != '\0') return check_count(1) != 0;
        std::fprintf(stderr, "%s:%d: %s throws %s: \"%s\", expected %s with a message\n", file, line, text,
                     phicache::name(error.code()), error.what(), phicache::name(expected));
    }
    return check_count(0) != 0;
}

/// Checks that the call throws phicache::error with this status and a message.
#define CHECK_ERROR(expected, ...) \
    check_error(__FILE__, __LINE__, #__VA_ARGS__, (expected), [&] { (void)(__VA_ARGS__); })

/// Checks that the call throws phicache::error with a message that contains the text.
template <class Call>
bool check_message(const char* file, int line, const char* text, const char* part, Call&& call) {
    try {
        call();
        std::fprintf(stderr, "%s:%d: %s does not throw, expected \"%s\"\n", file, line, text, part);
    } catch (const phicache::error& error) {
        if (std::strstr(error.what(), part) != nullptr) return check_count(1) != 0;
        std::fprintf(stderr, "%s:%d: %s throws \"%s\", expected \"%s\"\n", file, line, text, error.what(), part);
    }
    return check_count(0) != 0;
}
#define CHECK_MESSAGE(part, ...) check_message(__FILE__, __LINE__, #__VA_ARGS__, (part), [&] { (void)(__VA_ARGS__); })

/// Fails; for the end of a try block, after a call that must throw.
#define CHECK_HAS_THROWN() check_true(__FILE__, __LINE__, "that the call above throws", 0)

/// The bytes are these characters.
#define CHECK_CHARS(actual, expected) CHECK_TEXT(std::string(phicache::bytes(actual).text()).c_str(), (expected))

#define CHECK_INFO(cache, hits, misses, size) CHECK_COUNTS((cache).info(), (hits), (misses), (size))

#endif  // PHICACHE_CHECK_HPP
