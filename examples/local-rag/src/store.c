/* SPDX-License-Identifier: MIT */
#include "store.h"

#include "split.h"

#include <string.h>

struct range {
    sqlite3_int64 first, count;
};

/* Read a row of two integers. */
static enum store_result read_range(struct store *store, sqlite3_stmt *statement,
                                    struct range *range)
{
    int result = sqlite3_step(statement);
    enum store_result outcome = STORE_NOTHING;

    if (result == SQLITE_ROW) {
        range->first = sqlite3_column_int64(statement, 0);
        range->count = sqlite3_column_int64(statement, 1);
        outcome = STORE_OK;
    } else if (result != SQLITE_DONE) {
        database_log_error(&store->database, sqlite3_sql(statement));
        outcome = STORE_FAILED;
    }
    sqlite3_reset(statement);
    return outcome;
}

static bool begin(struct store *store)
{
    return database_run(&store->database, database_statement(&store->database, STATEMENT_BEGIN));
}

static enum store_result finish(struct store *store, enum store_result outcome)
{
    struct database *database = &store->database;

    if ((outcome == STORE_OK || outcome == STORE_REPLACED) &&
        database_run(database, database_statement(database, STATEMENT_COMMIT)))
        return outcome;
    /* Some errors, a full disk among them, have rolled back already. */
    if (!sqlite3_get_autocommit(database->handle))
        database_run(database, database_statement(database, STATEMENT_ROLLBACK));
    return outcome == STORE_NOTHING ? STORE_NOTHING : STORE_FAILED;
}

static enum store_result delete_document(struct store *store, const char *id)
{
    struct database *database = &store->database;
    struct range range;

    sqlite3_stmt *find = database_statement(database, STATEMENT_FIND_DOCUMENT);
    sqlite3_bind_text(find, 1, id, -1, SQLITE_STATIC);
    enum store_result found = read_range(store, find, &range);
    if (found != STORE_OK)
        return found;

    sqlite3_stmt *passages = database_statement(database, STATEMENT_DELETE_PASSAGES);
    sqlite3_bind_int64(passages, 1, range.first);
    sqlite3_bind_int64(passages, 2, range.first + range.count - 1);
    sqlite3_stmt *document = database_statement(database, STATEMENT_DELETE_DOCUMENT);
    sqlite3_bind_int64(document, 1, range.first);
    if (!database_run(database, passages) || !database_run(database, document))
        return STORE_FAILED;
    return STORE_OK;
}

static bool add_passage(struct store *store, const struct document *document,
                        const struct passage *passage, sqlite3_int64 rowid, int number)
{
    sqlite3_stmt *add = database_statement(&store->database, STATEMENT_ADD_PASSAGE);

    sqlite3_bind_int64(add, 1, rowid);
    sqlite3_bind_text(add, 2, document->title, -1, SQLITE_STATIC);
    sqlite3_bind_text64(add, 3, passage->text, passage->length, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(add, 4, document->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(add, 5, number);
    return database_run(&store->database, add);
}

static enum store_result add_document(struct store *store, const struct document *document,
                                      int *passages)
{
    struct database *database = &store->database;
    struct splitter splitter = { document->text, strlen(document->text), store->passage_size };
    struct range next = { .first = 1 };
    struct passage passage;

    if (read_range(store, database_statement(database, STATEMENT_NEXT_ROWID), &next) ==
        STORE_FAILED)
        return STORE_FAILED;
    for (*passages = 0; split_next(&splitter, &passage); ++*passages)
        if (!add_passage(store, document, &passage, next.first + *passages, *passages))
            return STORE_FAILED;
    if (*passages == 0)
        return STORE_NOTHING;

    sqlite3_stmt *add = database_statement(database, STATEMENT_ADD_DOCUMENT);
    sqlite3_bind_int64(add, 1, next.first);
    sqlite3_bind_text(add, 2, document->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(add, 3, *passages);
    return database_run(database, add) ? STORE_OK : STORE_FAILED;
}

enum store_result store_put(struct store *store, const struct document *document, int *passages)
{
    if (!begin(store))
        return STORE_FAILED;
    enum store_result removed = delete_document(store, document->id);
    enum store_result added =
        removed == STORE_FAILED ? STORE_FAILED : add_document(store, document, passages);
    if (added == STORE_OK && removed == STORE_OK)
        added = STORE_REPLACED;
    return finish(store, added);
}

enum store_result store_delete(struct store *store, const char *id)
{
    return begin(store) ? finish(store, delete_document(store, id)) : STORE_FAILED;
}

static const char *column(sqlite3_stmt *statement, int index)
{
    return (const char *)sqlite3_column_text(statement, index);
}

enum store_result store_search(struct store *store, const char *match, long limit,
                               bool (*visit)(void *cls, const struct hit *hit), void *cls)
{
    sqlite3_stmt *search = database_statement(&store->database, STATEMENT_SEARCH);
    enum store_result outcome = STORE_OK;
    int result;

    sqlite3_bind_text(search, 1, match, -1, SQLITE_STATIC);
    sqlite3_bind_int64(search, 2, limit);
    while (outcome == STORE_OK && (result = sqlite3_step(search)) == SQLITE_ROW) {
        struct hit hit = {
            .document = column(search, 0),
            .number = sqlite3_column_int64(search, 1),
            .title = column(search, 2),
            .text = column(search, 3),
            .score = sqlite3_column_double(search, 4),
            .snippet = column(search, 5),
        };
        if (!visit(cls, &hit))
            outcome = STORE_FAILED;
    }
    if (outcome == STORE_OK && result != SQLITE_DONE) {
        database_log_error(&store->database, "cannot search");
        outcome = STORE_FAILED;
    }
    sqlite3_reset(search);
    return outcome;
}

enum store_result store_check(struct store *store, struct store_counts *counts)
{
    struct database *database = &store->database;
    struct range range;

    if (!database_is_writable(database) ||
        !database_run(database, database_statement(database, STATEMENT_PROBE_INDEX)) ||
        read_range(store, database_statement(database, STATEMENT_COUNT_ALL), &range) != STORE_OK)
        return STORE_FAILED;
    counts->documents = range.first;
    counts->passages = range.count;
    return STORE_OK;
}
