/* The loss along a line through theta, an exact polynomial, and its flatness. */
#ifndef SGF_CROSS_SECTION_H
#define SGF_CROSS_SECTION_H

#include "dataset.h"
#include "network.h"

/* Coefficients of L(theta + t p) = sum_k c_k t^k, of degree 2L, without the weight-decay term. They are expanded about
 * the residuals at theta, so that c_0 and c_1 keep their digits where the loss is all but zero.
 *   count         number of directions
 *   directions    (count, n), one direction p a row, of any length
 *   coefficients  (count, 2L + 1), ascending powers; c_k has the unit y^2 over that of t^k
 * Errors: SGF_ERROR_MEMORY; the coefficients are NaN then. Source: section 9. */
sgf_status sgf_cross_section(const sgf_network *network, const sgf_dataset *data, const double *theta, size_t count,
                             const double *directions, double *coefficients, sgf_error *error);

/* Feng-Tu flatness of a polynomial L(t): F = t_right - t_left, the nearest points on both sides of t = 0 with
 * L(t) = factor L(0). The slope at 0 need not vanish.
 *   coefficients  (degree + 1), ascending powers, of any scale
 *   factor        greater than 1; e for Feng and Tu
 * Infinite when the level is never reached on a side; 0 for L(0) = 0, unless L is constant. NaN for a coefficient that
 * is not finite, L(0) < 0, a factor of 1 or less, and without memory. Source: section 9. */
double sgf_flatness_of_polynomial(const double *coefficients, size_t degree, double factor);

/* The same in room for (3, degree + 2) reals, for which memory does not matter. */
double sgf_flatness_in_room(const double *coefficients, size_t degree, double factor, double *room);

#endif
