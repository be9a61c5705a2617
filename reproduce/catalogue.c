/* All exhibits, in the order of the page. */
#include "catalogue.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const exhibit *const CATALOGUE[] = {
    &EXHIBIT_T1,
    &EXHIBIT_T2,
    &EXHIBIT_T2_EXPONENTS,
    &EXHIBIT_T3,
    &EXHIBIT_T4,
    &EXHIBIT_T5,
    &EXHIBIT_T6,
    &EXHIBIT_T6_SIZE,
    &EXHIBIT_T6_WINDOW,
    &EXHIBIT_T7,
    &EXHIBIT_T7_SLOPE,
    &EXHIBIT_T8_SAMPLING,
    &EXHIBIT_T8_MOMENTUM,
    &EXHIBIT_T8_DEPTH,
    &EXHIBIT_T8_DEPTH_LAYERS,
    &EXHIBIT_T8_BALANCE,
    &EXHIBIT_T8_BALANCE_ENDS,
    &EXHIBIT_T8_ROTATION,
    &EXHIBIT_T8_TURNING,
    &EXHIBIT_T8_TURNING_LIMITS,
    &EXHIBIT_R1,
    &EXHIBIT_R2,
    &EXHIBIT_R2_IVFR,
};
const size_t CATALOGUE_SIZE = sizeof CATALOGUE / sizeof *CATALOGUE;

bool catalogue_matches(size_t k, const char *id)
{
  const char *name = CATALOGUE[k]->id;
  size_t length = strlen(id);
  return length > 0 && strncasecmp(name, id, length) == 0 && (name[length] == '\0' || name[length] == '-');
}

void catalogue_names(char *text, size_t capacity)
{
  size_t used = 0;
  text[0] = '\0';
  for (size_t k = 0; k < CATALOGUE_SIZE && used < capacity; k++)
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", k > 0 ? ", " : "", CATALOGUE[k]->id);
}
