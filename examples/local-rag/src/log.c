/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

/* systemd reads a message's level from its first bytes (sd-daemon(3)); a
 * terminal would only show them. */
static void write_line(const char *level, const char *format, va_list arguments)
{
    char line[1024];

    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = '\0';
    fprintf(stderr, "%s%s\n", getenv("JOURNAL_STREAM") ? level : "local-rag: ", line);
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(SD_ERR, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(SD_INFO, format, arguments);
    va_end(arguments);
}

void log_mhd(void *cls, const char *format, va_list arguments)
{
    (void)cls;
    write_line(SD_WARNING, format, arguments);
}
