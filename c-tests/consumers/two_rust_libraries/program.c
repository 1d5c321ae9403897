/* One program with two static libraries that are written in Rust: each catches its own panic. */
#include <phicache.h>

phicache_status phicache_test_panic(void);
int other_panic(void);

int main(void) {
    return phicache_test_panic() == PHICACHE_ERROR_PANIC && other_panic() == 3 ? 0 : 1;
}
