/* Rows of filters as Python keeps them: eight columns, of which one entry comes, goes or becomes another. */
#include "filters.h"

#include <string.h>

enum { ADDRESSES = 4, COLUMNS = 8 };      /* 64-bit columns, then 32-bit ones */
enum { ROW_COMES, ROW_GOES, ROW_REPLACED };

/* What happens at row `at` of a filter that ends before row `end`; for a row that comes there is room behind the end. A row
 * that goes or is replaced is told in `old`. */
void filters_row(void *const *column, int32_t kind, int64_t at, int64_t end, const int64_t *values, int64_t *old)
{
    size_t behind = (size_t)(kind == ROW_GOES ? end - at - 1 : kind == ROW_COMES ? end - at : 0);
    int64_t from = kind == ROW_GOES ? at + 1 : at, to = kind == ROW_COMES ? at + 1 : at;
    for (int i = 0; i < COLUMNS; i++) {
        size_t width = i < ADDRESSES ? sizeof(int64_t) : sizeof(int32_t);
        char *rows = column[i];
        if (kind != ROW_COMES)
            old[i] = i < ADDRESSES ? ((int64_t *)column[i])[at] : ((int32_t *)column[i])[at];
        memmove(rows + (size_t)to * width, rows + (size_t)from * width, behind * width);
        if (kind == ROW_GOES)
            continue;
        if (i < ADDRESSES)
            ((int64_t *)column[i])[at] = values[i];
        else
            ((int32_t *)column[i])[at] = (int32_t)values[i];
    }
}

void filters_move(void *const *column, int64_t from, int64_t to, int64_t count)
{
    for (int i = 0; i < COLUMNS; i++) {
        size_t width = i < ADDRESSES ? sizeof(int64_t) : sizeof(int32_t);
        char *rows = column[i];
        memcpy(rows + (size_t)to * width, rows + (size_t)from * width, (size_t)count * width);
    }
}
