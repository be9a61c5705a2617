/* What a checkpoint has of a run under way. */
#ifndef SGF_CHECKPOINT_H
#define SGF_CHECKPOINT_H

#include "../io/state_file.h"
#include "simulation.h"

/* Write the state of a run of an open wave, but for the row of its replica; reading, restore it. Errors:
 * SGF_ERROR_MEMORY, those of sgf_state_exchange and sgf_state_expect. */
sgf_status sgf_checkpoint_run(sgf_state_file *state, sgf_run *run, sgf_error *error);

#endif
