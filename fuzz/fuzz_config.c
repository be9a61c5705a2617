/* Configs: YAML to settings; what is accepted is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "../cli/config.h"
#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  sgf_settings settings, again;
  sgf_error error = {SGF_OK, ""};
  sgf_status status = config_read(fuzz_file(bytes, size), NULL, 0, &settings, &error);
  fuzz_expect_message(status, &error);
  if (status != SGF_OK) return 0;
  char *text = config_text(&settings, NULL);
  fuzz_expect(text != NULL, "memory");
  fuzz_expect(config_parse("again", text, NULL, 0, &again, &error) == SGF_OK, "the resolved config is one");
  char *twice = config_text(&again, NULL);
  fuzz_expect(twice != NULL && strcmp(text, twice) == 0, "the resolved config says the same");
  free(text);
  free(twice);
  sgf_settings_free(&settings);
  sgf_settings_free(&again);
  return 0;
}
