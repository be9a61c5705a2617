/* The covariance as an operator: what its files share. */
#ifndef SGF_COVARIANCE_OPERATOR_H
#define SGF_COVARIANCE_OPERATOR_H

#include "closure.h"
#include "mode_covariance.h"
#include "problem.h"

/* What the Gaussian closure gives beside the covariance. */
typedef struct sgf_operator_closure {
  sgf_range_basis basis;
  double *rates, *modes; /* (size) of Hbar, ascending, and its modes (size, size) in the basis */
  double *Z;             /* (size, size) Sigma in these modes */
  double *mean;          /* (n) m - theta* */
  double *drift;         /* (n) dm/dt along null(H) */
  double residual;       /* scaled, of the equation of Sigma */
  double next_order;     /* tr Sigma over that of leading order, less 1 */
  bool skew;             /* third cumulants are in it */
} sgf_operator_closure;

struct sgf_covariance_operator {
  sgf_covariance_operator_info info;
  sgf_reduced drift;             /* K of H */
  sgf_reduced jacobian;          /* K of J J^T, of the path closed-form */
  const sgf_reduced *space;      /* the one of them that Sigma is in */
  sgf_mode_covariance modes;     /* Sigma in the modes of `space` */
  bool in_modes;                 /* the path closed-form is not taken: `space` is the drift */
  sgf_operator_closure *closure; /* equation closure, else NULL */
  double rate;                   /* learning rate, in the continuum with momentum over 1 - beta */
  double tolerance;              /* of the rank, as the settings have it */
  uint64_t seed;
};

/* Cubes of sizes up to which a prediction has the eigenvalues of H that the closed form does not need: a second. */
#define SGF_SPARE_OPERATIONS 2e9

/* Weights of a layer, of all for layer 0. */
size_t sgf_covariance_operator_size(const sgf_covariance_operator *covariance, size_t layer);

/* out = v Sigma_ll for `count` rows of the layer; all weights for layer 0. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_apply_layer(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                               const double *v, double *out, sgf_error *error);

/* v H_ll v^T of rows of the layer. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_curvatures_layer(const sgf_covariance_operator *covariance, size_t layer,
                                                    size_t count, const double *v, double *curvatures,
                                                    sgf_error *error);

/* G = U R_l^T, (size, N_{l-1}), the modes of a block of `space` as the layer sees them. */
void sgf_covariance_operator_seen(const sgf_covariance_operator *covariance, size_t layer, size_t block, double *G);

/* The same for every block, (blocks, size, N_{l-1}), or for one when the modes are shared. Allocated here. */
sgf_status sgf_covariance_operator_seen_all(const sgf_covariance_operator *covariance, size_t layer, double **G,
                                            sgf_error *error);

/* All modes of a layer within the eigenvectors of the outputs, for two layers at most: principal where the noise does
 * not couple them, else with the coupling. As sgf_covariance_operator_layer, for layers of any size. */
sgf_status sgf_covariance_operator_within_outputs(const sgf_covariance_operator *covariance, size_t layer,
                                                  double *variance, double *curvature, sgf_layer_modes *found,
                                                  sgf_error *error);

/* The same unsorted, pair k of block i at i N_{l-1} + k: (N_L N_{l-1}). */
sgf_status sgf_covariance_operator_pairs_within(const sgf_covariance_operator *covariance, size_t layer,
                                                double *variance, double *curvature, sgf_error *error);

/* The directions (count, size of the layer) of the pairs at `places` of these. */
sgf_status sgf_covariance_operator_directions_within(const sgf_covariance_operator *covariance, size_t layer,
                                                     size_t count, const size_t *places, double *directions,
                                                     sgf_error *error);

/* As sgf_covariance_operator_create, always in the modes of H, whose rates say what is relaxed at a finite time: one
 * eigenproblem of the size of the inputs for each output where the closed form has none. */
sgf_status sgf_covariance_operator_create_in_modes(const sgf_problem *problem, sgf_covariance_operator **covariance,
                                                   sgf_error *error);

/* second (count, count) = v Sigma v^T of rows v (count, n), averaged over the plan's snapshots of runs that start at
 * theta*; stationary for plan = NULL. For an operator in the modes of H. Errors: SGF_ERROR_MEMORY. Source: sections 1
 * and 6. */
sgf_status sgf_covariance_operator_window(const sgf_covariance_operator *covariance, const sgf_plan *plan,
                                          size_t count, const double *v, double *second, sgf_error *error);

/* *trace of the same, of all weights. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_window_trace(const sgf_covariance_operator *covariance, const sgf_plan *plan,
                                                double *trace, sgf_error *error);

/* out (count, n) = v on range(H), for rows v (count, size) of a layer, zero elsewhere; of all weights for layer 0. For
 * an operator in the modes of H. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_on_range(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                            const double *v, double *out, sgf_error *error);

/* drift (count, count) = v H v^T of rows v (count, n). Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_drift(const sgf_covariance_operator *covariance, size_t count, const double *v,
                                         double *drift, sgf_error *error);

/* Eigenvectors of H, rows (count, n), by the places of their rates in the modes of `space`. For an operator in the
 * modes of H. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_covariance_operator_modes(const sgf_covariance_operator *covariance, size_t count,
                                         const size_t *places, double *vectors, sgf_error *error);

/* Put the closure's quasi-stationary state in the place of the covariance of leading order, whose trace is known.
 * Errors: those of sgf_closure_settle. Source: section 13. */
sgf_status sgf_operator_closure_solve(const sgf_problem *problem, sgf_covariance_operator *covariance,
                                      sgf_error *error);
/* q (count, size) = rows v (count, size of the layer) in the modes of Hbar. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_operator_closure_into_modes(const sgf_operator_closure *closure, size_t layer, size_t count,
                                           const double *v, double *q, sgf_error *error);
void sgf_operator_closure_free(sgf_operator_closure *closure);

/* Whether the layer's block is known in blocks, one for each output: two layers at most. */
bool sgf_covariance_operator_in_blocks(const sgf_covariance_operator *covariance);

#endif
