/* test_without_record.c: a thread for which the library cannot store anything, because no pthread key or no memory is
 * left, can still use caches: it has error messages, and is the same owner throughout. */
#define _POSIX_C_SOURCE 200809L /* alarm */

#include "sample.h"

#include <pthread.h>
#include <unistd.h>

enum { SECONDS = 120 };

static pthread_key_t last_key;
static int keys_taken;

static void take_all_keys(void) {
    pthread_key_t key;
    while (pthread_key_create(&key, NULL) == 0) {
        last_key = key;
        keys_taken++;
    }
}

static void it_has_its_messages(void) {
    phicache_dict_cache *cache = NULL;
    CHECK(phicache_last_error()[0] == '\0');
    CHECK_STATUS(phicache_dict_cache_get(cache, text("key"), NULL), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(phicache_last_error(), "phicache_dict_cache_get") != NULL);
}

/* Requests its own key again, after the program has deleted another pthread key. */
static int32_t ask_for_own_key(void *user_data, void *call_data, phicache_bytes key, phicache_result *result) {
    phicache_value value;
    (void)call_data;
    (void)result;
    CHECK(pthread_key_delete(last_key) == 0);
    CHECK_STATUS(phicache_dict_cache_memoize((phicache_dict_cache *)user_data, key, ask_for_own_key, user_data, NULL,
                                             &value, NULL),
                 PHICACHE_ERROR_RECURSION);
    /* By now the library stores something for the thread. */
    CHECK_OK(phicache_read_begin());
    CHECK_OK(phicache_read_end());
    return 7;
}

static void it_is_the_same_owner_after_it_has_got_a_record(void) {
    phicache_dict_cache *cache = NULL;
    phicache_value value;
    int32_t code = 0;
    REQUIRE_OK(phicache_dict_cache_new(NULL, NULL, &cache));
    CHECK_STATUS(phicache_read_begin(), PHICACHE_ERROR_INVALID_ARGUMENT);
    alarm(SECONDS); /* ends the process if the thread waits for itself */
    CHECK_STATUS(phicache_dict_cache_memoize(cache, text("key"), ask_for_own_key, cache, NULL, &value, &code),
                 PHICACHE_ERROR_CALLBACK);
    alarm(0);
    CHECK_INT(code, 7);
    CHECK_OK(phicache_dict_cache_free(cache));
}

int main(void) {
    take_all_keys();
    if (keys_taken == 0) return 1;
    RUN(it_has_its_messages);
    RUN(it_is_the_same_owner_after_it_has_got_a_record);
    return check_report();
}
