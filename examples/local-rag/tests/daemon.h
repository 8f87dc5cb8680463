/* SPDX-License-Identifier: MIT */
/* daemon.h - the built daemon, started in a directory of its own */
#ifndef DAEMON_H
#define DAEMON_H

#include <sys/types.h>

struct daemon {
    char directory[64];
    char config[80], database[80], notify[80];
    pid_t pid;
    unsigned port;
};

/* Make the directory and a configuration with SETTINGS, whole lines, added. */
void daemon_prepare(struct daemon *daemon, const char *settings);

/* Start $LOCAL_RAG on a free port, and wait until it says that it is ready. */
void daemon_start(struct daemon *daemon);

/* Send SIGTERM and return how it ended, as waitpid() tells. */
int daemon_stop(struct daemon *daemon);

/* Delete the directory. */
void daemon_remove(const struct daemon *daemon);

#endif
