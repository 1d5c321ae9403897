/* test_config.c: defaults, the environment, setters.
 *
 * The environment is read once in a process, at the first use. So each case that sets variables runs in a child
 * process: this program, with the name of the case as its argument.
 */
#define _POSIX_C_SOURCE 200809L /* setenv, fork, waitpid */

#include "sample.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static phicache_config *new_config(void) {
    phicache_config *config = NULL;
    CHECK_OK(phicache_config_new(&config));
    return config;
}

static double percent_of(phicache_config *config) {
    double percent = -77.0;
    CHECK_OK(phicache_config_get_maximum_memory_percent(config, &percent));
    return percent;
}

typedef phicache_status (*switch_get)(phicache_config *config, int32_t *out);
typedef phicache_status (*switch_set)(phicache_config *config, int32_t enabled);

static int32_t is_on(switch_get get, phicache_config *config) {
    int32_t enabled = 77;
    CHECK_OK(get(config, &enabled));
    return enabled;
}

static void check_namespace(phicache_config *config, const char *expected) {
    char buffer[80];
    size_t len = 99;
    CHECK_OK(phicache_config_get_redis_namespace(config, buffer, sizeof buffer, &len));
    CHECK_TEXT(buffer, expected);
    CHECK_UINT(len, strlen(expected));
}

static void check_url(phicache_config *config, const char *expected) {
    char buffer[200];
    size_t len = 99;
    CHECK_OK(phicache_config_get_redis_url(config, buffer, sizeof buffer, &len));
    CHECK_TEXT(buffer, expected);
    CHECK_UINT(len, strlen(expected));
}

static void the_defaults_are_pyphis(void) {
    phicache_config *config = new_config();
    CHECK_NEAR(percent_of(config), 50.0, 0.0);
    CHECK_INT(is_on(phicache_config_get_cache_repertoires, config), 1);
    CHECK_INT(is_on(phicache_config_get_cache_potential_purviews, config), 1);
    CHECK_INT(is_on(phicache_config_get_redis_cache, config), 0);
    CHECK_INT(is_on(phicache_config_get_on_full, config), PHICACHE_ON_FULL_DEFAULT);
    check_namespace(config, "phicache");
    CHECK_OK(phicache_config_free(config));
    CHECK_OK(phicache_config_free(NULL));
}

static void switches_take_any_nonzero_for_on(void) {
    const switch_get get[3] = {phicache_config_get_cache_repertoires, phicache_config_get_cache_potential_purviews,
                               phicache_config_get_redis_cache};
    const switch_set set[3] = {phicache_config_set_cache_repertoires, phicache_config_set_cache_potential_purviews,
                               phicache_config_set_redis_cache};
    phicache_config *config = new_config();
    int i, other;
    for (i = 0; i < 3; i++) {
        CHECK_OK(set[i](config, 0));
        CHECK_INT(is_on(get[i], config), 0);
        CHECK_OK(set[i](config, INT32_MIN));
        CHECK_INT(is_on(get[i], config), 1);
        CHECK_OK(set[i](config, 0));
        for (other = 0; other < 3; other++) CHECK_INT(is_on(get[other], config), other > i && other < 2);
    }
    CHECK_OK(phicache_config_free(config));
}

