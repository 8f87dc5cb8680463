/* What a twin is told of its machine: what qemu would tell the foreign program in its place.
 *
 * A library that the toolbox's loader preloads (ld.so(8): of /etc/ld.so.preload it reads /.native/preload instead), so that the
 * environment shows nothing of it. Two answers of the kernel differ, and each is given as qemu gives it: the machine's name
 * (uname(2)), and the path of the program itself (proc(5): /proc/self/exe). Made by
 *
 *     gcc @answers-options -DMACHINE='"aarch64"' -o answers.so answers.c */

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <stdbool.h>
#include <stddef.h>

#include "machine.h"

#define ROOT "/.native/root"

struct utsname { /* utsname.h's, as the kernel and the C library have it */
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

extern int *__errno_location(void); /* the C library's errno */

int uname(struct utsname *name);
long readlink(const char *restrict path, char *restrict text, size_t size);
long readlinkat(int directory, const char *restrict path, char *restrict text, size_t size);

static long answer(long result)
{
    if (result >= 0)
        return result;
    *__errno_location() = (int)-result;
    return -1;
}

int uname(struct utsname *name)
{
    static const char machine[] = MACHINE;
    long result = call(__NR_uname, (long)name, 0, 0, 0);
    if (!result)
        for (size_t at = 0; at < sizeof machine; at++)
            name->machine[at] = machine[at];
    return (int)answer(result);
}

static bool is_own(const char *path)
{
    static const char own[] = "/proc/self/exe";
    size_t at = 0;
    while (at < sizeof own && path[at] == own[at])
        at++;
    return at == sizeof own;
}

long readlinkat(int directory, const char *restrict path, char *restrict text, size_t size)
{
    static const char root[] = ROOT;
    enum { LENGTH = sizeof root - 1 };
    char whole[4096]; /* PATH_MAX */
    if (!is_own(path))
        return answer(call(__NR_readlinkat, directory, (long)path, (long)text, (long)size));
    long found = call(__NR_readlinkat, directory, (long)path, (long)whole, (long)sizeof whole);
    if (found < 0)
        return answer(found);
    size_t start = 0;
    while (start < LENGTH && start < (size_t)found && whole[start] == root[start])
        start++;
    if (start < LENGTH)
        start = 0;
    size_t length = (size_t)found - start;
    if (length > size)
        length = size;
    for (size_t at = 0; at < length; at++)
        text[at] = whole[start + at];
    return (long)length;
}

long readlink(const char *restrict path, char *restrict text, size_t size)
{
    return readlinkat(AT_FDCWD, path, text, size);
}
