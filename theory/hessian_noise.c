/* Every sample's own Hessian: the second moment of linearized SGD at any depth, on range(H), matrix-free. */
#include "hessian_noise.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "sample_moments.h"
#include "second_moment.h"

/* Asked of the stability limit, relative; some 1e-9 is found. */
static const double LIMIT_ACCURACY = 1e-6;
/* Applications of B that it takes, about; where these are more operations than can be spared, a bound is found first, and
 * is enough for a learning rate below this share of it. */
static const double LIMIT_STEPS = 17.0, SPARE_OPERATIONS = 6e10, CLEARLY_BELOW = 0.5;

/* What of a sample's Hessian is linear in x or e: the change of the output, what a layer's own change adds to its hidden
 * units, and the change of the residual that comes back to them. */
enum { OUTPUT, FORWARD, BACKWARD, FACTORS };
static const sgf_variable VARIABLE[FACTORS] = {SGF_INPUT, SGF_INPUT, SGF_RESIDUAL};

typedef struct {
  size_t units, rows; /* rows = units * dimension of the variable, the unit the slower index */
  double *F;          /* (rows, rank), in the modes of range(H) */
} factor;

/* One term of H_mu Z H_mu: sign * left_out^T (left_in Z right_in^T) right_out. Its transpose is a term too where left_out
 * and right_out differ. */
typedef struct {
  int left_out, left_in, right_in, right_out;
  double sign;
} term;

static const term TERMS[] = {{OUTPUT, OUTPUT, OUTPUT, OUTPUT, 1.0},       {FORWARD, BACKWARD, BACKWARD, FORWARD, 1.0},
                             {BACKWARD, FORWARD, FORWARD, BACKWARD, 1.0}, {FORWARD, BACKWARD, FORWARD, BACKWARD, 1.0},
                             {OUTPUT, OUTPUT, BACKWARD, FORWARD, -1.0},   {OUTPUT, OUTPUT, FORWARD, BACKWARD, -1.0}};
enum { TERM_COUNT = sizeof TERMS / sizeof *TERMS };

struct sgf_hessian_noise {
  const sgf_range *range;
  size_t rank;
  double strength; /* p */
  double weight_decay;
  factor factors[FACTORS];
  sgf_sample_moments *moments;
  double *images[FACTORS]; /* (rows, rank) F Z */
  double *sums[FACTORS];   /* (rows, rank), what F^T is applied to in the end */
  double *before, *after;  /* left_in Z right_in^T, and its contraction */
};

void sgf_hessian_noise_free(sgf_hessian_noise *noise)
{
  if (noise == NULL) return;
  for (int f = 0; f < FACTORS; f++) {
    free(noise->factors[f].F);
    free(noise->images[f]);
    free(noise->sums[f]);
  }
  sgf_sample_moments_free(noise->moments);
  free(noise->before);
  free(noise->after);
  free(noise);
}

/* ------------------------------------------------------------------ factors */

/* F (rows, rank) = Phi V^T, V the modes of the range; Phi (rows, n) with rows `leading` apart. */
static sgf_status into_modes(const sgf_range *range, size_t units, size_t rows, size_t leading, const double *Phi,
                             factor *made, sgf_error *error)
{
  const double *V = range->V + (range->n - range->rank) * range->n;
  sgf_status status = sgf_new_reals(&made->F, rows, range->rank, "Hessians of samples", error);
  made->units = units;
  made->rows = rows;
  if (status == SGF_OK && rows > 0)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)range->rank, (int)range->n, 1.0, Phi,
                (int)leading, V, (int)range->n, 0.0, made->F, (int)range->rank);
  return status;
}

/* Rows of hidden layer l, from row `first` on: (p, i) of dW_l B_l, row (p, i) has B_l[q, i] at (l; p, q). */
static sgf_status fill_forward(const sgf_network *network, const double *theta, size_t layer, double *Phi,
                               sgf_error *error)
{
  size_t to = network->widths[layer], from = network->widths[layer - 1], inputs = network->widths[0];
  double *B = NULL;
  sgf_status status = sgf_layer_product(network, theta, 1, layer - 1, &B, error);
  for (size_t p = 0; p < to && status == SGF_OK; p++)
    for (size_t i = 0; i < inputs; i++)
      for (size_t q = 0; q < from; q++)
        Phi[(p * inputs + i) * network->weights + network->offsets[layer] + p * from + q] = B[q * inputs + i];
  free(B);
  return status;
}

