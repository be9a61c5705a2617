/* The prediction: operators at the minimum, stationary covariances, observables, by name.
 *
 * Built in three steps, one file each, which add arrays under their names in the output and numbers to `info`:
 * operators.c (H, C, ranks, stability), solution.c (covariances by every equation that applies), observables.c (what
 * is read off them, jointly and by layer). */
#ifndef SGF_PREDICTION_H
#define SGF_PREDICTION_H

#include "covariance.h"
#include "hessian_noise.h"
#include "multiplicative_noise.h"
#include "problem.h"
#include "tested_directions.h"

/* An array of the prediction, under its name in the output file below `theory/`. */
typedef struct sgf_named_array {
  char name[48];
  size_t rows, columns; /* columns = 1 and vector = true for a vector */
  bool vector;
  double *values;
} sgf_named_array;

/* All weights of runs that start at theta*, null space and all (whole_space.h). */
typedef struct sgf_whole_moments {
  double *second;     /* (n, n) second moment of theta - theta*, mean over the snapshots of a plan; NULL: not known */
  double *average;    /* (n, n) covariance of theta about the mean of the time, mean over the snapshots */
  double *covariance; /* (n, n) the same at the end of the window */
  double *mean;       /* (n) of theta - theta* at the end of the window */
  double along;       /* tr of the part of that covariance along the symmetry */
  double time;        /* from theta* to the end of the window, continuum time */
  double
      least; /* smallest eigenvalue of that covariance over the largest: below zero where the next order is not enough */
} sgf_whole_moments;

/* Moments over the snapshots of a plan that take long to find, kept for the next comparison. */
typedef struct sgf_known_moments {
  sgf_plan plan;
  double *moments;   /* (n + 1, n), mean and second moment; NULL: none yet */
  bool on_range;     /* they are those on range(H), and nothing else is known */
  size_t points;     /* of the drift of the balance */
  double *balance;   /* (points, sum of N_l^2 over hidden layers) balances less those at theta*, of all weights */
  double anharmonic; /* <delta . g> - <delta . H delta> over the snapshots, of all weights */
  sgf_whole_moments whole;
  double *
      mean_square; /* (n, n) of reshuffled epochs: the average over the epoch of m m^T in the quasi-stationary state */
} sgf_known_moments;

struct sgf_prediction {
  sgf_prediction_info info;
  sgf_layer_info *layers; /* (L), of layer l at [l - 1] */
  sgf_named_array *arrays;
  size_t array_count;
  sgf_fluctuations joint;              /* of all weights; with weight decay its range is what of it has noise */
  sgf_fluctuations *frozen;            /* (L), of layer l at [l - 1] with the others frozen; NULL for one layer */
  sgf_multiplicative *exact;           /* one layer, NULL otherwise */
  sgf_hessian_noise *linearized;       /* several layers and their equation multiplicative, NULL otherwise */
  sgf_known_moments *known;            /* equation closure, NULL otherwise */
  sgf_range averaged;                  /* likewise: modes of the mean drift on range(H); V = NULL otherwise */
  bool third_cumulants;                /* likewise: they are in it */
  sgf_covariance_operator *covariance; /* in the modes of H, of a prediction on directions; NULL otherwise */
  sgf_tested *tested;                  /* its directions */
  sgf_rotation_info *rotations;        /* (L - 1), of hidden layer l at [l - 1]; NULL without n x n matrices */
};

/* The values of an array, NULL if there is none of that name. */
double *sgf_prediction_find(const sgf_prediction *prediction, const char *name);

/* A new array of the prediction, zeroed; columns = 0 makes a vector. The name of the second is below layerN/. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_prediction_add(sgf_prediction *prediction, const char *name, size_t rows, size_t columns,
                              double **values, sgf_error *error);
sgf_status sgf_prediction_add_layer(sgf_prediction *prediction, size_t layer, const char *name, size_t rows,
                                    size_t columns, double **values, sgf_error *error);

/* H, C, their ranks, null spaces, spectra and commutator, of all weights and of each layer; what diffuses; the
 * stability limit. Errors: SGF_ERROR_VALUE for a saddle. Source: sections 1 to 3, 5. */
