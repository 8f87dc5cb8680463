/* SPDX-License-Identifier: MIT */
/* server.h - the HTTP server and its loop, all in the calling thread */
#ifndef SERVER_H
#define SERVER_H

#include "routes.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdbool.h>

/* NULL after a failure, which has been logged. */
struct MHD_Daemon *server_start(struct service *service);

/* The port that is listened on, also where the configuration left the choice
 * to the kernel. */
unsigned server_port(struct MHD_Daemon *daemon);

/* Serve until *STOPPING is set by a handler of a signal. The caller has
 * blocked those signals; they arrive under WAIT_MASK, while the loop waits,
 * so that none is lost and none interrupts an answer. */
bool server_run(struct MHD_Daemon *daemon, const volatile sig_atomic_t *stopping,
                const sigset_t *wait_mask);

#endif