/* (p, a) of dA_l^T: for every layer u above, row (p, a) has A_u[a, c] I[q, p] at (u; c, q), I = W_{u-1} ... W_{l+1}. */
static sgf_status fill_backward(const sgf_network *network, const double *theta, size_t layer, double *Phi,
                                sgf_error *error)
{
  size_t width = network->widths[layer], outputs = sgf_network_outputs(network);
  double *A = NULL, *between = NULL;
  sgf_status status = SGF_OK;
  for (size_t u = layer + 1; u <= network->layers; u++) {
    size_t to = network->widths[u], from = network->widths[u - 1];
    SGF_TRY(sgf_layer_product(network, theta, u + 1, network->layers, &A, error));
    SGF_TRY(sgf_layer_product(network, theta, layer + 1, u - 1, &between, error));
    for (size_t p = 0; p < width; p++)
      for (size_t a = 0; a < outputs; a++) {
        double *row = Phi + (p * outputs + a) * network->weights + network->offsets[u];
        for (size_t c = 0; c < to; c++)
          for (size_t q = 0; q < from; q++) row[c * from + q] = A[a * to + c] * between[q * width + p];
      }
    free(A);
    free(between);
    A = between = NULL;
  }
done:
  free(A);
  free(between);
  return status;
}

/* F and B of all hidden layers, one after the other. */
static sgf_status hidden_factors(const sgf_problem *problem, sgf_hessian_noise *noise, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, inputs = network->widths[0], outputs = sgf_network_outputs(network), units = 0;
  double *Phi = NULL;
  sgf_status status;
  for (size_t l = 1; l < network->layers; l++) units += network->widths[l];
  SGF_TRY(sgf_new_reals(&Phi, units * (inputs > outputs ? inputs : outputs), n, "Hessians of samples", error));
  for (size_t l = 1, first = 0; l < network->layers; first += network->widths[l++])
    SGF_TRY(fill_forward(network, problem->theta, l, Phi + first * inputs * n, error));
  SGF_TRY(into_modes(noise->range, units, units * inputs, n, Phi, &noise->factors[FORWARD], error));
  memset(Phi, 0, units * inputs * n * sizeof *Phi);
  for (size_t l = 1, first = 0; l < network->layers; first += network->widths[l++])
    SGF_TRY(fill_backward(network, problem->theta, l, Phi + first * outputs * n, error));
  SGF_TRY(into_modes(noise->range, units, units * outputs, n, Phi, &noise->factors[BACKWARD], error));
done:
  free(Phi);
  return status;
}

static sgf_status make_factors(const sgf_problem *problem, size_t layer, sgf_hessian_noise *noise, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t outputs = sgf_network_outputs(network), inputs = sgf_network_inputs(network);
  double *J = NULL;
  sgf_status status;
  SGF_TRY(sgf_jacobian(network, problem->theta, &J, error));
  SGF_TRY(into_modes(noise->range, outputs, outputs * inputs, network->weights,
                     J + (layer > 0 ? network->offsets[layer] : 0), &noise->factors[OUTPUT], error));
  if (layer == 0 && network->layers > 1) SGF_TRY(hidden_factors(problem, noise, error));
done:
  free(J);
  return status;
}

/* ----------------------------------------------------------- making and room */

static sgf_status make_room(sgf_hessian_noise *noise, sgf_error *error)
{
  size_t largest = 0;
  sgf_status status = SGF_OK;
  for (int t = 0; t < TERM_COUNT; t++) {
    size_t in = noise->factors[TERMS[t].left_in].rows * noise->factors[TERMS[t].right_in].rows;
    size_t out = noise->factors[TERMS[t].left_out].rows * noise->factors[TERMS[t].right_out].rows;
    if (in > largest) largest = in;
    if (out > largest) largest = out;
  }
  for (int f = 0; f < FACTORS; f++) {
    SGF_TRY(sgf_new_reals(&noise->images[f], noise->factors[f].rows, noise->rank, "Hessians of samples", error));
    SGF_TRY(sgf_new_reals(&noise->sums[f], noise->factors[f].rows, noise->rank, "Hessians of samples", error));
  }
  SGF_TRY(sgf_new_reals(&noise->before, largest, 1, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->after, largest, 1, "Hessians of samples", error));
done:
  return status;
}