sgf_status sgf_build_operators(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* The stationary covariances, and the mean. Source: sections 1, 2, 3, 8. */
sgf_status sgf_solve(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* Of layer l alone with the others frozen, stationary, by the configured equation; Sigma (n, n) of the layer. Errors:
 * SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 2 and 3. */
sgf_status sgf_solve_frozen(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer, double *Sigma,
                            sgf_error *error);

/* The quasi-stationary state of the Gaussian closure into Sigma (n, n) and the arrays `mean` and `mean_drift`, and its
 * numbers. Errors: as of sgf_closure_settle. Source: section 13. */
sgf_status sgf_solve_closure(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma, sgf_error *error);

/* Forget the moments that are kept; NULL is fine. */
void sgf_known_moments_free(sgf_known_moments *known);

/* Weights that the closure follows in all directions; of more on range(H), where that is known by the map. */
enum { SGF_MOST_FOLLOWED_WEIGHTS = 1500 };

/* The quasi-stationary state of reshuffled epochs by the closure: Sigma (n, n), and the sets that go with it.
 * Errors: those of sgf_reshuffled_closure_settle. Source: section 13. */
sgf_status sgf_solve_reshuffled_closure(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma,
                                        sgf_error *error);

/* Of one layer with the others frozen: quasi-stationary for plan = NULL, Sigma (size, size) and what of it is not
 * NULL: mean (size) and second, the average of its square. Else of runs from theta*, mean and second moment about
 * theta*; Sigma is not used. */
sgf_status sgf_reshuffled_frozen(const sgf_problem *problem, const sgf_fluctuations *frozen, size_t layer,
                                 const sgf_plan *plan, double *Sigma, double *mean, double *second, sgf_error *error);

/* Moments of runs from theta* on over the snapshots of a plan, with the balances. */
sgf_status sgf_follow_reshuffled(const sgf_problem *problem, const sgf_plan *plan, sgf_known_moments *known,
                                 sgf_error *error);

/* As sgf_prediction_window of all weights, by the closure. The last plan's moments are kept in the prediction, as
 * `known`. */
sgf_status sgf_closure_moments(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                               double *second, double *mean, sgf_error *error);

/* The numbers of sgf_predict_runs, if it has been called: returns how many there are. */
size_t sgf_whole_numbers(const sgf_prediction *prediction, sgf_number *numbers, size_t capacity);

/* second (count, count) of theta - theta*, and mean (count), along rows v (count, n) in range(H), by the closure on
 * that range; and the trace of the second moment there. For a prediction on directions; else as sgf_closure_moments. */
sgf_status sgf_closure_on_directions(const sgf_problem *problem, const sgf_prediction *prediction,
                                     const sgf_plan *plan, size_t count, const double *v, double *second,
                                     double *mean, sgf_error *error);
sgf_status sgf_closure_on_range_trace(const sgf_problem *problem, const sgf_prediction *prediction,
                                      const sgf_plan *plan, double *trace, sgf_error *error);

/* What runs that start at theta* show along rows v (count, n) of range(H), averaged over the plan's snapshots, of a
 * prediction on directions: second moment (count, count) and mean (count); and the trace of the second moment on
 * range(H). Stationary for plan = NULL. Errors: SGF_ERROR_MEMORY; by the closure those of sgf_closure_window.
 * Source: sections 1, 6 and 13. */
sgf_status sgf_directions_window(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 size_t count, const double *v, double *second, double *mean, sgf_error *error);
sgf_status sgf_directions_window_trace(const sgf_problem *problem, const sgf_prediction *prediction,
                                       const sgf_plan *plan, double *trace, sgf_error *error);

/* Sigma of one layer with the others frozen, in its own weights, by the closure with momentum: exact, for it is
 * linear in them. Stationary for plan = NULL. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL, SGF_ERROR_UNSTABLE. */
sgf_status sgf_closure_frozen(const sgf_problem *problem, const sgf_fluctuations *frozen, size_t layer,
                              const sgf_plan *plan, double *Sigma, sgf_error *error);

/* Rates of the balance of the layers: how long the state lasts. Part of the next. Source: section 4. */
sgf_status sgf_observe_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* Correlation times of the principal directions and their scaling with flatness, autocovariance, power spectra,
 * displacement. Part of the next. Source: section 15. */
sgf_status sgf_observe_time(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* The modes that fluctuations move in, with the covariance that they are of: of H, or by the closure of its mean.
 * Errors: SGF_ERROR_MEMORY; what failed can be freed. */
struct sgf_time_modes;
sgf_status sgf_prediction_time_modes(const sgf_problem *problem, const sgf_prediction *prediction,
                                     struct sgf_time_modes *modes, sgf_error *error);

/* Displacement and the correlation time of all weights alone, of an operator that is in the modes of H. */
sgf_status sgf_observe_time_by_operator(const sgf_problem *problem, const sgf_covariance_operator *covariance,
                                        sgf_prediction *prediction, sgf_error *error);

/* The velocity of the mean along null(H), from the drift of all modes of the symmetry. Part of sgf_observe_rotations.
 * Source: sections 14 and 15. */
struct sgf_motion;
sgf_status sgf_observe_null_motion(const sgf_problem *problem, const struct sgf_motion *motion,
                                   sgf_prediction *prediction, sgf_error *error);

/* Every number of it NaN, for a reason that outlives the prediction. */
void sgf_no_time_dependence(const char *reason, sgf_prediction *prediction);

/* Rotations of the hidden layers: their drift, diffusion, angles. Part of the next. Source: section 14. */
sgf_status sgf_observe_rotations(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* Noise balance: imbalance, distance, rate of approach; of two layers the weights there, psi by the closed form, and
 * the approach in time. Part of the next. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 16. */
sgf_status sgf_observe_noise_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* Every number of it NaN. */
void sgf_no_noise_balance(sgf_prediction *prediction);

/* Principal directions, flatness, IVFR, detailed balance; of the layers, also uncoupled and by the closed form.
 * Source: sections 1, 3, 9. */
sgf_status sgf_observe(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error);

/* What runs that start at theta* show, averaged over the plan's snapshots, by the configured equation; the stationary
 * values for plan = NULL. n is that of the layer if one is given.
 *   layer   0: all weights are trained; l: layer l alone, the others frozen
 *   second  (n, n), second moment of theta - theta* about zero: the covariance, and for reshuffled epochs m m^T; with
 *           the plan's `centred`, about the window's own mean
 *   mean    (n), of theta - theta*: zero but for reshuffled epochs and the closure
 * Source: sections 1, 2, 8, 14, and epoch.h for the mean. */
sgf_status sgf_prediction_window(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                 const sgf_plan *plan, double *second, double *mean, sgf_error *error);

#endif
