/* Reads the build-id of real ELF headers, and of a great many that are broken: elf_test DIRECTORY.
 *
 * The files in DIRECTORY are the first 1024 bytes of hostname 3.25 of Debian 13. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf.h"

enum { HEAD = 1024, MUTANTS = 400000, MOST_READS = 400, MOST_CHANGES = 6 };

static const struct program {
    const char *arch, *build_id;
} PROGRAMS[] = {
    {"amd64", "f99f0a5f15300359"}, {"i386", "f21e0d28f6f31435"},    {"arm64", "d363d5c4581e047d"}, {"armhf", "1f9549b38d06e683"},
    {"riscv64", "9c2d6444d9392470"}, {"ppc64el", "c6e3c17c26e25f10"}, {"s390x", "f1cf58d747b40222"},
};
enum { COUNT = sizeof PROGRAMS / sizeof *PROGRAMS };

static int failures;

static void expect(bool truth, const char *what, const char *arch)
{
    if (!truth && ++failures)
        printf("FAILED: %s: %s\n", arch, what);
}

/* A file: bytes, which may also be seen `away` further on. Read as pread(2) does, and no read may be out of bounds. */
struct file {
    uint8_t *bytes;
    size_t size;
    uint64_t away;
    int reads;
};

static long read_file(void *of, void *into, size_t size, uint64_t offset)
{
    struct file *file = of;
    file->reads++;
    if (offset > INT64_MAX)
        return -22;
    if (file->away && offset >= file->away)
        offset -= file->away;
    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = file->size - offset;
    memcpy(into, file->bytes + offset, size);
    return (long)size;
}

/* The build-id, or NULL. It is asked for in memory of its own size, so that the sanitizer sees a byte too many. */
static const char *build_id(struct file *file)
{
    static char found[BUILD_ID_TEXT];
    char *hex = malloc(BUILD_ID_TEXT);
    bool there = read_build_id(read_file, file, hex);
    if (there)
        memcpy(found, hex, sizeof found);
    free(hex);
    return there ? found : NULL;
}

static struct file copy(const uint8_t *bytes, size_t size)
{
    struct file file = {.bytes = malloc(size ? size : 1), .size = size};
    memcpy(file.bytes, bytes, size);
    return file;
}

static bool is(const char *found, const char *expected)
{
    return found && !strcmp(found, expected);
}

static void put(uint8_t *bytes, size_t size, bool big, uint64_t value)
{
    for (size_t at = 0; at < size; at++, value >>= 8)
        bytes[big ? size - 1 - at : at] = (uint8_t)value;
}

static uint64_t get(const uint8_t *bytes, size_t size, bool big)
{
    uint64_t value = 0;
    for (size_t at = 0; at < size; at++)
        value = value << 8 | bytes[big ? at : size - 1 - at];
    return value;
}

static void try_whole(const struct program *program, const uint8_t *head)
{
    struct file file = copy(head, HEAD);
    expect(is(build_id(&file), program->build_id), "its build-id", program->arch);
    expect(file.reads == 1, "one read is enough", program->arch);
    free(file.bytes);
}

/* Where the bytes of the build-id that count end. */
static size_t end_of_id(const struct program *program, const uint8_t *head)
{
    uint64_t id = strtoull(program->build_id, NULL, 16);
    size_t start = 0;
    while (get(head + start, BUILD_ID_BYTES, true) != id)
        start++;
    return start + BUILD_ID_BYTES;
}

/* It is found as soon as the file has these, and not before. */
static void try_cut_off(const struct program *program, const uint8_t *head)
{
    size_t end = end_of_id(program, head);
    for (size_t size = 0; size <= HEAD; size++) {
        struct file file = copy(head, size);
        const char *found = build_id(&file);
        expect(size < end ? !found : is(found, program->build_id), "cut off", program->arch);
        free(file.bytes);
    }
}

/* What is no ELF program, by one byte or field. */
static void try_strange_headers(const struct program *program, const uint8_t *head)
{
    bool wide = head[4] == 2;
    const struct {
        size_t at, size;
        uint64_t value;
    } changes[] = {
        {0, 1, 0x7e}, {1, 1, 'e'}, {2, 1, 'l'}, {3, 1, 'f'}, {4, 1, 0}, {4, 1, 3}, {4, 1, wide ? 1 : 2}, {5, 1, 0}, {5, 1, 3},
        {5, 1, head[5] ^ 3}, {wide ? 54 : 42, 2, wide ? 57 : 33}, {wide ? 56 : 44, 2, 0}, {wide ? 56 : 44, 2, 0xffff},
        {wide ? 32 : 28, wide ? 8 : 4, wide ? UINT64_MAX : UINT32_MAX}, {wide ? 32 : 28, wide ? 8 : 4, 0},
    };
    for (size_t which = 0; which < sizeof changes / sizeof *changes; which++) {
        struct file file = copy(head, HEAD);
        put(file.bytes + changes[which].at, changes[which].size, head[5] == 2, changes[which].value);
        expect(!build_id(&file), "a strange header", program->arch);
        free(file.bytes);
    }
}

