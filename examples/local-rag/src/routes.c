/* SPDX-License-Identifier: MIT */
#include "routes.h"

#include "query.h"
#include "reply.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 128, MAX_QUERY = 2048, DEFAULT_LIMIT = 10 };

static enum MHD_Result reply_failed(const struct call *call)
{
    return reply_error(call->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                       "the database failed: the log of the service has the reason");
}

/* Only characters that mean nothing in a URL, and neither "." nor "..". */
static bool is_id(const char *id)
{
    if (!isalnum((unsigned char)*id) || strlen(id) > MAX_ID)
        return false;
    while (isalnum((unsigned char)*id) || (*id && strchr("._~-", *id)))
        id++;
    return *id == '\0';
}

static enum MHD_Result store_document(const struct call *call, const struct document *document)
{
    int passages;

    if (!is_id(document->id))
        return reply_error(call->connection, MHD_HTTP_BAD_REQUEST,
                           "id: needs 1 to 128 of A-Z a-z 0-9 . _ ~ -, a letter or digit first");
    enum store_result result = store_put(call->service->store, document, &passages);
    if (result == STORE_FAILED)
        return reply_failed(call);
    if (result == STORE_NOTHING)
        return reply_error(call->connection, MHD_HTTP_BAD_REQUEST, "text: is empty");
    return reply_json(call->connection,
                      result == STORE_REPLACED ? MHD_HTTP_OK : MHD_HTTP_CREATED,
                      json_pack("{s:s, s:i}", "id", document->id, "passages", passages));
}

static enum MHD_Result answer_post(const struct call *call)
{
    struct document document = { .title = "" };
    json_error_t error;

    json_t *body = json_loadb(call->body, call->body_size, JSON_REJECT_DUPLICATES, &error);
    if (!body || json_unpack_ex(body, &error, JSON_STRICT, "{s:s, s?s, s:s}", "id", &document.id,
                                "title", &document.title, "text", &document.text) != 0) {
        json_decref(body);
        return reply_error(call->connection, MHD_HTTP_BAD_REQUEST, error.text);
    }
    enum MHD_Result result = store_document(call, &document);
    json_decref(body);
    return result;
}

static enum MHD_Result answer_delete(const struct call *call)
{
    enum store_result result =
        is_id(call->argument) ? store_delete(call->service->store, call->argument) : STORE_NOTHING;

    if (result == STORE_FAILED)
        return reply_failed(call);
    if (result == STORE_NOTHING)
        return reply_error(call->connection, MHD_HTTP_NOT_FOUND, "no such document");
    return reply_empty(call->connection);
}

static bool add_hit(void *cls, const struct hit *hit)
{
    json_t *hits = cls;

    return json_array_append_new(
               hits, json_pack("{s:s, s:I, s:s, s:f, s:s, s:s}", "document", hit->document,
                               "passage", (json_int_t)hit->number, "title", hit->title, "score",
                               hit->score, "snippet", hit->snippet, "text", hit->text)) == 0;
}

static enum MHD_Result search(const struct call *call, const char *match, long limit)
{
    json_t *hits = json_array();

    if (store_search(call->service->store, match, limit, add_hit, hits) != STORE_OK) {
        json_decref(hits);
        return reply_failed(call);
    }
    return reply_json(call->connection, MHD_HTTP_OK, json_pack("{s:o}", "passages", hits));
}

/* The limit that was asked for, or -1. */
static long parse_limit(const char *text, long most)
{
    char *end;

    if (!text)
        return DEFAULT_LIMIT < most ? DEFAULT_LIMIT : most;
    errno = 0;
    long limit = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || limit < 1 || limit > most)
        return -1;
    return limit;
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);

    json_decref(string);
    return string != NULL;
}

static enum MHD_Result answer_passages(const struct call *call)
{
    struct MHD_Connection *connection = call->connection;
    const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q");
    long limit =
        parse_limit(MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "limit"),
                    call->service->config->max_results);
    char *match;

    if (!query || strlen(query) > MAX_QUERY || !is_utf8(query))
        return reply_error(connection, MHD_HTTP_BAD_REQUEST, "q: needs up to 2048 bytes of UTF-8");
    if (limit < 0)
        return reply_error(connection, MHD_HTTP_BAD_REQUEST,
                           "limit: is not a number from 1 to the service's max_results");
    switch (query_to_match(query, &match)) {
    case QUERY_NO_WORDS:
        return reply_error(connection, MHD_HTTP_BAD_REQUEST, "q: has no words");
    case QUERY_TOO_MANY_WORDS:
        return reply_error(connection, MHD_HTTP_BAD_REQUEST, "q: has more than 64 words");
    case QUERY_NO_MEMORY:
        return MHD_NO;
    case QUERY_OK:
        break;
    }
    enum MHD_Result result = search(call, match, limit);
    free(match);
    return result;
}

static enum MHD_Result answer_health(const struct call *call)
{
    struct store_counts counts;

    if (store_check(call->service->store, &counts) != STORE_OK)
        return reply_json(call->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                          json_pack("{s:s, s:s}", "status", "failed", "version", VERSION));
    return reply_json(call->connection, MHD_HTTP_OK,
                      json_pack("{s:s, s:s, s:I, s:I}", "status", "ok", "version", VERSION,
                                "documents", (json_int_t)counts.documents, "passages",
                                (json_int_t)counts.passages));
}

static const struct route routes[] = {
    { "/documents", "POST", "POST", answer_post },
    { "/documents/", "DELETE", "DELETE", answer_delete },
    { "/passages", "GET", "GET, HEAD", answer_passages },
    { "/health", "GET", "GET, HEAD", answer_health },
};

const struct route *route_find(const char *url, const char **argument)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t length = strlen(routes[i].path);

        if (strncmp(url, routes[i].path, length) == 0 &&
            (url[length] == '\0' || routes[i].path[length - 1] == '/')) {
            *argument = url + length;
            return &routes[i];
        }
    }
    return NULL;
}
