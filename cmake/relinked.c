/* Marks a shared library linked by cmake/shared.cmake, with the unwinder inside. The one that cargo links lacks this
 * symbol; PhiCache.jl refuses a library without it, because Julia brings its own unwinder. */
#if defined(__GNUC__)
#define EXPORTED __attribute__((visibility("default")))
#else
#define EXPORTED
#endif

extern EXPORTED const int phicache_relinked;
const int phicache_relinked = 1;
