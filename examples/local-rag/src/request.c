/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "reply.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct request {
    const struct route *route; /* NULL: there is none */
    const char *argument;      /* in the URL, which libmicrohttpd keeps */
    unsigned refusal;          /* the status to refuse it with, or 0 */
    char *body;
    size_t size, capacity;
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return type && strncasecmp(type, json, strlen(json)) == 0 &&
           (type[strlen(json)] == '\0' || strchr("; \t", type[strlen(json)]));
}

static bool method_matches(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Whether the body can be waited for: only one whose size is told is. */
static unsigned judge_body(struct MHD_Connection *connection, const char *method, size_t most,
                           size_t *size)
{
    const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

    *size = 0;
    if (header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
        (!length && strcmp(method, "POST") == 0))
        return MHD_HTTP_LENGTH_REQUIRED;
    unsigned long long bytes = length ? strtoull(length, NULL, 10) : 0;
    if (bytes > most)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    *size = (size_t)bytes;
    return 0;
}

static unsigned judge(const struct request *request, struct MHD_Connection *connection,
                      const char *method)
{
    if (!request->route)
        return MHD_HTTP_NOT_FOUND;
    if (!method_matches(request->route, method))
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (strcmp(method, "POST") == 0 &&
        !is_json(header(connection, MHD_HTTP_HEADER_CONTENT_TYPE)))
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    return 0;
}

static enum MHD_Result refuse(const struct request *request, struct MHD_Connection *connection)
{
    switch (request->refusal) {
    case MHD_HTTP_NOT_FOUND:
        return reply_error(connection, request->refusal, "no such resource");
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return reply_not_allowed(connection, request->route->allow);
    default:
        return reply_error(connection, request->refusal, "the body must be application/json");
    }
}

static enum MHD_Result begin(const struct service *service, struct MHD_Connection *connection,
                             const char *url, const char *method, void **state)
{
    size_t size;
    unsigned refusal =
        judge_body(connection, method, (size_t)service->config->max_body, &size);

    /* Answered before the body was read, which ends the connection. */
    if (refusal == MHD_HTTP_LENGTH_REQUIRED)
        return reply_error(connection, refusal, "the body needs a Content-Length");
    if (refusal)
        return reply_error(connection, refusal, "the body is larger than max_body");

    struct request *request = calloc(1, sizeof *request);
    *state = request;
    if (!request)
        return MHD_NO;
    request->route = route_find(url, &request->argument);
    request->refusal = judge(request, connection, method);
    if (size && !request->refusal) {
        request->capacity = size;
        request->body = malloc(size);
        if (!request->body)
            return MHD_NO;
    }
    return MHD_YES;
}

static enum MHD_Result receive(struct request *request, const char *upload, size_t *upload_size)
{
    if (!request->refusal) {
        if (*upload_size > request->capacity - request->size)
            return MHD_NO;
        memcpy(request->body + request->size, upload, *upload_size);
        request->size += *upload_size;
    }
    *upload_size = 0;
    return MHD_YES;
}

enum MHD_Result request_serve(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    struct service *service = cls;
    struct request *request = *state;

    (void)version;
    if (!request)
        return begin(service, connection, url, method, state);
    if (*upload_size)
        return receive(request, upload, upload_size);
    if (request->refusal)
        return refuse(request, connection);
    struct call call = {
        .service = service,
        .connection = connection,
        .argument = request->argument,
        .body = request->body ? request->body : "",
        .body_size = request->size,
    };
    return request->route->answer(&call);
}

void request_completed(void *cls, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason)
{
    struct request *request = *state;

    (void)cls;
    (void)connection;
    (void)reason;
    if (request)
        free(request->body);
    free(request);
    *state = NULL;
}

/* A %00 would end the string early and hide the rest from every check: it
 * becomes 0xFF, which is in no UTF-8 text and in no id. */
size_t request_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    size_t length = MHD_http_unescape(text);

    (void)cls;
    (void)connection;
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0')
            text[i] = (char)0xFF;
    return length;
}
