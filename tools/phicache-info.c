/* phicache-info prints what belongs in a bug report: which library is loaded and its features, the memory that it sees,
 * the settings from defaults and environment, and whether the Redis server answers. With --disk it prints what disk
 * caches have in a directory, and removes an identity from it; or what a file is to which a cache was saved. Exit
 * status: 0, or 1 if the library reports an error or values are damaged, or if variables in the environment are
 * mistyped. */
#define _GNU_SOURCE /* dladdr, gnu_get_libc_version */

#include <dlfcn.h>
#include <errno.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif
#include <inttypes.h>
#include <phicache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>

extern char **environ;

#define PREFIX "PHICACHE_"

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

/* The versions of all that takes part: compiler, libraries inside, C library, kernel. */
static void show_versions(void) {
    struct utsname system;
    title("built from");
    puts(phicache_built_from());
    title("system");
#ifdef __GLIBC__
    printf("glibc %s, ", gnu_get_libc_version());
#endif
    if (uname(&system) == 0)
        printf("%s %s, %s\n", system.sysname, system.release, system.machine);
    else
        puts("unknown");
}

static void show_bytes(uint64_t bytes) { printf("%" PRIu64 " bytes (%.1f MiB)", bytes, (double)bytes / (1 << 20)); }

static void show_count(uint64_t number, const char *one, const char *several) {
    printf("%" PRIu64 " %s", number, number == 1 ? one : several);
}

/* A list has an item for each identity with each of its roles. */
static void show_items(size_t count) { show_count(count, "identity and role, ", "identities and roles, "); }

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

/* A mistyped variable is an error here: whoever set it believes that it has an effect. */
static void show_mistyped(void) {
    char text[4096];
    size_t len;
    const phicache_status status = phicache_config_mistyped_variables(text, sizeof text, &len);
    if (status == PHICACHE_OK && len == 0) return;
    title("mistyped");
    if (status == PHICACHE_OK)
        puts(text);
    else
        (void)succeeds(status);
    failed = 1;
}

/* Whether a variable of the environment is one that the library reads. */
static int is_read(const char *variable) {
    static const char *const names[] = {
        "MAXIMUM_CACHE_MEMORY_PERCENTAGE",
        "ON_FULL",
        "CACHE_REPERTOIRES",
        "CACHE_POTENTIAL_PURVIEWS",
        "REDIS_CACHE",
        "DISK_DIRECTORY",
        "REDIS_URL",
        "REDIS_NAMESPACE",
        "REDIS_USER",
        "REDIS_PASSWORD",
        "REDIS_TIMEOUT_MS",
    };
    const char *const name = variable + strlen(PREFIX);
    const size_t len = strcspn(name, "=");
    size_t at;
    for (at = 0; at < sizeof names / sizeof *names; at++)
        if (strlen(names[at]) == len && strncmp(names[at], name, len) == 0) return 1;
    return 0;
}

/* Prints the names of the variables that the library reads, or of the others; returns how many. Only names: a value may
 * hold a password. */
static int show_variables(int read) {
    char **variable;
    int any = 0;
    for (variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, PREFIX, strlen(PREFIX)) == 0 && is_read(*variable) == read)
            printf("%s%.*s", any++ ? ", " : read ? "" : "; the library does not read ",
                   (int)strcspn(*variable, "="), *variable);
    return any;
}

static void show_environment(void) {
    title("environment");
    if (show_variables(1) == 0) fputs("no variable PHICACHE_… is set that the library reads", stdout);
    (void)show_variables(0);
    puts("");
    show_mistyped();
}

/* Whether the settings of the environment can be used. If not, says so once: every other call would fail with it. */
static int settings_are_valid(void) {
    phicache_config *config = NULL;
    const phicache_status status = phicache_config_new(&config);
    if (status == PHICACHE_OK) return phicache_config_free(config) == PHICACHE_OK;
    title("settings");
    (void)succeeds(status);
    title("");
    puts("correct the variable or unset it; without valid settings nothing else can be shown");
    return 0;
}

static void show_configuration(void) {
    double percent;
    title("maximum memory");
    if (!succeeds(phicache_config_get_maximum_memory_percent(NULL, &percent))) return;
    if (percent == PHICACHE_MEMORY_UNLIMITED)
        puts("unlimited");
    else
        printf("%g %% of the usable memory%s\n", percent,
               percent > 0 && percent <= 1 ? " (not a fraction: 80 is 80 %)" : "");
    show_on_full();
    show_switch("cache repertoires", phicache_config_get_cache_repertoires);
    show_switch("cache purviews", phicache_config_get_cache_potential_purviews);
    show_switch("MICE in Redis", phicache_config_get_redis_cache);
}

