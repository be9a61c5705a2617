/* A module for LD_PRELOAD that lets one call of a kind fail, for tests/failures.sh.
 *
 *   FAIL_CALL   what may fail: memory, open, read, write, sync, place, close, hdf5 (the groups of FAILING below)
 *   FAIL_AT     which of these calls, counted from 1; 0: none
 *   FAIL_COUNT  file to which the number of these calls is appended when the program ends
 *   FAIL_FROM   "ours": calls of sgflow and of its library; "all": those of the libraries it uses too, but for the C
 *               library's and the dynamic loader's own, and for libhdf5's and OpenMP's, which do not survive it
 * Programs of other names than sgflow are left alone. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -------------------------------------------------------------- who calls */

enum { MOST_RANGES = 256 };
typedef struct {
  uintptr_t start, end;
} range;

static range ranges[MOST_RANGES];
static size_t range_count;
static const char *failing = NULL;
static long failing_at;
static atomic_long counted;
static bool active;

static bool is_counted(const char *name)
{
  static const char *const left_out[] = {"libc.so",  "ld-linux",      "libgomp", "libomp",   "libhdf5",    "libasan",
                                         "libubsan", "failing_calls", "libmpi",  "libopen-", "libpthread", "libtsan"};
  bool all = strcmp(getenv("FAIL_FROM") != NULL ? getenv("FAIL_FROM") : "ours", "all") == 0;
  if (name[0] == '\0' || strstr(name, "sgflow") != NULL) return strstr(name, "failing_calls") == NULL;
  for (size_t k = 0; k < sizeof left_out / sizeof *left_out; k++)
    if (strstr(name, left_out[k]) != NULL) return false;
  return all;
}

static int add_object(struct dl_phdr_info *object, size_t size, void *context)
{
  (void)size, (void)context;
  const char *slash = strrchr(object->dlpi_name, '/');
  if (!is_counted(slash != NULL ? slash + 1 : object->dlpi_name)) return 0;
  for (int k = 0; k < object->dlpi_phnum && range_count < MOST_RANGES; k++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[k];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
    uintptr_t start = object->dlpi_addr + part->p_vaddr;
    ranges[range_count++] = (range){start, start + part->p_memsz};
  }
  return 0;
}

__attribute__((constructor)) static void begin(void)
{
  const char *name = program_invocation_short_name, *at = getenv("FAIL_AT");
  failing = getenv("FAIL_CALL");
  if (failing == NULL || strstr(name, "sgflow") == NULL) return;
  failing_at = at != NULL ? atol(at) : 0;
  dl_iterate_phdr(add_object, NULL);
  active = true;
}

__attribute__((destructor)) static void end(void)
{
  const char *place = getenv("FAIL_COUNT");
  char line[32];
  if (!active || place == NULL) return;
  active = false;
  int descriptor = open(place, O_WRONLY | O_CREAT | O_APPEND, 0666);
  int length = snprintf(line, sizeof line, "%ld\n", atomic_load(&counted));
  if (descriptor < 0 || write(descriptor, line, (size_t)length) != length) abort();
  close(descriptor);
}

static bool fails(const char *group, const void *caller)
{
  if (!active || strcmp(failing, group) != 0) return false;
  bool ours = false;
  for (size_t k = 0; k < range_count && !ours; k++)
    ours = (uintptr_t)caller >= ranges[k].start && (uintptr_t)caller < ranges[k].end;
  return ours && atomic_fetch_add(&counted, 1) + 1 == failing_at;
}

/* ------------------------------------------------------------------- calls */

