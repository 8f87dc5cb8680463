/* A rule for bash. Unlike dash it tells what it was built for, in variables, and its own printf reckons with long doubles: what it is
 * to run is looked through for these. What is sourced, or put together as it runs, is not seen. */

#ifndef DEBKIT_SHELL_H
#define DEBKIT_SHELL_H

#include "numbers.h"
#include "request.h"

/* Whether a word begins here, which is no part of another: --enable-x, fprintf, /usr/bin/printf. */
static inline bool begins_word(const char *script, const char *at, const char *word)
{
    return begins(at, word) && (at == script || !(is_letter(at[-1]) || has_letter("_-./", at[-1])));
}

/* Whether the call of printf is one of C, as in what configure compiles: printf("%f"). */
static inline bool is_of_c(const char *call)
{
    return *skip_blanks(call + length("printf")) == '(';
}

/* enable -f loads a builtin command from a library. */
static inline bool loads_command(const char *call)
{
    const char *option = skip_blanks(call + length("enable"));
    if (option == call + length("enable") || *option != '-')
        return false;
    while (is_letter(*++option))
        if (*option == 'f')
            return true;
    return false;
}

/* Whether a script asks for what a twin would answer otherwise: one look at each byte, since libtool has 300 kB and is run for each
 * file that is compiled. A line that has both printf and a conversion of a floating-point number is taken to join them, and what is
 * quoted behind a printf is of its line. */
static inline bool asks_bash_of_machine(const char *script)
{
    bool prints = false, floats = false;
    char quote = 0; /* that is open, of those behind a printf */
    for (const char *at = script; *at; at++) {
        switch (*at) {
        case '\n':
            if (!quote && (at == script || at[-1] != '\\'))
                prints = floats = false;
            break;
        case '\\':
            at += quote != '\'' && at[1] && has_letter("\\'\"", at[1]); /* \printf and \%f are what they are without it */
            break;
        case '#':
            prints = prints && (quote || at == script || at[-1] != ' ');
            break;
        case '\'':
        case '"':
            if (prints && (!quote || quote == *at))
                quote = quote ? 0 : *at;
            break;
        case '%':
            floats = floats || converts_float(at + 1);
            at += at[1] == '%';
            break;
        case 'p':
            prints = prints || (begins_word(script, at, "printf") && !is_of_c(at));
            break;
        case 'e':
            if (begins_word(script, at, "enable") && loads_command(at))
                return true;
            break;
        case 'H':
        case 'M':
        case 'B':
            if (begins(at, "HOSTTYPE") || begins(at, "MACHTYPE") || begins(at, "BASH_VERSINFO"))
                return true;
            break;
        default:
            break;
        }
        if (prints && floats)
            return true;
    }
    return false;
}

/* Whether the environment has bash read a file first, or brings such a function along (export -f). */
static inline bool brings_script(const struct request *request)
{
    for (const char **entry = request->environment; *entry; entry++)
        if (begins(*entry, "BASH_FUNC_") && asks_bash_of_machine(*entry))
            return true;
    return !harmless(request, "BASH_ENV", is_empty);
}

/* bash: what its options are not known for is emulated, and so is a script from standard input, since that cannot be looked at without
 * taking it away. Builds hardly have one; what it starts is looked up again. */
static inline bool bash(const struct request *request, struct verdict *verdict)
{
    static const char *const words[] = {"--norc", "--noprofile", "--posix", NULL};
    bool command = false;
    (void)verdict;
    if (brings_script(request) || **request->args == '-') /* of a login */
        return false;
    const char **arg = request->args + 1;
    for (; *arg && (**arg == '-' || **arg == '+'); arg++) {
        const char *letter = *arg + 1;
        if (!*letter || equal(*arg, "--")) {
            arg++;
            break;
        }
        if (begins_with_one_of(*arg, words))
            continue;
        for (; *letter; letter++) {
            command = command || *letter == 'c';
            if ((*letter == 'o' || *letter == 'O') && !*++arg) /* its value is a word of its own */
                return false;
            if (!has_letter("abcefhkmnoptuvxBCEHOPT", *letter))
                return false;
        }
    }
    if (!*arg)
        return false;
    const char *script = command ? *arg : request->read(*arg);
    return script && !asks_bash_of_machine(script);
}

#endif
