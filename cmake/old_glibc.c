/* Functions of glibc that are newer than 2.28 and that Rust's standard library uses if there are any (weak symbols).
 * With a definition inside, the library works with glibc 2.28, whatever glibc it was linked with. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

__attribute__((visibility("hidden"))) pid_t gettid(void);

pid_t gettid(void) { return (pid_t)syscall(SYS_gettid); }
