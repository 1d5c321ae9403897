/* redis_server.h: real Redis servers for tests, each in a new folder, on a unix socket and a free TCP port.
 *
 *     static redis_server server;
 *     if (!redis_server_start(&server, "")) return 77;   // it has printed SKIPPED and the reason
 *     ... server.url, server.unix_url ...
 *     redis_server_kill(&server);      // like a crash
 *     redis_server_restart(&server);   // empty, at the same address
 *     redis_server_freeze(&server);    // silent, its connections open
 *     redis_server_thaw(&server);
 *     redis_server_stop(&server);
 *
 * The program is that in PHICACHE_REDIS_SERVER, or redis-server or valkey-server in the PATH. Each server has a
 * guardian process, which stops it and deletes its folder when the test ends, even by a crash. `redis_server_ask` sends
 * commands to a server without the library. If a server cannot be started or controlled, the test program ends with one
 * line.
 *
 * Include this first, because it requests POSIX. For C99 and later, and C++. */
#ifndef PHICACHE_REDIS_SERVER_H
#define PHICACHE_REDIS_SERVER_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REDIS_SERVER_SKIPPED = 77, REDIS_SERVER_PATIENCE_MS = 120000 };

typedef struct {
    pid_t process;       /* 0 while it does not run */
    pid_t guardian;      /* also the process group of the server */
    int alive;           /* a pipe; its end tells the guardian that the test has ended */
    int port;
    char program[512];
    char options[512];   /* in addition to the usual ones, separated by spaces */
    char folder[64];
    char socket[80];
    char url[64];        /* by TCP */
    char unix_url[96];   /* by the socket */
} redis_server;

static inline void redis_server_fail(const char *what) {
    fprintf(stderr, "redis_server.h: %s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void redis_server_pause(long milliseconds) {
    struct timespec time;
    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = milliseconds % 1000 * 1000000;
    while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
}

/* Copies as much of a text as fits and returns its length. */
static inline size_t redis_server_copy(char *to, size_t capacity, const char *from) {
    size_t len = strlen(from);
    if (len >= capacity) len = capacity - 1;
    memcpy(to, from, len);
    to[len] = '\0';
    return len;
}

/* Stores the path of the program in `program`; returns 0 if there is none. */
static inline int redis_server_find(char *program, size_t capacity) {
    const char *const names[] = {"redis-server", "valkey-server"};
    const char *given = getenv("PHICACHE_REDIS_SERVER");
    const char *folder = getenv("PATH");
    if (given != NULL && given[0] != '\0') {
        snprintf(program, capacity, "%s", given);
        return access(program, X_OK) == 0;
    }
    while (folder != NULL && folder[0] != '\0') {
        const int len = (int)strcspn(folder, ":");
        size_t i;
        for (i = 0; i < sizeof names / sizeof *names; i++) {
            snprintf(program, capacity, "%.*s/%s", len, folder, names[i]);
            if (access(program, X_OK) == 0) return 1;
        }
        folder += len;
        folder += folder[0] == ':';
    }
    return 0;
}

/* A port that was free just now. */
static inline int redis_server_free_port(void) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (probe < 0 || bind(probe, (const struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(probe, (struct sockaddr *)&address, &len) != 0)
        redis_server_fail("no free port");
    close(probe);
    return ntohs(address.sin_port);
}

static inline void redis_server_remove_folder(const char *folder) {
    const pid_t remover = fork();
    if (remover == 0) {
        execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
        _exit(127);
    }
    if (remover > 0) waitpid(remover, NULL, 0);
}

/* Starts the guardian, which waits for the end of the test and then cleans up. */
static inline void redis_server_guard(redis_server *server) {
    int ends[2];
    if (pipe(ends) != 0) redis_server_fail("pipe");
    fflush(NULL);
    server->guardian = fork();
    if (server->guardian < 0) redis_server_fail("fork");
    if (server->guardian == 0) {
        char byte;
        setpgid(0, 0);
        close(ends[1]);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR) continue;
        redis_server_remove_folder(server->folder);
        kill(0, SIGKILL);
        _exit(0);
    }
    setpgid(server->guardian, server->guardian);
    close(ends[0]);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    server->alive = ends[1];
}

static inline void redis_server_spawn(redis_server *server) {
    fflush(NULL);
    server->process = fork();
    if (server->process < 0) redis_server_fail("fork");
    if (server->process == 0) {
        char port[16], log[96], options[512];
        char *arguments[64];
        int count = 0;
        char *word;
        snprintf(port, sizeof port, "%d", server->port);
        snprintf(log, sizeof log, "%s/log", server->folder);
        snprintf(options, sizeof options, "%s", server->options);
        {
            const char *const usual[] = {"--bind", "127.0.0.1", "--port", port, "--unixsocket", server->socket, "--dir",
                                         server->folder, "--logfile", log, "--save", "", "--appendonly", "no",
                                         "--daemonize", "no"};
            size_t i;
            arguments[count++] = server->program;
            for (i = 0; i < sizeof usual / sizeof *usual; i++) arguments[count++] = (char *)(uintptr_t)usual[i];
        }
        for (word = strtok(options, " "); word != NULL && count < 63; word = strtok(NULL, " "))
            arguments[count++] = word;
        arguments[count] = NULL;
        setpgid(0, server->guardian);
        signal(SIGPIPE, SIG_DFL);
        execv(server->program, arguments);
        _exit(127);
    }
}

static inline int redis_server_connect(const redis_server *server) {
    struct sockaddr_un address;
    const struct timeval patience = {REDIS_SERVER_PATIENCE_MS / 1000, 0};
    const int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->socket);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(connection, (const struct sockaddr *)&address, sizeof address) == 0) return connection;
    close(connection);
    return -1;
}

