/* The dispatcher: what the kernel starts in place of a foreign program, in a chroot that is accelerated.
 *
 * It is registered with binfmt_misc (Linux's Documentation/admin-guide/binfmt-misc.rst), flags P, O and F, in a user namespace.
 * For each program it either runs the native twin that the map names for just this program, by its path and its build-id, or
 * qemu. The twin has the same arguments and environment; nothing of the choice is to be seen in it. See docs/acceleration.md.
 *
 *     /.native/map/PATH.BUILD-ID   a rule of decide.h and the twin's path, for the foreign program at PATH with that build-id; then,
 *                                  after an empty line, the foreign libraries that it loads: "PATH BUILD-ID" a line
 *     /.native/scripts/NAME/PATH   there when the twin of that name, perl or python3, may run the script at PATH: its fingerprint
 *                                  (fingerprint.h); or under the name of a rule that asks more (sphinx.h)
 *     /.native/off                 there when nothing is to be accelerated; as DEBKIT_ACCEL=off does for one process and its own
 *     /.native/trace               gets a line for each program: native or emulated, its path, and what an emulated
 *                                  interpreter is to run
 *     /.native/qemu                the emulator
 *
 * It makes nothing fail that qemu would run: where anything is missing or strange, qemu runs the program.
 *
 * No C library: it must run in every chroot, however bare, and it starts with every program of a build. With gcc and
 * linux-libc-dev it is made by
 *
 *     gcc @gcc-options -o dispatch dispatch.c
 *
 * for the machine that it is to run on, amd64 or arm64 (aarch64-linux-gnu-gcc makes it elsewhere). It knows nothing of the
 * foreign architecture. */

#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/stat.h>
#include <stdint.h>

#include "decide.h"
#include "elf.h"
#include "machine.h"
#include "fingerprint.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* since Linux 6.3; Debian 12 has older headers */
#endif

#ifdef SOURCES /* a hash of them, by which dispatcher.py knows a compiled dispatcher for its own */
__attribute__((used)) static const char sources[] = SOURCES;
#endif

#define NATIVE "/.native"
#define QEMU NATIVE "/qemu"

enum {
    CANNOT_EXECUTE = 126, /* the shell's exit code for that */
    NOT_PERMITTED = -13,  /* EACCES */
    READABLE = 4,         /* R_OK */
    CHUNK = 16384,
    LARGEST_SCRIPT = 1 << 22, /* of GNU's configure scripts some have 2 MB */
};

static long open_file(const char *path, int flags)
{
    return call(__NR_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0);
}

static void close_file(long file)
{
    call(__NR_close, file, 0, 0, 0);
}

static bool exists(const char *path)
{
    return call(__NR_faccessat, AT_FDCWD, (long)path, 0, 0) == 0;
}

static bool is_regular_file(const char *path)
{
    struct statx about;
    long failed = call5(__NR_statx, AT_FDCWD, (long)path, 0, STATX_TYPE, (long)&about);
    return !failed && (about.stx_mode & S_IFMT) == S_IFREG;
}

static void link_to(long file, struct text *link)
{
    start_text(link, "/proc/self/fd/");
    append_number(link, (unsigned)file);
}

/* Gives the canonical path of an open file, or one that is in no map: of a deleted file, or of one outside the root. */
static void name_of(long file, struct text *path)
{
    struct text link;
    link_to(file, &link);
    long size = call(__NR_readlinkat, AT_FDCWD, (long)link.chars, (long)path->chars, sizeof path->chars - 1);
    path->size = size < 0 ? 0 : (size_t)size;
    path->chars[path->size] = 0;
    path->complete = path->size < sizeof path->chars - 1;
}

static long read_program(void *file, void *into, size_t size, uint64_t offset)
{
    return call(__NR_pread64, *(long *)file, (long)into, (long)size, (long)offset);
}

static bool read_whole(const char *path, struct text *content)
{
    long file = open_file(path, O_RDONLY);
    if (file < 0)
        return false;
    long size = call(__NR_read, file, (long)content->chars, sizeof content->chars, 0);
    close_file(file);
    if (size < 0 || (size_t)size >= sizeof content->chars) /* as long as that is no entry of the map */
        return false;
    content->chars[size] = 0;
    return true;
}

