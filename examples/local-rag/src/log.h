/* SPDX-License-Identifier: MIT */
/* log.h - messages for the journal or a terminal, on standard error */
#ifndef LOG_H
#define LOG_H

#include <stdarg.h>

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The shape libmicrohttpd wants of a logger; CLS is not used. */
void log_mhd(void *cls, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