/* Sends a command on a new connection. Stores the bytes of the reply, without framing, followed by a NUL; returns their
 * number, or -1 for a nil or without a server. An error reply begins with '-'. Words are separated by spaces; inside
 * double quotes escapes such as `\x00` are bytes. */
static inline long redis_server_ask(const redis_server *server, const char *command, char *answer, size_t capacity) {
    const int connection = redis_server_connect(server);
    char line[1024], kind;
    size_t have = 0, want;
    long len = -1;
    char *end = NULL;
    answer[0] = '\0';
    if (connection < 0) return -1;
    snprintf(line, sizeof line, "%s\r\n", command);
    if (send(connection, line, strlen(line), MSG_NOSIGNAL) < 0) goto done;
    while (end == NULL) {
        const ssize_t got = recv(connection, line + have, sizeof line - 1 - have, 0);
        if (got <= 0) goto done;
        have += (size_t)got;
        line[have] = '\0';
        end = strstr(line, "\r\n");
    }
    kind = line[0];
    if (kind == '$') {
        len = strtol(line + 1, NULL, 10);
        if (len < 0) goto done;
        have -= (size_t)(end + 2 - line);
        want = (size_t)len;
        if (want >= capacity) {
            errno = EMSGSIZE;
            redis_server_fail(command);
        }
        if (have > want) have = want;
        memcpy(answer, end + 2, have);
        while (have < want) {
            const ssize_t got = recv(connection, answer + have, want - have, 0);
            if (got <= 0) {
                len = -1;
                goto done;
            }
            have += (size_t)got;
        }
        answer[want] = '\0';
    } else {
        *end = '\0';
        len = (long)redis_server_copy(answer, capacity, kind == '-' ? line : line + 1);
    }
done:
    close(connection);
    return len;
}

/* The same for a reply that is a number. */
static inline long long redis_server_number(const redis_server *server, const char *command) {
    char answer[512];
    if (redis_server_ask(server, command, answer, sizeof answer) < 0) return -1;
    return strtoll(answer, NULL, 10);
}

/* How often the server has executed a command, such as "get", since its statistics were reset. */
static inline long long redis_server_calls(const redis_server *server, const char *command) {
    static char answer[65536];
    char name[80];
    const char *found;
    redis_server_ask(server, "INFO commandstats", answer, sizeof answer);
    snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    found = strstr(answer, name);
    return found == NULL ? 0 : strtoll(found + strlen(name), NULL, 10);
}

/* Waits until the server answers; returns 0 if it has ended instead. */
static inline int redis_server_is_up(redis_server *server) {
    int waited;
    for (waited = 0; waited < REDIS_SERVER_PATIENCE_MS; waited += 5) {
        char answer[512];
        if (waitpid(server->process, NULL, WNOHANG) == server->process) {
            server->process = 0;
            return 0;
        }
        redis_server_ask(server, "PING", answer, sizeof answer);
        /* A server that requires a password is up, too. */
        if (strcmp(answer, "PONG") == 0 || strncmp(answer, "-NOAUTH", 7) == 0) return 1;
        redis_server_pause(5);
    }
    errno = ETIMEDOUT;
    redis_server_fail("the server does not answer");
    return 0;
}

/* Freezes it (SIGSTOP). */
static inline void redis_server_freeze(const redis_server *server) { kill(server->process, SIGSTOP); }

/* Lets it continue (SIGCONT). */
static inline void redis_server_thaw(const redis_server *server) { kill(server->process, SIGCONT); }

/* Kills it like a crash, and keeps its folder and port. */
static inline void redis_server_kill(redis_server *server) {
    if (server->process <= 0) return;
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    server->process = 0;
}

/* Starts it again with the same folder and port. */
static inline void redis_server_restart(redis_server *server) {
    unlink(server->socket);
    redis_server_spawn(server);
    if (!redis_server_is_up(server)) redis_server_fail("the server does not start again");
}

/* Stops it for good. */
static inline void redis_server_stop(redis_server *server) {
    redis_server_kill(server);
    redis_server_remove_folder(server->folder);
    kill(server->guardian, SIGKILL);
    waitpid(server->guardian, NULL, 0);
    close(server->alive);
}

/* Starts a server with additional options. If there is no program, prints a line with SKIPPED and returns 0. */
static inline int redis_server_start(redis_server *server, const char *options) {
    int attempt;
    memset(server, 0, sizeof *server);
    if (!redis_server_find(server->program, sizeof server->program)) {
        printf("SKIPPED: there is no redis-server. To have it: apt-get install redis-server\n");
        return 0;
    }
    snprintf(server->options, sizeof server->options, "%s", options);
    strcpy(server->folder, "/tmp/phicache-redis-XXXXXX");
    if (mkdtemp(server->folder) == NULL) redis_server_fail("a new folder in /tmp");
    snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    snprintf(server->unix_url, sizeof server->unix_url, "unix://%s", server->socket);
    redis_server_guard(server);
    for (attempt = 0; attempt < 5; attempt++) {
        server->port = redis_server_free_port();
        snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
        redis_server_spawn(server);
        /* It ends at once if another process has taken the port meanwhile. */
        if (redis_server_is_up(server)) return 1;
    }
    redis_server_fail(server->program);
    return 0;
}

#endif /* PHICACHE_REDIS_SERVER_H */
