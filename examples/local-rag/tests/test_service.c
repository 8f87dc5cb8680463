/* SPDX-License-Identifier: MIT */
/* The daemon from outside: start it, talk HTTP to it, end it. */
#include "check.h"
#include "daemon.h"
#include "http.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>

#define JSON "Content-Type: application/json\r\n"

static struct daemon service;

static const struct response *get(const char *target)
{
    return http(service.port, "GET", target, "", NULL);
}

static const struct response *post(const char *body)
{
    return http(service.port, "POST", "/documents", JSON, body);
}

static const struct response *delete(const char *target)
{
    return http(service.port, "DELETE", target, "", NULL);
}

static json_t *parse(const struct response *response)
{
    json_t *body = json_loads(response->body, 0, NULL);

    CHECK(body);
    CHECK(strstr(response->headers, "Content-Type: application/json"));
    return body;
}

static void check_health(int documents, int passages)
{
    const struct response *response = get("/health");
    const char *status = "", *version = "";
    int seen_documents = -1, seen_passages = -1;

    CHECK(response->status == 200);
    json_t *body = parse(response);
    CHECK(json_unpack_ex(body, NULL, JSON_STRICT, "{s:s, s:s, s:i, s:i}", "status", &status,
                         "version", &version, "documents", &seen_documents, "passages",
                         &seen_passages) == 0);
    CHECK_TEXT(status, "ok");
    CHECK_TEXT(version, VERSION);
    CHECK(seen_documents == documents && seen_passages == passages);
    json_decref(body);
}

/* The documents found, best first, joined by a space. */
static const char *found(const char *target)
{
    static char ids[512];
    const struct response *response = get(target);
    double last = 1e9;
    size_t index;
    json_t *hit;

    *ids = '\0';
    CHECK(response->status == 200);
    json_t *body = parse(response);
    json_array_foreach(json_object_get(body, "passages"), index, hit)
    {
        const char *id = "", *title, *snippet, *text;
        int passage;
        double score = 0;

        CHECK(json_unpack_ex(hit, NULL, JSON_STRICT, "{s:s, s:i, s:s, s:f, s:s, s:s}", "document",
                             &id, "passage", &passage, "title", &title, "score", &score,
                             "snippet", &snippet, "text", &text) == 0);
        CHECK(score <= last && score > 0);
        last = score;
        strcat(strcat(ids, *ids ? " " : ""), id);
    }
    json_decref(body);
    return ids;
}

static void test_documents(void)
{
    const struct response *response;

    check_health(0, 0);
    response = post("{\"id\": \"apt\", \"title\": \"Installing\","
                    " \"text\": \"apt installs packages. Packages come from a repository.\"}");
    CHECK(response->status == 201);
    CHECK_TEXT(response->body, "{\"id\":\"apt\",\"passages\":1}");
    CHECK(post("{\"id\": \"tea\", \"text\": \"Boil the water.\\n\\nThe tea leaves the package and"
               " stays in the pot for three minutes.\\n\\nPour it through a sieve.\"}")
              ->status == 201);
    check_health(2, 3);
    /* the same id again replaces it */
    response = post("{\"id\": \"tea\", \"title\": \"Tee\", \"text\": \"Größere Kannen, "
                    "\\\"package\\\" of tea.\"}");
    CHECK(response->status == 200);
    check_health(2, 2);
    CHECK_TEXT(found("/passages?q=boil"), "");
}

static void test_search(void)
{
    CHECK_TEXT(found("/passages?q=packages"), "apt tea"); /* twice in the first, and stemmed */
    CHECK_TEXT(found("/passages?q=packages&limit=1"), "apt");
    CHECK_TEXT(found("/passages?q=installing+tea"), "apt tea"); /* in the title too */
    CHECK_TEXT(found("/passages?q=kannen+water+repository"), "tea apt");
    CHECK_TEXT(found("/passages?q=grossere"), "");
    CHECK_TEXT(found("/passages?q=GR%C3%96SSERE"), "");
    CHECK_TEXT(found("/passages?q=gro%C3%9Fere"), "tea");
    CHECK_TEXT(found("/passages?q=nothing+like+that"), "");
    CHECK(strstr(get("/passages?q=sieve+repository")->body,
                 "\"snippet\":\"apt installs packages. Packages come from a [repository].\""));
    /* not an operator, a column, a prefix or a string to FTS5 */
    CHECK_TEXT(found("/passages?q=title:installing"), "");
    CHECK_TEXT(found("/passages?q=insta*"), "");
    CHECK_TEXT(found("/passages?q=%22AND%20NOT%28%20repository%27%3B--"), "apt");
    CHECK(http(service.port, "HEAD", "/passages?q=x", "", NULL)->status == 200);
}

