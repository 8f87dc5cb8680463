/* A twin that tells how it was started: native, its argv, the files it has open, and the variable PROBE. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **args)
{
    printf("native");
    for (int at = 0; at < count; at++)
        printf("|%s", args[at]);
    printf("|files");
    for (int file = 3; file < 100; file++)
        if (fcntl(file, F_GETFD) >= 0)
            printf(" %d", file);
    printf("|%s\n", getenv("PROBE") ? getenv("PROBE") : "");
    return 7;
}
