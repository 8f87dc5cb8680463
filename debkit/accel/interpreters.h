/* Rules for interpreters: perl and python with installed scripts. */

#ifndef DEBKIT_INTERPRETERS_H
#define DEBKIT_INTERPRETERS_H

#include "request.h"
#include "sphinx.h"

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

/* Whether a text on perl's command line can neither load what is not perl's own, nor run a text that is not there to be seen (s///ee),
 * nor look at its machine's numbers. */
static inline bool asks_nothing(const char *text)
{
    static const char *const others[] = {"do", "eval", "no", "package", "require", "syscall", NULL};
    static const char *const parts[] = {"::", "/proc", "/sys", "CHAR_M", "Config", "INC", "LDBL", "ee", "pack", NULL};
    static const char *const use[] = {"use", NULL};
    static const char *const used[] = {"use strict;", "use warnings;", "use FileHandle;", "use POSIX;", NULL};
    for (const char *const *part = parts; *part; part++)
        if (contains(text, *part))
            return false;
    if (find_word(text, others))
        return false;
    while ((text = find_word(text, use)))
        if (!begins_with_one_of(text++, used))
            return false;
    return true;
}

/* Whether perl is to run texts on its command line, and such as ask nothing (perlrun(1)). */
static inline bool is_one_liner(const struct interpreter *interpreter, const char **arg)
{
    bool found = false;
    if (!equal(interpreter->name, "perl"))
        return false;
    for (; *arg && begins(*arg, "-") && !equal(*arg, "-") && !equal(*arg, "--"); arg++) {
        const char *letter = *arg + 1;
        while (*letter && *letter != 'e' && *letter != 'i') {
            if (!has_letter("0alnpwW", *letter))
                return false;
            bool number = *letter == '0' || *letter == 'l';
            letter++;
            while (number && *letter >= '0' && *letter <= '7')
                letter++;
        }
        if (*letter != 'e') /* what follows i ends a name */
            continue;
        const char *text = letter[1] ? letter + 1 : *++arg;
        if (!text || !asks_nothing(text))
            return false;
        found = true;
    }
    return found;
}

/* What py3compile, py3clean and dh-python's tools ask each Python that there is; the answer is in the chroot's own modules.
 * Python looks in the current directory first: a sysconfig.py that is there runs natively, too. */
#define CONFIGURATION \
    "print(\"__SEP__\".join(i or \"\" for i in " \
    "s.get_config_vars(\"SOABI\", \"MULTIARCH\", \"INCLUDEPY\", \"LIBPL\", \"LDLIBRARY\")))"
static inline bool tells_of_python(const struct interpreter *interpreter, const char **arg)
{
    static const char *const texts[] = {
        "import sysconfig as s; " CONFIGURATION,
        "import sysconfig as s;" CONFIGURATION,
        "import imp; print(imp.get_magic())", /* of Debian 12 */
        "import imp; print(imp.get_tag())",
        "import sys; print(sys.implementation.cache_tag)",
        "import importlib.util; print(importlib.util.MAGIC_NUMBER)",
        NULL,
    };
    if (!equal(interpreter->name, "python3") || !equal(arg[0], "-c") || !arg[1])
        return false;
    for (const char *const *text = texts; *text; text++)
        if (equal(arg[1], *text))
            return !arg[2];
    return false;
}

/* script: perl, python. Native for an installed script that is known to be the same everywhere, and for no other: a script of
 * the build tree may ask what it likes, and so may one on the command line (-c; -e where it does more than handle text and files). */
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
        if (compiles_python(request, interpreter, arg) || tells_of_python(interpreter, arg) || is_one_liner(interpreter, arg))
            return true;
        if (**arg == '-')
            return false;
        if (request->is_marked(interpreter->name, *arg))
            return true;
        return equal(interpreter->name, "python3") && request->is_marked("sphinx", *arg) && documents_alike(request, arg + 1);
    }
    return false;
}

#endif