/* Segments of notes as no linker of ours makes them, or as few do. */
struct note {
    const char *name;
    uint32_t name_size, type, size;
};
#define ID {"GNU", 4, 3, 20}
#define PROPERTY {"GNU", 4, 5, 16}
#define ODD {"odd", 4, 1, 5}

static const struct segment {
    const char *what;
    uint64_t alignment, shorter; /* by so much than its notes */
    int times;
    struct note notes[4];
    bool found;
} SEGMENTS[] = {
    {"alone", 4, 0, 1, {ID}, true},
    {"alone, its padding cut off", 8, 4, 1, {ID}, true},
    {"one byte too short", 4, 1, 1, {ID}, false},
    {"shorter than a note's header", 4, 30, 1, {ID}, false},
    {"behind one whose size is odd", 4, 0, 1, {ODD, ID}, true},
    {"behind one whose size is odd, of 8", 8, 0, 1, {ODD, ID}, true},
    {"behind a property", 8, 0, 1, {PROPERTY, ID}, true},
    {"where no alignment is said", 0, 0, 1, {ODD, ID}, true},
    {"behind a note without a name", 4, 0, 1, {{"", 0, 9, 4}, ID}, true},
    {"one of Go", 4, 0, 1, {{"Go\0", 4, 4, 83}}, true},
    {"another one of Go", 4, 0, 1, {{"Go\0", 4, 3, 83}}, false},
    {"Go's name and more", 4, 0, 1, {{"Go\0x", 5, 4, 83}}, false},
    {"a name like Go's", 4, 0, 1, {{"Gox", 4, 4, 83}}, false},
    {"another type", 4, 0, 1, {{"GNU", 4, 1, 20}}, false},
    {"another name", 4, 0, 1, {{"GNV", 4, 3, 20}}, false},
    {"another name", 4, 0, 1, {{"XNU", 4, 3, 20}}, false},
    {"another name", 4, 0, 1, {{"GXU", 4, 3, 20}}, false},
    {"a longer name", 4, 0, 1, {{"GNU\0x", 6, 3, 20}}, false},
    {"a name without its end", 4, 0, 1, {{"GNUx", 4, 3, 20}}, false},
    {"a short one", 4, 0, 1, {{"GNU", 4, 3, 7}}, false},
    {"a short one before it", 4, 0, 1, {{"GNU", 4, 3, 7}, ID}, true},
    {"just long enough", 4, 0, 1, {{"GNU", 4, 3, 8}}, true},
    {"behind many", 4, 0, 63, {ODD, ID}, true},
    {"behind too many", 4, 0, 64, {ODD, ID}, false},
    {"no end in sight", 4, 0, 70, {ODD}, false},
};

static void try_segment(const struct segment *segment)
{
    enum { START = 64 + 56 };
    struct file file = {.bytes = calloc(1, 4096), .size = START};
    memcpy(file.bytes, "\177ELF\2\1\1", 7);
    put(file.bytes + 32, 8, false, 64);
    put(file.bytes + 54, 2, false, 56);
    put(file.bytes + 56, 2, false, 1);
    put(file.bytes + 64, 4, false, PT_NOTE_SEGMENT);
    put(file.bytes + 64 + 8, 8, false, START);
    put(file.bytes + 64 + 48, 8, false, segment->alignment);
    size_t step = segment->alignment == 8 ? 8 : 4;
    for (const struct note *note = segment->notes; note->type; note++)
        for (int times = note == segment->notes ? segment->times : 1; times; times--) {
            uint8_t *at = file.bytes + file.size;
            put(at, 4, false, note->name_size);
            put(at + 4, 4, false, note->size);
            put(at + 8, 4, false, note->type);
            memcpy(at + 12, note->name, note->name_size);
            size_t start = (12 + note->name_size + step - 1) / step * step;
            memcpy(at + start, "\x01\x23\x45\x67\x89\xab\xcd\xef", note->size < 8 ? note->size : 8);
            file.size += (start + note->size + step - 1) / step * step;
        }
    put(file.bytes + 64 + 32, 8, false, file.size - START - segment->shorter);
    const char *found = build_id(&file);
    expect(segment->found ? is(found, "0123456789abcdef") : !found, segment->what, "notes");
    free(file.bytes);
}

