/* What the dispatcher's rules are asked, what they answer, and how they read arguments and variables. */

#ifndef DEBKIT_REQUEST_H
#define DEBKIT_REQUEST_H

#include "words.h"

struct request {
    const char *map;   /* the program's entry in the map, two lines: the rule's name, the twin's path */
    const char **args; /* argv of the foreign program, up to its NULL */
    const char **environment;
    /* Whether the file that an interpreter is to run is one of those marked for it, and has the content that they had. */
    bool (*is_marked)(const char *interpreter, const char *file);
    /* The text of a regular file that is not large; NULL: it is none. It is there until the next call. */
    const char *(*read)(const char *file);
    /* Whether the current directory is the root. */
    bool (*is_at_root)(void);
};

struct verdict {
    struct text twin;
    const char **replaced; /* the argument that the twin is to get `replacement` for, and qemu as it was; NULL: none */
    const char *replacement;
    const char *script; /* what an interpreter is to run, its option where that says it; NULL: it is none, or nobody looked */
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

static inline bool is_empty(const char *value)
{
    return !*value;
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

static inline bool is_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

static inline bool is_of_name(char letter)
{
    return is_letter(letter) || (letter >= '0' && letter <= '9') || letter == '_';
}

/* The next place where `text` has a word that is one of these, with no letter, digit or _ at either side; NULL: there is none. */
static inline const char *find_word(const char *text, const char *const *words)
{
    for (const char *at = text; *at; at++) {
        if (at > text && is_of_name(at[-1]))
            continue;
        for (const char *const *word = words; *word; word++)
            if (begins(at, *word) && !is_of_name(at[length(*word)]))
                return at;
    }
    return NULL;
}

static inline bool asks_for_version(const char *word)
{
    return equal(word, "-v") || equal(word, "-V") || abbreviates(word, "--version") || abbreviates(word, "--help");
}

#endif
