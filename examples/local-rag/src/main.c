/* SPDX-License-Identifier: MIT */
/* local-rag - keep documents, give back the passages that answer a question */
#include "config.h"
#include "log.h"
#include "server.h"
#include "store.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

/* The unit has RestartPreventExitStatus= for the second. */
enum { EXIT_BAD_USE = 2 };

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

/* Block the signals that end the service; server_run() takes them. */
static void catch_signals(sigset_t *wait_mask)
{
    struct sigaction action = { .sa_handler = stop };
    sigset_t ending;

    sigemptyset(&action.sa_mask);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, wait_mask);
    sigdelset(wait_mask, SIGTERM);
    sigdelset(wait_mask, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool serve(struct service *service)
{
    const struct config *config = service->config;
    bool ipv6 = strchr(config->listen, ':') != NULL;
    sigset_t wait_mask;

    catch_signals(&wait_mask);
    struct MHD_Daemon *daemon = server_start(service);
    if (!daemon)
        return false;
    sd_notifyf(0, "READY=1\nSTATUS=Serving http://%s%s%s:%u", ipv6 ? "[" : "", config->listen,
               ipv6 ? "]" : "", server_port(daemon));
    log_info("version %s serves %s on %s port %u", VERSION, config->database, config->listen,
             server_port(daemon));
    bool good = server_run(daemon, &stopping, &wait_mask);
    sd_notify(0, "STOPPING=1");
    MHD_stop_daemon(daemon);
    return good;
}

static int run(const struct config *config)
{
    struct store store = { .passage_size = (size_t)config->passage_size };
    struct service service = { .config = config, .store = &store };

    if (!database_open(&store.database, config->database))
        return EXIT_FAILURE;
    bool good = serve(&service);
    database_close(&store.database);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const char usage[] =
    "usage: local-rag [-c FILE] [-t]\n"
    "\n"
    "  -c, --config FILE  read FILE, not " DEFAULT_CONFIG "\n"
    "  -t, --test-config  only say what is wrong in the configuration\n"
    "  -h, --help         show this\n"
    "  -V, --version      show the version\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "test-config", no_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *path = DEFAULT_CONFIG;
    bool only_test = false;
    struct config config;

    for (int option; (option = getopt_long(argc, argv, "c:thV", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 't':
            only_test = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts("local-rag " VERSION);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_BAD_USE;
        }
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return EXIT_BAD_USE;
    }
    if (!config_load(path, &config, stderr))
        return EXIT_BAD_USE;
    return only_test ? EXIT_SUCCESS : run(&config);
}
