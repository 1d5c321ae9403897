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

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define PHICACHE_HPP_EXCEPTIONS 1
#define PHICACHE_HPP_BEGIN namespace phicache {
#define PHICACHE_HPP_END }
#else
// An inline namespace keeps these types apart from those of units with exceptions, in the same program.
#define PHICACHE_HPP_EXCEPTIONS 0
#define PHICACHE_HPP_BEGIN namespace phicache { inline namespace without_exceptions {
#define PHICACHE_HPP_END }}
#endif

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
