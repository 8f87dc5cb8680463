/* What the environment tells the loader (ld.so(8)) and the C library of every program. */

#ifndef DEBKIT_LOADER_H
#define DEBKIT_LOADER_H

#include "request.h"

/* Whether all that is to be preloaded (ld.so(8)) can be had natively too: the libraries of fakeroot and eatmydata can, where they
 * are named alone, so that each loader finds its own. One with a path is foreign: a native loader would warn and go on. */
static inline bool can_preload(const char *list)
{
    while (*list) {
        const char *entry = list;
        bool path = false;
        for (; *list && *list != ' ' && *list != ':'; list++)
            path = path || *list == '/';
        if (list != entry && (path || !(begins(entry, "libfakeroot") || begins(entry, "libeatmydata"))))
            return false;
        if (*list)
            list++;
    }
    return true;
}

/* What changes how the loader or the C library of every program works: a native one would find foreign files, or tell of
 * itself (ldd(1) sets the second of them). */
static const char *const OF_THE_LOADER[] = {
    "LD_AUDIT", "LD_TRACE_LOADED_OBJECTS", "LD_DEBUG", "LD_PROFILE", "LD_SHOW_AUXV", "GCONV_PATH", "LOCPATH", NULL,
};

/* Where LD_LIBRARY_PATH says, a foreign program may find a library that was just built; a twin would not. Besides, the linker of a
 * native machine looks there for what it links, and a cross linker does not. */
static inline bool only_fakeroot(const char *directories)
{
    static const char fakeroot[] = "/libfakeroot"; /* as fakeroot(1) sets it for each library directory that there may be */
    while (*directories) {
        const char *end = directories;
        while (*end && *end != ':' && *end != ';')
            end++;
        size_t size = (size_t)(end - directories), tail = sizeof fakeroot - 1;
        if (size < tail || !begins(end - tail, fakeroot))
            return false;
        if (!*end)
            return true;
        directories = end + 1;
        if (!*directories) /* an empty entry is the current directory */
            return false;
    }
    return true;
}

/* Whether a twin would be loaded with just the libraries that the foreign program is loaded with. */
static inline bool loads_alike(const struct request *request)
{
    return harmless(request, "LD_PRELOAD", can_preload) && harmless(request, "LD_LIBRARY_PATH", only_fakeroot) &&
           !any_is_set(request, OF_THE_LOADER);
}

#endif
