/* Noise balance of two layers in closed form, and the rate of approach to it. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "noise_balance.h"

/* Singular values below this, relative to the largest, are zero: of M and of the layers. */
static const double NO_SINGULAR_VALUE = 1e-10;

/* ------------------------------------------------------------------ factors */

static size_t rank_of(size_t count, const double *d)
{
  size_t rank = 0;
  while (rank < count && d[rank] > NO_SINGULAR_VALUE * d[0]) rank++;
  return rank;
}

/* Orthonormal basis of the rows of W (rows, columns): basis (min, columns), of which the first *rank are it. */
static sgf_status row_space(size_t rows, size_t columns, const double *W, double **basis, size_t *rank,
                            sgf_error *error)
{
  size_t k = rows < columns ? rows : columns;
  double *copy = NULL, *U = NULL, *d = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&copy, rows, columns, "noise balance", error));
  SGF_TRY(sgf_new_reals(&U, rows, k, "noise balance", error));
  SGF_TRY(sgf_new_reals(&d, k, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(basis, k, columns, "noise balance", error));
  memcpy(copy, W, rows * columns * sizeof *W);
  SGF_TRY(sgf_thin_svd(rows, columns, copy, U, d, *basis, "a layer", error));
  *rank = rank_of(k, d);
done:
  free(copy);
  free(U);
  free(d);
  return status;
}

/* out (rows, rows) = T S T^T, T (rows, inner), S (inner, inner); work (rows, inner). */
static void form(size_t rows, size_t inner, const double *T, const double *S, double *work, double *out)
{
  sgf_multiply(rows, inner, inner, SGF_PLAIN, T, SGF_PLAIN, S, work);
  sgf_multiply(rows, rows, inner, SGF_PLAIN, work, SGF_TRANSPOSED, T, out);
  sgf_symmetrize(rows, out);
}

/* ------------------------------------------------------------ closed form */

/* The two layers through `rank` units, W_2 transposed, so that both have the units as rows; afterwards at balance,
 * where W_2^T E_e W_2 = W_1 E_x W_1^T = diag(p). */
typedef struct {
  size_t rank, inputs, outputs;
  double *W_1; /* (rank, N_0) */
  double *W_2; /* (rank, N_2), W_2^T */
  double *p;   /* (rank) */
} units;

static void free_units(units *made)
{
  free(made->W_1);
  free(made->W_2);
  free(made->p);
}

/* W_1 = D^{1/2} V^T, W_2 = U D^{1/2} of M = W_2 W_1. */
static sgf_status symmetric_units(const sgf_noise_balance *balance, units *made, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t inputs = network->widths[0], outputs = network->widths[2], k = inputs < outputs ? inputs : outputs;
  double *M = NULL, *U = NULL, *d = NULL, *Vt = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, balance->problem->theta, 1, 2, &M, error));
  SGF_TRY(sgf_new_reals(&U, outputs, k, "noise balance", error));
  SGF_TRY(sgf_new_reals(&d, k, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&Vt, k, inputs, "noise balance", error));
  SGF_TRY(sgf_thin_svd(outputs, inputs, M, U, d, Vt, "M", error));
  size_t rank = rank_of(k, d);
  if (rank > network->widths[1]) rank = network->widths[1];
  if (rank == 0) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "noise balance: the map M vanishes");
    goto done;
  }
  *made = (units){.rank = rank, .inputs = inputs, .outputs = outputs};
  SGF_TRY(sgf_new_reals(&made->W_1, rank, inputs, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->W_2, rank, outputs, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->p, rank, 1, "noise balance", error));
  for (size_t r = 0; r < rank; r++) {
    for (size_t i = 0; i < inputs; i++) made->W_1[r * inputs + i] = sqrt(d[r]) * Vt[r * inputs + i];
    for (size_t a = 0; a < outputs; a++) made->W_2[r * outputs + a] = sqrt(d[r]) * U[a * k + r];
  }
done:
  free(M);
  free(U);
  free(d);
  free(Vt);
  return status;
}

/* W_1 <- A W_1, W_2^T <- A^-T W_2^T: with P_x = L L^T and L^T P_e L = V^T diag(q) V, A = diag(q^{1/4}) V L^-1. Then
 * A^T A P_x A^T A = P_e, and both forms are diag(q^{1/2}). */
