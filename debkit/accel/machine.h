/* The machine that the dispatcher runs on: where it starts (but a LIBRARY does not), and how it calls the kernel. */

#ifndef DEBKIT_MACHINE_H
#define DEBKIT_MACHINE_H

#if defined __x86_64__

#ifndef LIBRARY
__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    call dispatch\n");
#endif

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined __aarch64__

#ifndef LIBRARY
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    mov x0, sp\n"
        "    b dispatch\n");
#endif

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#else
#error "debkit's dispatcher runs on amd64 and arm64"
#endif

/* A negative result is the negative error number. */
static inline long call5(long number, long a, long b, long c, long d, long e)
{
    return call6(number, a, b, c, d, e, 0);
}

static inline long call(long number, long a, long b, long c, long d)
{
    return call5(number, a, b, c, d, 0);
}

/* sigaction(2) as the kernel has it, the same on both; linux/signal.h is for use beside a C library only. */
struct action {
    unsigned long handler, flags, restorer, mask;
};

enum { ACTION_IGNORE = 1, SIGNAL_PIPE = 13, SIGNAL_FILE_SIZE = 25 };

#endif