static char script_text[LARGEST_SCRIPT + 1];

/* Reads a script into that, and gives its size and canonical path. Negative: it cannot be read, or is larger. */
static long read_script(const char *script, struct text *path)
{
    long got, size = 0, file = is_regular_file(script) ? open_file(script, O_RDONLY | O_NONBLOCK) : -1;
    if (file < 0)
        return -1;
    name_of(file, path);
    do {
        got = call(__NR_read, file, (long)(script_text + size), (long)sizeof script_text - size, 0);
        size += got;
    } while (got > 0 && size <= LARGEST_SCRIPT);
    close_file(file);
    return got ? -1 : size;
}

static const char *read_text(const char *script)
{
    struct text path;
    long size = read_script(script, &path);
    if (size < 0)
        return NULL;
    script_text[size] = 0;
    return length(script_text) == (size_t)size ? script_text : NULL; /* with a NUL in it, it is no text */
}

/* The script is known by its canonical path, since /bin/dh is /usr/bin/dh, and automake one of several alternatives; and by its
 * content, since a build may have installed another. */
static bool is_marked(const char *interpreter, const char *script)
{
    struct text path, name, mark, content;
    long size = read_script(script, &path);
    if (size < 0 || !path.complete || path.chars[0] != '/')
        return false;
    start_text(&name, NATIVE "/scripts/");
    append(&name, interpreter);
    append(&name, path.chars);
    if (!name.complete || !read_whole(name.chars, &mark))
        return false;
    fingerprint(script_text, (size_t)size, &content);
    return equal(mark.chars, content.chars);
}

static bool is_at_root(void)
{
    struct text path;
    long directory = open_file(".", O_PATH);
    if (directory < 0)
        return false;
    name_of(directory, &path);
    close_file(directory);
    return equal(path.chars, "/");
}

/* Writes a line, `script` with it unless that is NULL: in one piece, so that those of programs that run at once do not mix. It must
 * not wait (O_NONBLOCK: for a reader of the FIFO, or one that is slow), nor be ended by the signal that the reader is gone or the
 * file as large as it may be. */