/* Moves all segments of notes away, as far as the class allows. */
static void try_far_away(const struct program *program, const uint8_t *head)
{
    bool wide = head[4] == 2, big = head[5] == 2;
    const uint64_t distances[] = {4096 - 0x250, 4095, 1 << 20, 0x7fff0000, wide ? 1ULL << 40 : 1 << 24};
    for (size_t which = 0; which < sizeof distances / sizeof *distances; which++) {
        struct file file = copy(head, HEAD);
        size_t width = wide ? 8 : 4, size = wide ? 56 : 32, at = get(head + (wide ? 32 : 28), width, big);
        for (size_t count = get(head + (wide ? 56 : 44), 2, big); count; count--, at += size) {
            uint8_t *offset = file.bytes + at + (wide ? 8 : 4);
            if (get(file.bytes + at, 4, big) == PT_NOTE_SEGMENT)
                put(offset, width, big, get(offset, width, big) + distances[which]);
        }
        expect(!build_id(&file), "none where the file is shorter", program->arch);
        file.away = distances[which];
        expect(is(build_id(&file), program->build_id), "beyond the first page", program->arch);
        file.size = end_of_id(program, head);
        expect(is(build_id(&file), program->build_id), "beyond the first page, and the file's end", program->arch);
        file.size--;
        expect(!build_id(&file), "none where the file is a byte too short", program->arch);
        free(file.bytes);
    }
}

/* xorshift64: the same mutants each time. */
static uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void mutate(struct file *file, uint64_t *seed)
{
    static const uint64_t edges[] = {
        0, 1, 2, 4, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, HEAD, HEAD - 1, WINDOW_SIZE, 0x7fffffff, 0x80000000, 0xffffffff,
        0xfffffff0, INT64_MAX, INT64_MAX - 15, (uint64_t)INT64_MAX + 1, UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - HEAD,
    };
    for (uint64_t count = dice(seed) % MOST_CHANGES + 1; count; count--) {
        size_t at = dice(seed) % file->size, width = (size_t)1 << dice(seed) % 4;
        if (width > file->size - at)
            width = 1;
        switch (dice(seed) % 4) {
        case 0:
            file->bytes[at] ^= (uint8_t)(1 << dice(seed) % 8);
            break;
        case 1:
            file->bytes[at] = (uint8_t)dice(seed);
            break;
        case 2: /* a field lies at a multiple of its size */
            put(file->bytes + at / width * width, width, dice(seed) % 2, edges[dice(seed) % (sizeof edges / sizeof *edges)]);
            break;
        default: /* near what it was: sizes and offsets that are a little wrong */
            put(file->bytes + at / width * width, width, false,
                get(file->bytes + at / width * width, width, false) + dice(seed) % 64 - 32);
        }
    }
}

static void try_mutants(const uint8_t heads[COUNT][HEAD])
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    int found = 0, most = 0;
    for (int count = 0; count < MUTANTS; count++) {
        size_t which = dice(&seed) % COUNT;
        /* Mostly what matters: the headers and notes are in the first 0x400 bytes, the ELF header in the first 64. */
        size_t size = dice(&seed) % 8 ? HEAD : dice(&seed) % HEAD + 1;
        struct file file = copy(heads[which], size), header = file;
        if (dice(&seed) % 3 == 0 && size > 64)
            header.size = 64;
        mutate(&header, &seed);
        const char *hex = build_id(&file);
        expect(!hex || strspn(hex, "0123456789abcdef") == BUILD_ID_TEXT - 1, "a build-id of 16 digits", PROGRAMS[which].arch);
        expect(file.reads <= MOST_READS, "few reads", PROGRAMS[which].arch);
        found += hex != NULL;
        most = file.reads > most ? file.reads : most;
        free(file.bytes);
    }
    expect(found > MUTANTS / 10 && found < MUTANTS - MUTANTS / 10, "mutants of both kinds", "all");
    printf("%d mutants, %d with a build-id, at most %d reads\n", MUTANTS, found, most);
}

int main(int count, char **args)
{
    static uint8_t heads[COUNT][HEAD];
    for (size_t which = 0; which < COUNT; which++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", count > 1 ? args[1] : ".", PROGRAMS[which].arch);
        FILE *file = fopen(path, "rb");
        if (!file || fread(heads[which], HEAD, 1, file) != 1)
            return perror(path), 2;
        fclose(file);
        try_whole(&PROGRAMS[which], heads[which]);
        try_cut_off(&PROGRAMS[which], heads[which]);
        try_strange_headers(&PROGRAMS[which], heads[which]);
        try_far_away(&PROGRAMS[which], heads[which]);
    }
    for (size_t which = 0; which < sizeof SEGMENTS / sizeof *SEGMENTS; which++)
        try_segment(&SEGMENTS[which]);
    try_mutants(heads);
    printf("%d failed\n", failures);
    return failures != 0;
}
