/* Large arrays in large pages; see pages.h. */
#define _DEFAULT_SOURCE
#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

void prefer_large_pages(void *at, size_t bytes) {
#ifdef MADV_HUGEPAGE
    uintptr_t begin = ((uintptr_t)at + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)at + bytes) & ~(uintptr_t)(LARGE_PAGE - 1);
    if (begin < end) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)at;
    (void)bytes;
#endif
}
