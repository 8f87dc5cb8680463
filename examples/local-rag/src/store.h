/* SPDX-License-Identifier: MIT */
/* store.h - documents in, ranked passages out */
#ifndef STORE_H
#define STORE_H

#include "database.h"

#include <stddef.h>

struct store {
    struct database database;
    size_t passage_size;
};

enum store_result {
    STORE_OK,
    STORE_REPLACED, /* by store_put(): there was a document of that id */
    STORE_NOTHING,  /* by store_put(): no passage in it; by store_delete(): no such document */
    STORE_FAILED,   /* the reason has been logged */
};

struct document {
    const char *id, *title, *text;
};

struct hit {
    const char *document, *title, *text, *snippet;
    long long number; /* of the passage in its document, from 0 */
    double score;     /* more is better */
};

struct store_counts {
    long long documents, passages;
};

/* Whole or not at all. */
enum store_result store_put(struct store *store, const struct document *document, int *passages);
enum store_result store_delete(struct store *store, const char *id);

/* Show the best LIMIT passages for an FTS5 expression to VISIT, best first;
 * when that says false, the search ends as failed. */
enum store_result store_search(struct store *store, const char *match, long limit,
                               bool (*visit)(void *cls, const struct hit *hit), void *cls);

/* Count, having proved that tables and index can be read and the file be
 * written to. */
enum store_result store_check(struct store *store, struct store_counts *counts);

#endif
