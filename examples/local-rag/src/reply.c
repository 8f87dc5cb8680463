/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

enum { SCORE_DIGITS = 6 };

static struct MHD_Response *make_response(json_t *body)
{
    struct MHD_Response *response = NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(SCORE_DIGITS)) : NULL;

    json_decref(body);
    if (text)
        response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return response;
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result reply_json(struct MHD_Connection *connection, unsigned status, json_t *body)
{
    return queue(connection, status, make_response(body));
}

enum MHD_Result reply_error(struct MHD_Connection *connection, unsigned status,
                            const char *message)
{
    return reply_json(connection, status, json_pack("{s:s}", "error", message));
}

enum MHD_Result reply_not_allowed(struct MHD_Connection *connection, const char *methods)
{
    struct MHD_Response *response =
        make_response(json_pack("{s:s}", "error", "this resource has other methods, see Allow"));

    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, methods);
    return queue(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response);
}

enum MHD_Result reply_empty(struct MHD_Connection *connection)
{
    return queue(connection, MHD_HTTP_NO_CONTENT,
                 MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}