static void show_redis(void) {
    uint64_t milliseconds;
    show_text("Redis URL", phicache_config_get_redis_url);
    show_text("Redis namespace", phicache_config_get_redis_namespace);
    title("Redis timeout");
    if (succeeds(phicache_config_get_redis_timeout_ms(NULL, &milliseconds))) printf("%" PRIu64 " ms\n", milliseconds);
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

/* What the command line asks of a directory. */
struct disk_request {
    const char *directory;
    int verify;
    const char *remove; /* the identity to remove, or NULL */
};

/* What a directory contains, in memory that the caller frees; NULL if nothing, or after an error, which it prints. */
static phicache_disk_item *list_disk(phicache_config *config, int verify, size_t *count) {
    phicache_disk_item *items = NULL;
    phicache_status status = phicache_disk_list(config, 0, NULL, 0, count);
    while (status == PHICACHE_ERROR_BUFFER_TOO_SMALL) {
        const size_t capacity = *count;
        free(items);
        items = (phicache_disk_item *)calloc(capacity, sizeof *items);
        if (items == NULL) {
            puts("there is no memory for the list");
            failed = 1;
            break;
        }
        items[0].struct_size = sizeof *items;
        status = phicache_disk_list(config, verify, items, capacity, count); /* others may have stored meanwhile */
    }
    if (items != NULL && succeeds(status)) return items;
    if (items == NULL && !failed) (void)succeeds(status);
    free(items);
    *count = 0;
    return NULL;
}

/* A directory that does not exist yet is no failure: the first disk cache makes it. */
static void show_directory(void) {
    char path[4096];
    struct statvfs space;
    phicache_disk_item *items;
    size_t len, count, at;
    uint64_t bytes = 0;
    title("disk directory");
    if (!succeeds(phicache_config_get_disk_directory(NULL, path, sizeof path, &len))) return;
    puts(path);
    title("disk values");
    if (statvfs(path, &space) != 0) {
        printf("none: %s\n", errno == ENOENT ? "the first disk cache makes the directory" : strerror(errno));
        return;
    }
    items = list_disk(NULL, 0, &count);
    if (items == NULL && failed) return;
    for (at = 0; at < count; at++) bytes += items[at].bytes;
    show_items(count);
    show_bytes(bytes);
    fputs("; the file system has ", stdout);
    show_bytes((uint64_t)space.f_bavail * space.f_frsize);
    puts(" free");
    free(items);
}

static void show_fingerprint(const phicache_fingerprint *fingerprint) {
    size_t at;
    for (at = 0; at < sizeof fingerprint->bytes; at++) printf("%02x", fingerprint->bytes[at]);
}

/* Roles and contexts may have any characters: those that a terminal may not show are replaced. */
static void show_plain(const char *text) {
    for (; *text != 0; text++) putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
}

static void show_item(const phicache_disk_item *item, int verify) {
    show_fingerprint(&item->fingerprint);
    fputs("  ", stdout);
    show_plain(item->role);
    fputs("  ", stdout);
    if (item->context[0] != 0)
        show_plain(item->context);
    else
        fputs("(a fingerprint that the program made: its context is not stored)", stdout);
    fputs("\n    ", stdout);
    show_count(item->records, "record, ", "records, ");
    show_bytes(item->bytes);
    fputs(", ", stdout);
    show_count(item->segments, "segment, ", "segments, ");
    show_count(item->writers, "writer, ", "writers, ");
    show_count(item->damaged, verify ? "damaged\n" : "damaged file\n", verify ? "damaged\n" : "damaged files\n");
}

/* The number that a hexadecimal digit stands for, or -1. */
static int digit(char letter) {
    const char *const digits = "0123456789abcdef", *const found = strchr(digits, letter | 32);
    return letter == 0 || found == NULL ? -1 : (int)(found - digits);
}

static int parse_fingerprint(const char *text, phicache_fingerprint *fingerprint) {
    size_t at;
    if (strlen(text) != 2 * sizeof fingerprint->bytes) return 0;
    for (at = 0; at < sizeof fingerprint->bytes; at++) {
        const int high = digit(text[2 * at]), low = digit(text[2 * at + 1]);
        if (high < 0 || low < 0) return 0;
        fingerprint->bytes[at] = (uint8_t)(16 * high + low);
    }
    return 1;
}

/* Removes an identity, and says what that was. */
static void remove_identity(phicache_config *config, const char *text) {
    phicache_fingerprint fingerprint;
    phicache_disk_item *items;
    size_t count, at;
    int any = 0;
    if (!parse_fingerprint(text, &fingerprint)) {
        printf("%s is not an identity: expected 64 hexadecimal digits, as phicache-info --disk lists them\n", text);
        failed = 1;
        return;
    }
    items = list_disk(config, 0, &count);
    if (failed || !succeeds(phicache_disk_remove(config, &fingerprint))) {
        free(items);
        return;
    }
    for (at = 0; at < count; at++)
        if (memcmp(&items[at].fingerprint, &fingerprint, sizeof fingerprint) == 0) {
            if (!any++) puts("removed");
            show_item(&items[at], 0);
        }
    if (!any) {
        fputs("nothing was removed: there is no identity ", stdout);
        puts(text);
    }
    free(items);
}

static void show_disk(phicache_config *config, int verify) {
    phicache_disk_item *items;
    uint64_t bytes = 0, records = 0, damaged = 0;
    size_t count, at;
    items = list_disk(config, verify, &count);
    if (failed) return;
    for (at = 0; at < count; at++) {
        show_item(&items[at], verify);
        bytes += items[at].bytes;
        records += items[at].records;
        damaged += items[at].damaged;
    }
    show_items(count);
    show_count(records, "record, ", "records, ");
    show_bytes(bytes);
    printf(", %" PRIu64 " damaged\n", damaged);
    if (damaged != 0) failed = 1;
    free(items);
}

/* A saved cache is one file: nothing can be removed from it. */
static void do_saved(const struct disk_request *request) {
    phicache_disk_item item;
    item.struct_size = sizeof item;
    title("saved cache");
    puts(request->directory);
    if (request->remove != NULL) {
        puts("nothing was removed: the path is a file to which a cache was saved; delete the file instead");
        failed = 1;
        return;
    }
    if (!succeeds(phicache_bundle_describe(request->directory, request->verify, &item))) return;
    show_item(&item, request->verify);
    if (item.damaged != 0) failed = 1;
}

static void do_disk(const struct disk_request *request) {
    phicache_config *config = NULL;
    char absolute[4096];
    struct stat status;
    if (stat(request->directory, &status) == 0 && S_ISREG(status.st_mode)) {
        do_saved(request);
        return;
    }
    title("directory");
    /* The library needs an absolute path. */
    if (realpath(request->directory, absolute) == NULL) {
        printf("%s: %s\n", request->directory, strerror(errno));
        failed = 1;
        return;
    }
    puts(absolute);
    if (!succeeds(phicache_config_new(&config))) return;
    if (succeeds(phicache_config_set_disk_directory(config, absolute))) {
        if (request->remove != NULL)
            remove_identity(config, request->remove);
        else
            show_disk(config, request->verify);
    }
    (void)phicache_config_free(config);
}

static const char usage[] =
    "usage: phicache-info [--help | --version]\n"
    "       phicache-info --disk DIRECTORY [--verify | --remove FINGERPRINT]\n"
    "       phicache-info --disk FILE [--verify]\n"
    "Prints version, features, memory and settings of phicache; or what disk caches have in a directory; or what a\n"
    "file is to which a cache was saved. --verify reads all of it, and --remove removes the values of an identity.\n";

/* Says what is wrong with the command line. */
static int wrong(const char *argument, const char *what) {
    fprintf(stderr, "phicache-info: %s %s\n", argument, what);
    return 0;
}

/* Reads the command line; returns whether it is understood. */
static int understand(int argc, char **argv, struct disk_request *request) {
    int at;
    for (at = 1; at < argc; at++) {
        const int is_disk = strcmp(argv[at], "--disk") == 0, is_remove = strcmp(argv[at], "--remove") == 0;
        if ((is_disk || is_remove) && at + 1 == argc)
            return wrong(argv[at], is_disk ? "needs a directory or a file" : "needs a fingerprint");
        if (is_disk)
            request->directory = argv[++at];
        else if (is_remove)
            request->remove = argv[++at];
        else if (strcmp(argv[at], "--verify") == 0)
            request->verify = 1;
        else
            return wrong(argv[at],
                         argv[at][0] == '-' ? "is not an option" : "is not expected; a directory follows --disk");
    }
    if (request->verify && request->remove != NULL) return wrong("--verify", "and --remove do not go together");
    if (request->directory != NULL) return 1;
    if (request->verify) return wrong("--verify", "needs --disk");
    return request->remove == NULL || wrong("--remove", "needs --disk");
}

int main(int argc, char **argv) {
    struct disk_request request = {NULL, 0, NULL};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(phicache_version());
        return 0;
    }
    if (!understand(argc, argv, &request)) {
        fputs(usage, stderr);
        return 2;
    }
    if (request.directory != NULL) {
        do_disk(&request);
        return failed;
    }
    show_library();
    show_versions();
    show_memory();
    show_environment();
    if (!settings_are_valid()) return failed;
    show_limits();
    show_configuration();
    show_redis();
    show_server();
    show_directory();
    return failed;
}
