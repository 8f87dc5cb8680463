/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

static struct config config;

/* Load TEXT; what was complained about, with the file's name left out. */
static const char *problems(const char *text)
{
    static char seen[1024];
    char path[] = "/tmp/local-rag-test.XXXXXX";
    char *complaints = NULL, *out = seen;
    size_t size;

    int fd = mkstemp(path);
    CHECK(fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    FILE *stream = open_memstream(&complaints, &size);
    bool good = config_load(path, &config, stream);
    fclose(stream);
    unlink(path);
    CHECK(good == (size == 0));
    for (char *line = strtok(complaints, "\n"); line; line = strtok(NULL, "\n")) {
        CHECK(strncmp(line, path, strlen(path)) == 0);
        out += snprintf(out, sizeof seen - (size_t)(out - seen), "%s\n", line + strlen(path));
    }
    *out = '\0';
    free(complaints);
    return seen;
}

static void test_good_files(void)
{
    CHECK_TEXT(problems(""), "");
    CHECK_TEXT(config.listen, "127.0.0.1");
    CHECK_TEXT(problems("# a comment\n\n  port=99 \nlisten = ::1\n"
                        "database = /srv/a b.db\npassage_size = 64"),
               "");
    CHECK(config.port == 99 && config.passage_size == 64);
    CHECK_TEXT(config.listen, "::1");
    CHECK_TEXT(config.database, "/srv/a b.db");
}

static void test_every_problem_is_told(void)
{
    CHECK_TEXT(problems("port 80\n"
                        "prot = 80\n"
                        "port = 65536\n"
                        "port = 80\n"
                        "\n"
                        "listen = localhost\n"
                        "database = here.db\n"
                        "max_body = 10k\n"
                        "max_results =\n"
                        "= x\n"),
               ":1: port 80 has no value: write NAME = VALUE\n"
               ":2: prot is not a setting: see local-rag.conf(5)\n"
               ":3: port must be a whole number from 0 to 65535\n"
               ":4: port was already set in line 3\n"
               ":6: listen must be a numeric IPv4 or IPv6 address\n"
               ":7: database must be an absolute path\n"
               ":8: max_body must be a whole number from 1024 to 67108864\n"
               ":9: max_results must be a whole number from 1 to 1000\n"
               ":10: this line is not a setting: see local-rag.conf(5)\n");
    CHECK_TEXT(problems("port = -1\n"), ":1: port must be a whole number from 0 to 65535\n");
    CHECK_TEXT(problems("port = 99999999999999999999\n"),
               ":1: port must be a whole number from 0 to 65535\n");
}

static void test_unreadable_files(void)
{
    char complaint[128] = "";
    FILE *stream = fmemopen(complaint, sizeof complaint, "w");

    CHECK(!config_load("/nonexistent/local-rag.conf", &config, stream));
    CHECK(!config_load("/", &config, stream));
    fclose(stream);
    CHECK_TEXT(complaint, "/nonexistent/local-rag.conf: No such file or directory\n"
                          "/: Is a directory\n");
}

/* The shipped file shows the defaults; a change of one is a change of both. */
static void test_shipped_file(void)
{
    struct config shipped;

    CHECK_TEXT(problems(""), "");
    CHECK(config_load("config/local-rag.conf", &shipped, stderr));
    CHECK(memcmp(&shipped, &config, sizeof config) == 0);
}

int main(void)
{
    test_good_files();
    test_every_problem_is_told();
    test_unreadable_files();
    test_shipped_file();
    return check_result("config");
}
