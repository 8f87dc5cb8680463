/* What a twin is told by its machine: what qemu would tell the foreign program in its place.
 *
 * A library that the toolbox's loader preloads into every twin: of /etc/ld.so.preload (ld.so(8)) it reads /.native/preload
 * instead, so that the environment shows nothing of it. Where an answer of the kernel would differ, it is given as qemu gives it:
 * the machine's name (uname(2)), the path of the program itself (/proc/self/exe, proc(5)), and that there is no seccomp(2): a
 * filter of system calls would stay with the emulated programs that a twin starts.
 *
 *     /.native/machine   the foreign machine's name
 *
 * With gcc and linux-libc-dev it is made by
 *
 *     gcc @answers-options -o answers.so answers.c */

#include <asm/unistd.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <stdarg.h>
#include <stddef.h>

#define LIBRARY
#include "machine.h"
#include "words.h"

#ifdef SOURCES /* a hash of them, by which dispatcher.py knows a compiled one for its own */
__attribute__((used)) static const char sources[] = SOURCES;
#endif

#define ROOT "/.native/root"
#define NAME "/.native/machine"

struct utsname { /* <sys/utsname.h>, which no file without a C library has */
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

int uname(struct utsname *about);
long readlink(const char *restrict path, char *restrict target, size_t size);
long readlinkat(int directory, const char *restrict path, char *restrict target, size_t size);
int prctl(int what, ...);
long syscall(long number, ...);

/* Answers as the C library does: errno is its own. */
static long answer(long result)
{
    if (result >= 0 || result < -PATH_SIZE) /* an address may be negative */
        return result;
    errno = (int)-result;
    return -1;
}

int uname(struct utsname *about)
{
    long failed = call(__NR_uname, (long)about, 0, 0, 0);
    long file = failed ? -1 : call(__NR_openat, AT_FDCWD, (long)NAME, O_RDONLY | O_CLOEXEC, 0);
    if (file >= 0) {
        char name[sizeof about->machine];
        long size = call(__NR_read, file, (long)name, sizeof name - 1, 0);
        call(__NR_close, file, 0, 0, 0);
        for (long at = 0; at < size; at++)
            about->machine[at] = name[at];
        if (size > 0)
            about->machine[size] = 0;
    }
    return (int)answer(failed);
}

/* The twin of /usr/bin/x is /.native/root/usr/bin/x. */
long readlinkat(int directory, const char *restrict path, char *restrict target, size_t size)
{
    char whole[PATH_SIZE];
    if (!equal(path, "/proc/self/exe"))
        return answer(call(__NR_readlinkat, directory, (long)path, (long)target, (long)size));
    long length = call(__NR_readlinkat, directory, (long)path, (long)whole, sizeof whole - 1);
    if (length < 0)
        return answer(length);
    whole[length] = 0;
    const char *program = begins(whole, ROOT "/") ? whole + sizeof ROOT - 1 : whole;
    size_t at = 0;
    for (; at < size && program[at]; at++)
        target[at] = program[at];
    return (long)at;
}

long readlink(const char *restrict path, char *restrict target, size_t size)
{
    return readlinkat(AT_FDCWD, path, target, size);
}

int prctl(int what, ...)
{
    va_list rest;
    va_start(rest, what);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long);
    va_end(rest);
    if (what == PR_GET_SECCOMP || what == PR_SET_SECCOMP)
        return (int)answer(-EINVAL);
    return (int)answer(call5(__NR_prctl, what, a, b, c, d));
}

long syscall(long number, ...)
{
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long), e = va_arg(rest, long);
    long f = va_arg(rest, long);
    va_end(rest);
    return answer(number == __NR_seccomp ? -ENOSYS : call6(number, a, b, c, d, e, f));
}