sgf_status sgf_hessian_noise_create(const sgf_problem *problem, size_t layer, const sgf_range *range, double strength,
                                    sgf_hessian_noise **noise, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **noise, "Hessians of samples", error);
  sgf_hessian_noise *made = block;
  *noise = NULL;
  if (status != SGF_OK) return status;
  made->range = range;
  made->rank = range->rank;
  made->strength = strength;
  made->weight_decay = problem->settings.training.weight_decay;
  SGF_TRY(make_factors(problem, layer, made, error));
  SGF_TRY(make_room(made, error));
  size_t hidden = made->factors[FORWARD].units, outputs = made->factors[OUTPUT].units;
  SGF_TRY(sgf_sample_moments_create(problem, hidden > 0, hidden > outputs ? hidden : outputs, &made->moments, error));
  *noise = made;
  return SGF_OK;
done:
  sgf_hessian_noise_free(made);
  return status;
}

/* ------------------------------------------------------------------ B and what it is for */

/* sums[left_out] += sign * (contraction of left_in Z right_in^T) right_out; half of what is its own transpose. */
static void add_term(const sgf_hessian_noise *noise, const term *of)
{
  const factor *left_out = &noise->factors[of->left_out], *left_in = &noise->factors[of->left_in];
  const factor *right_in = &noise->factors[of->right_in], *right_out = &noise->factors[of->right_out];
  sgf_contraction what = {
      {VARIABLE[of->left_out], VARIABLE[of->left_in], VARIABLE[of->right_in], VARIABLE[of->right_out]},
      left_in->units,
      right_in->units};
  int rank = (int)noise->rank;
  if (left_out->rows == 0 || left_in->rows == 0 || right_in->rows == 0 || right_out->rows == 0) return;
  sgf_multiply(left_in->rows, right_in->rows, noise->rank, SGF_PLAIN, noise->images[of->left_in], SGF_TRANSPOSED,
               right_in->F, noise->before);
  sgf_sample_moments_contract(noise->moments, &what, noise->before, noise->after);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)left_out->rows, rank, (int)right_out->rows,
              of->sign * (of->left_out == of->right_out ? 0.5 : 1.0), noise->after, (int)right_out->rows,
              right_out->F, rank, 1.0, noise->sums[of->left_out], rank);
}

void sgf_hessian_noise_apply(const sgf_hessian_noise *noise, const double *Z, double *out)
{
  size_t rank = noise->rank;
  const double *h = noise->range->h + (noise->range->n - rank);
  double subtracted = sgf_sample_moments_centred(noise->moments) ? 0.0 : 1.0;
  for (int f = 0; f < FACTORS; f++) {
    if (noise->factors[f].rows == 0) continue;
    sgf_multiply(noise->factors[f].rows, rank, rank, SGF_PLAIN, noise->factors[f].F, SGF_PLAIN, Z, noise->images[f]);
    memset(noise->sums[f], 0, noise->factors[f].rows * rank * sizeof(double));
  }
  for (int t = 0; t < TERM_COUNT; t++) add_term(noise, &TERMS[t]);
  memset(out, 0, rank * rank * sizeof *out);
  for (int f = 0; f < FACTORS; f++)
    if (noise->factors[f].rows > 0)
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)rank, (int)rank, (int)noise->factors[f].rows, 2.0,
                  noise->factors[f].F, (int)rank, noise->sums[f], (int)rank, 1.0, out, (int)rank);
  sgf_symmetrize(rank, out);
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) {
      double mean = (h[i] - noise->weight_decay) * (h[j] - noise->weight_decay);
      double *entry = out + i * rank + j;
      *entry = noise->strength * (*entry - subtracted * mean * Z[i * rank + j]) + h[i] * h[j] * Z[i * rank + j];
    }
}

