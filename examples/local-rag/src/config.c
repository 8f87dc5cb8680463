/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static const struct config defaults = {
    .listen = "127.0.0.1",
    .database = "/var/lib/local-rag/local-rag.db",
    .port = 8740,
    .max_body = 1024 * 1024,
    .max_connections = 64,
    .max_results = 50,
    .passage_size = 1000,
};

/* A parser returns NULL, or what is wrong with the value. */
struct setting {
    const char *name;
    const char *(*parse)(const struct setting *setting, const char *value, void *field);
    size_t offset;
    long min, max;
};

static const char *parse_number(const struct setting *setting, const char *value, void *field)
{
    static char problem[80];
    char *end;

    errno = 0;
    long number = strtol(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || number < setting->min ||
        number > setting->max) {
        snprintf(problem, sizeof problem, "must be a whole number from %ld to %ld", setting->min,
                 setting->max);
        return problem;
    }
    memcpy(field, &number, sizeof number);
    return NULL;
}

static const char *parse_address(const struct setting *setting, const char *value, void *field)
{
    struct in6_addr address;

    (void)setting;
    if (inet_pton(AF_INET, value, &address) != 1 && inet_pton(AF_INET6, value, &address) != 1)
        return "must be a numeric IPv4 or IPv6 address";
    strcpy(field, value); /* inet_pton() takes nothing longer than INET6_ADDRSTRLEN */
    return NULL;
}

static const char *parse_path(const struct setting *setting, const char *value, void *field)
{
    (void)setting;
    if (*value != '/')
        return "must be an absolute path";
    if (strlen(value) >= PATH_MAX)
        return "is too long for a path";
    strcpy(field, value);
    return NULL;
}

static const struct setting settings[] = {
    { "listen", parse_address, offsetof(struct config, listen), 0, 0 },
    { "port", parse_number, offsetof(struct config, port), 0, 65535 },
    { "database", parse_path, offsetof(struct config, database), 0, 0 },
    { "max_body", parse_number, offsetof(struct config, max_body), 1024, 64L * 1024 * 1024 },
    { "max_connections", parse_number, offsetof(struct config, max_connections), 1, 1000 },
    { "max_results", parse_number, offsetof(struct config, max_results), 1, 1000 },
    { "passage_size", parse_number, offsetof(struct config, passage_size), 64, 16384 },
};

enum { SETTINGS = sizeof settings / sizeof *settings };

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

struct reader {
    const char *path;
    FILE *problems;
    struct config *config;
    unsigned line;
    unsigned seen[SETTINGS]; /* the line that set it, or 0 */
    bool good;
};

static void complain(struct reader *reader, const char *name, const char *problem)
{
    fprintf(reader->problems, "%s:%u: %s %s\n", reader->path, reader->line, name, problem);
    reader->good = false;
}

static void read_line(struct reader *reader, char *line)
{
    char *name = trim(line);

    if (*name == '\0' || *name == '#')
        return;
    char *equals = strchr(name, '=');
    if (!equals) {
        complain(reader, name, "has no value: write NAME = VALUE");
        return;
    }
    *equals = '\0';
    name = trim(name);
    const char *value = trim(equals + 1);
    const struct setting *setting = find_setting(name);
    if (!setting) {
        complain(reader, *name ? name : "this line", "is not a setting: see local-rag.conf(5)");
        return;
    }
    unsigned *seen = &reader->seen[setting - settings];
    if (*seen) {
        char problem[48];
        snprintf(problem, sizeof problem, "was already set in line %u", *seen);
        complain(reader, name, problem);
        return;
    }
    *seen = reader->line;
    const char *problem = setting->parse(setting, value, (char *)reader->config + setting->offset);
    if (problem)
        complain(reader, name, problem);
}

bool config_load(const char *path, struct config *config, FILE *problems)
{
    struct reader reader = { .path = path, .problems = problems, .config = config, .good = true };
    char *line = NULL;
    size_t size = 0;

    *config = defaults;
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(problems, "%s: %s\n", path, strerror(errno));
        return false;
    }
    errno = 0;
    while (getline(&line, &size, file) != -1) {
        reader.line++;
        read_line(&reader, line);
        errno = 0;
    }
    if (ferror(file) || errno) {
        fprintf(problems, "%s: %s\n", path, strerror(errno));
        reader.good = false;
    }
    free(line);
    fclose(file);
    return reader.good;
}
