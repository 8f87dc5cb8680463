/* Words: the few string functions that a program without a C library needs. */

#ifndef DEBKIT_WORDS_H
#define DEBKIT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { PATH_SIZE = 4096 }; /* PATH_MAX: no path that the kernel takes is longer, its NUL included */

static inline bool equal(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

static inline bool begins(const char *word, const char *start)
{
    while (*start)
        if (*word++ != *start++)
            return false;
    return true;
}

static inline size_t length(const char *word)
{
    size_t size = 0;
    while (word[size])
        size++;
    return size;
}

static inline bool ends(const char *word, const char *end)
{
    size_t size = length(word), tail = length(end);
    return size >= tail && equal(word + size - tail, end);
}

static inline bool contains(const char *word, const char *part)
{
    for (; *word; word++)
        if (begins(word, part))
            return true;
    return false;
}

static inline bool has_letter(const char *letters, char letter)
{
    for (; *letters; letters++)
        if (*letters == letter)
            return true;
    return false;
}

static inline const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static inline const char *base_name(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

/* Text that is put together piece by piece. What does not fit is not cut off unseen: `complete` then is false. */
struct text {
    char chars[PATH_SIZE];
    size_t size;
    bool complete;
};

static inline void append(struct text *text, const char *piece)
{
    for (; *piece; piece++) {
        if (text->size + 1 >= sizeof text->chars) {
            text->complete = false;
            break;
        }
        text->chars[text->size++] = *piece;
    }
    text->chars[text->size] = 0;
}

static inline void start_text(struct text *text, const char *piece)
{
    text->size = 0;
    text->complete = true;
    append(text, piece);
}

static inline void append_number(struct text *text, unsigned number)
{
    char digits[11];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    append(text, digits + at);
}

/* With all digits, of 64 bit. */
static inline void append_hex(struct text *text, unsigned long long number)
{
    char digits[17];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    for (; at; number >>= 4)
        digits[--at] = "0123456789abcdef"[number & 15];
    append(text, digits);
}

#endif
