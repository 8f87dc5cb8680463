/* Rules for interpreters: perl and python with installed scripts, and gawk. */

#ifndef DEBKIT_INTERPRETERS_H
#define DEBKIT_INTERPRETERS_H

#include "request.h"

/* An interpreter of scripts: the flags that change nothing of where it looks for modules, and the variables that do. */
struct interpreter {
    const char *name; /* what its file's name begins with */
    const char *flags;
    const char *const *variables;
};

static const char *const OF_PERL[] = {"PERL5LIB", "PERL5OPT", "PERLLIB", "PERL5DB", NULL};
static const char *const OF_PYTHON[] = {
    "PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONUSERBASE", "PYTHONEXECUTABLE",
    "_PYTHON_HOST_PLATFORM", "_PYTHON_PROJECT_BASE", "_PYTHON_SYSCONFIGDATA_NAME", "_PYTHON_SYSCONFIGDATA_PATH", NULL,
};
static const struct interpreter INTERPRETERS[] = {
    {"perl", "wWTtX", OF_PERL},
    {"python3", "IsSEBuO", OF_PYTHON},
};

/* What py3compile(1) has Python do. Modules are looked for in the current directory first: the root, which has none. */
static inline bool compiles_python(const struct request *request, const struct interpreter *interpreter, const char **arg)
{
    if (!equal(interpreter->name, "python3") || !equal(arg[0], "-m") || !arg[1] || !equal(arg[1], "py_compile"))
        return false;
    return arg[2] && equal(arg[2], "-") && !arg[3] && request->is_at_root();
}

/* Whether an argument is flags, and such as change nothing. A dash alone is not: the script comes from standard input. */
static inline bool only_flags(const struct interpreter *interpreter, const char *arg)
{
    if (*arg++ != '-' || !*arg)
        return false;
    while (*arg && has_letter(interpreter->flags, *arg))
        arg++;
    return !*arg;
}

/* script: perl, python. Native for an installed script that is known to be the same everywhere, and for no other: a script of
 * the build tree, or one on the command line (-e, -c), may ask what it likes. */
static inline bool script(const struct request *request, struct verdict *verdict)
{
    const char *twin = base_name(verdict->twin.chars);
    for (size_t at = 0; at < sizeof INTERPRETERS / sizeof *INTERPRETERS; at++) {
        const struct interpreter *interpreter = &INTERPRETERS[at];
        if (!begins(twin, interpreter->name))
            continue;
        const char **arg = request->args + 1;
        while (*arg && only_flags(interpreter, *arg))
            arg++;
        verdict->script = *arg;
        if (!*arg || any_is_set(request, interpreter->variables))
            return false;
        return compiles_python(request, interpreter, arg) || (**arg != '-' && request->is_marked(interpreter->name, *arg));
    }
    return false;
}

/* gawk: knows nothing of its machine, but may load a library (-l). */
static inline bool gawk(const struct request *request, struct verdict *verdict)
{
    (void)verdict;
    if (!harmless(request, "AWKLIBPATH", is_empty))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++)
        if (begins(*arg, "-l") || begins(*arg, "--lo") || contains(*arg, "@load"))
            return false;
    return true;
}

#endif
