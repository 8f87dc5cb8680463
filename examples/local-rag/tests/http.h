/* SPDX-License-Identifier: MIT */
/* http.h - just enough of an HTTP client to drive the service */
#ifndef HTTP_H
#define HTTP_H

struct response {
    int status;
    const char *headers, *body; /* good until the next request */
};

/* Send a request over a new connection to 127.0.0.1. HEADERS are whole lines
 * that end in "\r\n"; BODY may be NULL. Ends the test when the service does
 * not answer. */
const struct response *http(unsigned port, const char *method, const char *target,
                            const char *headers, const char *body);

#endif
