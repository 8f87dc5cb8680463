/* Rules for compilers: gcc's drivers, what they start, and Go's. */

#ifndef DEBKIT_COMPILERS_H
#define DEBKIT_COMPILERS_H

#include "request.h"

/* goarch: Go's compiler, assembler and linker. They are for any machine, that which GOARCH names; go(1) sets it for them. */
static inline bool goarch(const struct request *request, struct verdict *verdict)
{
    static const char *const names[] = {"GOARCH", NULL};
    (void)verdict;
    return any_is_set(request, names) && harmless(request, names[0], is_given);
}

/* Whether a driver links: it does but with one of these. */
static inline bool does_link(const struct request *request)
{
    static const char *const others[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
    for (const char **arg = request->args + 1; *arg; arg++)
        for (const char *const *other = others; *other; other++)
            if (equal(*arg, *other))
                return false;
    return true;
}

/* Whether a cross driver links otherwise: it does not look where LIBRARY_PATH and LPATH say. */
static inline bool links_otherwise(const struct request *request, const struct verdict *verdict)
{
    const char *name = base_name(verdict->twin.chars);
    if (!does_link(request) || contains(name, "cpp"))
        return false;
    return !contains(name, "gcc") || !harmless(request, "LIBRARY_PATH", is_empty) || !harmless(request, "LPATH", is_empty);
}

/* A native driver hands an option on to the compiler proper for libm and for Fortran's library, which g++ and gfortran link by
 * themselves: that code which is offloaded to other machines is to have it too. No cross compiler is built to offload, and its driver
 * does not. Debugging information tells of the option. */
static inline bool may_be_offloaded(const char **arg)
{
    static const char *const libraries[] = {"m", "gfortran"};
    const char *library = begins(*arg, "-l") ? *arg + 2 : begins(*arg, "--library=") ? *arg + sizeof "--library=" - 1 : NULL;
    if (equal(*arg, "-l") || equal(*arg, "--library"))
        library = arg[1];
    for (size_t at = 0; library && at < sizeof libraries / sizeof *libraries; at++)
        if (equal(library, libraries[at]))
            return true;
    return false;
}

/* Whether code is offloaded to other machines. What an emulated driver says of that for its libraries is nothing to a compiler. */
static inline bool offloads(const char *arg)
{
    if (begins(arg, "-foffload-options=-l_GCC_"))
        return false;
    return equal(arg, "-fopenmp") || begins(arg, "-fopenacc") || begins(arg, "-foffload") || begins(arg, "-ftree-parallelize-loops");
}

/* Whether the linker is to tell what it read: a cross driver names the start files by another of their paths. */
static inline bool tells_of_files(const char *arg)
{
    static const char *const options[] = {"-map", "-Map", ",-M", "-cref", "-depend", "-print-gc", "-trace", "-verb", ",-t", ",-y", NULL};
    if (equal(arg, "-Xlinker") || equal(arg, "-t"))
        return true;
    for (const char *const *option = options; *option; option++)
        if (begins(arg, "-Wl,") && contains(arg, *option))
            return true;
    return false;
}

/* Whether headers and libraries are to be found below another root: a cross compiler has other directories there. */
static inline bool has_other_root(const char **arg)
{
    static const char driver[] = "--sysroot=", proper[] = "-isysroot"; /* the driver takes both */
    const char *root;
    if (begins(*arg, driver))
        root = *arg + sizeof driver - 1;
    else if (begins(*arg, proper))
        root = equal(*arg, proper) ? arg[1] : *arg + sizeof proper - 1;
    else
        return false;
    return !root || !equal(root, "/");
}

/* compiler: the drivers gcc, g++, cpp … Emulated where they tell of themselves, look at the processor, or load foreign code. */
static inline bool compiler(const struct request *request, struct verdict *verdict)
{
    static const char *const emulated[] = {
        "@", /* what is in the file counts as much as what is here */
        "-###", "-V", "-v", "-Q", "-qversion", "-print", "-dump", "-wrapper", "-fplugin", "-iplugindir", "--", NULL,
    };
    static const char *const native[] = {"-dumpbase", "-dumpdir", "--param", "--sysroot=", NULL};
    if (links_otherwise(request, verdict))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (offloads(*arg) || tells_of_files(*arg) || (begins_with_one_of(*arg, emulated) && !begins_with_one_of(*arg, native)))
            return false;
        if (has_other_root(arg) || may_be_offloaded(arg))
            return false;
        if (begins(*arg, "-m") && contains(*arg, "=native")) /* -march, -mcpu, -mtune, and with features: =native+crc */
            return false;
    }
    return true;
}

/* The linker is /usr/bin/ld where no directory before it can have another. */
static inline bool finds_usual_linker(const char *directories)
{
    for (; *directories; directories++) {
        if (begins(directories, "/usr/bin:") || equal(directories, "/usr/bin"))
            return true;
        if (!begins(directories, "/usr/"))
            return false;
        while (directories[1] && *directories != ':')
            directories++;
    }
    return false;
}

static inline bool of_gcc(const char *directories)
{
    for (; *directories; directories++) {
        if (!begins(directories, "/usr/lib/gcc/") && !begins(directories, "/usr/libexec/gcc/"))
            return false;
        while (directories[1] && *directories != ':')
            directories++;
    }
    return true;
}

/* proper: what the drivers start, cc1, collect2 and their like. They too tell of themselves when they are asked, and load plugins;
 * and a cross collect2 knows other linkers by other names. */
static inline bool proper(const struct request *request, struct verdict *verdict)
{
    static const char *const emulated[] = {"--help", "-fplugin", "-fuse-ld=", "-version", "-Q", NULL};
    const char *name = base_name(verdict->twin.chars);
    bool links = equal(name, "collect2"), starts_others = links || equal(name, "lto-wrapper"); /* which are looked up again */
    if (links && !(harmless(request, "PATH", finds_usual_linker) && harmless(request, "COMPILER_PATH", of_gcc)))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (asks_for_version(*arg) || begins_with_one_of(*arg, emulated) || (**arg == '@' && !starts_others))
            return false;
        if (has_other_root(arg) || (offloads(*arg) && !starts_others))
            return false;
    }
    return true;
}

#endif
