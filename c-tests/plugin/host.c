/* host PLUGIN: closes a plugin that contains the archive, while threads that used it still run, and before a fork. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t used, closed;
static void *plugin;

static void *use(void *answer) {
    int (*use_phicache)(void);
    void *found = dlsym(plugin, "use_phicache");
    if (found != NULL) {
        memcpy(&use_phicache, &found, sizeof found);
        *(int *)answer = use_phicache();
    }
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return NULL; /* ends the thread: the library returns its participant */
}

int main(int count, char **arguments) {
    pthread_t thread;
    pid_t child;
    int answer = -1, status = -1;
    if (count != 2 || (plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL)) == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "host PLUGIN");
        return 1;
    }
    if (pthread_barrier_init(&used, NULL, 2) != 0 || pthread_barrier_init(&closed, NULL, 2) != 0) return 1;
    if (pthread_create(&thread, NULL, use, &answer) != 0) return 1;
    pthread_barrier_wait(&used);
    dlclose(plugin);
    pthread_barrier_wait(&closed);
    pthread_join(thread, NULL);
    child = fork();
    if (child == 0) _exit(0);
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    if (answer != 0 || status != 0) fprintf(stderr, "use_phicache: %d, the child: %d\n", answer, status);
    return answer != 0 || status != 0;
}
