/* Whether the native twin of a foreign program may run in its place: the rules that the map names, one function each.
 *
 * Nothing here asks the system, so that tests can try it with any input. The question is always the same: would the foreign
 * program, emulated, print and write the same bytes? Every doubt says no, which costs time and nothing else. */

#ifndef DEBKIT_DECIDE_H
#define DEBKIT_DECIDE_H

#include "words.h"

struct request {
    const char *map;   /* the program's entry in the map, two lines: the rule's name, the twin's path */
    const char **args; /* argv of the foreign program, up to its NULL */
    const char **environment;
    /* Whether the file that an interpreter is to run is one of those marked for it. */
    bool (*is_marked)(const char *interpreter, const char *file);
    /* Whether the current directory is the root. */
    bool (*is_at_root)(void);
};

struct verdict {
    struct text twin;
    const char **replaced; /* the argument that the twin is to get `replacement` for, and qemu as it was; NULL: none */
    const char *replacement;
};

/* The value, where an entry of the environment sets this variable. */
static inline const char *value_of(const char *entry, const char *name)
{
    return begins(entry, name) && entry[length(name)] == '=' ? entry + length(name) + 1 : NULL;
}

static inline bool any_is_set(const struct request *request, const char *const *names)
{
    for (; *names; names++)
        for (const char **entry = request->environment; *entry; entry++)
            if (value_of(*entry, *names))
                return true;
    return false;
}

static inline bool is_given(const char *value)
{
    return *value;
}

/* Whether a variable is harmless, if it is set: every entry of it, since programs differ in which of two they take. */
static inline bool harmless(const struct request *request, const char *name, bool (*judge)(const char *value))
{
    for (const char **entry = request->environment; *entry; entry++) {
        const char *value = value_of(*entry, name);
        if (value && !judge(value))
            return false;
    }
    return true;
}

static inline bool begins_with_one_of(const char *word, const char *const *starts)
{
    for (; *starts; starts++)
        if (begins(word, *starts))
            return true;
    return false;
}

/* Whether getopt_long(3) would take `word` for `option`: any beginning of it will do. */
static inline bool abbreviates(const char *word, const char *option)
{
    return length(word) > 2 && begins(option, word);
}

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

/* always: a tool that knows nothing of its machine. */
static inline bool always(const struct request *request, struct verdict *verdict)
{
    (void)request, (void)verdict;
    return true;
}

static inline bool asks_for_version(const char *word)
{
    return equal(word, "-v") || equal(word, "-V") || abbreviates(word, "--version") || abbreviates(word, "--help");
}

static inline bool is_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

/* Whether a word is letters, and one of them is among these. */
static inline bool has_one_of(const char *word, const char *letters)
{
    bool found = false;
    for (; is_letter(*word); word++)
        found = found || has_letter(letters, *word);
    return found && (!*word || *word == ' ');
}

/* make(1) takes its letters together, -nps; it tells what it was built for with -v, and before what -d and -p print. */
static const char OF_MAKE[] = "vdp";

/* In MAKEFLAGS a make hands its options on, the letters first and without a dash; who sets it by hand may write one. */
static inline bool asks_no_make(const char *flags)
{
    if (contains(flags, "--debug") || contains(flags, "--print-data-base"))
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

/* not-version: bash, make, as, rsync. They tell what they were built for when they are asked, and not else. */
static inline bool not_version(const struct request *request, struct verdict *verdict)
{
    static const char *const words[] = {"--debug", "--print-data-base", "--dump-config", "--target-help", NULL};
    bool shell = ends(verdict->twin.chars, "sh"), make = ends(verdict->twin.chars, "/make"), own = true;
    if (!harmless(request, "MAKEFLAGS", asks_no_make) || !harmless(request, "GNUMAKEFLAGS", asks_no_make))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (asks_for_version(*arg))
            return false;
        if (own && ((make && **arg == '-' && has_one_of(*arg + 1, OF_MAKE)) || begins_with_one_of(*arg, words)))
            return false;
        if (own && abbreviates(*arg, "--print-data-base"))
            return false;
        if (shell && **arg != '-' && **arg != '+') /* the rest is the script's: libtool is given many a -Wvla */
            own = false;
    }
    return true;
}

/* goarch: Go's compiler, assembler and linker. They are for any machine, that which GOARCH names; go(1) sets it for them. */
static inline bool goarch(const struct request *request, struct verdict *verdict)
{
    static const char *const names[] = {"GOARCH", NULL};
    (void)verdict;
    return any_is_set(request, names) && harmless(request, names[0], is_given);
}

/* Whether a printf(3) format converts a floating-point number. */
static inline bool formats_float(const char *format)
{
    for (; *format; format++) {
        if (*format != '%')
            continue;
        while (*++format && has_letter("-+ #0'I*.123456789", *format))
            ;
        if (!*format)
            return false;
        if (has_letter("aAeEfFgG", *format))
            return true;
    }
    return false;
}

