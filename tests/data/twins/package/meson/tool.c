#include <stdio.h>
#include <string.h>

#include "config.h"
#include "generated.h"

unsigned long twin(const char *text, unsigned size);

int main(int count, char **words)
{
    if (count < 2)
        return 1;
    printf("%s %s %lx\n", VERSION, SUFFIX, twin(words[1], (unsigned)strlen(words[1])));
    return 0;
}
