/* phicache-info prints what belongs in a bug report: which library is loaded and its features, the memory that it sees,
 * the settings from defaults and environment, and whether the Redis server answers. Exit status: 0, or 1 if the library
 * reports an error. */
#define _GNU_SOURCE /* dladdr */

#include <dlfcn.h>
#include <inttypes.h>
#include <phicache.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

extern char **environ;

static int failed = 0;

static void title(const char *name) { printf("%-20s", name); }

/* Whether a call succeeded; if not, prints its error instead of the result. */
static int succeeds(phicache_status status) {
    if (status == PHICACHE_OK) return 1;
    printf("%s: %s\n", phicache_status_name(status), phicache_last_error());
    failed = 1;
    return 0;
}

static void show_library(void) {
    const uint32_t features = phicache_features();
    Dl_info where;
    title("phicache");
    printf("%s, used by a program of %d.%d.%d\n", phicache_version(), PHICACHE_VERSION_MAJOR, PHICACHE_VERSION_MINOR,
           PHICACHE_VERSION_PATCH);
    title("library");
    /* The version is a static string of the library. (Standard C cannot convert the address of a function.) */
    if (dladdr(phicache_version(), &where) != 0 && where.dli_fname != NULL)
        puts(where.dli_fname);
    else
        puts("unknown");
    title("features");
    printf("redis %s, TLS %s\n", features & PHICACHE_FEATURE_REDIS ? "yes" : "no",
           features & PHICACHE_FEATURE_TLS ? "yes" : "no");
}

static void show_bytes(uint64_t bytes) { printf("%" PRIu64 " bytes (%.1f MiB)", bytes, (double)bytes / (1 << 20)); }

/* Lists the figures that could not be read. */
static void show_unknown(uint32_t known) {
    static const struct {
        uint32_t bit;
        const char *name;
    } figures[] = {
        {PHICACHE_KNOWN_SIZES, "memory of the process"},
        {PHICACHE_KNOWN_PHYSICAL, "physical memory"},
        {PHICACHE_KNOWN_GROUP_LIMITS, "limits of control groups"},
        {PHICACHE_KNOWN_GROUP_USAGE, "usage of control groups"},
        {PHICACHE_KNOWN_PROCESS_LIMITS, "RLIMIT_AS and RLIMIT_DATA"},
    };
    size_t at;
    int any = 0;
    title("unknown");
    for (at = 0; at < sizeof figures / sizeof *figures; at++)
        if ((known & figures[at].bit) == 0) printf("%s%s", any++ ? ", " : "", figures[at].name);
    puts(any ? "" : "nothing: all figures could be read");
}

static void show_memory(void) {
    phicache_memory memory;
    memory.struct_size = sizeof memory;
    title("physical memory");
    if (!succeeds(phicache_memory_usage(&memory))) return;
    if (memory.physical != 0)
        show_bytes(memory.physical);
    else
        fputs("unknown", stdout);
    puts("");
    title("usable memory");
    if (memory.limit != 0)
        show_bytes(memory.limit);
    else
        fputs("unknown", stdout);
    if (memory.limit != 0 && (memory.limit < memory.physical || memory.physical == 0))
        puts(", the limit of a control group");
    else if (memory.known & PHICACHE_KNOWN_GROUP_LIMITS)
        puts(", no control group limits it");
    else
        puts(", or less: not all limits of control groups could be read");
    title("used now");
    show_bytes(memory.resident);
    if (memory.known & PHICACHE_KNOWN_SIZES)
        printf(", %.3g %%\n", memory.percent);
    else
        puts(", the size of the caches: the memory of the process could not be read");
    title("room for caches");
    if (memory.room == UINT64_MAX)
        puts("unlimited: neither RLIMIT_AS, RLIMIT_DATA nor a control group limits the process");
    else {
        show_bytes(memory.room);
        puts(", up to 90 % of RLIMIT_AS, RLIMIT_DATA or the limit of a control group");
    }
    show_unknown(memory.known);
}

