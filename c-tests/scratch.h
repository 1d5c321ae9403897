/* scratch.h: a directory for a test, which is removed at its end.
 *
 * Include this first, because it requests POSIX. */
#ifndef PHICACHE_SCRATCH_H
#define PHICACHE_SCRATCH_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Makes an empty directory of mode 700 and writes its path, of at most 63 bytes. */
static inline void make_scratch(char path[64]) {
    strcpy(path, "/tmp/phicache-test-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
}

/* Removes the directory and what it contains. */
static inline void remove_scratch(const char *path) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    CHECK(system(command) == 0);
}

#endif /* PHICACHE_SCRATCH_H */
