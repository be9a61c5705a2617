/* --set KEY=VALUE, one a line. */
#include <stdlib.h>
#include <string.h>

#include "../cli/config.h"
#include "fuzzing.h"

enum { MOST = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  const char *overrides[MOST];
  size_t count = 0;
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  char *text = malloc(size + 1), *rest = text;
  fuzz_expect(text != NULL, "memory");
  memcpy(text, bytes, size);
  text[size] = '\0';
  for (char *line; count < MOST && (line = strsep(&rest, "\n")) != NULL;) overrides[count++] = line;
  sgf_status status = config_parse("text", "network: {widths: [3, 2]}\n", overrides, count, &settings, &error);
  fuzz_expect_message(status, &error);
  if (status == SGF_OK) sgf_settings_free(&settings);
  free(text);
  return 0;
}
