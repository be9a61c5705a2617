/* Allocation with every size checked for overflow. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Blocks of at least so many bytes ask for large pages: the first touch of 164 MB of second moments takes 40 000 faults
 * with small ones, as long as a fifth of the simulation that they are of. */
#define LARGE ((size_t)4 << 20)

static void ask_for_large_pages(void *block, size_t bytes)
{
#ifdef MADV_HUGEPAGE
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)block;
  uintptr_t first = (start + page - 1) / page * page, end = (start + bytes) / page * page;
  if (bytes >= LARGE) madvise((char *)block + (first - start), end - first, MADV_HUGEPAGE);
#else
  (void)block, (void)bytes;
#endif
}

sgf_status sgf_allocate(void **block, size_t count_a, size_t count_b, size_t item_size, const char *what,
                        sgf_error *error)
{
  size_t count, bytes;
  *block = NULL;
  if (__builtin_mul_overflow(count_a, count_b, &count) || __builtin_mul_overflow(count, item_size, &bytes) ||
      bytes > PTRDIFF_MAX)
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: %zu x %zu items of %zu bytes overflow", what, count_a, count_b,
                    item_size);
  *block = calloc(bytes > 0 ? bytes : 1, 1);
  if (*block == NULL)
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for %zu x %zu items (%.3g MiB)", what, count_a, count_b,
                    (double)bytes / 1048576.0);
  ask_for_large_pages(*block, bytes);
  return SGF_OK;
}

sgf_status sgf_new_reals(double **reals, size_t rows, size_t columns, const char *what, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, rows, columns, sizeof(double), what, error);
  *reals = block;
  return status;
}

sgf_status sgf_copy_text(char **copy, const char *text, sgf_error *error)
{
  *copy = NULL;
  if (text == NULL) return SGF_OK;
  *copy = strdup(text);
  if (*copy == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a string of %zu bytes", strlen(text));
  return SGF_OK;
}

double sgf_memory_to_use(void)
{
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? 0.75 * (double)pages * (double)page : 4294967296.0;
}
