/* SPDX-License-Identifier: MIT */
/* query.h - make an FTS5 expression of what a user typed */
#ifndef QUERY_H
#define QUERY_H

enum query_result { QUERY_OK, QUERY_NO_WORDS, QUERY_TOO_MANY_WORDS, QUERY_NO_MEMORY };

enum { QUERY_MAX_WORDS = 64 };

/* Quote every word of QUERY, so that none of FTS5's operators is left, and
 * join them with OR: any word may match, and the ranking puts the passages
 * with most of them first. The caller frees *MATCH. */
enum query_result query_to_match(const char *query, char **match);

#endif