/* Whether seq(1) reckons with long doubles for this word: a number that is no small integer, or a format. */
static inline bool is_float(const char *word)
{
    enum { DIGITS = 15 };
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
        if (equal(name, "sort") && contains(*arg, "g") && (**arg == '-' || (**arg >= '0' && **arg <= '9'))) /* -g, -k 1,2g */
            return false;
        if (equal(name, "od") && contains(*arg, "L")) /* -t fL */
            return false;
    }
    return true;
}

/* Whether a driver of C++ or Fortran links: it does but with one of these. A native one then has an option more for the compiler
 * proper, of offloading to other machines, which no cross compiler is built for; and debugging information tells of it. */
static inline bool links_other_than_c(const struct request *request, const struct verdict *verdict)
{
    static const char *const others[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
    if (contains(base_name(verdict->twin.chars), "gcc") || contains(base_name(verdict->twin.chars), "cpp"))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++)
        for (const char *const *other = others; *other; other++)
            if (equal(*arg, *other))
                return false;
    return true;
}

/* Whether code may be offloaded to other machines: see above. */
static inline bool offloads(const char *arg)
{
    return equal(arg, "-fopenmp") || begins(arg, "-fopenacc") || begins(arg, "-foffload") || begins(arg, "-ftree-parallelize-loops");
}

/* Whether the linker is to tell what it read: a cross driver names the start files by another of their paths. */
static inline bool tells_of_files(const char *arg)
{
    if (equal(arg, "-Xlinker"))
        return true;
    if (!begins(arg, "-Wl,"))
        return false;
    return contains(arg, "-Map") || contains(arg, "-depend") || contains(arg, "-trace") || contains(arg, "-verb") || contains(arg, ",-t");
}

/* compiler: the drivers gcc, g++, cpp … Emulated where they tell of themselves, look at the processor, or load foreign code. */
static inline bool compiler(const struct request *request, struct verdict *verdict)
{
    static const char *const emulated[] = {
        "@", /* what is in the file counts as much as what is here */
        "-###", "-V", "-v", "-Q", "-qversion", "-print", "-dump", "-wrapper", "-fplugin", "-iplugindir", "--", NULL,
    };
    static const char *const native[] = {"-dumpbase", "-dumpdir", "--param", "--sysroot", NULL};
    if (links_other_than_c(request, verdict))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (offloads(*arg) || tells_of_files(*arg) || (begins_with_one_of(*arg, emulated) && !begins_with_one_of(*arg, native)))
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
        if (offloads(*arg) && !starts_others)
            return false;
    }
    return true;
}

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

/* The linker of a native machine also looks for libraries where LD_LIBRARY_PATH says; a cross linker does not. */
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

/* linker: ld, ar, nm, ranlib. Like not-version, but their options are words, which ld also takes after a single dash, and they
 * load plugins. */
static inline bool linker(const struct request *request, struct verdict *verdict)
{
    if (!harmless(request, "LD_LIBRARY_PATH", only_fakeroot))
        return false;
    for (const char **arg = request->args + 1; *arg; arg++) {
        if (asks_for_version(*arg) || **arg == '@') /* a file of arguments may name a plugin */
            return false;
        const char *option = begins(*arg, "--") ? *arg + 1 : *arg;
        /* --verbose prints the directories that it searches; a cross linker names others. */
        if (equal(option, "-version") || equal(option, "-help") || begins(option, "-verb") || begins(option, "-print-sys") ||
            begins(option, "-target-h"))
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

/* script: perl, python. Native for an installed script that is known to be the same everywhere, and for no other: a script of
 * the build tree, or one on the command line (-e, -c), may ask what it likes. */
static inline bool script(const struct request *request, struct verdict *verdict)
{
    const char *twin = base_name(verdict->twin.chars);
    for (size_t at = 0; at < sizeof INTERPRETERS / sizeof *INTERPRETERS; at++) {
        const struct interpreter *interpreter = &INTERPRETERS[at];
        if (!begins(twin, interpreter->name))
            continue;
        if (any_is_set(request, interpreter->variables))
            return false;
        const char **arg = request->args + 1;
        for (; *arg && **arg == '-'; arg++) {
            const char *flag = *arg + 1;
            if (compiles_python(request, interpreter, arg))
                return true;
            if (!*flag) /* the script comes from standard input */
                return false;
            for (; *flag; flag++)
                if (!has_letter(interpreter->flags, *flag))
                    return false;
        }
        return *arg && request->is_marked(interpreter->name, *arg);
    }
    return false;
}

struct rule {
    const char *name;
    /* Whether the twin, whose path is in the verdict, may run. The first argument, its name, is always there. */
    bool (*allows)(const struct request *, struct verdict *);
};

static const struct rule RULES[] = {
    {"always", always}, {"not-version", not_version}, {"compiler", compiler}, {"proper", proper},           {"linker", linker},
    {"script", script}, {"no-floats", no_floats}, {"goarch", goarch},
};

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
    if (!harmless(request, "LD_PRELOAD", can_preload) || any_is_set(request, OF_THE_LOADER))
        return false;
    for (size_t at = 0; at < sizeof RULES / sizeof *RULES; at++)
        if (equal(name.chars, RULES[at].name))
            return RULES[at].allows(request, verdict);
    return false;
}

#endif
