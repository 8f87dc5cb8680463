/* What a script is known by beside its path: its size, and a hash of every byte, FNV-1a of 64 bit. assemble.py writes the same. */

#ifndef DEBKIT_FINGERPRINT_H
#define DEBKIT_FINGERPRINT_H

#include <stdint.h>

#include "words.h"

/* Writes "SIZE HASH", both in hex of 16 digits, and a newline. */
static inline void fingerprint(const char *bytes, size_t size, struct text *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t at = 0; at < size; at++)
        hash = (hash ^ (unsigned char)bytes[at]) * 0x100000001b3;
    start_text(text, "");
    append_hex(text, size);
    append(text, " ");
    append_hex(text, hash);
    append(text, "\n");
}

#endif
