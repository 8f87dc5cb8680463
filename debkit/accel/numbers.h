/* A rule for tools that reckon with long doubles: 80 bits on amd64, 128 on arm64. */

#ifndef DEBKIT_NUMBERS_H
#define DEBKIT_NUMBERS_H

#include "request.h"

/* Whether what stands behind the % of a printf(3) format converts a floating-point number. */
static inline bool converts_float(const char *conversion)
{
    while (*conversion && has_letter("-+ #0'I*.$123456789hjlLtz", *conversion))
        conversion++;
    return *conversion && has_letter("aAeEfFgG", *conversion);
}

static inline bool formats_float(const char *format)
{
    for (; *format; format++) {
        if (*format != '%')
            continue;
        if (converts_float(++format))
            return true;
        if (!*format)
            return false;
    }
    return false;
}

/* Whether seq(1) reckons with long doubles for this word: a number that is no small integer, or a format. */
static inline bool is_float(const char *word)
{
    enum { DIGITS = 15 };
    while (has_letter(" \t\n\v\f\r", *word))
        word++;
    const char *digits = word + (*word == '-' || *word == '+');
    size_t size = 0;
    while (digits[size] >= '0' && digits[size] <= '9')
        size++;
    if (!size)
        return begins(word, "-f") || begins(word, "--f") || (*digits && has_letter(".iInN", *digits)); /* inf, nan */
    return digits[size] || size > DIGITS;
}

/* no-floats: printf, seq, sort, od. They reckon with long doubles, whose size depends on the machine, where they are asked to. */
static inline bool no_floats(const struct request *request, struct verdict *verdict)
{
    const char *name = base_name(verdict->twin.chars);
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (equal(name, "printf") && formats_float(*arg))
            return false;
        if (equal(name, "seq") && is_float(*arg))
            return false;
        if (equal(name, "sort") && contains(*arg, "g") && has_letter("-+0123456789", **arg)) /* -g, -k 1,2g, +0g */
            return false;
        if (equal(name, "sort") && abbreviates(*arg, "--sort") && arg[1] && *arg[1] == 'g') /* --sort general-numeric */
            return false;
        if (equal(name, "od") && (contains(*arg, "L") || contains(*arg, "16"))) /* -t fL, -t f16 */
            return false;
    }
    return true;
}

#endif
