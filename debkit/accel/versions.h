/* Rules for tools that tell what they were built for: make, rsync. */

#ifndef DEBKIT_VERSIONS_H
#define DEBKIT_VERSIONS_H

#include "request.h"

/* Whether a word is letters, and one of them is among these. */
static inline bool has_one_of(const char *word, const char *letters)
{
    bool found = false;
    for (; is_letter(*word); word++)
        found = found || has_letter(letters, *word);
    return found && (!*word || *word == ' ');
}

/* make(1) takes its letters together, -nps; it tells what it was built for with -v, below what -h prints, and before what -d and -p
 * do. What -E evaluates may load a library (`load`). */
static const char OF_MAKE[] = "vhdpE";

/* In MAKEFLAGS a make hands its options on, the letters first and without a dash; who sets it by hand may write one. */
static inline bool asks_no_make(const char *flags)
{
    if (contains(flags, "--debug") || contains(flags, "--print-data-base") || contains(flags, "--eval"))
        return false;
    for (bool first = true; *flags; first = false) {
        const char *letters = *flags == '-' ? flags + 1 : flags;
        if ((first || letters > flags) && has_one_of(letters, OF_MAKE))
            return false;
        while (*flags && *flags != ' ')
            flags++;
        while (*flags == ' ')
            flags++;
    }
    return true;
}

/* not-version: make, rsync. They tell what they were built for when they are asked, and not else. */
static inline bool not_version(const struct request *request, struct verdict *verdict)
{
    static const char *const words[] = {"--debug", "--dump-config", "--target-help", NULL};
    bool make = ends(verdict->twin.chars, "/make");
    if (!harmless(request, "MAKEFLAGS", asks_no_make) || !harmless(request, "GNUMAKEFLAGS", asks_no_make))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (asks_for_version(*arg) || begins_with_one_of(*arg, words) || abbreviates(*arg, "--print-data-base"))
            return false;
        if (make && ((**arg == '-' && has_one_of(*arg + 1, OF_MAKE)) || begins(*arg, "--ev")))
            return false;
    }
    return true;
}

#endif