static void the_maximum_is_a_percentage_or_unlimited(void) {
    const double right[] = {0.0, -0.0, 1e-9, 33.3, 100.0, PHICACHE_MEMORY_UNLIMITED};
    const double wrong[] = {-0.5, -2.0, 100.0000001, INFINITY, -INFINITY, NAN, PHICACHE_MEMORY_CONFIGURED};
    phicache_config *config = new_config();
    size_t i;
    for (i = 0; i < sizeof right / sizeof right[0]; i++) {
        CHECK_OK(phicache_config_set_maximum_memory_percent(config, right[i]));
        CHECK_NEAR(percent_of(config), right[i], 0.0);
    }
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(phicache_config_set_maximum_memory_percent(config, wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_NEAR(percent_of(config), PHICACHE_MEMORY_UNLIMITED, 0.0);
    }
    CHECK_OK(phicache_config_free(config));
}

static void a_full_cache_refuses_or_evicts(void) {
    const int32_t wrong[] = {-1, 3, INT32_MIN, INT32_MAX};
    phicache_config *config = new_config();
    phicache_dict_cache *cache = NULL;
    phicache_cache_options options;
    int32_t choice;
    size_t i;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    for (choice = PHICACHE_ON_FULL_DEFAULT; choice <= PHICACHE_ON_FULL_EVICT; choice++) {
        CHECK_OK(phicache_config_set_on_full(config, choice));
        CHECK_INT(is_on(phicache_config_get_on_full, config), choice);
        options.on_full = choice;
        if (CHECK_OK(phicache_dict_cache_new(config, &options, &cache))) CHECK_OK(phicache_dict_cache_free(cache));
    }
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_STATUS(phicache_config_set_on_full(config, wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_INT(is_on(phicache_config_get_on_full, config), PHICACHE_ON_FULL_EVICT);
        options.on_full = wrong[i];
        CHECK_STATUS(phicache_dict_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
        CHECK_CONTAINS(phicache_last_error(), "on_full");
    }
    options.on_full = PHICACHE_ON_FULL_REFUSE;
    options.reserved = 1;
    CHECK_STATUS(phicache_dict_cache_new(config, &options, &cache), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_OK(phicache_config_free(config));
}

static void the_process_configuration_is_independent_of_others(void) {
    phicache_config *config = new_config();
    phicache_dict_cache *cache = new_dict();
    CHECK_OK(phicache_config_set_maximum_memory_percent(NULL, 0.0));
    CHECK_NEAR(percent_of(NULL), 0.0, 0.0);
    CHECK_NEAR(percent_of(config), 50.0, 0.0);
    CHECK_STATUS(phicache_dict_cache_set(cache, text("key"), text("value")), PHICACHE_REFUSED_MEMORY);
    CHECK_OK(phicache_config_set_maximum_memory_percent(NULL, 50.0));
    CHECK_OK(phicache_dict_cache_set(cache, text("key"), text("value")));
    CHECK_OK(phicache_dict_cache_free(cache));
    CHECK_OK(phicache_config_free(config));
}

static void a_url_is_read_without_its_password(void) {
    phicache_config *config = new_config();
    CHECK_OK(phicache_config_set_redis_url(config, "redis://me:secret@host:6380/3"));
    check_url(config, "redis://me:***@host:6380/3");
    CHECK_OK(phicache_config_set_redis_url(config, "redis://host"));
    check_url(config, "redis://host");
    CHECK_STATUS(phicache_config_set_redis_url(config, "http://me:secret@host"), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(phicache_last_error(), "secret") == NULL);
    CHECK_STATUS(phicache_config_set_redis_url(config, ""), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_STATUS(phicache_config_set_redis_url(config, "redis://\xff"), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_url(config, "redis://host");
    CHECK_OK(phicache_config_free(config));
}

static void a_namespace_is_1_to_64_of_a_few_characters(void) {
    const char *wrong[] = {"", "a:b", "a b", "{a}", "a*", "\xc3\xa4", "\xff"};
    char longest[66];
    phicache_config *config = new_config();
    size_t i;
    memset(longest, 'n', 65);
    longest[64] = '\0';
    CHECK_OK(phicache_config_set_redis_namespace(config, longest));
    check_namespace(config, longest);
    CHECK_OK(phicache_config_set_redis_namespace(config, "Lab_7.phi-1"));
    longest[64] = 'n';
    longest[65] = '\0';
    CHECK_STATUS(phicache_config_set_redis_namespace(config, longest), PHICACHE_ERROR_INVALID_ARGUMENT);
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_STATUS(phicache_config_set_redis_namespace(config, wrong[i]), PHICACHE_ERROR_INVALID_ARGUMENT);
    check_namespace(config, "Lab_7.phi-1");
    CHECK_OK(phicache_config_free(config));
}

static void a_text_that_does_not_fit_reports_its_length(void) {
    phicache_config *config = new_config();
    char buffer[9];
    size_t len = 99;
    CHECK_OK(phicache_config_get_redis_namespace(config, buffer, 9, &len));
    CHECK_TEXT(buffer, "phicache");
    buffer[0] = '#';
    CHECK_STATUS(phicache_config_get_redis_namespace(config, buffer, 8, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 8);
    CHECK_BYTES(buffer, 1, "#", 1);
    CHECK_STATUS(phicache_config_get_redis_namespace(config, NULL, 0, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK_UINT(len, 8);
    CHECK_STATUS(phicache_config_get_redis_url(config, NULL, 0, &len), PHICACHE_ERROR_BUFFER_TOO_SMALL);
    CHECK(len > 8);
    CHECK_STATUS(phicache_config_get_redis_url(config, NULL, 5, &len), PHICACHE_ERROR_INVALID_ARGUMENT);
    CHECK_UINT(len, 0);
    CHECK_OK(phicache_config_free(config));
}

/* The cases with their own environment. */

static void the_environment_sets_everything(void) {
    phicache_config *config;
    setenv("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "12.5", 1);
    setenv("PHICACHE_ON_FULL", "evict", 1);
    setenv("PHICACHE_CACHE_REPERTOIRES", "off", 1);
    setenv("PHICACHE_CACHE_POTENTIAL_PURVIEWS", "0", 1);
    setenv("PHICACHE_REDIS_CACHE", "true", 1);
    setenv("PHICACHE_REDIS_URL", "redis://me:secret@elsewhere:1", 1);
    setenv("PHICACHE_REDIS_NAMESPACE", "lab", 1);
    config = new_config();
    CHECK_NEAR(percent_of(config), 12.5, 0.0);
    CHECK_NEAR(percent_of(NULL), 12.5, 0.0);
    CHECK_INT(is_on(phicache_config_get_cache_repertoires, config), 0);
    CHECK_INT(is_on(phicache_config_get_cache_potential_purviews, config), 0);
    CHECK_INT(is_on(phicache_config_get_redis_cache, config), 1);
    CHECK_INT(is_on(phicache_config_get_on_full, config), PHICACHE_ON_FULL_EVICT);
    check_url(config, "redis://me:***@elsewhere:1");
    check_namespace(config, "lab");
    CHECK_OK(phicache_config_set_maximum_memory_percent(config, 99.0));
    CHECK_NEAR(percent_of(config), 99.0, 0.0);
    CHECK_OK(phicache_config_free(config));
    setenv("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "7", 1); /* too late */
    config = new_config();
    CHECK_NEAR(percent_of(config), 12.5, 0.0);
    CHECK_OK(phicache_config_free(config));
}

static void empty_variables_count_as_unset(void) {
    setenv("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "", 1);
    setenv("PHICACHE_ON_FULL", "", 1);
    setenv("PHICACHE_CACHE_REPERTOIRES", "", 1);
    setenv("PHICACHE_REDIS_URL", "", 1);
    the_defaults_are_pyphis();
}

/* The first use fails and names the variable, but not a password; calls that need no configuration still work. */
static void check_invalid(const char *variable, const char *value) {
    phicache_config *config = NULL;
    phicache_dict_cache *cache = NULL;
    int32_t full;
    double percent;
    setenv(variable, value, 1);
    CHECK_STATUS(phicache_config_new(&config), PHICACHE_ERROR_CONFIGURATION);
    CHECK(config == NULL);
    CHECK_CONTAINS(phicache_last_error(), variable);
    CHECK(strstr(phicache_last_error(), "secret") == NULL);
    CHECK_STATUS(phicache_dict_cache_new(NULL, NULL, &cache), PHICACHE_ERROR_CONFIGURATION);
    CHECK(cache == NULL);
    CHECK_STATUS(phicache_memory_full(NULL, &full), PHICACHE_ERROR_CONFIGURATION);
    CHECK_OK(phicache_memory_percent(&percent));
}

static void a_percentage_that_is_no_number(void) {
    check_invalid("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "half");
}
static void a_percentage_beyond_100(void) { check_invalid("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "100.5"); }
static void a_percentage_that_is_nan(void) { check_invalid("PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "nan"); }
static void a_switch_that_is_none(void) { check_invalid("PHICACHE_CACHE_REPERTOIRES", "maybe"); }
static void a_choice_that_is_none(void) { check_invalid("PHICACHE_ON_FULL", "forget"); }
static void a_url_of_another_scheme(void) { check_invalid("PHICACHE_REDIS_URL", "http://me:secret@host"); }
static void a_namespace_with_a_colon(void) { check_invalid("PHICACHE_REDIS_NAMESPACE", "a:b"); }
static void a_variable_that_is_no_text(void) { check_invalid("PHICACHE_CACHE_POTENTIAL_PURVIEWS", "\xff"); }

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"the_environment_sets_everything", the_environment_sets_everything},
    {"empty_variables_count_as_unset", empty_variables_count_as_unset},
    {"a_percentage_that_is_no_number", a_percentage_that_is_no_number},
    {"a_percentage_beyond_100", a_percentage_beyond_100},
    {"a_percentage_that_is_nan", a_percentage_that_is_nan},
    {"a_switch_that_is_none", a_switch_that_is_none},
    {"a_choice_that_is_none", a_choice_that_is_none},
    {"a_url_of_another_scheme", a_url_of_another_scheme},
    {"a_namespace_with_a_colon", a_namespace_with_a_colon},
    {"a_variable_that_is_no_text", a_variable_that_is_no_text},
};

static char *program;

static void each_environment_in_its_own_process(void) {
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = -1;
        const pid_t child = fork();
        if (child == 0) {
            execl(program, program, cases[i].name, (char *)NULL);
            _exit(127);
        }
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0)) fprintf(stderr, "    case %s\n", cases[i].name);
    }
}

static int run_case(const char *name) {
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(cases[i].name, name) == 0) check_run(name, cases[i].run);
    return check_report();
}

int main(int argc, char **argv) {
    const char *variables[] = {"PHICACHE_MAXIMUM_CACHE_MEMORY_PERCENTAGE", "PHICACHE_CACHE_REPERTOIRES",
                               "PHICACHE_CACHE_POTENTIAL_PURVIEWS",        "PHICACHE_REDIS_CACHE",
                               "PHICACHE_REDIS_URL",                       "PHICACHE_REDIS_NAMESPACE",
                               "PHICACHE_ON_FULL"};
    size_t i;
    for (i = 0; i < sizeof variables / sizeof variables[0]; i++) unsetenv(variables[i]);
    if (argc > 1) return run_case(argv[1]);
    program = argv[0];
    RUN(the_defaults_are_pyphis);
    RUN(switches_take_any_nonzero_for_on);
    RUN(the_maximum_is_a_percentage_or_unlimited);
    RUN(a_full_cache_refuses_or_evicts);
    RUN(the_process_configuration_is_independent_of_others);
    RUN(a_url_is_read_without_its_password);
    RUN(a_namespace_is_1_to_64_of_a_few_characters);
    RUN(a_text_that_does_not_fit_reports_its_length);
    RUN(each_environment_in_its_own_process);
    return check_report();
}
