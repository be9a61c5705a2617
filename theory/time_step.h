/* The time step of Langevin dynamics. */
#ifndef SGF_TIME_STEP_H
#define SGF_TIME_STEP_H

#include "problem.h"

/* Fill in settings.simulation.time_step where it was left out, for Langevin dynamics: Euler-Maruyama of step dt has the
 * variance of mode h too large by 1 / (1 - dt h / 2), so that dt h_max <= 0.02 keeps it within 1 %; never more than the
 * learning rate. h_max by the power method on differences of the gradient about theta*. Errors: SGF_ERROR_VALUE for a step
 * above the learning rate, SGF_ERROR_MEMORY. */
sgf_status sgf_choose_time_step(sgf_problem *problem, sgf_error *error);

#endif
