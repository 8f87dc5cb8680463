/* Rules for the awks. Both are the same everywhere but for what C leaves to the machine: a char, which has a sign on amd64 and none
 * on arm64, and a number too large for the type that it becomes. Their programs are looked through for that. */

#ifndef DEBKIT_AWKS_H
#define DEBKIT_AWKS_H

#include "request.h"

/* The file in which an argument says that the program is; NULL: none. `next` is the argument behind it. */
static inline const char *program_file(const char *arg, const char *next)
{
    if (*arg != '-' || !arg[1] || !has_letter("fiE", arg[1]))
        return NULL;
    return arg[2] ? arg + 2 : next ? next : "";
}

/* Whether an option may name a program's file in another way: abbreviated, or with other letters before it. */
static inline bool may_name_file(const char *arg)
{
    static const char *const long_options[] = {"--f", "--i", "--e", NULL};
    if (*arg != '-' || has_letter("Fv", arg[1]))
        return false;
    if (arg[1] == '-')
        return begins_with_one_of(arg, long_options);
    return contains(arg, "f") || contains(arg, "i") || contains(arg, "E") || contains(arg, "W");
}

/* Whether no program that an awk is to run is one that `asks`. What is data is looked through as well. */
static inline bool no_program_asks(const struct request *request, bool (*asks)(const char *program))
{
    for (const char **arg = request->args + 1; *arg; arg++) {
        const char *file = program_file(*arg, arg[1]), *program = file ? request->read(file) : *arg;
        if (!program || asks(program) || (!file && may_name_file(*arg)))
            return false;
    }
    return true;
}

/* In what order a loop finds an array's keys is the order of their hashes; those of gawk reckon with chars. */
static inline bool loops_or_loads(const char *program)
{
    static const char *const loop[] = {"for", NULL}, *const keys[] = {"in", NULL};
    return (find_word(program, loop) && find_word(program, keys)) || contains(program, "@load") || contains(program, "@include");
}

/* gawk: may also load a library (-l). */
static inline bool gawk(const struct request *request, struct verdict *verdict)
{
    (void)verdict;
    if (!harmless(request, "AWKLIBPATH", is_empty) || !harmless(request, "AWKPATH", is_empty))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++)
        if (begins(*arg, "-l") || begins(*arg, "--lo"))
            return false;
    return no_program_asks(request, loops_or_loads);
}

/* mawk has printf and srand make unsigned numbers of what may have a sign, or be too large. */
static inline bool makes_unsigned(const char *program)
{
    if (contains(program, "srand"))
        return true;
    for (; *program; program++) {
        if (*program != '%')
            continue;
        while (*++program && has_letter("-+ #0'*.123456789hl", *program))
            ;
        if (!*program)
            return false;
        if (has_letter("uxXo", *program))
            return true;
    }
    return false;
}

static inline bool mawk(const struct request *request, struct verdict *verdict)
{
    (void)verdict;
    return no_program_asks(request, makes_unsigned);
}

#endif
