/* SPDX-License-Identifier: MIT */
/* routes.h - what the service does, one function a resource */
#ifndef ROUTES_H
#define ROUTES_H

#include "config.h"
#include "store.h"

#include <microhttpd.h>
#include <stddef.h>

struct service {
    const struct config *config;
    struct store *store;
};

struct call {
    struct service *service;
    struct MHD_Connection *connection;
    const char *argument; /* what follows the route's path in the URL */
    const char *body;
    size_t body_size;
};

struct route {
    const char *path; /* one that ends in "/" takes an argument */
    const char *method;
    const char *allow;
    enum MHD_Result (*answer)(const struct call *call);
};

/* The route for the path of a URL, or NULL. */
const struct route *route_find(const char *url, const char **argument);

#endif