#define REAL(name)               \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* A call with arguments that returns `failure`, with errno, instead of being made. */
#define FAILING(group, number, type, name, parameters, arguments, failure) \
  type name parameters                                                     \
  {                                                                        \
    REAL(name);                                                            \
    if (fails(#group, __builtin_return_address(0))) {                      \
      errno = number;                                                      \
      return failure;                                                      \
    }                                                                      \
    return real arguments;                                                 \
  }

/* AddressSanitizer wants these for itself: compile with -DFAILING_WITHOUT_MEMORY there; test_failing_memory.c has no such limit. */
#ifndef FAILING_WITHOUT_MEMORY

/* dlsym asks for memory before it can say where memory comes from. */
static char early[8192];
static size_t early_used;

void *calloc(size_t count, size_t size)
{
  static void *(*real)(size_t, size_t);
  static bool asking;
  if (real == NULL) {
    if (asking) {
      void *block = early + early_used;
      early_used += (count * size + 15) / 16 * 16;
      if (early_used > sizeof early) abort();
      return block;
    }
    asking = true;
    real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    asking = false;
  }
  if (fails("memory", __builtin_return_address(0))) {
    errno = ENOMEM;
    return NULL;
  }
  return real(count, size);
}

void free(void *block)
{
  REAL(free);
  if ((char *)block < early || (char *)block >= early + sizeof early) real(block);
}

FAILING(memory, ENOMEM, void *, malloc, (size_t size), (size), NULL)
FAILING(memory, ENOMEM, void *, realloc, (void *block, size_t size), (block, size), NULL)
FAILING(memory, ENOMEM, char *, strdup, (const char *text), (text), NULL)
FAILING(memory, ENOMEM, char *, strndup, (const char *text, size_t most), (text, most), NULL)
#endif

FAILING(memory, ENOMEM, FILE *, open_memstream, (char **text, size_t *size), (text, size), NULL)
FAILING(memory, ENOMEM, char *, realpath, (const char *path, char *room), (path, room), NULL)
FAILING(memory, ENOMEM, ssize_t, getdelim, (char **line, size_t *room, int delimiter, FILE *stream),
        (line, room, delimiter, stream), -1)
FAILING(memory, ENOMEM, ssize_t, __getdelim, (char **line, size_t *room, int delimiter, FILE *stream),
        (line, room, delimiter, stream), -1)
FAILING(memory, ENOMEM, locale_t, newlocale, (int mask, const char *name, locale_t base), (mask, name, base), NULL)

int asprintf(char **text, const char *format, ...)
{
  if (fails("memory", __builtin_return_address(0))) {
    errno = ENOMEM;
    return -1;
  }
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(text, format, arguments);
  va_end(arguments);
  return length;
}

int open(const char *path, int flags, ...)
{
  REAL(open);
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (fails("open", __builtin_return_address(0))) {
    errno = EMFILE;
    return -1;
  }
  return real(path, flags, mode);
}

FAILING(open, EMFILE, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
FAILING(open, ENOMEM, FILE *, fdopen, (int descriptor, const char *mode), (descriptor, mode), NULL)
FAILING(open, EMFILE, FILE *, tmpfile, (void), (), NULL)
FAILING(open, EMFILE, DIR *, opendir, (const char *path), (path), NULL)

FAILING(read, EIO, ssize_t, read, (int descriptor, void *room, size_t size), (descriptor, room, size), -1)
FAILING(read, EIO, ssize_t, pread, (int descriptor, void *room, size_t size, off_t at), (descriptor, room, size, at),
        -1)
FAILING(read, EIO, size_t, fread, (void *room, size_t size, size_t count, FILE *stream), (room, size, count, stream),
        0)
FAILING(read, EIO, int, fstat, (int descriptor, struct stat *properties), (descriptor, properties), -1)
FAILING(read, EACCES, int, stat, (const char *path, struct stat *properties), (path, properties), -1)
FAILING(read, EACCES, int, access, (const char *path, int mode), (path, mode), -1)

/* stdio remembers an error: ferror and fclose tell of it. */
static void spoil(FILE *stream)
{
  stream->_flags |= 0x20; /* _IO_ERR_SEEN */
  errno = ENOSPC;
}

FAILING(write, ENOSPC, ssize_t, write, (int descriptor, const void *bytes, size_t size), (descriptor, bytes, size),
        -1)
FAILING(write, ENOSPC, ssize_t, pwrite, (int descriptor, const void *bytes, size_t size, off_t at),
        (descriptor, bytes, size, at), -1)
FAILING(write, EFBIG, int, ftruncate, (int descriptor, off_t size), (descriptor, size), -1)

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream)
{
  REAL(fwrite);
  if (!fails("write", __builtin_return_address(0))) return real(bytes, size, count, stream);
  spoil(stream);
  return 0;
}

int fputs(const char *text, FILE *stream)
{
  REAL(fputs);
  if (!fails("write", __builtin_return_address(0))) return real(text, stream);
  spoil(stream);
  return EOF;
}

int fputc(int c, FILE *stream)
{
  REAL(fputc);
  if (!fails("write", __builtin_return_address(0))) return real(c, stream);
  spoil(stream);
  return EOF;
}

int fprintf(FILE *stream, const char *format, ...)
{
  if (fails("write", __builtin_return_address(0))) {
    spoil(stream);
    return -1;
  }
  va_list arguments;
  va_start(arguments, format);
  int length = vfprintf(stream, format, arguments);
  va_end(arguments);
  return length;
}

int printf(const char *format, ...)
{
  if (fails("write", __builtin_return_address(0))) {
    spoil(stdout);
    return -1;
  }
  va_list arguments;
  va_start(arguments, format);
  int length = vprintf(format, arguments);
  va_end(arguments);
  return length;
}

int puts(const char *text)
{
  REAL(puts);
  if (!fails("write", __builtin_return_address(0))) return real(text);
  spoil(stdout);
  return EOF;
}

int putchar(int c)
{
  REAL(putchar);
  if (!fails("write", __builtin_return_address(0))) return real(c);
  spoil(stdout);
  return EOF;
}

int fflush(FILE *stream)
{
  REAL(fflush);
  if (stream == NULL || !fails("write", __builtin_return_address(0))) return real(stream);
  spoil(stream);
  return EOF;
}

FAILING(sync, EIO, int, fsync, (int descriptor), (descriptor), -1)
FAILING(place, EACCES, int, rename, (const char *from, const char *to), (from, to), -1)
FAILING(place, EPERM, int, link, (const char *from, const char *to), (from, to), -1)
FAILING(place, EACCES, int, unlink, (const char *path), (path), -1)
FAILING(place, EACCES, int, mkdir, (const char *path, mode_t mode), (path, mode), -1)

/* Closed, and what was still to be written is lost. */
int fclose(FILE *stream)
{
  REAL(fclose);
  bool failed = fails("close", __builtin_return_address(0));
  int outcome = real(stream);
  if (failed) errno = EIO;
  return failed ? EOF : outcome;
}

int close(int descriptor)
{
  REAL(close);
  bool failed = fails("close", __builtin_return_address(0));
  int outcome = real(descriptor);
  if (failed) errno = EIO;
  return failed ? -1 : outcome;
}

/* -------------------------------------------------------------------- HDF5 */

FAILING(hdf5, 0, hid_t, H5Fcreate, (const char *name, unsigned flags, hid_t creation, hid_t access),
        (name, flags, creation, access), -1)
FAILING(hdf5, 0, hid_t, H5Fopen, (const char *name, unsigned flags, hid_t access), (name, flags, access), -1)
FAILING(hdf5, 0, herr_t, H5Fflush, (hid_t object, H5F_scope_t scope), (object, scope), -1)
FAILING(hdf5, 0, ssize_t, H5Fget_file_image, (hid_t file, void *room, size_t size), (file, room, size), -1)
FAILING(hdf5, 0, hid_t, H5Gcreate2, (hid_t place, const char *name, hid_t link, hid_t creation, hid_t access),
        (place, name, link, creation, access), -1)
FAILING(hdf5, 0, hid_t, H5Dcreate2,
        (hid_t place, const char *name, hid_t type, hid_t space, hid_t link, hid_t creation, hid_t access),
        (place, name, type, space, link, creation, access), -1)
FAILING(hdf5, 0, herr_t, H5Dwrite, (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t how, const void *values),
        (set, type, memory, space, how, values), -1)
FAILING(hdf5, 0, herr_t, H5Dread, (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t how, void *values),
        (set, type, memory, space, how, values), -1)
FAILING(hdf5, 0, herr_t, H5Dset_extent, (hid_t set, const hsize_t *extent), (set, extent), -1)
FAILING(hdf5, 0, hid_t, H5Dget_space, (hid_t set), (set), -1)
FAILING(hdf5, 0, hid_t, H5Dget_type, (hid_t set), (set), -1)
FAILING(hdf5, 0, hid_t, H5Dget_create_plist, (hid_t set), (set), -1)
FAILING(hdf5, 0, hid_t, H5Oopen, (hid_t place, const char *name, hid_t access), (place, name, access), -1)
FAILING(hdf5, 0, hid_t, H5Acreate_by_name,
        (hid_t place, const char *owner, const char *name, hid_t type, hid_t space, hid_t creation, hid_t access,
         hid_t link),
        (place, owner, name, type, space, creation, access, link), -1)
FAILING(hdf5, 0, herr_t, H5Awrite, (hid_t attribute, hid_t type, const void *value), (attribute, type, value), -1)
FAILING(hdf5, 0, herr_t, H5Aread, (hid_t attribute, hid_t type, void *value), (attribute, type, value), -1)
FAILING(hdf5, 0, hid_t, H5Aopen_by_name, (hid_t place, const char *owner, const char *name, hid_t access, hid_t link),
        (place, owner, name, access, link), -1)
FAILING(hdf5, 0, hid_t, H5Pcreate, (hid_t class), (class), -1)
FAILING(hdf5, 0, herr_t, H5Pset_elink_cb, (hid_t list, H5L_elink_traverse_t function, void *context),
        (list, function, context), -1)
FAILING(hdf5, 0, herr_t, H5Pset_file_image, (hid_t list, void *image, size_t size), (list, image, size), -1)
FAILING(hdf5, 0, herr_t, H5Pset_driver, (hid_t list, hid_t driver, const void *info), (list, driver, info), -1)
FAILING(hdf5, 0, hid_t, H5FDregister, (const H5FD_class_t *class), (class), -1)
FAILING(hdf5, 0, hid_t, H5Screate, (H5S_class_t class), (class), -1)
FAILING(hdf5, 0, hid_t, H5Screate_simple, (int rank, const hsize_t *extent, const hsize_t *most),
        (rank, extent, most), -1)
FAILING(hdf5, 0, hid_t, H5Tcopy, (hid_t type), (type), -1)
