/* Whether the native twin of a foreign program may run in its place: by the rule that the map names for it.
 *
 * Nothing here, nor in the headers with the rules, asks the system, so that tests can try it with any input. The question is always
 * the same: would the foreign program, emulated, print and write the same bytes? Every doubt says no, which costs time and nothing
 * else. */

#ifndef DEBKIT_DECIDE_H
#define DEBKIT_DECIDE_H

#include "awks.h"
#include "compilers.h"
#include "interpreters.h"
#include "linkers.h"
#include "loader.h"
#include "numbers.h"
#include "request.h"
#include "shell.h"
#include "versions.h"

/* always: a tool that knows nothing of its machine. */
static inline bool always(const struct request *request, struct verdict *verdict)
{
    (void)request, (void)verdict;
    return true;
}

struct rule {
    const char *name;
    /* Whether the twin, whose path is in the verdict, may run. The first argument, its name, is always there. */
    bool (*allows)(const struct request *, struct verdict *);
};

static const struct rule RULES[] = {
    {"always", always}, {"bash", bash}, {"compiler", compiler}, {"gawk", gawk}, {"goarch", goarch},
    {"linker", linker}, {"mawk", mawk}, {"no-floats", no_floats}, {"not-version", not_version}, {"proper", proper}, {"script", script},
};

/* Whether a program is to read what the kernel tells of the machine or of the program itself. There qemu answers for the kernel. */
static inline bool asks_kernel(const struct request *request)
{
    static const char *const words[] = {"/proc/cpuinfo", "/proc/self/", NULL};
    for (const char **arg = request->args + 1; *arg; arg++)
        if (begins_with_one_of(*arg, words) && !begins(*arg, "/proc/self/fd/"))
            return true;
    return false;
}

/* Splits the entry of the map. False: it is no such entry. */
static inline bool read_entry(const char *map, struct text *rule, struct text *twin)
{
    char letter[2] = {0, 0};
    start_text(rule, "");
    start_text(twin, "");
    for (; *map && *map != '\n'; map++) {
        letter[0] = *map;
        append(rule, letter);
    }
    if (!*map)
        return false;
    for (map++; *map && *map != '\n'; map++) {
        letter[0] = *map;
        append(twin, letter);
    }
    return equal(map, "\n") && rule->complete && twin->complete && twin->chars[0] == '/';
}

/* Decides. True: run the verdict's twin. */
static inline bool runs_natively(const struct request *request, struct verdict *verdict)
{
    struct text name;
    verdict->replaced = NULL;
    if (!*request->args || !read_entry(request->map, &name, &verdict->twin))
        return false;
    if (!loads_alike(request) || asks_kernel(request))
        return false;
    for (size_t at = 0; at < sizeof RULES / sizeof *RULES; at++)
        if (equal(name.chars, RULES[at].name))
            return RULES[at].allows(request, verdict);
    return false;
}

#endif