static void test_refusals(void)
{
    static const struct {
        int status;
        const char *method, *target, *headers, *body;
    } requests[] = {
        { 404, "GET", "/", "", NULL },
        { 404, "GET", "/healthy", "", NULL },
        { 404, "POST", "/nowhere", JSON, "{}" },
        { 404, "DELETE", "/documents/none", "", NULL },
        { 404, "DELETE", "/documents/", "", NULL },
        { 404, "DELETE", "/documents/apt/x", "", NULL },
        { 404, "DELETE", "/documents/apt%00x", "", NULL },
        { 405, "GET", "/documents", "", NULL },
        { 405, "GET", "/documents/apt", "", NULL },
        { 405, "POST", "/health", JSON, "{}" },
        { 405, "DELETE", "/passages", "", NULL },
        { 411, "POST", "/documents", JSON, NULL },
        { 411, "POST", "/documents", JSON "Transfer-Encoding: chunked\r\n", NULL },
        { 413, "POST", "/documents", JSON "Content-Length: 2049\r\n", NULL },
        { 415, "POST", "/documents", "", "{}" },
        { 415, "POST", "/documents", "Content-Type: text/plain\r\n", "{}" },
        { 415, "POST", "/documents", "Content-Type: application/json5\r\n", "{}" },
        { 400, "POST", "/documents", JSON, "" },
        { 400, "POST", "/documents", JSON, "{" },
        { 400, "POST", "/documents", JSON, "[]" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": 1, \"text\": \"x\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\", \"text\": \" \\n\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\", \"text\": \"\\u0000\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\", \"text\": \"\xff\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\", \"text\": \"x\", \"tag\": 1}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a\", \"id\": \"b\", \"text\": \"x\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"\", \"text\": \"x\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"..\", \"text\": \"x\"}" },
        { 400, "POST", "/documents", JSON, "{\"id\": \"a/b\", \"text\": \"x\"}" },
        { 400, "GET", "/passages", "", NULL },
        { 400, "GET", "/passages?q=", "", NULL },
        { 400, "GET", "/passages?q=%22-*", "", NULL },
        { 400, "GET", "/passages?q=%FF", "", NULL },
        { 400, "GET", "/passages?q=a%00b", "", NULL },
        { 400, "GET", "/passages?q=a&limit=0", "", NULL },
        { 400, "GET", "/passages?q=a&limit=6", "", NULL },
        { 400, "GET", "/passages?q=a&limit=ten", "", NULL },
    };

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const struct response *response = http(service.port, requests[i].method,
                                               requests[i].target, requests[i].headers,
                                               requests[i].body);
        if (response->status != requests[i].status)
            fprintf(stderr, "%s %s %s: %d\n", requests[i].method, requests[i].target,
                    requests[i].body ? requests[i].body : "", response->status);
        CHECK(response->status == requests[i].status);
        json_t *body = parse(response);
        CHECK(json_is_string(json_object_get(body, "error")));
        json_decref(body);
    }
    CHECK(strstr(get("/documents")->headers, "Allow: POST"));
    check_health(2, 2);
}

static void test_restart(void)
{
    CHECK(daemon_stop(&service) == 0);
    daemon_start(&service);
    check_health(2, 2);
    CHECK_TEXT(found("/passages?q=packages"), "apt tea");
}

static void test_delete(void)
{
    CHECK(delete("/documents/apt")->status == 204);
    CHECK(delete("/documents/apt")->status == 404);
    CHECK_TEXT(found("/passages?q=packages"), "tea");
    check_health(1, 1);
}

/* A health that only says "the process runs" would pass neither. */
static void test_ill_health(void)
{
    char away[sizeof service.database + 8];
    sqlite3 *other;

    snprintf(away, sizeof away, "%s.away", service.database);
    CHECK(rename(service.database, away) == 0);
    CHECK(get("/health")->status == 503);
    CHECK(rename(away, service.database) == 0);
    check_health(1, 1);

    CHECK(sqlite3_open(service.database, &other) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "DROP TABLE passages", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(other);
    CHECK(strstr(get("/health")->body, "{\"status\":\"failed\""));
    CHECK(get("/passages?q=x")->status == 503);
    CHECK(post("{\"id\": \"x\", \"text\": \"x\"}")->status == 503);
}

int main(void)
{
    daemon_prepare(&service, "max_body = 2048\nmax_results = 5\npassage_size = 64\n");
    daemon_start(&service);
    test_documents();
    test_search();
    test_refusals();
    test_restart();
    test_delete();
    test_ill_health();
    CHECK(daemon_stop(&service) == 0);
    daemon_remove(&service);
    return check_result("service");
}
