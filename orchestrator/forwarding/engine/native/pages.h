/* Large arrays in large pages: the kernel clears and maps 2 MiB at once instead of 512 times 4 KiB. */
#ifndef ONEFOLD_PAGES_H
#define ONEFOLD_PAGES_H

#include <stddef.h>

#define LARGE_PAGE ((size_t)1 << 21)

/* Before the array is first written. A wish: nothing but time depends on it. */
void prefer_large_pages(void *at, size_t bytes);

#endif
