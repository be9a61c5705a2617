/* The symmetry of the hidden layers, W_l -> A W_l, W_{l+1} -> W_{l+1} A^-1, and what it makes of null(H).
 *
 * A mode is a generator a of one hidden layer, (N_l, N_l). Its direction at theta is n_a = N_a theta, with the linear map
 *   N_a v = (a v_l, -v_{l+1} a),
 * which takes the weights of unit j (into it and out of it) to those of unit i: antisymmetric for a rotation
 * a = e_i e_j^T - e_j e_i^T, symmetric for a scaling a = e_i e_j^T + e_j e_i^T (i = j: e_i e_i^T). Every batch's gradient
 * at theta is orthogonal to n_a(theta). Source: section 14. */
#ifndef SGF_SYMMETRY_H
#define SGF_SYMMETRY_H

#include "network.h"

typedef struct sgf_mode {
  size_t hidden, i, j; /* of hidden layer l, i < j; a scaling may have i = j */
  bool rotation;
} sgf_mode;

/* How many rotations the hidden layer has: N_l (N_l - 1) / 2. */
size_t sgf_rotation_count(const sgf_network *network, size_t hidden);
/* Of all hidden layers, rotations and scalings: sum of N_l^2. */
size_t sgf_symmetry_count(const sgf_network *network);

/* Room for modes. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_modes_create(size_t count, sgf_mode **modes, sgf_error *error);

/* Rotations of one hidden layer, in the lexicographic order of (i, j). Returns how many. */
size_t sgf_rotations(const sgf_network *network, size_t hidden, sgf_mode *modes);
/* All modes of all hidden layers, of each the rotations first. Returns how many. */
size_t sgf_symmetries(const sgf_network *network, sgf_mode *modes);

/* Weights of one unit of a hidden layer, into it and out of it: N_{l-1} + N_{l+1}; and where number k of them is in
 * theta. */
size_t sgf_unit_size(const sgf_network *network, size_t hidden);
size_t sgf_unit_weight(const sgf_network *network, size_t hidden, size_t unit, size_t k);
/* The sign that N_a gives number k of a unit's weights. */
double sgf_unit_sign(const sgf_network *network, const sgf_mode *mode, size_t k);

/* out (n) = N_a v (n); out may not be v. */
void sgf_symmetry_apply(const sgf_network *network, const sgf_mode *mode, const double *v, double *out);

/* values (count): nu_a = n_a(theta) . delta, w^2, of every mode. */
void sgf_symmetry_project(const sgf_network *network, const double *theta, size_t count, const sgf_mode *modes,
                          const double *delta, double *values);

/* Back from nu to weights: lift (count, n) = (n n^T)^+ n, so that nu^T lift is the vector of least norm with n_a . delta =
 * nu_a; gram (count, count) = (n n^T)^+. Modes may depend on one another. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL.
 *   rank  of n n^T: the dimensions of null(H) that the symmetry explains */
sgf_status sgf_symmetry_lift(const sgf_network *network, const double *theta, size_t count, const sgf_mode *modes,
                             double *gram, double *lift, size_t *rank, sgf_error *error);

/* The rotations' rows and columns of that gram of all modes, in the order of the hidden layers, allocated here: angles are
 * gram nu, radian, and nu^T gram nu is the square of the displacement that no scaling takes part in. NULL where there are
 * more than SGF_MOST_SYMMETRIES modes. Errors: as above. */
sgf_status sgf_rotation_gram(const sgf_network *network, const double *theta, double **gram, sgf_error *error);

/* T (n, n), symmetric: the sum of n_a n_a^T over the rotations of every hidden layer, whose range is what they span.
 * Source: section 7. */
void sgf_rotation_square(const sgf_network *network, const double *theta, double *T);

/* How many directions n_a are independent where all layers are balanced and of rank `rank`: those of a hidden layer of N
 * units, less what leaves its weights as they are, among the N - rank dimensions that weights do not reach:
 *   rotations  sum over hidden layers of  rank N_l - rank (rank + 1) / 2
 *   scalings   sum over hidden layers of  rank N_l - rank (rank - 1) / 2
 * Source: section 7. */
void sgf_symmetry_dimensions(const sgf_network *network, size_t rank, size_t *rotations, size_t *scalings);

#endif
