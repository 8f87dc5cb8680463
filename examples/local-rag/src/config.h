/* SPDX-License-Identifier: MIT */
/* config.h - the settings of local-rag.conf(5) */
#ifndef CONFIG_H
#define CONFIG_H

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

struct config {
    char listen[INET6_ADDRSTRLEN];
    char database[PATH_MAX];
    long port;
    long max_body;        /* bytes */
    long max_connections;
    long max_results;
    long passage_size;    /* bytes */
};

/* Read PATH into CONFIG, whose every setting has a default. Each problem is
 * written to PROBLEMS as "FILE:LINE: what is wrong", all of them at once;
 * true means that there was none. */
bool config_load(const char *path, struct config *config, FILE *problems);

#endif