static sgf_status balance_units(const sgf_noise_balance *balance, units *made, sgf_error *error)
{
  size_t r = made->rank, inputs = made->inputs, outputs = made->outputs, most = inputs > outputs ? inputs : outputs;
  double *L = NULL, *V = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&L, r, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&V, r, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&work, r, most, "noise balance", error));
  form(r, inputs, made->W_1, balance->input_moment, work, L);
  if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (lapack_int)r, L, (lapack_int)r) != 0) goto silent;
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)r, (int)inputs, 1.0, L, (int)r,
              made->W_1, (int)inputs);
  cblas_dtrmm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, (int)r, (int)outputs, 1.0, L, (int)r,
              made->W_2, (int)outputs);
  form(r, outputs, made->W_2, balance->residual_moment, work, V);
  SGF_TRY(sgf_symmetric_eigen(r, V, made->p, "noise of the layers", error));
  if (!(made->p[0] > NO_SINGULAR_VALUE * NO_SINGULAR_VALUE * made->p[r - 1])) goto silent;
  sgf_multiply(r, inputs, r, SGF_PLAIN, V, SGF_PLAIN, made->W_1, work);
  memcpy(made->W_1, work, r * inputs * sizeof *work);
  sgf_multiply(r, outputs, r, SGF_PLAIN, V, SGF_PLAIN, made->W_2, work);
  memcpy(made->W_2, work, r * outputs * sizeof *work);
  for (size_t k = 0; k < r; k++) {
    made->p[k] = sqrt(made->p[k]);
    double factor = sqrt(made->p[k]);
    for (size_t i = 0; i < inputs; i++) made->W_1[k * inputs + i] *= factor;
    for (size_t a = 0; a < outputs; a++) made->W_2[k * outputs + a] /= factor;
  }
  goto done;
silent:
  status = sgf_fail(error, SGF_ERROR_VALUE, "noise balance: the gradient noise vanishes for some of the map M");
done:
  free(L);
  free(V);
  free(work);
  return status;
}

/* theta: the units in a hidden layer of N_1, turned by the R that brings them next to theta*, R = polar factor of
 * W_1* W_1^T + W_2*^T W_2. */
static sgf_status place(const sgf_noise_balance *balance, const units *made, double *theta, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t r = made->rank, N = network->widths[1], inputs = made->inputs, outputs = made->outputs;
  const double *start = balance->problem->theta;
  double *near = NULL, *also = NULL, *U = NULL, *d = NULL, *Vt = NULL, *R = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&near, N, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&also, N, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&U, N, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&d, r, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&Vt, r, r, "noise balance", error));
  SGF_TRY(sgf_new_reals(&R, N, r, "noise balance", error));
  sgf_multiply(N, r, inputs, SGF_PLAIN, start + network->offsets[1], SGF_TRANSPOSED, made->W_1, near);
  sgf_multiply(N, r, outputs, SGF_TRANSPOSED, start + network->offsets[2], SGF_TRANSPOSED, made->W_2, also);
  for (size_t k = 0; k < N * r; k++) near[k] += also[k];
  SGF_TRY(sgf_thin_svd(N, r, near, U, d, Vt, "the overlap of the hidden units", error));
  sgf_multiply(N, r, r, SGF_PLAIN, U, SGF_PLAIN, Vt, R);
  sgf_multiply(N, inputs, r, SGF_PLAIN, R, SGF_PLAIN, made->W_1, theta + network->offsets[1]);
  sgf_multiply(outputs, N, r, SGF_TRANSPOSED, made->W_2, SGF_TRANSPOSED, R, theta + network->offsets[2]);
done:
  free(near);
  free(also);
  free(U);
  free(d);
  free(Vt);
  free(R);
  return status;
}

/* ------------------------------------------------------------------- approach */

/* Modes of the motion about balance, X and Y (r, r) there. */
typedef struct {
  size_t r;
  double *O_x, *O_y; /* (r, r), eigenvectors of X and of Y in rows */
  double *x, *y;     /* (r) */
  double *work;      /* (r, r) */
} approach;

