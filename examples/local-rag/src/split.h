/* SPDX-License-Identifier: MIT */
/* split.h - cut a text into passages of a bounded size */
#ifndef SPLIT_H
#define SPLIT_H

#include <stdbool.h>
#include <stddef.h>

struct passage {
    const char *text; /* points into the text being split; not NUL-terminated */
    size_t length;    /* bytes */
};

struct splitter {
    const char *rest;
    size_t left;
    size_t limit; /* bytes a passage may have; at least 4, the longest UTF-8 character */
};

/* Give the next passage, trimmed of white space and never empty; false at the
 * end. A cut is made after a paragraph, else a sentence, else a word, as long
 * as that leaves the passage more than half full; else between two characters.
 * Short paragraphs share a passage. */
bool split_next(struct splitter *splitter, struct passage *passage);

#endif
