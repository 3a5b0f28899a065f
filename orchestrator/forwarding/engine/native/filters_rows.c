/* Rows of filters as Python keeps them: eight columns, of which one entry comes, goes or becomes another. */
#include "filters.h"

#include <string.h>

enum { ADDRESSES = 4 }; /* columns of 64 bits; the others have 32 */
enum { ROW_COMES, ROW_GOES, ROW_REPLACED };
enum { DONE, NO_ROOM, NO_ROW };

static void take(filter_rows *rows, int64_t at)
{
    for (int i = 0; i < ROW_COLUMNS; i++)
        rows->old[i] = i < ADDRESSES ? ((int64_t *)rows->column[i])[at] : ((int32_t *)rows->column[i])[at];
}

static void put(const filter_rows *rows, int64_t at)
{
    for (int i = 0; i < ROW_COLUMNS; i++) {
        if (i < ADDRESSES)
            ((int64_t *)rows->column[i])[at] = rows->values[i];
        else
            ((int32_t *)rows->column[i])[at] = (int32_t)rows->values[i];
    }
}

static void shift(const filter_rows *rows, int64_t to, int64_t from, int64_t count)
{
    for (int i = 0; i < ROW_COLUMNS; i++) {
        size_t width = i < ADDRESSES ? sizeof(int64_t) : sizeof(int32_t);
        char *column = rows->column[i];
        memmove(column + (size_t)to * width, column + (size_t)from * width, (size_t)count * width);
    }
}

/* The row at `position` of a filter goes, is replaced by `values`, or they come before it; what was there is in `old`. NO_ROOM:
 * there is none behind the filter's rows; NO_ROW: it has no such place. Nothing is changed then. */
int32_t filters_row(filter_rows *rows, int32_t filter, int64_t position, int32_t kind)
{
    int64_t *count = &rows->count[filter], at = rows->start[filter] + position, behind = *count - position;
    if (position < 0 || behind < (kind != ROW_COMES))
        return NO_ROW;
    if (kind == ROW_COMES) {
        if (*count == rows->room[filter])
            return NO_ROOM;
        shift(rows, at + 1, at, behind);
        ++*count;
    } else {
        take(rows, at);
    }
    if (kind == ROW_GOES) {
        shift(rows, at, at + 1, behind - 1);
        --*count;
        return DONE;
    }
    put(rows, at);
    return DONE;
}

void filters_move(const filter_rows *rows, int64_t from, int64_t to, int64_t count) { shift(rows, to, from, count); }
