/* Where the data sets are that come with the program. */
#include "examples_folder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../theory/status.h"

/* The folder of the program, without links; "." where the system does not say. */
static void program_folder(char *path, size_t capacity)
{
  ssize_t length = readlink("/proc/self/exe", path, capacity - 1);
  path[length > 0 ? length : 0] = '\0';
  char *slash = strrchr(path, '/');
  if (slash != NULL)
    *slash = '\0';
  else
    snprintf(path, capacity, ".");
}

static bool has(const char *folder, const char *file)
{
  char *path = NULL;
  if (asprintf(&path, "%s/%s", folder, file) < 0) return false;
  bool found = access(path, R_OK) == 0;
  free(path);
  return found;
}

sgf_status examples_folder(const char *file, char **folder, sgf_error *error)
{
  static const char *const beside[] = {"../examples", "../../examples", "examples"};
  const char *data = getenv("SGFLOW_DATA");
  char program[PATH_MAX], candidate[PATH_MAX + 32], looked[3 * PATH_MAX] = "";
  size_t count = sizeof beside / sizeof *beside;
  *folder = NULL;
  program_folder(program, sizeof program);
  for (size_t k = 0; k < count + 2 && *folder == NULL; k++) {
    if (k == 0)
      snprintf(candidate, sizeof candidate, "%s", data != NULL ? data : "");
    else if (k == 1)
      snprintf(candidate, sizeof candidate, "%s", EXAMPLESDIR);
    else
      snprintf(candidate, sizeof candidate, "%s/%s", program, beside[k - 2]);
    if (file[0] == '/') candidate[0] = '\0';
    if (file[0] != '/' && candidate[0] == '\0') continue;
    if (has(candidate, file)) {
      *folder = strdup(candidate);
      if (*folder == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a path");
    }
    size_t used = strlen(looked);
    snprintf(looked + used, sizeof looked - used, "%s%s", used > 0 ? ", " : "", candidate);
  }
  if (*folder != NULL) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: not found in %.300s; SGFLOW_DATA may name its folder", file,
                  looked);
}
