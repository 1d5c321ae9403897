/* thread_sanitizer.c: tells ThreadSanitizer what Rust's standard library, which is not instrumented, does. Part of the
 * shared library in builds for this sanitizer only. cmake/thread_sanitizer.cmake defines the mangled names.
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

/* Mutex::lock_contended, RwLock::read_contended, RwLock::write_contended: when they return, the caller holds the lock
 * and sees everything that happened before it was released. */
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

/* Condvar::wait(&self, &Mutex) and Condvar::wait_timeout(&self, &Mutex, Duration): they release the lock while they
 * wait. */
void REAL(WAIT)(void *condition, void *lock);
void WRAP(WAIT)(void *condition, void *lock);
void WRAP(WAIT)(void *condition, void *lock) {
    __tsan_release(lock);
    REAL(WAIT)(condition, lock);
    __tsan_acquire(lock);
}

bool REAL(WAIT_TIMEOUT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds);
bool WRAP(WAIT_TIMEOUT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds);
bool WRAP(WAIT_TIMEOUT)(void *condition, void *lock, uint64_t seconds, uint32_t nanoseconds) {
    bool woken;
    __tsan_release(lock);
    woken = REAL(WAIT_TIMEOUT)(condition, lock, seconds, nanoseconds);
    __tsan_acquire(lock);
    return woken;
}

/* Reference counts: owners decrement with "release", and the last one synchronizes with the others by a fence, which
 * the sanitizer does not understand. So the decrement that reaches zero acquires. */
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

/* Rust's compiler calls these instead of memcpy, memmove and memset, which gcc's runtime intercepts. */
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size) { return memmove(to, from, size); }
void *__tsan_memset(void *to, int byte, size_t size);
void *__tsan_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
