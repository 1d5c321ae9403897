/* no_memory.h: a process without memory. For Linux; sanitizers' allocators end a process that has none. */
#ifndef PHICACHE_NO_MEMORY_H
#define PHICACHE_NO_MEMORY_H

#include <stdlib.h>
#include <sys/resource.h>

#include "check.h"

static struct taken_block {
    struct taken_block *next;
} *taken_blocks;

/* Takes all memory, the largest blocks first. */
static inline void take_memory(void) {
    struct rlimit limit;
    struct taken_block *block;
    size_t size;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (size = 65536; size >= sizeof *block; size /= 2)
        while ((block = (struct taken_block *)malloc(size)) != NULL) block->next = taken_blocks, taken_blocks = block;
}

static inline void give_memory_back(void) {
    struct rlimit limit;
    struct taken_block *block;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    while ((block = taken_blocks) != NULL) taken_blocks = block->next, free(block);
}

#endif /* PHICACHE_NO_MEMORY_H */
