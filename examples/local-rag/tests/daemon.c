/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <err.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TIMEOUT_S = 60, STEPS_A_SECOND = 20 }; /* emulated machines are slow */

void daemon_prepare(struct daemon *daemon, const char *settings)
{
    strcpy(daemon->directory, "/tmp/local-rag-test.XXXXXX");
    if (!mkdtemp(daemon->directory))
        err(1, "cannot make a directory in /tmp");
    snprintf(daemon->config, sizeof daemon->config, "%s/conf", daemon->directory);
    snprintf(daemon->database, sizeof daemon->database, "%s/db", daemon->directory);
    snprintf(daemon->notify, sizeof daemon->notify, "%s/notify", daemon->directory);
    FILE *file = fopen(daemon->config, "w");
    if (!file)
        err(1, "%s", daemon->config);
    fprintf(file, "port = 0\ndatabase = %s\n%s", daemon->database, settings);
    fclose(file);
}

static int listen_for_ready(const struct daemon *daemon)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, daemon->notify);
    unlink(daemon->notify);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof address) == -1)
        err(1, "%s", daemon->notify);
    return fd;
}

static void execute(const struct daemon *daemon)
{
    const char *program = getenv("LOCAL_RAG");

    if (!program)
        errx(1, "LOCAL_RAG names no program");
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that gives up leaves no daemon */
    setenv("NOTIFY_SOCKET", daemon->notify, 1);
    execl(program, program, "--config", daemon->config, (char *)NULL);
    err(1, "%s", program);
}

static void wait_for_message(int fd, pid_t pid)
{
    struct pollfd events = { .fd = fd, .events = POLLIN };

    for (int step = 0; step < START_TIMEOUT_S * STEPS_A_SECOND; step++) {
        if (poll(&events, 1, 1000 / STEPS_A_SECOND) == 1)
            return;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            errx(1, "the daemon ended before it was ready");
    }
    errx(1, "the daemon is not ready after %d s", START_TIMEOUT_S);
}

/* The port is told in the status line that comes with READY=1. */
static unsigned read_port(int fd)
{
    char message[512];
    unsigned port;

    ssize_t size = recv(fd, message, sizeof message - 1, 0);
    if (size == -1)
        err(1, "cannot read what the daemon tells");
    message[size] = '\0';
    if (sscanf(message, "READY=1\nSTATUS=Serving http://127.0.0.1:%u", &port) != 1)
        errx(1, "the daemon told: %s", message);
    return port;
}

void daemon_start(struct daemon *daemon)
{
    int fd = listen_for_ready(daemon);

    daemon->pid = fork();
    if (daemon->pid == -1)
        err(1, "cannot fork");
    if (daemon->pid == 0)
        execute(daemon);
    wait_for_message(fd, daemon->pid);
    daemon->port = read_port(fd);
    close(fd);
}

int daemon_stop(struct daemon *daemon)
{
    int status;

    kill(daemon->pid, SIGTERM);
    if (waitpid(daemon->pid, &status, 0) != daemon->pid)
        err(1, "cannot wait for the daemon");
    return status;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

void daemon_remove(const struct daemon *daemon)
{
    nftw(daemon->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
