/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "split.h"

#include <stdlib.h>

/* The passages of TEXT, joined by "|". */
static const char *split(const char *text, size_t limit)
{
    static char joined[4096];
    struct splitter splitter = { text, strlen(text), limit };
    struct passage passage;
    size_t length = 0;

    while (split_next(&splitter, &passage)) {
        CHECK(passage.length > 0 && passage.length <= limit);
        if (length)
            joined[length++] = '|';
        memcpy(joined + length, passage.text, passage.length);
        length += passage.length;
    }
    joined[length] = '\0';
    return joined;
}

static void test_short_texts(void)
{
    CHECK_TEXT(split("", 20), "");
    CHECK_TEXT(split(" \n\t\r\n ", 20), "");
    CHECK_TEXT(split("  one two \n", 20), "one two");
    CHECK_TEXT(split("12345678", 8), "12345678");
    CHECK_TEXT(split("One.\n\nTwo.\n\nThree.", 20), "One.\n\nTwo.\n\nThree.");
}

static void test_boundaries(void)
{
    /* a paragraph before a sentence, a sentence before a word */
    CHECK_TEXT(split("Alpha beta one.\n\nGamma. Delta epsilon.", 28),
               "Alpha beta one.|Gamma. Delta epsilon.");
    CHECK_TEXT(split("Alpha beta one.\r\n \r\nGamma. Delta epsilon.", 28),
               "Alpha beta one.|Gamma. Delta epsilon.");
    CHECK_TEXT(split("Alpha beta gamma. Delta epsilon zeta.", 28),
               "Alpha beta gamma.|Delta epsilon zeta.");
    CHECK_TEXT(split("alpha beta gamma delta", 12), "alpha beta|gamma delta");
    /* a boundary too early would leave crumbs: "A." is not a passage here */
    CHECK_TEXT(split("A.\n\nbeta gamma delta epsilon", 16), "A.\n\nbeta gamma|delta epsilon");
    CHECK_TEXT(split("abcdefghijkl", 5), "abcde|fghij|kl");
}

static void test_utf8_is_not_cut(void)
{
    CHECK_TEXT(split("äöüß", 4), "äö|üß");
    CHECK_TEXT(split("äöüß", 5), "äö|üß");
    CHECK_TEXT(split("a€€", 4), "a€|€");
    CHECK_TEXT(split("😀😀", 7), "😀|😀");
}

static void test_nothing_is_lost(void)
{
    char text[2001], *out;
    size_t seen = 0;

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = "abc d.\n\ne"[(i * 7 + i / 9) % 9];
    text[sizeof text - 1] = '\0';
    for (size_t limit = 4; limit < 300; limit += 7) {
        struct splitter splitter = { text, strlen(text), limit };
        struct passage passage;

        /* in order, and only white space between two of them */
        for (out = text; split_next(&splitter, &passage); seen++) {
            CHECK(strspn(out, " \n") == (size_t)(passage.text - out));
            out += passage.text - out + (ptrdiff_t)passage.length;
        }
        CHECK(out[strspn(out, " \n")] == '\0');
    }
    CHECK(seen > 100);
}

int main(void)
{
    test_short_texts();
    test_boundaries();
    test_utf8_is_not_cut();
    test_nothing_is_lost();
    return check_result("split");
}
