/* sphinx-build: documentation comes out the same on every machine, unless its conf.py(5) has Sphinx load the package itself, whose
 * compiled modules are foreign, or asks for the machine. So that file is looked through, and so are extensions that lie beside it.
 * Other extensions than Sphinx's own may load anything. */

#ifndef DEBKIT_SPHINX_H
#define DEBKIT_SPHINX_H

#include "request.h"

/* Whether a piece, which is of one line, begins in a line's text. */
static inline bool is_in_line(const char *line, const char *end, const char *piece)
{
    for (; line < end; line++)
        if (begins(line, piece))
            return true;
    return false;
}

static inline const char *skip_name(const char *at)
{
    while (is_of_name(*at))
        at++;
    return at;
}

/* Modules without compiled ones of their own, but for those that come with Python, and Sphinx itself. */
static inline bool is_known_module(const char *name, size_t size)
{
    static const char *const known[] = {
        "__future__", "alabaster", "codecs", "collections", "datetime", "docutils", "furo", "functools", "glob", "io", "itertools",
        "jinja2", "json", "logging", "os", "pathlib", "pygments", "re", "shlex", "sphinx", "sphinx_rtd_theme", "string", "subprocess",
        "sys", "textwrap", "time", "typing", "unicodedata", "warnings", NULL,
    };
    for (const char *const *one = known; *one; one++)
        if (length(*one) == size && begins(name, *one))
            return true;
    return false;
}

/* Whether a statement loads known modules alone: import a.b as c, d; or from a.b import c. */
static inline bool loads_known(const char *at, const char *end)
{
    bool one = begins(at, "from");
    if (is_in_line(at, end, ";") || is_in_line(at, end, "\\"))
        return false;
    at = skip_blanks(skip_name(at));
    for (;;) {
        const char *name = at;
        at = skip_name(at);
        if (!is_known_module(name, (size_t)(at - name)))
            return false;
        while (*at == '.')
            at = skip_name(at + 1);
        at = skip_blanks(at);
        if (begins(at, "as "))
            at = skip_blanks(skip_name(skip_blanks(at + 2)));
        if (one || *at != ',')
            return one || at >= end || *at == '#';
        at = skip_blanks(at + 1);
    }
}

/* Whether a line of Python, and no comment, neither loads what is not known, nor asks for its machine. */
static inline bool is_harmless_line(const char *line, const char *end)
{
    static const char *const others[] = {
        /* Extensions of Sphinx that load what they document. */
        "apidoc", "autoapi", "autoclass", "autodoc", "automodule", "autosummary", "coverage", "doctest", "inheritance", "linkcode",
        "napoleon", "plot_directive", "viewcode",
        "/proc", "byteorder", "ctypes", "float_info", "machine", "maxsize", "platform", "sysconfig", "uname",
        "__builtins__", "__import__", "__loader__", "eval", "exec", "import_module", "importlib", "runpy",
        ": import", ":import", "; import", ";import", ": from", ":from", "; from", ";from", NULL,
    };
    for (const char *const *other = others; *other; other++)
        if (is_in_line(line, end, *other))
            return false;
    bool loads = (begins(line, "import") && !is_of_name(line[6])) || (begins(line, "from") && !is_of_name(line[4]));
    return !loads || loads_known(line, end);
}

/* Whether all lines are. Of a line that names Sphinx's extensions, `extensions` gets the list's start; a second one is too much. */
static inline bool is_harmless_python(const char *text, const char **extensions)
{
    for (const char *line = skip_blanks(text), *end; *line; line = skip_blanks(*end ? end + 1 : end)) {
        for (end = line; *end && *end != '\n'; end++)
            ;
        if (*line == '#')
            continue;
        if (!is_harmless_line(line, end))
            return false;
        if (!extensions || !is_in_line(line, end, "extensions"))
            continue;
        const char *value = begins(line, "extensions") ? skip_blanks(line + sizeof "extensions" - 1) : line;
        if (*extensions || *value != '=' || *(value = skip_blanks(value + 1)) != '[')
            return false;
        *extensions = value + 1;
    }
    return true;
}

/* Gives the next text of a list, in quotes, and moves behind it. False: there is none, or something else; the list has ended or not. */
static inline bool next_extension(const char **list, struct text *name, bool *ended)
{
    const char *at = *list;
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == ',' || *at == '#')
        if (*at++ == '#')
            while (*at && *at != '\n')
                at++;
    *ended = *at == ']';
    char quote = *at, letter[2] = {0, 0};
    if (quote != '\'' && quote != '"')
        return false;
    start_text(name, "");
    for (at++; is_of_name(*at) || *at == '.'; at++) {
        letter[0] = *at;
        append(name, letter);
    }
    *list = at + 1;
    return *at == quote && name->size && name->complete;
}

/* Whether an extension is Sphinx's, or lies beside conf.py and is harmless. */
static inline bool is_harmless_extension(const struct request *request, const char *directory, const char *name)
{
    static const char *const places[] = {"/", "/ext/", "/exts/", "/_ext/", "/_exts/", "/extensions/", "/_extensions/", "/sphinxext/", NULL};
    if (begins(name, "sphinx.ext."))
        return true;
    for (const char *const *place = places; *place; place++) {
        struct text path;
        start_text(&path, directory);
        append(&path, *place);
        append(&path, name);
        append(&path, ".py");
        const char *text = path.complete ? request->read(path.chars) : NULL;
        if (text)
            return is_harmless_python(text, NULL);
    }
    return false;
}

/* Whether the conf.py of a directory is harmless, and all that it has Sphinx load. Each text that is read takes the place of the last. */
static inline bool configures_alike(const struct request *request, const char *directory, const char *file)
{
    for (int place = 0;; place++) {
        struct text name;
        bool ended = false;
        const char *text = request->read(file), *list = NULL;
        if (!text || !is_harmless_python(text, &list))
            return false;
        if (!list)
            return true;
        for (int before = 0; before <= place; before++)
            if (!next_extension(&list, &name, &ended))
                return ended;
        if (!is_harmless_extension(request, directory, name.chars))
            return false;
    }
}

/* Whether Sphinx would document the same. Where conf.py is, the command line says in more than one way: each directory is tried. */
static inline bool documents_alike(const struct request *request, const char **arg)
{
    static const char *const emulated[] = {"-c", "-C", "--conf", "--isolated", "--no-conf", NULL};
    bool found = false;
    for (; *arg; arg++) {
        struct text file;
        if (contains(*arg, "extensions") || contains(*arg, "doctest") || contains(*arg, "coverage"))
            return false;
        if (**arg == '-') {
            if (begins_with_one_of(*arg, emulated) && !equal(*arg, "-c"))
                return false;
            continue;
        }
        start_text(&file, *arg);
        append(&file, "/conf.py");
        if (!file.complete || !request->read(file.chars))
            continue;
        if (!configures_alike(request, *arg, file.chars))
            return false;
        found = true;
    }
    return found;
}

#endif
