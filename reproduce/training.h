/* What is noted alike of problems that differ in their training, their depth or their data: theory beside SGD. */
#ifndef SGFLOW_TRAINING_H
#define SGFLOW_TRAINING_H

#include "study.h"

/* A quantity of the unit's comparison by its name, NULL for none. */
const sgf_quantity *unit_quantity(const study_unit *now, const char *name);

/* Its numbers as unit_pair has them; nothing for a quantity that there is none of. */
sgf_status unit_note_quantity(study_unit *now, const char *stream_name, const char *column, const char *quantity,
                              sgf_error *error);

/* The verdict of the unit's comparison and how many quantities it has: columns `comparison` and `quantities` of a stream. */
sgf_status unit_note_verdict(study_unit *now, const char *stream_name, sgf_error *error);

#endif