/* Z <- the a with Y a + a X = Z. */
static void solve_sylvester(const approach *at, double *Z)
{
  size_t r = at->r;
  sgf_multiply(r, r, r, SGF_PLAIN, at->O_y, SGF_PLAIN, Z, at->work);
  sgf_multiply(r, r, r, SGF_PLAIN, at->work, SGF_TRANSPOSED, at->O_x, Z);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) Z[i * r + j] /= at->y[i] + at->x[j];
  sgf_multiply(r, r, r, SGF_TRANSPOSED, at->O_y, SGF_PLAIN, Z, at->work);
  sgf_multiply(r, r, r, SGF_PLAIN, at->work, SGF_PLAIN, at->O_x, Z);
}

/* A deviation theta' = (s W_1, -W_2 s), s symmetric, makes F = -2 scale (s P + P s), P = diag(p), so that
 * ds/dt = -scale K N s, K = the symmetric part of the solution of Y a + a X = ., (N s)_ij = (p_i + p_j) s_ij. Both are
 * positive: rates are the eigenvalues of scale N^{1/2} K N^{1/2}, of which the least. */
static sgf_status slowest(const approach *at, const double *p, double scale, double *rate, sgf_error *error)
{
  size_t r = at->r, m = r * (r + 1) / 2, row = 0;
  double *matrix = NULL, *Z = NULL, *values = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&matrix, m, m, "approach to noise balance", error));
  SGF_TRY(sgf_new_reals(&Z, r, r, "approach to noise balance", error));
  SGF_TRY(sgf_new_reals(&values, m, 1, "approach to noise balance", error));
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j <= i;
         j++, row++) { /* in the orthonormal basis e_i e_i^T, (e_i e_j^T + e_j e_i^T) / sqrt 2 */
      memset(Z, 0, r * r * sizeof *Z);
      Z[i * r + j] = Z[j * r + i] = (i == j ? 1.0 : sqrt(0.5)) * sqrt(p[i] + p[j]);
      solve_sylvester(at, Z);
      for (size_t k = 0, column = 0; k < r; k++)
        for (size_t l = 0; l <= k; l++, column++)
          matrix[row * m + column] =
              scale * sqrt(p[k] + p[l]) * (k == l ? Z[k * r + k] : sqrt(0.5) * (Z[k * r + l] + Z[l * r + k]));
    }
  sgf_symmetrize(m, matrix);
  SGF_TRY(sgf_symmetric_eigenvalues(m, matrix, values, "approach to noise balance", error));
  *rate = values[0];
done:
  free(matrix);
  free(Z);
  free(values);
  return status;
}

/* Least eigenvalue of E (1 + T^T K^-1 T) on the space of the rows of basis (size, columns), T (r, columns) within it,
 * K = O^T diag(k) O: of the weights w of a unit that fades, dw/dt = -(scale / 2) w E (1 + T^T K^-1 T). */
static sgf_status fading(size_t size, size_t columns, const double *basis, const double *E, size_t r, const double *T,
                         const double *O, const double *k, double *least, sgf_error *error)
{
  double *inside = NULL, *work = NULL, *spread = NULL, *turned = NULL, *values = NULL;
  sgf_status status;
  *least = NAN;
  SGF_TRY(sgf_new_reals(&inside, size, size, "surplus hidden units", error));
  SGF_TRY(sgf_new_reals(&work, size, columns, "surplus hidden units", error));
  SGF_TRY(sgf_new_reals(&spread, size, size, "surplus hidden units", error));
  SGF_TRY(sgf_new_reals(&turned, r, columns + size, "surplus hidden units", error));
  SGF_TRY(sgf_new_reals(&values, size, 1, "surplus hidden units", error));
  double *rows = turned + r * columns;
  form(size, columns, basis, E, work, inside);
  sgf_multiply(r, columns, r, SGF_PLAIN, O, SGF_PLAIN, T, turned);
  sgf_multiply(r, size, columns, SGF_PLAIN, turned, SGF_TRANSPOSED, basis, rows);
  for (size_t i = 0; i < r * size; i++) rows[i] /= sqrt(k[i / size]);
  sgf_multiply(size, size, r, SGF_TRANSPOSED, rows, SGF_PLAIN, rows, spread);
  for (size_t i = 0; i < size; i++) spread[i * (size + 1)] += 1.0;
  sgf_symmetrize(size, spread);
  if (LAPACKE_dsygv(LAPACK_ROW_MAJOR, 2, 'N', 'L', (lapack_int)size, inside, (lapack_int)size, spread,
                    (lapack_int)size, values) != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "surplus hidden units: no eigenvalues");
  else
    *least = values[0];
done:
  free(inside);
  free(work);
  free(spread);
  free(turned);
  free(values);
  return status;
}

