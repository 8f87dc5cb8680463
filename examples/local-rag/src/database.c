/* SPDX-License-Identifier: MIT */
#include "database.h"

#include "log.h"

#include <stddef.h>
#include <string.h>

enum { SCHEMA_VERSION = 1, BUSY_TIMEOUT_MS = 2000 };

/* The passages of a document have consecutive rowids, so that they can be
 * deleted as a range: FTS5 has no index on other columns. */
static const char schema[] =
    "BEGIN;"
    "CREATE TABLE documents("
    "  first_rowid INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  passages INTEGER NOT NULL) STRICT;"
    "CREATE VIRTUAL TABLE passages USING fts5("
    "  title, text, document UNINDEXED, number UNINDEXED,"
    "  tokenize = 'porter unicode61 remove_diacritics 2');"
    "PRAGMA user_version = 1;"
    "COMMIT;";

/* A word in the title weighs twice; -rank, so that more is better. */
static const char *const sql[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_FIND_DOCUMENT] = "SELECT first_rowid, passages FROM documents WHERE id = ?1",
    [STATEMENT_NEXT_ROWID] =
        "SELECT first_rowid + passages, 0 FROM documents ORDER BY first_rowid DESC LIMIT 1",
    [STATEMENT_ADD_DOCUMENT] =
        "INSERT INTO documents(first_rowid, id, passages) VALUES(?1, ?2, ?3)",
    [STATEMENT_ADD_PASSAGE] =
        "INSERT INTO passages(rowid, title, text, document, number) VALUES(?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_DELETE_DOCUMENT] = "DELETE FROM documents WHERE first_rowid = ?1",
    [STATEMENT_DELETE_PASSAGES] = "DELETE FROM passages WHERE rowid BETWEEN ?1 AND ?2",
    [STATEMENT_SEARCH] =
        "SELECT document, number, title, text, -rank, snippet(passages, 1, '[', ']', '…', 24)"
        " FROM passages WHERE passages MATCH ?1 AND rank MATCH 'bm25(2.0, 1.0)'"
        " ORDER BY rank LIMIT ?2",
    [STATEMENT_COUNT_ALL] = "SELECT count(*), coalesce(sum(passages), 0) FROM documents",
    [STATEMENT_PROBE_INDEX] = "SELECT rowid FROM passages WHERE passages MATCH '\"health\"' LIMIT 1",
};

void database_log_error(const struct database *database, const char *what)
{
    log_error("%s: %s", what, sqlite3_errmsg(database->handle));
}

static bool execute(struct database *database, const char *statements)
{
    if (sqlite3_exec(database->handle, statements, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    database_log_error(database, "cannot set up the database");
    return false;
}

static int read_schema_version(struct database *database)
{
    sqlite3_stmt *statement;
    int version = -1;

    if (sqlite3_prepare_v2(database->handle, "PRAGMA user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    else
        database_log_error(database, "cannot read the database");
    sqlite3_finalize(statement);
    return version;
}

static bool set_up_schema(struct database *database, const char *path)
{
    switch (read_schema_version(database)) {
    case -1:
        return false;
    case 0:
        return execute(database, schema);
    case SCHEMA_VERSION:
        return true;
    default:
        log_error("%s was written by another version of local-rag", path);
        return false;
    }
}

static bool prepare_statements(struct database *database)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(database->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &database->statements[i], NULL) != SQLITE_OK) {
            database_log_error(database, "cannot use the database");
            return false;
        }
    }
    return true;
}

bool database_open(struct database *database, const char *path)
{
    memset(database, 0, sizeof *database);
    if (sqlite3_open_v2(path, &database->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        log_error("cannot open %s: %s", path, sqlite3_errmsg(database->handle));
        database_close(database);
        return false;
    }
    sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT_MS);
    /* A client that was told "stored" must find it after a power cut: FULL. */
    if (!execute(database, "PRAGMA trusted_schema = OFF;"
                           "PRAGMA journal_mode = WAL;"
                           "PRAGMA synchronous = FULL;") ||
        !set_up_schema(database, path) || !prepare_statements(database)) {
        database_close(database);
        return false;
    }
    return true;
}

void database_close(struct database *database)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(database->statements[i]);
    sqlite3_close(database->handle);
    memset(database, 0, sizeof *database);
}

sqlite3_stmt *database_statement(struct database *database, enum statement statement)
{
    sqlite3_stmt *prepared = database->statements[statement];

    sqlite3_reset(prepared);
    sqlite3_clear_bindings(prepared);
    return prepared;
}

bool database_run(struct database *database, sqlite3_stmt *statement)
{
    int result;

    do
        result = sqlite3_step(statement);
    while (result == SQLITE_ROW);
    if (result != SQLITE_DONE)
        database_log_error(database, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return result == SQLITE_DONE;
}

bool database_is_writable(struct database *database)
{
    int moved = 0;

    if (sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
            SQLITE_OK ||
        moved) {
        log_error("the database file was moved or deleted");
        return false;
    }
    return database_run(database, database_statement(database, STATEMENT_BEGIN)) &&
           database_run(database, database_statement(database, STATEMENT_ROLLBACK));
}
