/* The mark of a shared library made by cmake/shared.cmake, with the unwinder inside: cargo's own lacks this symbol, and
 * wrappers whose host has an unwinder of its own, PhiCache.jl above all, refuse a library without it. */
#if defined(__GNUC__)
#define EXPORTED __attribute__((visibility("default")))
#else
#define EXPORTED
#endif

extern EXPORTED const int phicache_relinked;
const int phicache_relinked = 1;