static void trace(const char *how, const char *path, const char *script)
{
    long file = open_file(NATIVE "/trace", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return;
    struct text line;
    start_text(&line, how);
    append(&line, path);
    if (script) {
        append(&line, " ");
        append(&line, script);
    }
    if (line.complete)
        append(&line, "\n");
    line.chars[line.size - 1] = '\n'; /* also of what was too long */
    for (size_t at = 0; at + 1 < line.size; at++)
        if (line.chars[at] == '\n')
            line.chars[at] = '?';
    static const int fatal[] = {SIGNAL_PIPE, SIGNAL_FILE_SIZE};
    struct action ignore = {.handler = ACTION_IGNORE}, before[2];
    for (int at = 0; at < 2; at++)
        call(__NR_rt_sigaction, fatal[at], (long)&ignore, (long)&before[at], sizeof ignore.mask);
    call(__NR_write, file, (long)line.chars, (long)line.size, 0);
    for (int at = 0; at < 2; at++)
        call(__NR_rt_sigaction, fatal[at], (long)&before[at], 0, sizeof ignore.mask);
    close_file(file);
}

/* What the kernel has laid on the stack: argc, argv and NULL, the environment and NULL, pairs of the auxiliary vector. */
struct start {
    const char **stack; /* argc's place */
    long count;
    const char *path;  /* of the foreign program, as it was called */
    const char **args; /* its argv */
    const char **environment;
    long program; /* the program, open; negative where it cannot be had */
};

static struct start read_stack(const char **stack)
{
    struct start start = {.stack = stack, .count = (long)(uintptr_t)stack[0], .path = stack[2], .args = stack + 3, .program = -1};
    start.environment = stack + 1 + start.count + 1;
    const char **end = start.environment;
    while (*end)
        end++;
    for (const uintptr_t *pair = (const uintptr_t *)(end + 1); pair[0] != AT_NULL; pair += 2)
        if (pair[0] == AT_EXECFD)
            start.program = (long)pair[1];
    return start;
}

static bool is_off(const struct start *start)
{
    for (const char **entry = start->environment; *entry; entry++)
        if (equal(*entry, "DEBKIT_ACCEL=off"))
            return true;
    /* Each native program would warn that it cannot load the foreign libraries of this file. */
    return exists(NATIVE "/off") || exists("/etc/ld.so.preload");
}

/* Ends `text` before the first such letter, and gives what follows it; NULL where there is none. */
static char *cut(char *text, char letter)
{
    for (; *text; text++)
        if (*text == letter) {
            *text = 0;
            return text + 1;
        }
    return NULL;
}

static bool has_build_id(const char *path, const char *expected)
{
    char build_id[BUILD_ID_TEXT];
    long file = open_file(path, O_RDONLY | O_NONBLOCK);
    if (file < 0)
        return false;
    bool same = read_build_id(read_program, &file, build_id) && equal(build_id, expected);
    close_file(file);
    return same;
}

/* Whether the chroot's libraries are those that the twin's own are builds of: it may have been upgraded since the toolbox was made. */
static bool has_libraries(char *lines)
{
    while (*lines) {
        char *path = lines, *build_id = cut(path, ' ');
        lines = build_id ? cut(build_id, '\n') : NULL;
        if (!lines || !has_build_id(path, build_id))
            return false;
    }
    return true;
}

/* Ends the map's entry at its empty line, and gives the libraries that follow. */
static char *part_libraries(char *entry)
{
    for (; *entry; entry++)
        if (entry[0] == '\n' && entry[1] == '\n') {
            entry[1] = 0;
            return entry + 2;
        }
    return entry;
}

/* Finds the map's entry for the program, and decides. True: run the verdict's twin. */
static bool find_twin(const struct start *start, const struct text *path, struct verdict *verdict)
{
    char build_id[BUILD_ID_TEXT];
    struct text name, entry;
    long program = start->program;
    if (path->chars[0] != '/' || !path->complete || is_off(start) || !read_build_id(read_program, &program, build_id))
        return false;
    start_text(&name, NATIVE "/map");
    append(&name, path->chars);
    append(&name, ".");
    append(&name, build_id);
    if (!name.complete || !read_whole(name.chars, &entry))
        return false;
    char *libraries = part_libraries(entry.chars);
    struct request request = {entry.chars, start->args, start->environment, is_marked, read_text, is_at_root};
    return runs_natively(&request, verdict) && has_libraries(libraries);
}

/* Comes back where the twin cannot be executed, all being as it was. */
static void run_twin(const struct start *start, const struct verdict *verdict)
{
    const char *kept = NULL;
    if (verdict->replaced) {
        kept = *verdict->replaced;
        *verdict->replaced = verdict->replacement;
    }
    call(__NR_fcntl, start->program, F_SETFD, FD_CLOEXEC, 0); /* the kernel's stays open, and the twin would see it */
    call(__NR_execve, (long)verdict->twin.chars, (long)start->args, (long)start->environment, 0);
    if (verdict->replaced)
        *verdict->replaced = kept;
}

static bool write_whole(long file, const char *bytes, size_t size)
{
    while (size) {
        long written = call(__NR_write, file, (long)bytes, (long)size, 0);
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* The kernel hands over a program that may be executed but not read; qemu would have to open it, so it gets a copy. The path of
 * the copy is put into `copy`. False: the program can be read, or not be copied. */
static bool copy_unreadable(const struct start *start, struct text *copy)
{
    if (start->program < 0 || call(__NR_faccessat, AT_FDCWD, (long)start->path, READABLE, 0) != NOT_PERMITTED)
        return false;
    long program = start->program, memory = call(__NR_memfd_create, (long)"program", MFD_EXEC, 0, 0), got;
    if (memory < 0)
        return false;
    char bytes[CHUNK];
    for (uint64_t offset = 0; (got = read_program(&program, bytes, sizeof bytes, offset)) > 0; offset += (uint64_t)got)
        if (!write_whole(memory, bytes, (size_t)got))
            return false;
    link_to(memory, copy);
    return got == 0;
}

/* A build may make a root of its own and enter it, where there is no /.native. For that dispatcher.py puts a qemu into this very
 * program, as a segment of memory at this address. */
enum { OWN_QEMU = 0x10000000 };

static void run_own_qemu(const struct start *start)
{
    extern const char __ehdr_start[]; /* the linker's name for where the ELF header lies in memory */
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)__ehdr_start;
    const Elf64_Phdr *segment = (const Elf64_Phdr *)(__ehdr_start + header->e_phoff);
    for (int count = header->e_phnum; count; count--, segment++) {
        if (segment->p_type != PT_LOAD || segment->p_vaddr != OWN_QEMU)
            continue;
        long memory = call(__NR_memfd_create, (long)"qemu", MFD_EXEC | MFD_CLOEXEC, 0, 0);
        if (memory >= 0 && write_whole(memory, (const char *)segment->p_vaddr, segment->p_filesz))
            call5(__NR_execveat, memory, (long)"", (long)start->stack, (long)start->environment, AT_EMPTY_PATH);
    }
}

/* qemu -0 ARGV0 PATH ARGUMENTS: unlike what the kernel would tell it by flag P, every version knows this. Where argc was there is
 * room for the one word that it is longer. */
static void run_qemu(const struct start *start)
{
    struct text open;
    const char **args = start->stack, *name = start->args[0];
    args[0] = QEMU;
    args[1] = "-0";
    args[2] = name;
    args[3] = start->path;
    if (copy_unreadable(start, &open)) {
        args[3] = open.chars;
        close_file(start->program);
    } else if (start->program >= 0 && (begins(start->path, "/proc/self/fd/") || !exists(start->path))) {
        /* fexecve(3) of what is closed on execution, as systemd does it: nothing but the kernel's file is left of the program. */
        link_to(start->program, &open);
        args[3] = open.chars;
    } else if (start->program >= 0)
        close_file(start->program);
    call(__NR_execve, (long)QEMU, (long)args, (long)start->environment, 0);
    run_own_qemu(start);
}

static _Noreturn void give_up(const char *why)
{
    call(__NR_write, 2, (long)why, (long)length(why), 0);
    for (;;)
        call(__NR_exit_group, CANNOT_EXECUTE, 0, 0, 0);
}

_Noreturn void dispatch(const char **stack); /* called by _start in machine.h */

__attribute__((used)) void dispatch(const char **stack)
{
    struct start start = read_stack(stack);
    struct text path;
    struct verdict verdict;
    verdict.script = NULL;
    if (start.count < 3)
        give_up("debkit's dispatcher is run by the kernel alone (binfmt_misc, flags POF)\n");
    if (start.program < 0) /* without flag O; and how its tests run it by hand */
        start.program = open_file(start.path, O_RDONLY);
    if (start.program < 0)
        start_text(&path, "");
    else
        name_of(start.program, &path);
    bool native = find_twin(&start, &path, &verdict);
    if (native) {
        trace("native ", path.chars, verdict.script);
        run_twin(&start, &verdict);
    }
    trace("emulated ", path.size ? path.chars : start.path, verdict.script);
    run_qemu(&start);
    give_up("debkit: " QEMU " cannot be executed\n");
}

/* gcc copies and clears structures with these; that it makes no calls of loops, these least of all, is said in gcc-options. */
void *memcpy(void *restrict into, const void *restrict from, size_t size);
void *memset(void *into, int byte, size_t size);

void *memcpy(void *restrict into, const void *restrict from, size_t size)
{
    for (size_t at = 0; at < size; at++)
        ((char *)into)[at] = ((const char *)from)[at];
    return into;
}

void *memset(void *into, int byte, size_t size)
{
    for (size_t at = 0; at < size; at++)
        ((char *)into)[at] = (char)byte;
    return into;
}
