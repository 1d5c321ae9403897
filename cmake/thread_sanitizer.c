/* thread_sanitizer.c: tells ThreadSanitizer what Rust's standard library does where it cannot look; part of the shared
 * library in builds for this sanitizer only. cmake/thread_sanitizer.cmake names the functions: their symbols are mangled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define JOIN(first, second) first##second
#define REAL(symbol) JOIN(__real_, symbol)
#define WRAP(symbol) JOIN(__wrap_, symbol)

/* Mutex::lock_contended, RwLock::read_contended, RwLock::write_contended: when they return, the lock is the caller's, who
 * sees all that was done before it was given back. */
void REAL(LOCK)(void *lock);
void WRAP(LOCK)(void *lock);
void WRAP(LOCK)(void *lock) {
    REAL(LOCK)(lock);
    __tsan_acquire(lock);
}

void REAL(READ)(void *lock);
void WRAP(READ)(void *lock);
void WRAP(READ)(void *lock) {
    REAL(READ)(lock);
    __tsan_acquire(lock);
}

void REAL(WRITE)(void *lock);
void WRAP(WRITE)(void *lock);
void WRAP(WRITE)(void *lock) {
    REAL(WRITE)(lock);
    __tsan_acquire(lock);
}

/* Condvar::wait_timeout(&self, &Mutex, Duration): gives the lock back while it waits. */
bool REAL(WAIT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds);
bool WRAP(WAIT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds);
bool WRAP(WAIT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds) {
    bool woken;
    __tsan_release(lock);
    woken = REAL(WAIT)(condition, lock, seconds, nanoseconds);
    __tsan_acquire(lock);
    return woken;
}

/* Counted pointers: owners give their count back with "release", and the last one takes all that they did by a fence,
 * which the sanitizer does not know. So whoever takes a counter to zero acquires it. */
#define PHICACHE_COUNTER(bits)                                                                                  \
    uint##bits##_t __real___tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t *, uint##bits##_t, int);       \
    uint##bits##_t __wrap___tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t *, uint##bits##_t, int);       \
    uint##bits##_t __wrap___tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t *counter, uint##bits##_t value, \
                                                          int order) {                                          \
        const uint##bits##_t before = __real___tsan_atomic##bits##_fetch_sub(counter, value, order);             \
        if (before == value) __tsan_acquire((void *)counter);                                                   \
        return before;                                                                                          \
    }
PHICACHE_COUNTER(32)
PHICACHE_COUNTER(64)

/* What Rust's compiler calls instead of memcpy and its kin; gcc's runtime watches those under their own names. */
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size) { return memmove(to, from, size); }
void *__tsan_memset(void *to, int byte, size_t size);
void *__tsan_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