static void apply(const void *context, const double *Z, double *out) { sgf_hessian_noise_apply(context, Z, out); }

static sgf_second_moment moment_of(const sgf_hessian_noise *noise)
{
  return (sgf_second_moment){noise->rank, noise->range->h + (noise->range->n - noise->rank), apply, noise};
}

sgf_status sgf_hessian_noise_bound(const sgf_hessian_noise *noise, double *bound, sgf_error *error)
{
  sgf_second_moment moment = moment_of(noise);
  return sgf_second_moment_bound(&moment, bound, error);
}

/* Of the products of one application, without those of the samples. */
double sgf_hessian_noise_operations(const sgf_hessian_noise *noise)
{
  double rank = (double)noise->rank, sum = 0.0;
  for (int f = 0; f < FACTORS; f++) sum += 4.0 * (double)noise->factors[f].rows * rank * rank;
  for (int t = 0; t < TERM_COUNT; t++)
    sum += 2.0 * rank *
           ((double)noise->factors[TERMS[t].left_in].rows * (double)noise->factors[TERMS[t].right_in].rows +
            (double)noise->factors[TERMS[t].left_out].rows * (double)noise->factors[TERMS[t].right_out].rows);
  return sum;
}

sgf_status sgf_hessian_noise_limit(const sgf_hessian_noise *noise, double lambda, double *limit, bool *is_bound,
                                   sgf_error *error)
{
  sgf_second_moment moment = moment_of(noise);
  double drift = 2.0 / sgf_largest(noise->range); /* never more; all there is without noise */
  sgf_status status;
  *limit = drift;
  *is_bound = false;
  if (!(noise->strength > 0.0)) return SGF_OK;
  if (LIMIT_STEPS * sgf_hessian_noise_operations(noise) > SPARE_OPERATIONS) {
    SGF_TRY(sgf_hessian_noise_bound(noise, limit, error));
    *is_bound = lambda < CLEARLY_BELOW * *limit;
    if (*is_bound) return SGF_OK;
  }
  SGF_TRY(sgf_second_moment_limit(&moment, LIMIT_ACCURACY, limit, error));
  if (*limit > drift) *limit = drift; /* by what the iteration left */
done:
  return status;
}

sgf_status sgf_hessian_noise_covariance(const sgf_hessian_noise *noise, const sgf_fluctuations *fluctuations,
                                        double lambda, double *Sigma, double *residual, sgf_error *error)
{
  sgf_second_moment moment = moment_of(noise);
  size_t n = noise->range->n, rank = noise->rank;
  double *driving = NULL, *Z = NULL;
  sgf_status status;
  *residual = 0.0;
  SGF_TRY(sgf_new_reals(&driving, rank, rank, "noise on range(H)", error));
  SGF_TRY(sgf_new_reals(&Z, rank, rank, "covariance on range(H)", error));
  sgf_diagonal_block(n, fluctuations->noise, n - rank, rank, driving);
  SGF_TRY(sgf_second_moment_stationary(&moment, lambda, driving, Z, residual, error));
  SGF_TRY(sgf_out_of_range(noise->range, Z, Sigma, error));
done:
  if (status != SGF_OK) sgf_fill_nan(n * n, Sigma);
  free(driving);
  free(Z);
  return status;
}

sgf_status sgf_hessian_noise_window(const sgf_hessian_noise *noise, double lambda, const sgf_plan *plan,
                                    double *Sigma, sgf_error *error)
{
  sgf_second_moment moment = moment_of(noise);
  double *Z = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Z, noise->rank, noise->rank, "covariance on range(H)", error));
  SGF_TRY(sgf_into_range(noise->range, Sigma, Z, error));
  SGF_TRY(sgf_second_moment_window(&moment, lambda, (double)(plan->burn_in_steps + plan->stride),
                                   (double)plan->stride, (double)(plan->window_steps / plan->stride), Z, error));
  SGF_TRY(sgf_out_of_range(noise->range, Z, Sigma, error));
done:
  if (status != SGF_OK) sgf_fill_nan(noise->range->n * noise->range->n, Sigma);
  free(Z);
  return status;
}