/* Units beyond the rank of M: in the frame in which they have no output their inputs fade, in that in which they have
 * no input their outputs do. Which frame there is depends on the ranks of the layers. */
static sgf_status rate_of_surplus(const sgf_noise_balance *balance, const units *made, const approach *at,
                                  double *rate, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t N = network->widths[1], rank_1, rank_2, r = made->rank;
  const double *theta = balance->problem->theta;
  double *rows = NULL, *columns = NULL, *turned = NULL, of_inputs = INFINITY, of_outputs = INFINITY;
  sgf_status status;
  SGF_TRY(row_space(N, made->inputs, theta + network->offsets[1], &rows, &rank_1, error));
  SGF_TRY(sgf_new_reals(&turned, N, made->outputs, "surplus hidden units", error));
  sgf_transpose(made->outputs, N, theta + network->offsets[2], turned);
  SGF_TRY(row_space(N, made->outputs, turned, &columns, &rank_2, error));
  if (rank_1 > r || rank_2 == r)
    SGF_TRY(
        fading(rank_1, made->inputs, rows, balance->input_moment, r, made->W_1, at->O_y, at->y, &of_inputs, error));
  if (rank_2 > r)
    SGF_TRY(fading(rank_2, made->outputs, columns, balance->residual_moment, r, made->W_2, at->O_x, at->x,
                   &of_outputs, error));
  *rate = 0.5 * balance->scale * fmin(of_inputs, of_outputs);
done:
  free(rows);
  free(columns);
  free(turned);
  return status;
}

static sgf_status find_rates(const sgf_noise_balance *balance, const units *made, sgf_balanced_state *state,
                             sgf_error *error)
{
  size_t r = made->rank;
  double *block = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&block, 3 * r + 2, r, "approach to noise balance", error));
  approach at = {r, block, block + r * r, block + 3 * r * r, block + 3 * r * r + r, block + 2 * r * r};
  sgf_multiply(r, r, made->inputs, SGF_PLAIN, made->W_1, SGF_TRANSPOSED, made->W_1, at.O_x);
  sgf_multiply(r, r, made->outputs, SGF_PLAIN, made->W_2, SGF_TRANSPOSED, made->W_2, at.O_y);
  SGF_TRY(sgf_symmetric_eigen(r, at.O_x, at.x, "W_1 W_1^T", error));
  SGF_TRY(sgf_symmetric_eigen(r, at.O_y, at.y, "W_2^T W_2", error));
  if (r <= SGF_MOST_BALANCED_RANK) SGF_TRY(slowest(&at, made->p, balance->scale, &state->rate, error));
  if (state->surplus > 0) SGF_TRY(rate_of_surplus(balance, made, &at, &state->rate_surplus, error));
done:
  free(block);
  return status;
}

sgf_status sgf_balanced_weights(const sgf_noise_balance *balance, double *theta, sgf_balanced_state *state,
                                sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  units made = {0};
  sgf_status status = SGF_OK;
  *state = (sgf_balanced_state){.rate = NAN, .rate_surplus = INFINITY};
  if (network->layers != 2)
    status =
        sgf_fail(error, SGF_ERROR_UNSUPPORTED, "noise balance in closed form: two layers, not %zu", network->layers);
  if (status != SGF_OK) goto done;
  SGF_TRY(symmetric_units(balance, &made, error));
  state->rank = made.rank;
  state->surplus = network->widths[1] - made.rank;
  SGF_TRY(balance_units(balance, &made, error));
  SGF_TRY(place(balance, &made, theta, error));
  SGF_TRY(find_rates(balance, &made, state, error));
done:
  if (status != SGF_OK) sgf_fill_nan(network->weights, theta);
  free_units(&made);
  return status;
}
