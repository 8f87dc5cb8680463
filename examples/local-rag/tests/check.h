/* SPDX-License-Identifier: MIT */
/* check.h - say which expectations do not hold, and go on */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

static int check_failures;

#define CHECK(holds) \
    ((holds) ? (void)0 : (check_failures++, (void)fprintf(stderr, "%s:%d: not so: %s\n", \
                                                          __FILE__, __LINE__, #holds)))

#define CHECK_TEXT(is, wanted) \
    (strcmp((is), (wanted)) == 0 \
         ? (void)0 \
         : (check_failures++, (void)fprintf(stderr, "%s:%d: got:    %s\n  wanted: %s\n", __FILE__, \
                                            __LINE__, (is), (wanted))))

/* What main() returns. */
static inline int check_result(const char *name)
{
    printf("%s: %s\n", check_failures ? "FAIL" : "ok", name);
    return check_failures != 0;
}

#endif
