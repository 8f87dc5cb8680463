/* The GNU build-id of an ELF program of any machine: 32 or 64 bit, little or big endian.
 *
 * The file is whatever a build has made of it, so nothing in it is believed: every read is of bytes that are there, and every
 * loop has a limit. What is not quite right has no build-id, which only means that it is emulated. */

#ifndef DEBKIT_ELF_H
#define DEBKIT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BUILD_ID_BYTES = 8,                    /* of the 20 that it has: what tells one program from another in the map */
    BUILD_ID_TEXT = 2 * BUILD_ID_BYTES + 1,
    WINDOW_SIZE = 2048,                    /* headers and notes come first in a file, so that one read is mostly enough */
    MOST_SEGMENTS = 128,                   /* a program has about ten */
    MOST_NOTES = 64,                       /* and three notes */
};

/* Reads as pread(2) does: fewer bytes at the end of the file, none or a negative number where there are none. */
typedef long read_at(void *file, void *into, size_t size, uint64_t offset);

struct elf {
    read_at *read;
    void *file;
    bool wide; /* 64 bit */
    bool big;  /* big endian */
    uint64_t offset;
    size_t size;
    uint8_t window[WINDOW_SIZE];
};

/* Gives `size` bytes of the file, which stay until the next call; NULL where it does not have them. */
static inline const uint8_t *look(struct elf *elf, uint64_t offset, size_t size)
{
    if (size > sizeof elf->window || offset > INT64_MAX)
        return NULL;
    if (offset < elf->offset || offset - elf->offset > elf->size || elf->size - (offset - elf->offset) < size) {
        long got = elf->read(elf->file, elf->window, sizeof elf->window, offset);
        elf->offset = offset;
        elf->size = got < 0 ? 0 : (size_t)got;
        if (elf->size < size)
            return NULL;
    }
    return elf->window + (offset - elf->offset);
}

static inline uint64_t number(const struct elf *elf, const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t at = 0; at < size; at++)
        value = value << 8 | bytes[elf->big ? at : size - 1 - at];
    return value;
}

/* Where the fields of elf(5) lie that are needed, by class. */
struct layout {
    size_t header, segments, segment_size, segment_count; /* Ehdr: its size, e_phoff, e_phentsize, e_phnum */
    size_t segment, position, length, alignment;          /* Phdr: its size, p_offset, p_filesz, p_align */
    size_t width;                                         /* of an offset */
};
static const struct layout NARROW = {52, 28, 42, 44, 32, 4, 16, 28, 4}, WIDE = {64, 32, 54, 56, 56, 8, 32, 48, 8};

enum { PT_NOTE_SEGMENT = 4, GNU_BUILD_ID = 3, GO_BUILD_ID = 4, NOTE_HEADER = 12 };

static inline uint64_t rounded(uint64_t size, uint64_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

/* Looks through one segment of notes. Each is: three words (the sizes of its name and content, its type), name, content. */
static inline bool find_note(struct elf *elf, uint64_t offset, uint64_t left, uint64_t alignment, char *hex)
{
    /* Only 8 counts as 8: "4-byte" notes are found in segments that say 0, 1 or 2 as well (readelf(1) takes them so too). */
    uint64_t step = alignment == 8 ? 8 : 4;
    for (int count = 0; count < MOST_NOTES; count++) {
        const uint8_t *note = look(elf, offset, NOTE_HEADER + sizeof "GNU");
        if (left < NOTE_HEADER || !note)
            return false;
        uint64_t name = number(elf, note, 4), content = number(elf, note + 4, 4), type = number(elf, note + 8, 4);
        /* Sizes of 32 bit in sums of 64: these cannot overflow. */
        uint64_t start = rounded(NOTE_HEADER + name, step), whole = rounded(start + content, step);
        if (start + content > left)
            return false;
        /* What Go has linked has a GNU build-id too, but not in a segment. */
        bool gnu = name == sizeof "GNU" && note[12] == 'G' && note[13] == 'N' && note[14] == 'U' && !note[15] && type == GNU_BUILD_ID;
        bool go = name == sizeof "Go\0" && note[12] == 'G' && note[13] == 'o' && !note[14] && !note[15] && type == GO_BUILD_ID;
        if ((gnu || go) && content >= BUILD_ID_BYTES) {
            const uint8_t *id = look(elf, offset + start, BUILD_ID_BYTES);
            for (size_t at = 0; id && at < BUILD_ID_BYTES; at++) {
                hex[2 * at] = "0123456789abcdef"[id[at] >> 4];
                hex[2 * at + 1] = "0123456789abcdef"[id[at] & 15];
            }
            hex[BUILD_ID_TEXT - 1] = 0;
            return id;
        }
        if (whole >= left)
            return false;
        offset += whole;
        left -= whole;
    }
    return false;
}

/* Writes the first bytes of the program's build-id, in hex. False: it has none, or is no ELF program. */
static inline bool read_build_id(read_at *read, void *file, char hex[BUILD_ID_TEXT])
{
    struct elf elf = {.read = read, .file = file};
    const uint8_t *header = look(&elf, 0, NARROW.header);
    if (!header || header[0] != 0x7f || header[1] != 'E' || header[2] != 'L' || header[3] != 'F')
        return false;
    if (header[4] < 1 || header[4] > 2 || header[5] < 1 || header[5] > 2)
        return false;
    elf.wide = header[4] == 2;
    elf.big = header[5] == 2;
    const struct layout *layout = elf.wide ? &WIDE : &NARROW;
    header = look(&elf, 0, layout->header);
    if (!header || number(&elf, header + layout->segment_size, 2) != layout->segment)
        return false;
    uint64_t segments = number(&elf, header + layout->segments, layout->width);
    uint64_t count = number(&elf, header + layout->segment_count, 2);
    if (count > MOST_SEGMENTS || segments > INT64_MAX)
        return false;
    for (uint64_t at = 0; at < count; at++) {
        const uint8_t *segment = look(&elf, segments + at * layout->segment, layout->segment);
        if (!segment)
            return false;
        if (number(&elf, segment, 4) != PT_NOTE_SEGMENT)
            continue;
        uint64_t offset = number(&elf, segment + layout->position, layout->width);
        uint64_t left = number(&elf, segment + layout->length, layout->width);
        if (find_note(&elf, offset, left, number(&elf, segment + layout->alignment, layout->width), hex))
            return true;
    }
    return false;
}

#endif
