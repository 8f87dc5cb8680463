/* Tries the dispatcher's rules with a table of cases. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide.h"
#include "fingerprint.h"

#define TWIN "/.native/root/usr/bin/"
#define ARGS(...) (const char *[]){__VA_ARGS__, NULL}
#define ENV(...) (const char *[]){"HOME=/root", __VA_ARGS__, NULL}
#define ALWAYS "always\n" TWIN "sed\n"
#define BASH "bash\n" TWIN "bash\n"
#define MAKE "not-version\n" TWIN "make\n"
#define GCC "compiler\n" TWIN "aarch64-linux-gnu-gcc-14\n"
#define LD "linker\n" TWIN "aarch64-linux-gnu-ld.bfd\n"
#define PERL "script\n" TWIN "perl\n"
#define PYTHON "script\n" TWIN "python3.13\n"
#define GXX "compiler\n" TWIN "aarch64-linux-gnu-g++-14\n"
#define PROPER "proper\n" TWIN "cc1\n"
#define GAWK "gawk\n" TWIN "gawk\n"
#define MAWK "mawk\n" TWIN "mawk\n"
#define GO "goarch\n" TWIN "compile\n"
#define SPHINX "/usr/bin/sphinx-build"
#define COLLECT2 "proper\n" TWIN "collect2\n"
#define FLOATS(tool) "no-floats\n" TWIN tool "\n"
#define PLUGIN "/usr/libexec/gcc/aarch64-linux-gnu/14/liblto_plugin.so"

enum answer { EMULATED, NATIVE };

static const struct example {
    enum answer expected;
    const char *map;
    const char **args;
    const char **environment; /* NULL: nothing but HOME */
    const char *argument;     /* what the twin gets for one that is replaced */
} EXAMPLES[] = {
    /* The map's entry. */
    {NATIVE, ALWAYS, ARGS("sed", "--version"), NULL, NULL},
    {NATIVE, ALWAYS, ARGS("sed"), NULL, NULL},
    {NATIVE, ALWAYS, ARGS(""), NULL, NULL},
    {EMULATED, ALWAYS, (const char *[]){NULL}, NULL, NULL},
    {EMULATED, "", ARGS("sed"), NULL, NULL},
    {EMULATED, "\n\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "always", ARGS("sed"), NULL, NULL},
    {EMULATED, "always\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "always\n" TWIN "sed", ARGS("sed"), NULL, NULL}, /* cut off */
    {EMULATED, ALWAYS "more\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "always\nsed\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "alway\n" TWIN "sed\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "always \n" TWIN "sed\n", ARGS("sed"), NULL, NULL},
    {EMULATED, "a-newer-rule\n" TWIN "sed\n", ARGS("sed"), NULL, NULL},
    /* What the loader is told. */
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD="), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfakeroot-sysv.so"), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libeatmydata.so:libfakeroot-tcp.so"), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD= libfakeroot-sysv.so : libeatmydata.so "), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH="), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/libfakeroot"), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/libfakeroot:/usr/lib64/libfakeroot"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/build/lib"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/usr/lib64/libfakeroot:/build/lib"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/build/libfakeroot/lib"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=:/usr/lib64/libfakeroot"), NULL}, /* the current directory */
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=/usr/lib64/libfakeroot:"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_LIBRARY_PATH=root"), NULL},
    {NATIVE, ALWAYS, ARGS("sed"), ENV("LD_PRELOADED=libfaketime.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfaketime.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfakeroot-sysv.so:libfaketime.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfaketime.so libfakeroot-sysv.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libfakeroot/libfakeroot-sysv.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfakeroot/../evil.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfakeroo"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_PRELOAD=libfakeroot-sysv.so", "LD_PRELOAD=/build/x.so"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_TRACE_LOADED_OBJECTS=1"), NULL},
    {EMULATED, ALWAYS, ARGS("sed"), ENV("LD_AUDIT=/build/audit.so"), NULL},
    {EMULATED, ALWAYS, ARGS("iconv"), ENV("GCONV_PATH=/build/iconvdata"), NULL},
    /* What the kernel is asked. */
    {EMULATED, ALWAYS, ARGS("grep", "-c", "processor", "/proc/cpuinfo"), NULL, NULL},
    {EMULATED, ALWAYS, ARGS("readlink", "-f", "/proc/self/exe"), NULL, NULL},
    {NATIVE, ALWAYS, ARGS("cat", "/proc/self/fd/3", "/proc/mounts"), NULL, NULL},
    {NATIVE, ALWAYS, ARGS("/proc/self/exe"), NULL, NULL}, /* its name */
    /* not-version */
    {NATIVE, MAKE, ARGS("make", "-j4", "-C", "dir", "VERSION=1"), NULL, NULL},
    {NATIVE, MAKE, ARGS("make", "--no-print-directory", "all"), NULL, NULL},
    {NATIVE, MAKE, ARGS("-v"), NULL, NULL}, /* its name */
    {EMULATED, MAKE, ARGS("make", "-v"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--vers"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "all", "-kv"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "-azAZv"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "-nps"), NULL, NULL}, /* "Built for …" */
    {EMULATED, MAKE, ARGS("make", "-d"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--debug=v"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--print-data-base"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--print-da"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("MAKEFLAGS=pw"), NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("MAKEFLAGS=kd -j4 -- V=1"), NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("GNUMAKEFLAGS=--debug"), NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("MAKEFLAGS=-p"), NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("GNUMAKEFLAGS=-j4 -p"), NULL},
    {NATIVE, MAKE, ARGS("make"), ENV("MAKEFLAGS= -I dir -- d=1"), NULL},
    {NATIVE, MAKE, ARGS("make"), ENV("MAKEFLAGS= -j4 --jobserver-auth=fifo:/tmp/x -- prefix=/usr"), NULL},
    {NATIVE, MAKE, ARGS("make"), ENV("MAKEFLAGS=w -- prefix=/usr"), NULL},
    {NATIVE, MAKE, ARGS("make"), ENV("MAKEFLAGS="), NULL},
    {NATIVE, MAKE, ARGS("make", "-ks", "-f", "debian/rules", "prefix=/usr"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "-h"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "-kh"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--eval=load ./x.so"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "--eval", "load ./x.so"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make", "-E", "load ./x.so"), NULL, NULL},
    {EMULATED, MAKE, ARGS("make"), ENV("MAKEFLAGS=k --eval=load\\ ./x.so"), NULL},
    {EMULATED, "not-version\n" TWIN "as\n", ARGS("as", "--dump-config"), NULL, NULL},
    {EMULATED, "not-version\n" TWIN "as\n", ARGS("as", "-V", "-o", "x.o"), NULL, NULL},
    {NATIVE, "not-version\n" TWIN "rsync\n", ARGS("rsync", "-dpE", "a/", "b/"), NULL, NULL}, /* letters of make alone */
    {EMULATED, "not-version\n" TWIN "rsync\n", ARGS("rsync", "--version"), NULL, NULL},
    /* bash */
    {NATIVE, BASH, ARGS("bash", "-c", "echo --version; printf '%s %d%% ok\\n' a 1", "--version"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-euo", "pipefail", "+O", "extglob", "-xc", "echo", "-v"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "--norc", "--noprofile", "--posix", "-e", "./configure", "--versions=all"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "./configure", "gcc", "-Wvla", "--help", "--version"), NULL, NULL}, /* the script's own */
    {NATIVE, BASH, ARGS("bash", "--", "./configure"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "printf '%s'\necho '%f'"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "printf \"total:\n %.25f\" 1"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "printf '\"\n%lf' 1"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "printf \"say \\\"x\n%.25f\\\"\" 1"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "\\printf %f 1"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "printf \\%.20f 0.1"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "printf %s don\\'t\ndate +%F"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "printf %s x # don't\ndate +%F"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", ""), ENV("BASH_ENV=", "BASH_FUNC_f%%=() {  printf %s x\n}"), NULL},
    {EMULATED, BASH, ARGS("bash", "--version"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-version", "-c", "echo"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "--help"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "--rcfile", "rc", "-c", "echo"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash"), NULL, NULL}, /* from standard input */
    {EMULATED, BASH, ARGS("bash", "-"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-e", "-o"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-s", "./configure"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-lc", "echo"), NULL, NULL},
    {EMULATED, BASH, ARGS("-bash", "-c", "echo"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "no-such-script"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", ""), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "./floats"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-o", "./configure", "./floats"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "printf %.2f 0.005"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "f='%1$-30a'; printf \"$f\" 0.1"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "x\nprintf \\\n  '%s\t%5.1e' a 1"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "printf '%s\\n'\necho %f"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "date +%F; echo %g"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "echo 'printf (\"%g\", x); fprintf (f, \"%g\", x);'"), NULL, NULL}, /* of C */
    {NATIVE, BASH, ARGS("bash", "-c", "/usr/bin/printf %f 1"), NULL, NULL}, /* a program */
    {EMULATED, BASH, ARGS("bash", "-c", "echo $HOSTTYPE"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "echo ${MACHTYPE%%-*}"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "echo ${BASH_VERSINFO[5]}"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "enable -nf ./x.so x"), NULL, NULL},
    {NATIVE, BASH, ARGS("bash", "-c", "enable -n echo; echo --enable -f enable"), NULL, NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "f"), ENV("BASH_FUNC_f%%=() {  printf %f 1\n}"), NULL},
    {EMULATED, BASH, ARGS("bash", "-c", "f"), ENV("BASH_ENV=rc"), NULL},
    /* gawk */
    {NATIVE, GAWK, ARGS("gawk", "--posix", "-F", "fiE", "-vfor=1", "{print for_, in_; x[1] in y}"), ENV("AWKLIBPATH="), NULL},
    {NATIVE, GAWK, ARGS("gawk", "-f", "./floats", "-F:", "-f./configure"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "BEGIN {for (k in a) print k}"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-f", "./loops"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-f./loops"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-nf", "./floats"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "--file=./floats"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-f"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-f", "./configure"), ENV("AWKPATH=/x"), NULL},
    {EMULATED, GAWK, ARGS("gawk", "@include \"lib\"; {print}"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-f", "-"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-i", "inplace", "{print}"), NULL, NULL}, /* it is not looked for where gawk does */
    {NATIVE, MAWK, ARGS("mawk", "-F", "%", "-v", "x=100%", "BEGIN {for (k in a) printf \"%-5.2f%d %s%%\", 1, k, \"\"}"), NULL, NULL},
    {NATIVE, MAWK, ARGS("mawk", "-f", "./floats", "data", "x"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "BEGIN {srand(20240101123456)}"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "BEGIN {printf \"%08x\", -1}"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "BEGIN {printf \"%s %*u\", 5, -1}"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "BEGIN {printf \"%lx %'u\", 5, -1}"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "-f", "./unsigned"), NULL, NULL},
    {EMULATED, MAWK, ARGS("mawk", "-Wexec", "./floats"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "-l", "./x.so", "{print}"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "--load=x", "{print}"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "@load \"x\"; {print}"), NULL, NULL},
    {EMULATED, GAWK, ARGS("gawk", "{print}"), ENV("AWKLIBPATH=."), NULL},
    /* no-floats */
    {NATIVE, FLOATS("printf"), ARGS("printf", "%s %d%% %5.3s e\\n", "x", "1"), NULL, NULL},
    {NATIVE, FLOATS("printf"), ARGS("printf", "%"), NULL, NULL},
    {EMULATED, FLOATS("printf"), ARGS("printf", "%.20g", "0.1"), NULL, NULL},
    {EMULATED, FLOATS("printf"), ARGS("printf", "%.25Lf", "0.1"), NULL, NULL},
    {EMULATED, FLOATS("printf"), ARGS("printf", "%%%1$.30f", "0.1"), NULL, NULL},
    {EMULATED, FLOATS("printf"), ARGS("printf", "%s %-+ #012.3A", "x", "1"), NULL, NULL},
    {NATIVE, FLOATS("seq"), ARGS("seq", "-w", "-s", ",", "-3", "+7", "100"), NULL, NULL},
    {NATIVE, FLOATS("seq"), ARGS("seq", "-s", " ", "1", " 3"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", " 0.1", "1"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "0", ".1", "1"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "0", "0.1", "1"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "-f", "%g", "3"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "--format=%g", "3"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "1e3"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "3", "inf"), NULL, NULL},
    {EMULATED, FLOATS("seq"), ARGS("seq", "18446744073709551616", "-1", "18446744073709551610"), NULL, NULL},
    {NATIVE, FLOATS("sort"), ARGS("sort", "-u", "-k", "1,2n", "-t", "g", "gone"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "-rg"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "--gen"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "--sor", "general-numeric"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "-k1,2g"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "-k", "1,2g"), NULL, NULL},
    {EMULATED, FLOATS("sort"), ARGS("sort", "+0g", "-1", "x"), NULL, NULL},
    {NATIVE, FLOATS("od"), ARGS("od", "-An", "-tfD", "x"), NULL, NULL},
    {EMULATED, FLOATS("od"), ARGS("od", "-t", "x1f16z", "x"), NULL, NULL},
    {EMULATED, FLOATS("od"), ARGS("od", "-t", "fL", "x"), NULL, NULL},
    /* goarch */
    {NATIVE, GO, ARGS("compile", "-o", "x.a", "-trimpath", "x", "x.go"), ENV("GOARCH=arm64"), NULL},
    {EMULATED, GO, ARGS("compile", "-V=full"), NULL, NULL},
    {EMULATED, GO, ARGS("compile", "x.go"), ENV("GOARCH="), NULL}, /* that of its own machine */
    {EMULATED, GO, ARGS("compile", "x.go"), ENV("GOARCH=arm64", "GOARCH="), NULL},
    /* proper */
    {NATIVE, PROPER, ARGS("cc1", "-quiet", "x.c", "-quiet", "-dumpbase", "x.c", "-mlittle-endian", "-o", "x.s"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "-quiet", "-v", "x.c"), NULL, NULL},
    {NATIVE, PROPER, ARGS("cc1", "-isysroot", "/", "x.c"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "-isysroot", "/build", "x.c"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "x.c", "-isysroot"), NULL, NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "--sysroot=/build", "x.o"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "-version"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "--help=target"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "-fplugin=./x.so", "x.c"), NULL, NULL},
    {EMULATED, PROPER, ARGS("collect2", "-fuse-ld=lld", "x.o"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "@args"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1", "-fopenmp", "x.c"), NULL, NULL},
    {NATIVE, PROPER, ARGS("cc1", "-fopenmp-simd", "x.c"), NULL, NULL},
    {NATIVE, PROPER, ARGS("cc1plus", "x.cc", "-foffload-options=-l_GCC_m"), NULL, NULL},
    {EMULATED, PROPER, ARGS("cc1plus", "x.cc", "-foffload-options=-O3"), NULL, NULL},
    {NATIVE, "proper\n" TWIN "lto-wrapper\n", ARGS("lto-wrapper", "@args"), NULL, NULL},
    {NATIVE, COLLECT2, ARGS("collect2", "-fopenmp", "x.o"), NULL, NULL},
    {NATIVE, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/build"), NULL},
    {NATIVE, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/usr/bin"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/build:/usr/bin"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/usr/sbin::/usr/bin"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/bin:/usr/bin"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH=/usr/binaries:/usr/local"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("PATH="), NULL},
    {NATIVE, COLLECT2, ARGS("collect2", "x.o"), ENV("COMPILER_PATH=/usr/libexec/gcc/aarch64-linux-gnu/14/:/usr/lib/gcc/x/"), NULL},
    {EMULATED, COLLECT2, ARGS("collect2", "x.o"), ENV("COMPILER_PATH=/build/:/usr/lib/gcc/x/"), NULL},
    {NATIVE, PROPER, ARGS("cc1", "x.c"), ENV("PATH=/build"), NULL},
    /* compiler */
    {NATIVE, GCC, ARGS("gcc", "-O2", "-march=armv8-a", "-c", "x.c", "-o", "x.o"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "-dumpbase", "x.c", "-dumpdir", "a-", "-dumpbase-ext", ".c"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "--param=ssp-buffer-size=4", "--sysroot=/", "-E", "-dM", "-"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "-Wl,--version-script=x.map", "-fPIC", "-DNAME=native"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "-specs=/usr/share/dpkg/no-pie-link.specs", "x.c"), NULL, NULL},
    {NATIVE, GCC, ARGS("-v", "x.c"), NULL, NULL}, /* its name */
    {NATIVE, GCC, ARGS("gcc", "-o", "x", "x.c"), NULL, NULL},
    {NATIVE, GXX, ARGS("g++", "-O2", "-c", "x.cc"), NULL, NULL},
    {NATIVE, GXX, ARGS("g++", "-E", "x.cc"), NULL, NULL},
    {NATIVE, "compiler\n" TWIN "aarch64-linux-gnu-cpp-14\n", ARGS("cpp", "x.c"), NULL, NULL},
    {EMULATED, GXX, ARGS("g++", "-g", "-o", "x", "x.cc"), NULL, NULL},
    {EMULATED, GXX, ARGS("g++", "-o", "x", "x.o"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-g", "-c", "x.c", "-lm"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-l", "m", "x.o"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--library=m", "x.o"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--library", "gfortran", "x.o"), NULL, NULL},
    {EMULATED, GXX, ARGS("g++", "-g", "-c", "x.cc", "-lm"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "x.o", "-lmd", "-l", "z", "-lmx", "-Wl,-lm", "-l"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-fopenmp", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,-Map=x.map"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,--dependency-file=x.d"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,-z,now,-t"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-t"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,-M"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,--print-map"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Wl,--gc-sections,--print-gc-sections"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o", "-Xlinker", "-Map"), NULL, NULL},
    {NATIVE, GCC, ARGS("gcc", "x.o", "-Wl,-z,relro,--as-needed,-soname,libx.so.1"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-foffload=disable", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--sysroot=/build", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--sysroot=", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--sysroot", "/", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-isysroot/build", "-c", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o"), ENV("LIBRARY_PATH=/build"), NULL},
    {NATIVE, GCC, ARGS("gcc", "x.o"), ENV("LIBRARY_PATH="), NULL},
    {EMULATED, GCC, ARGS("gcc", "x.o"), ENV("LPATH=/build"), NULL},
    {NATIVE, GCC, ARGS("gcc", "-c", "x.c"), ENV("LIBRARY_PATH=/build"), NULL},
    {EMULATED, GXX, ARGS("g++", "x.o"), ENV("LIBRARY_PATH="), NULL},
    {EMULATED, GCC, ARGS("gcc", "-print-multiarch"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--print-file-name=libgcc.a"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-dumpmachine"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-dumpspecs"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-v", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-###", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "--version"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-Q", "--help=target"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-fplugin=./x.so", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-fplugin-arg-x-y", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-march=native", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-mcpu=native+crc", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.c", "-mtune=native"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "-wrapper", "gdb,--args", "x.c"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "@objects"), NULL, NULL},
    {EMULATED, GCC, ARGS("gcc", "x.c"), ENV("LD_PRELOAD=./x.so"), NULL},
    /* linker */
    {NATIVE, LD, ARGS("ld", "-o", "x", "x.o", "--version-script=x.map", "-version-script", "y.map"), NULL, NULL},
    {NATIVE, LD, ARGS("ld", "-plugin", PLUGIN, "-plugin-opt=-fresolution=x", "x.o"), NULL, "/.native/liblto_plugin.so"},
    {NATIVE, LD, ARGS("ld"), ENV("LD_RUN_PATH="), NULL},
    {NATIVE, LD, ARGS("ld"), ENV("LD_RUN_PATH=/usr/lib/aarch64-linux-gnu:/lib:/usr/lib"), NULL},
    {EMULATED, LD, ARGS("ld"), ENV("LD_RUN_PATH=/build/b"), NULL},
    {EMULATED, LD, ARGS("ld"), ENV("LD_RUN_PATH=/usr/lib/aarch64-linux-gnu:/usr/lib/x"), NULL},
    {EMULATED, LD, ARGS("ld"), ENV("LD_RUN_PATH=/usr/lib/aarch64-linux-gnu/x"), NULL},
    {EMULATED, LD, ARGS("ld"), ENV("LD_RUN_PATH=/usr/library"), NULL},
    {EMULATED, LD, ARGS("ld"), ENV("LD_RUN_PATH=/usr/libfoo-gnu"), NULL},
    {NATIVE, LD, ARGS("ar", "rc", "--plugin", PLUGIN, "x.a"), NULL, "/.native/liblto_plugin.so"},
    {NATIVE, LD, ARGS("nm", "--plugin=" PLUGIN, "x.o"), NULL, "--plugin=/.native/liblto_plugin.so"},
    {NATIVE, LD, ARGS("ld", "-plugin=" PLUGIN, "x.o"), NULL, "--plugin=/.native/liblto_plugin.so"},
    {NATIVE, LD, ARGS("-v", "x.o"), NULL, NULL}, /* its name */
    {NATIVE, LD, ARGS("ld", "--sysroot=/", "x.o"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "--sysroot=/build", "x.o"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "-sysroot", "/", "x.o"), NULL, NULL},
    {NATIVE, LD, ARGS("ld", "-v", "-version", "--help", "-V"), NULL, NULL},
    {NATIVE, "linker\n" TWIN "aarch64-linux-gnu-gold\n", ARGS("gold", "-o", "x", "x.o"), NULL, NULL},
    {EMULATED, "linker\n" TWIN "aarch64-linux-gnu-gold\n", ARGS("gold", "-V"), NULL, NULL},
    {EMULATED, "linker\n" TWIN "aarch64-linux-gnu-ld.gold\n", ARGS("ld", "-help"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "--verbose"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "--print-sysroot"), NULL, NULL},
    {NATIVE, LD, ARGS("ld", "--target-help"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "-plugin", "/usr/lib/llvm-19/lib/LLVMgold.so", "x.o"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "-plugin=/usr/lib/llvm-19/lib/LLVMgold.so", "x.o"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "-plugin"), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "--plug=" PLUGIN), NULL, NULL},
    {EMULATED, LD, ARGS("ld", "-plugin", PLUGIN, "-plugin", PLUGIN), NULL, NULL},
    {EMULATED, LD, ARGS("ar", "@objects"), NULL, NULL},
    /* script */
    {NATIVE, PERL, ARGS("/usr/bin/perl", "/usr/bin/dh", "build", "-e"), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "-w", "-Tt", "/usr/bin/dh"), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "/usr/bin/dh"), ENV("PYTHONPATH=/build"), NULL},
    {NATIVE, PYTHON, ARGS("python3", "-Es", "-B", "-I", "-u", "/usr/bin/py3compile"), ENV("PYTHONDONTWRITEBYTECODE=1"), NULL},
    {NATIVE, PYTHON, ARGS("python3", "/usr/bin/py3compile"), ENV("PERL5LIB=/build"), NULL},
    {NATIVE, PYTHON, ARGS("python3", "-O", "/usr/bin/py3compile"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile", "-"), NULL, NULL}, /* not in the root */
    {EMULATED, PERL, ARGS("perl"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-w"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", ""), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "--", "/usr/bin/dh"), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "-e", "print 1"), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "-we", "print \"cannot used\"", "--", "-MConfig"), NULL, NULL}, /* the text's own argument */
    {EMULATED, PERL, ARGS("perl", "-we", "print 1", "-MConfig"), NULL, NULL}, /* perl's */
    {EMULATED, PERL, ARGS("perl", "-e", "use POSIX; print LDBL_DIG"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "print \"@INC\""), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "-w", "-0777", "-pi.bak", "-l012ne", "s/a/b/;", "-e", "use strict; use POSIX;"), NULL, NULL},
    {NATIVE, PERL, ARGS("perl", "-pe1", "--", "file"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "1", "-e", "use Config;"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "use strict; use POSIX qw(uname);"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "print;require x"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "do './x'"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "print unpack 'D', $_"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-pe", "s/x/y/gee"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "print DynaLoader::x"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "open F, '/proc/cpuinfo'"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-ne", "print", "-MConfig", "-e", "1"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-MConfig", "-e", "1"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-Ce", "1"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-i"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-p", "prog"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-e", "1"), ENV("PERL5OPT=-MConfig"), NULL},
    {EMULATED, PERL, ARGS("perl", "-w -T", "/usr/bin/dh"), NULL, NULL}, /* as the kernel hands on what stands in a #! line */
    {EMULATED, PERL, ARGS("perl", "-Ilib", "/usr/bin/dh"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "-MConfig", "/usr/bin/dh"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "Makefile.PL"), NULL, NULL},
    {EMULATED, PERL, ARGS("perl", "/usr/bin/py3compile"), NULL, NULL}, /* another's script */
    {EMULATED, PERL, ARGS("perl", "/usr/bin/dh"), ENV("PERL5LIB=/build/lib"), NULL},
    {EMULATED, PERL, ARGS("perl", "/usr/bin/dh"), ENV("PERL5OPT=-MConfig"), NULL},
    {EMULATED, PERL, ARGS("perl", "/usr/bin/dh"), ENV("PERLLIB="), NULL},
    {EMULATED, PERL, ARGS("perl", "/usr/bin/dh"), ENV("PERL5DB=BEGIN {}"), NULL},
    {NATIVE, PYTHON, ARGS("python3.13", "-c", "import sysconfig as s; " CONFIGURATION), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3.11", "-c", "import sysconfig as s;" CONFIGURATION), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3.13", "-c", "import sys; print(sys.implementation.cache_tag)"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "-c", "import sysconfig as s; " CONFIGURATION), ENV("PYTHONPATH=/build"), NULL},
    {EMULATED, PYTHON, ARGS("python3", "-c", "import sysconfig as s; " CONFIGURATION ";import x"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "-c", "print(1)"), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3.11", "-c", "import imp; print(imp.get_tag())"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "-c"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "-m", "/usr/bin/py3compile"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "-w", "/usr/bin/py3compile"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", "/usr/bin/py3compile"), ENV("PYTHONPATH=/build"), NULL},
    {EMULATED, PYTHON, ARGS("python3", "/usr/bin/py3compile"), ENV("PYTHONHOME="), NULL},
    {EMULATED, "script\n" TWIN "ruby\n", ARGS("ruby", "/usr/bin/dh"), NULL, NULL},
    /* What conf.py has Sphinx do. */
    {NATIVE, PYTHON, ARGS("python3", SPHINX, "-b", "html", "-d", "trees", "doc", "out"), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3", SPHINX, "-c", "doc", "-D", "version=1", "rst", "out"), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3", SPHINX, "bare", "out"), NULL, NULL},
    {NATIVE, PYTHON, ARGS("python3", SPHINX, "-M", "man", "spread", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "nowhere", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "-cdoc", "doc", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "-C", "doc", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "-D", "extensions=other", "doc", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "-bdoctest", "doc", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "doc", "auto"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "auto", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "imports", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "imports2", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "imports3", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "imports4", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "asks", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "other", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "more", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "put", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "cut", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "worse", "out"), NULL, NULL},
    {EMULATED, PYTHON, ARGS("python3", SPHINX, "doc", "out"), ENV("PYTHONPATH=."), NULL},
    {EMULATED, "script\n" TWIN "perl\n", ARGS("perl", SPHINX, "doc", "out"), NULL, NULL},
};

static bool is_marked(const char *interpreter, const char *script)
{
    return (!strcmp(interpreter, "perl") && !strcmp(script, "/usr/bin/dh")) ||
           (!strcmp(interpreter, "python3") && !strcmp(script, "/usr/bin/py3compile")) ||
           (!strcmp(interpreter, "sphinx") && !strcmp(script, SPHINX));
}

static const struct {
    const char *name, *content;
} FILES[] = {
    {"./configure", "#! /bin/sh\nas_echo='printf %s\\n'\nprintf \"%s\\n\" \"$x\" | sed 's%/[^/]*$%%'\n"},
    {"./loops", "function f(a) {\n  for (k in a) print k\n}\n"},
    {"./unsigned", "END { printf(\"%o\", $1) }"},
    {"./floats", "printf '%g\\n' 1"},
    {"doc/conf.py", "# with autodoc\nimport sys, os.path as p\nfrom datetime import (\n  date)\nsys.path.insert(0, 'ext')\n"
                    "extensions = [ 'sphinx.ext.todo', # one\n  \"own\" ]\nname = 'x'"},
    {"doc/ext/own.py", "from docutils import nodes\ndef setup(app):\n    import re # here\n    return {'extensions': 1}\n"},
    {"bare/conf.py", "project = 'bare'\nextensions = []\n"},
    {"spread/conf.py", "extensions=[\n'sphinx.ext.graphviz',\n]\n\n"},
    {"auto/conf.py", "extensions = ['sphinx.ext.autodoc']\n"},
    {"imports/conf.py", "import os, package\n"},
    {"imports2/conf.py", "try:\n    from package import version\nexcept ImportError: pass\n"},
    {"imports3/conf.py", "import os; import package\n"},
    {"imports4/conf.py", "import os, \\\n  package\n"},
    {"asks/conf.py", "import os\nrelease = os.uname().nodename\n"},
    {"other/conf.py", "extensions = ['breathe']\n"},
    {"more/conf.py", "extensions = []\nextensions += ['own']\n"},
    {"put/conf.py", "extensions = list(names)\n"},
    {"cut/conf.py", "extensions = ['sphinx.ext.todo'"},
    {"worse/conf.py", "extensions = ['own']\n"},
    {"worse/own.py", "import numpy\n"},
};

static const char *read_text(const char *file)
{
    static char last[1024]; /* a text is there until the next call */
    memset(last, 'x', sizeof last - 1);
    for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++)
        if (!strcmp(file, FILES[at].name))
            return strcpy(last, FILES[at].content);
    return NULL;
}

static bool at_root;

static bool is_at_root(void)
{
    return at_root;
}

static int failures;

static void fail(const struct example *example, const char *why)
{
    failures++;
    printf("FAILED: %s:", why);
    for (const char **arg = example->args; *arg; arg++)
        printf(" '%s'", *arg);
    for (const char **entry = example->environment; entry && *entry; entry++)
        printf(" %s", *entry);
    printf("\n    by %s\n", example->map);
}

/* Each argument in memory of its own size, so that the sanitizer sees a byte too many. */
static const char **copy(const char **words)
{
    size_t count = 0;
    while (words[count])
        count++;
    const char **copies = calloc(count + 1, sizeof *copies);
    for (size_t at = 0; at < count; at++)
        copies[at] = strdup(words[at]);
    return copies;
}

static void release(const char **copies)
{
    for (const char **word = copies; *word; word++)
        free((char *)(uintptr_t)*word);
    free(copies);
}

static void try_example(const struct example *example)
{
    const char *nothing[] = {NULL};
    struct request request = {
        .map = strdup(example->map),
        .args = copy(example->args),
        .environment = copy(example->environment ? example->environment : nothing),
        .is_marked = is_marked,
        .read = read_text,
        .is_at_root = is_at_root,
    };
    struct verdict verdict;
    bool native = runs_natively(&request, &verdict);
    if (native != (example->expected == NATIVE))
        fail(example, native ? "runs natively" : "is emulated");
    if (native && strncmp(verdict.twin.chars, TWIN, strlen(TWIN)))
        fail(example, "another twin");
    const char *argument = native && verdict.replaced ? verdict.replacement : NULL;
    if (native && (argument ? !example->argument || strcmp(argument, example->argument) : example->argument != NULL))
        fail(example, argument ? argument : "no argument is replaced");
    if (argument && !strstr(*verdict.replaced, PLUGIN))
        fail(example, "replaces the wrong argument");
    free((char *)(uintptr_t)request.map);
    release(request.args);
    release(request.environment);
}

/* A path that does not fit is not cut off and then taken. */
static void try_long_paths(void)
{
    static char map[2 * PATH_SIZE];
    for (size_t size = PATH_SIZE - 3; size < PATH_SIZE + 3; size++) {
        strcpy(map, "always\n/");
        memset(map + strlen(map), 'x', size - 1);
        strcpy(map + strlen("always\n") + size, "\n");
        struct example example = {size < PATH_SIZE ? NATIVE : EMULATED, map, ARGS("x"), NULL, NULL};
        struct request request = {map, example.args, example.args + 1, is_marked, read_text, is_at_root};
        struct verdict verdict;
        if (runs_natively(&request, &verdict) != (example.expected == NATIVE))
            fail(&example, "a long path");
    }
}

/* Python looks for modules in the current directory: only the root is known to have none. */
static void try_compiling_python(void)
{
    const struct example examples[] = {
        {NATIVE, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile", "-"), NULL, NULL},
        {NATIVE, PYTHON, ARGS("/usr/bin/python3.13", "-O", "-m", "py_compile", "-"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile", "-", "x"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile", "x.py"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "site"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m"), NULL, NULL},
        {EMULATED, PYTHON, ARGS("/usr/bin/python3.13", "-m", "py_compile", "-"), ENV("PYTHONPATH=/build"), NULL},
        {EMULATED, PERL, ARGS("perl", "-m", "py_compile", "-"), NULL, NULL},
    };
    at_root = true;
    for (size_t at = 0; at < sizeof examples / sizeof *examples; at++)
        try_example(&examples[at]);
    at_root = false;
}

/* By the vectors of FNV's authors. */
static void try_fingerprints(void)
{
    const struct {
        const char *bytes, *expected;
    } examples[] = {
        {"", "0000000000000000 cbf29ce484222325\n"},
        {"a", "0000000000000001 af63dc4c8601ec8c\n"},
        {"foobar", "0000000000000006 85944171f73967e8\n"},
    };
    struct text text;
    for (size_t at = 0; at < sizeof examples / sizeof *examples; at++) {
        fingerprint(examples[at].bytes, strlen(examples[at].bytes), &text);
        if (strcmp(text.chars, examples[at].expected)) {
            failures++;
            printf("FAILED: the fingerprint of '%s' is %s", examples[at].bytes, text.chars);
        }
    }
}

int main(void)
{
    size_t count = sizeof EXAMPLES / sizeof *EXAMPLES;
    for (size_t at = 0; at < count; at++)
        try_example(&EXAMPLES[at]);
    try_compiling_python();
    try_long_paths();
    try_fingerprints();
    printf("%zu examples, %d failed\n", count, failures);
    return failures != 0;
}
