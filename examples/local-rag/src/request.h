/* SPDX-License-Identifier: MIT */
/* request.h - one request from its headers to its answer */
#ifndef REQUEST_H
#define REQUEST_H

#include "routes.h"

#include <microhttpd.h>

/* libmicrohttpd's callbacks; CLS is a struct service. */
enum MHD_Result request_serve(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state);
void request_completed(void *cls, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason);
size_t request_unescape(void *cls, struct MHD_Connection *connection, char *text);

#endif
