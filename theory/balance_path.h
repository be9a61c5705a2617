/* How the balances of the hidden layers move over times as long as the lifetime of the state. */
#ifndef SGF_BALANCE_PATH_H
#define SGF_BALANCE_PATH_H

#include "prediction.h"

/* Change of all balances from those at theta* on, by the slow motion along the minima (sections 14 and 16): with the
 * rotations' own drift where that is known and the network is small, else without. Leading order in the learning rate.
 *   time     (points), ascending, continuum time; the speed that momentum gives is in it
 *   change   (points, sum of N_l^2 over the hidden layers)
 *   known    false, with change 0: one layer, weight decay, deeper networks with many modes of their symmetry, and motions
 *            of very different rates are not followed
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_balance_path(const sgf_problem *problem, const sgf_prediction *prediction, size_t points,
                            const double *time, double *change, bool *known, sgf_error *error);

#endif
