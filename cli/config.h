/* The config: YAML to settings, --set on top, and the settings back to YAML. */
#ifndef SGFLOW_CONFIG_H
#define SGFLOW_CONFIG_H

#include "sgflow.h"

/* A key of the config, for the manual page and the completion. */
typedef struct config_key {
  const char *name;    /* "section.key", or "seed" */
  const char *kind;    /* in words */
  const char *choices; /* "one|other", or "" */
  const char *text;    /* what it is */
} config_key;
extern const config_key config_keys[];
extern const size_t config_key_count;

/* Read the YAML file at `path` into settings (initialized here), then each of `overrides`, strings KEY=VALUE with
 * VALUE in YAML. Errors, with file and line or the override: SGF_ERROR_NO_INPUT, SGF_ERROR_VALUE for unknown keys,
 * wrong types and broken YAML, SGF_ERROR_MEMORY. The settings are freed after a failure. */
sgf_status config_read(const char *path, const char *const *overrides, size_t override_count, sgf_settings *settings,
                       sgf_error *error);

/* The same from a text; `name` is what messages call it. */
sgf_status config_parse(const char *name, const char *text, const char *const *overrides, size_t override_count,
                        sgf_settings *settings, sgf_error *error);

/* The resolved settings as YAML, every number with all its digits; NULL when out of memory. Caller frees. */
char *config_text(const sgf_settings *settings, const sgf_plan *plan);

/* Texts of files are in messages: what a terminal would obey, and further lines, become question marks. */
void make_one_line(char *message);

#endif
