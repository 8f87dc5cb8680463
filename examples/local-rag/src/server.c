/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "log.h"
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <time.h>

enum { IDLE_TIMEOUT_S = 30 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The configuration holds an address that inet_pton() takes. */
static union address make_address(const struct config *config)
{
    union address address;
    in_port_t port = htons((uint16_t)config->port);

    memset(&address, 0, sizeof address);
    if (inet_pton(AF_INET, config->listen, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = port;
    } else {
        inet_pton(AF_INET6, config->listen, &address.v6.sin6_addr);
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = port;
    }
    return address;
}

/* MHD_USE_EPOLL without a thread of its own: the loop below drives it, and the
 * SQLite connection is never seen by two threads. */
struct MHD_Daemon *server_start(struct service *service)
{
    const struct config *config = service->config;
    union address address = make_address(config);
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;

    if (address.any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, request_serve, service, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_SOCK_ADDR, &address.any, MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, NULL, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->max_connections,
        MHD_OPTION_END);
    if (!daemon)
        log_error("cannot listen on %s port %ld: %s", config->listen, config->port,
                  errno ? strerror(errno) : "libmicrohttpd refused");
    return daemon;
}

unsigned server_port(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

bool server_run(struct MHD_Daemon *daemon, const volatile sig_atomic_t *stopping,
                const sigset_t *wait_mask)
{
    struct pollfd events = {
        .fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
        .events = POLLIN,
    };

    while (!*stopping) {
        MHD_UNSIGNED_LONG_LONG ms;
        struct timespec timeout, *limit = NULL;

        if (MHD_get_timeout(daemon, &ms) == MHD_YES) {
            timeout.tv_sec = (time_t)(ms / 1000);
            timeout.tv_nsec = (long)(ms % 1000) * 1000000L;
            limit = &timeout;
        }
        if (ppoll(&events, 1, limit, wait_mask) == -1 && errno != EINTR) {
            log_error("cannot wait for requests: %s", strerror(errno));
            return false;
        }
        if (MHD_run(daemon) != MHD_YES) {
            log_error("cannot serve requests");
            return false;
        }
    }
    return true;
}
