/* A rule for the linker and its kin. */

#ifndef DEBKIT_LINKERS_H
#define DEBKIT_LINKERS_H

#include "request.h"

#define LTO_PLUGIN "/.native/liblto_plugin.so"

/* Has the native linker load gcc's own plugin as a native library. `path` is the end of `arg`. False: it is another plugin,
 * which is foreign code, or one of two. */
static inline bool replace_plugin(struct verdict *verdict, const char **arg, const char *path)
{
    if (verdict->replaced || !path || !ends(path, "/liblto_plugin.so"))
        return false;
    verdict->replaced = arg;
    verdict->replacement = path == *arg ? LTO_PLUGIN : "--plugin=" LTO_PLUGIN;
    return true;
}

/* Whether LD_RUN_PATH names no directories but those that are searched anyway: a native linker looks there for libraries that others
 * need, and a cross linker does not. */
static inline bool only_usual_directories(const char *directories)
{
    while (*directories) {
        if (begins(directories, "/usr/"))
            directories += sizeof "/usr" - 1;
        if (!begins(directories, "/lib"))
            return false;
        directories += sizeof "/lib" - 1;
        const char *triplet = *directories == '/' ? directories + 1 : directories;
        for (directories = triplet; *directories && *directories != ':' && *directories != '/'; directories++)
            ;
        bool named = directories != triplet;
        if (*directories == '/' || (named && (triplet[-1] != '/' || directories < triplet + 4 || !begins(directories - 4, "-gnu"))))
            return false;
        if (*directories)
            directories++;
    }
    return true;
}

/* linker: ld, ar, nm, ranlib and the like. Cross ones tell the same of themselves as native ones do, but for gold, which is for the
 * machines that it was configured for; their options are words, which ld also takes after a single dash, and they load plugins. */
static inline bool linker(const struct request *request, struct verdict *verdict)
{
    if (!harmless(request, "LD_RUN_PATH", only_usual_directories))
        return false;
    bool gold = ends(verdict->twin.chars, "gold");
    for (const char **arg = request->args + 1; *arg; arg++) {
        if ((gold && asks_for_version(*arg)) || **arg == '@') /* a file of arguments may name a plugin */
            return false;
        const char *option = begins(*arg, "--") ? *arg + 1 : *arg;
        /* --verbose prints the directories that it searches; a cross linker names others. */
        if ((gold && equal(option, "-help")) || begins(option, "-verb") || begins(option, "-print-sys"))
            return false;
        if (begins(option, "-sysr") && !equal(option, "-sysroot=/")) /* it has other directories there */
            return false;
        if (equal(option, "-plugin")) {
            arg++;
            if (!*arg || !replace_plugin(verdict, arg, *arg))
                return false;
        } else if (begins(option, "-plugin=")) {
            if (!replace_plugin(verdict, arg, option + length("-plugin=")))
                return false;
        } else if (begins(option, "-pl") && !begins(option, "-plugin-opt")) { /* an abbreviation */
            return false;
        }
    }
    return true;
}

#endif
