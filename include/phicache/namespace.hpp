/// @file namespace.hpp
/// The namespace of all names of the C++ headers, and whether exceptions are enabled.
///
/// Every other header here includes this one and those that it uses. The macros that stay defined, include guards among
/// them, begin with `PHICACHE_`.
#ifndef PHICACHE_NAMESPACE_HPP
#define PHICACHE_NAMESPACE_HPP

#if __cplusplus < 201703L
#error "phicache.hpp needs C++17 or later: compile with -std=c++17"
#endif

#include "../phicache.h"

// All names are in an inline namespace. It keeps the types and inline functions of units apart that have the headers of
// another minor version, or no exceptions, in the same process: the linker would take one function for both.
#define PHICACHE_HPP_JOINED(major, minor, rest) v##major##_##minor##rest
#define PHICACHE_HPP_VERSIONED(major, minor, rest) PHICACHE_HPP_JOINED(major, minor, rest)
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define PHICACHE_HPP_EXCEPTIONS 1
#define PHICACHE_HPP_NAMESPACE PHICACHE_HPP_VERSIONED(PHICACHE_VERSION_MAJOR, PHICACHE_VERSION_MINOR, )
#else
#define PHICACHE_HPP_EXCEPTIONS 0
#define PHICACHE_HPP_NAMESPACE \
    PHICACHE_HPP_VERSIONED(PHICACHE_VERSION_MAJOR, PHICACHE_VERSION_MINOR, _without_exceptions)
#endif
#define PHICACHE_HPP_BEGIN namespace phicache { inline namespace PHICACHE_HPP_NAMESPACE {
#define PHICACHE_HPP_END }}

// What has static or thread storage is one for each program or shared library. g++ makes such a variable of an inline
// function unique in the process otherwise: plugins with libraries of their own would share it, and one that defines it
// could not be unloaded, so that a program which compiles and loads its plugin again would run the old code.
#define PHICACHE_HPP_LOCAL [[gnu::visibility("hidden")]]

// What the result of a function refers to. clang warns if that is a temporary, and the result is kept.
#if __has_cpp_attribute(clang::lifetimebound)
#define PHICACHE_HPP_BORROWED [[clang::lifetimebound]]
#else
#define PHICACHE_HPP_BORROWED
#endif

#endif  // PHICACHE_NAMESPACE_HPP
