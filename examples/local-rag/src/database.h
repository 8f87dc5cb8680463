/* SPDX-License-Identifier: MIT */
/* database.h - the SQLite file: its schema, its statements, its health */
#ifndef DATABASE_H
#define DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_FIND_DOCUMENT,
    STATEMENT_NEXT_ROWID,
    STATEMENT_ADD_DOCUMENT,
    STATEMENT_ADD_PASSAGE,
    STATEMENT_DELETE_DOCUMENT,
    STATEMENT_DELETE_PASSAGES,
    STATEMENT_SEARCH,
    STATEMENT_COUNT_ALL,
    STATEMENT_PROBE_INDEX,
    STATEMENTS
};

/* One connection, opened without SQLite's mutexes: for one thread only. */
struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENTS];
};

/* False after a failure, which has been logged. */
bool database_open(struct database *database, const char *path);
void database_close(struct database *database);

/* The statement, ready for its parameters. */
sqlite3_stmt *database_statement(struct database *database, enum statement statement);

/* Run a statement to its end and make it release what it holds; false, with
 * the reason logged, when that fails. */
bool database_run(struct database *database, sqlite3_stmt *statement);

void database_log_error(const struct database *database, const char *what);

/* True when the file is still where it was opened, and nobody keeps us from
 * writing to it. */
bool database_is_writable(struct database *database);

#endif
