/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_S = 60 };

static int connect_to(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((in_port_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval timeout = { .tv_sec = TIMEOUT_S };

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) == -1)
        err(1, "cannot connect to port %u", port);
    return fd;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent == -1)
            err(1, "cannot send the request");
        data += sent;
        size -= (size_t)sent;
    }
}

static void receive_all(int fd, char *data, size_t capacity)
{
    size_t size = 0;
    ssize_t got;

    while ((got = recv(fd, data + size, capacity - 1 - size, 0)) > 0)
        size += (size_t)got;
    if (got == -1)
        err(1, "cannot receive the answer");
    data[size] = '\0';
}

const struct response *http(unsigned port, const char *method, const char *target,
                            const char *headers, const char *body)
{
    static struct response response;
    static char answer[16384];
    char head[8192], length[64] = "";

    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n",
             method, target, headers, length);
    int fd = connect_to(port);
    send_all(fd, head, strlen(head));
    if (body)
        send_all(fd, body, strlen(body));
    receive_all(fd, answer, sizeof answer);
    close(fd);

    char *end = strstr(answer, "\r\n\r\n");
    if (!end || sscanf(answer, "HTTP/1.1 %d", &response.status) != 1)
        errx(1, "%s %s: no HTTP answer: %s", method, target, answer);
    *end = '\0';
    response.headers = answer;
    response.body = end + strlen("\r\n\r\n");
    return &response;
}
