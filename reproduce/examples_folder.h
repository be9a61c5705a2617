/* Where the data sets are that come with the program. */
#ifndef SGFLOW_EXAMPLES_FOLDER_H
#define SGFLOW_EXAMPLES_FOLDER_H

#include "sgflow.h"

/* The folder that has `file`, allocated, the caller's to free: that of the environment variable SGFLOW_DATA, that of the installed
 * examples, or ../examples, ../../examples and examples from where the program itself is; an empty one if `file` is an absolute
 * path. Errors: SGF_ERROR_NO_INPUT with all that was looked at, SGF_ERROR_MEMORY. */
sgf_status examples_folder(const char *file, char **folder, sgf_error *error);

#endif
