/* What a twin is told by its machine: what qemu would tell the foreign program in its place.
 *
 * A library that the toolbox's loader preloads into every twin: of /etc/ld.so.preload (ld.so(8)) it reads /.native/preload
 * instead, so that the environment shows nothing of it. Where an answer of the kernel would differ, it is given as qemu gives it:
 * the machine's name (uname(2)), the path of the program itself (/proc/self/exe, proc(5)), that there is no seccomp(2), and that
 * limits of memory are set (setrlimit(2)), which are not: filters and limits would stay with the emulated programs that a twin
 * starts.
 *
 * The twins of perl and python find the modules of the chroot, the compiled ones too; what they then load is the native one of the
 * same path in the toolbox. Python's has the foreign names for these (twins.toml). Its modules ask sys.implementation which
 * machine it was built for, sysconfig among them, which reads the chroot's own data by that. Perl's looks in the toolbox, which has
 * links to the chroot's directories there.
 *
 *     /.native/machine    the foreign machine's name
 *     /.native/multiarch  the foreign triplet
 *
 * With gcc and linux-libc-dev it is made by
 *
 *     gcc @answers-options -o answers.so answers.c */

#include <asm/unistd.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <stdarg.h>
#include <stddef.h>

#define LIBRARY
#include "machine.h"
#include "words.h"

#ifdef SOURCES /* a hash of them, by which dispatcher.py knows a compiled one for its own */
__attribute__((used)) static const char sources[] = SOURCES;
#endif

#define NATIVE "/.native/"
#define ROOT NATIVE "root"
#define PERL NATIVE "perl" /* what the links to the chroot's directories stand for, perl5 and perl-base too */
#define MACHINE NATIVE "machine"
#define MULTIARCH NATIVE "multiarch"
#define NEXT ((void *)-1L) /* RTLD_NEXT of <dlfcn.h> */

struct utsname { /* <sys/utsname.h>, which no file without a C library has */
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

int uname(struct utsname *about);
long readlink(const char *restrict path, char *restrict target, size_t size);
long readlinkat(int directory, const char *restrict path, char *restrict target, size_t size);
int prctl(int what, ...);
int setrlimit(int resource, const void *limits);
int setrlimit64(int resource, const void *limits);
int prlimit(int process, int resource, const void *limits, void *before);
int prlimit64(int process, int resource, const void *limits, void *before);
long syscall(long number, ...);
void *dlopen(const char *path, int mode);
void *dlsym(void *library, const char *name);

/* Python's C API, which python's twin alone has. */
int PySys_AddAuditHook(int (*hook)(const char *event, void *args, void *data), void *data) __attribute__((weak));
void *PySys_GetObject(const char *name) __attribute__((weak));
void *PyUnicode_FromString(const char *text) __attribute__((weak));
int PyObject_SetAttrString(void *object, const char *name, void *value) __attribute__((weak));
void Py_DecRef(void *object) __attribute__((weak));

/* Answers as the C library does: errno is its own. */
static long answer(long result)
{
    if (result >= 0 || result < -PATH_SIZE) /* an address may be negative */
        return result;
    errno = (int)-result;
    return -1;
}

/* Reads a name of the toolbox. False, and `name` is as it was: it has none. */
static bool read_name(const char *path, char *name, size_t size)
{
    long file = call(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return false;
    long got = call(__NR_read, file, (long)name, (long)size - 1, 0);
    call(__NR_close, file, 0, 0, 0);
    if (got <= 0)
        return false;
    name[got] = 0;
    return true;
}

int uname(struct utsname *about)
{
    long failed = call(__NR_uname, (long)about, 0, 0, 0);
    if (!failed)
        read_name(MACHINE, about->machine, sizeof about->machine);
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

/* qemu takes a limit of the memory of the foreign program, and leaves it be: it would be one of its own. */
static long limit(long process, int resource, const void *limits, void *before)
{
    bool of_memory = resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK;
    return answer(call(__NR_prlimit64, process, resource, of_memory ? 0 : (long)limits, (long)before));
}

int setrlimit(int resource, const void *limits)
{
    return (int)limit(0, resource, limits, NULL);
}

int setrlimit64(int resource, const void *limits)
{
    return (int)limit(0, resource, limits, NULL);
}

int prlimit(int process, int resource, const void *limits, void *before)
{
    return (int)limit(process, resource, limits, before);
}

int prlimit64(int process, int resource, const void *limits, void *before)
{
    return (int)limit(process, resource, limits, before);
}

typedef void *opener(const char *path, int mode);

static opener *next_dlopen(void) /* the C library's */
{
    opener *next;
    *(void **)&next = dlsym(NEXT, "dlopen");
    return next;
}

/* Loads a native module, at `home` and `rest`, in place of the foreign one at `path`, where there is one. */
static void *load_module(const char *path, const char *home, const char *rest, int mode)
{
    struct text twin;
    start_text(&twin, home);
    append(&twin, rest);
    bool there = twin.complete && call(__NR_faccessat, AT_FDCWD, (long)twin.chars, 0, 0) == 0;
    return next_dlopen()(there ? twin.chars : path, mode);
}

/* What follows "perl" in the path of a module that perl's twin has found: /.native/TRIPLET/perlREST. Not perl's: NULL. */
static const char *of_perl(const char *path)
{
    if (!begins(path, NATIVE))
        return NULL;
    for (path += sizeof NATIVE - 1; *path && *path != '/'; path++)
        ;
    return begins(path, "/perl") ? path + sizeof "/perl" - 1 : NULL;
}

/* All else is a jump to the C library's, as gcc makes of a call that comes last: it looks at who calls it (DT_RUNPATH). */
void *dlopen(const char *path, int mode)
{
    if (PySys_AddAuditHook && path && begins(path, "/usr/lib/python3"))
        return load_module(path, ROOT, path, mode);
    const char *rest = path ? of_perl(path) : NULL;
    if (rest)
        return load_module(path, PERL, rest, mode);
    return next_dlopen()(path, mode);
}

/* Before its first import Python has made sys.implementation, and nothing has read it. */
static int tell_python(const char *event, void *args, void *data)
{
    static bool told;
    char name[PATH_SIZE];
    (void)args, (void)data;
    if (told || !equal(event, "import") || !read_name(MULTIARCH, name, sizeof name))
        return 0;
    void *implementation = PySys_GetObject("implementation"), *multiarch = implementation ? PyUnicode_FromString(name) : NULL;
    told = multiarch && PyObject_SetAttrString(implementation, "_multiarch", multiarch) == 0;
    Py_DecRef(multiarch);
    return !implementation || told ? 0 : -1; /* an exception */
}

__attribute__((constructor)) static void wait_for_python(void)
{
    if (PySys_AddAuditHook)
        PySys_AddAuditHook(tell_python, NULL);
}
