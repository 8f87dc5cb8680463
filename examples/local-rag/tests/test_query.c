/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "query.h"

#include <sqlite3.h>
#include <stdlib.h>

static const char *match(const char *query)
{
    static char text[4096];
    char *expression;

    switch (query_to_match(query, &expression)) {
    case QUERY_NO_WORDS:
        return "no words";
    case QUERY_TOO_MANY_WORDS:
        return "too many words";
    case QUERY_NO_MEMORY:
        return "no memory";
    case QUERY_OK:
        snprintf(text, sizeof text, "%s", expression);
        free(expression);
    }
    return text;
}

static void test_quoting(void)
{
    CHECK_TEXT(match("apt"), "\"apt\"");
    CHECK_TEXT(match("  apt\t get\n"), "\"apt\" OR \"get\"");
    CHECK_TEXT(match("a\"b"), "\"a\"\"b\"");
    CHECK_TEXT(match("NOT title:x*"), "\"NOT\" OR \"title:x*\"");
    CHECK_TEXT(match("größe"), "\"größe\"");
}

static void test_words_are_counted(void)
{
    char query[2 * QUERY_MAX_WORDS + 3] = "";

    CHECK_TEXT(match(""), "no words");
    CHECK_TEXT(match(" \" - * ( "), "no words");
    for (int i = 0; i < QUERY_MAX_WORDS; i++)
        strcat(query, "x ");
    CHECK(strncmp(match(query), "\"x\"", 3) == 0);
    CHECK_TEXT(match(strcat(query, "x")), "too many words");
}

/* Whatever is typed, SQLite must find nothing wrong with the expression. */
static void test_fts5_takes_it(void)
{
    static const char *const queries[] = {
        "plain words", "\"", "\"\"x", "x\"", "AND", "OR OR", "NOT x", "NEAR(a b, 3)", "title : x",
        "x*", "^x", "{title text}: x", "a + b", "(((x", "x')); DROP TABLE passages; --", "-x",
        "\xe2\x80\x94", "\xe2\x80\x94 x", "\\", "x\x01y",
    };
    sqlite3 *handle;
    sqlite3_stmt *search;

    CHECK(sqlite3_open(":memory:", &handle) == SQLITE_OK);
    CHECK(sqlite3_exec(handle,
                       "CREATE VIRTUAL TABLE passages USING fts5(title, text);"
                       "INSERT INTO passages VALUES('t', 'x')",
                       NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(handle, "SELECT text FROM passages WHERE passages MATCH ?", -1,
                             &search, NULL) == SQLITE_OK);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        const char *expression = match(queries[i]);
        int result;

        if (strcmp(expression, "no words") == 0)
            continue;
        sqlite3_bind_text(search, 1, expression, -1, SQLITE_STATIC);
        result = sqlite3_step(search);
        if (result != SQLITE_ROW && result != SQLITE_DONE)
            fprintf(stderr, "%s: %s\n", queries[i], sqlite3_errmsg(handle));
        CHECK(result == SQLITE_ROW || result == SQLITE_DONE);
        CHECK((result == SQLITE_ROW) == (strchr(queries[i], 'x') && !strstr(queries[i], "x\x01")));
        sqlite3_reset(search);
    }
    sqlite3_finalize(search);
    sqlite3_close(handle);
}

int main(void)
{
    test_quoting();
    test_words_are_counted();
    test_fts5_takes_it();
    return check_result("query");
}
