/* SPDX-License-Identifier: MIT */
/* reply.h - answers in JSON */
#ifndef REPLY_H
#define REPLY_H

#include <jansson.h>
#include <microhttpd.h>

/* Queue an answer; BODY is used up, and NULL (out of memory) closes the
 * connection. */
enum MHD_Result reply_json(struct MHD_Connection *connection, unsigned status, json_t *body);

/* {"error": "..."} */
enum MHD_Result reply_error(struct MHD_Connection *connection, unsigned status,
                            const char *message);

/* 405, telling which METHODS would do. */
enum MHD_Result reply_not_allowed(struct MHD_Connection *connection, const char *methods);

/* 204 */
enum MHD_Result reply_empty(struct MHD_Connection *connection);

#endif