/* Lists every limit: what it counts now, and how much more caches may take until it stops them. */
static void show_limits(void) {
    phicache_memory_limit limits[256];
    size_t count, at;
    limits[0].struct_size = sizeof *limits;
    title("limits");
    if (!succeeds(phicache_memory_limits(NULL, limits, sizeof limits / sizeof *limits, &count))) return;
    for (at = 0; at < count; at++) {
        if (at > 0) title("");
        printf("%s: ", limits[at].name);
        if (limits[at].bytes == UINT64_MAX)
            fputs("unlimited", stdout);
        else
            show_bytes(limits[at].bytes);
        fputs(", used ", stdout);
        show_bytes(limits[at].used);
        if (limits[at].room != UINT64_MAX) {
            fputs(", room for caches ", stdout);
            show_bytes(limits[at].room);
        }
        puts(limits[at].counts ? " (this limit counts now)" : "");
    }
}

static void show_on_full(void) {
    static const char *const choices[] = {"by default: evict at max_bytes, refuse at the limits of the process",
                                          "refuse", "evict"};
    int32_t choice;
    title("full caches");
    if (!succeeds(phicache_config_get_on_full(NULL, &choice))) return;
    puts(choice >= 0 && choice < 3 ? choices[choice] : "unknown");
}

static void show_switch(const char *name, phicache_status (*get)(phicache_config *, int32_t *)) {
    int32_t enabled;
    title(name);
    if (succeeds(get(NULL, &enabled))) puts(enabled ? "on" : "off");
}

static void show_text(const char *name, phicache_status (*get)(phicache_config *, char *, size_t, size_t *)) {
    char text[4096];
    size_t len;
    title(name);
    if (succeeds(get(NULL, text, sizeof text, &len))) puts(text);
}

static void show_configuration(void) {
    const char *prefix = "PHICACHE_";
    double percent;
    char **variable;
    int any = 0;
    title("environment");
    for (variable = environ; *variable != NULL; variable++) /* names only: a value may hold a password */
        if (strncmp(*variable, prefix, strlen(prefix)) == 0)
            printf("%s%.*s", any++ ? ", " : "", (int)strcspn(*variable, "="), *variable);
    puts(any ? "" : "no variable PHICACHE_… is set");
    title("maximum memory");
    if (!succeeds(phicache_config_get_maximum_memory_percent(NULL, &percent))) return;
    if (percent == PHICACHE_MEMORY_UNLIMITED)
        puts("unlimited");
    else
        printf("%g %% of the usable memory\n", percent);
    show_on_full();
    show_switch("cache repertoires", phicache_config_get_cache_repertoires);
    show_switch("cache purviews", phicache_config_get_cache_potential_purviews);
    show_switch("MICE in Redis", phicache_config_get_redis_cache);
    show_text("Redis URL", phicache_config_get_redis_url);
    show_text("Redis namespace", phicache_config_get_redis_namespace);
}

/* Whether the server answers, and how fast. A server that does not answer is not a failure of this program. */
static void show_server(void) {
    struct timespec before, after;
    phicache_status status;
    title("Redis server");
    if ((phicache_features() & PHICACHE_FEATURE_REDIS) == 0) {
        puts("not contacted: this library was built without Redis");
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &before);
    status = phicache_redis_ping(NULL, 2000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (status == PHICACHE_OK)
        printf("answers, in %.2f ms including the connection\n",
               (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) * 1e-6);
    else
        printf("does not answer: %s\n", phicache_last_error());
}

int main(int argc, char **argv) {
    if (argc > 1) {
        const int asked = strcmp(argv[1], "--help") == 0;
        fprintf(asked ? stdout : stderr, "usage: phicache-info\nPrints version, features, memory and settings of phicache.\n");
        return asked ? 0 : 2;
    }
    show_library();
    show_memory();
    show_limits();
    show_configuration();
    show_server();
    return failed;
}
