/* SPDX-License-Identifier: MIT */
#include "split.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool ends_sentence(char c)
{
    return c == '.' || c == '!' || c == '?';
}

/* Where to end a passage in TEXT, which has more than LIMIT bytes. One pass,
 * so that no text can make this slow. */
static size_t find_cut(const char *text, size_t limit)
{
    size_t paragraph = 0, sentence = 0, word = 0;
    bool line_is_blank = false;

    for (size_t i = 1; i <= limit; i++) {
        char before = text[i - 1];

        if (before == '\n') {
            if (line_is_blank)
                paragraph = i;
            line_is_blank = true;
        } else if (!is_space(before)) {
            line_is_blank = false;
        }
        if (is_space(text[i])) {
            word = i;
            if (ends_sentence(before))
                sentence = i;
        }
    }
    if (paragraph > limit / 2)
        return paragraph;
    if (sentence > limit / 2)
        return sentence;
    if (word > limit / 2)
        return word;
    /* 10xxxxxx continues a UTF-8 character */
    size_t cut = limit;
    while (cut > 1 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return cut;
}

bool split_next(struct splitter *splitter, struct passage *passage)
{
    while (splitter->left && is_space(*splitter->rest)) {
        splitter->rest++;
        splitter->left--;
    }
    if (splitter->left == 0)
        return false;
    size_t length = splitter->left;
    if (length > splitter->limit)
        length = find_cut(splitter->rest, splitter->limit);
    passage->text = splitter->rest;
    splitter->rest += length;
    splitter->left -= length;
    while (is_space(passage->text[length - 1]))
        length--;
    passage->length = length;
    return true;
}
