/* SPDX-License-Identifier: MIT */
#include "query.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\n\v\f\r";
static const char glue[] = " OR ";

/* ASCII punctuation alone is no token to FTS5; what any other character is,
 * its tokenizer knows better. */
static bool has_token(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (isalnum((unsigned char)word[i]) || (unsigned char)word[i] >= 0x80)
            return true;
    return false;
}

/* Inside an FTS5 string only the quote is special, and doubled
 * (https://www.sqlite.org/fts5.html, section 3.1). */
static char *append_quoted(char *out, const char *word, size_t length)
{
    *out++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '"')
            *out++ = '"';
        *out++ = word[i];
    }
    *out++ = '"';
    return out;
}

enum query_result query_to_match(const char *query, char **match)
{
    /* Every byte doubled, and quotes and glue for each word. */
    char *expression =
        malloc(2 * strlen(query) + QUERY_MAX_WORDS * (sizeof glue + strlen("\"\"")) + 1);
    char *out = expression;
    int words = 0;

    if (!expression)
        return QUERY_NO_MEMORY;
    for (const char *word = query; *(word += strspn(word, blanks));) {
        size_t length = strcspn(word, blanks);

        if (has_token(word, length)) {
            if (++words > QUERY_MAX_WORDS) {
                free(expression);
                return QUERY_TOO_MANY_WORDS;
            }
            if (words > 1)
                out = stpcpy(out, glue);
            out = append_quoted(out, word, length);
        }
        word += length;
    }
    if (words == 0) {
        free(expression);
        return QUERY_NO_WORDS;
    }
    *out = '\0';
    *match = expression;
    return QUERY_OK;
}
