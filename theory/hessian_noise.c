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
  size_t first;       /* of its rows among those of G */
} factor;

/* With hidden layers the change of the output is what theirs make of it, O = lift [F; B] at any depth,
 *   O_(a,i) = sum_u above_au F_(u,i) + sum_p below_pi B_(p,a),  u all hidden units, p those of the last layer,
 * so that all blocks of [O; F; B] Z [O; F; B]^T follow from those of G = [F; B]; else G is O. */
struct sgf_hessian_noise {
  const sgf_range *range;
  size_t rank;
  double strength; /* p */
  double weight_decay;
  factor factors[FACTORS];
  size_t rows;           /* of G */
  size_t outputs, last;  /* units of the output and of the last hidden layer */
  double *above, *below; /* (outputs, hidden units), (last, inputs); NULL without hidden layers */
  sgf_sample_moments *moments;
  double *G;                   /* (rows, rank), in the modes of range(H) */
  double *images, *sums;       /* (rows, rank): G Z; what G^T is applied to in the end */
  double *Y, *X;               /* (rows, rows): G Z G^T; its contraction */
  double *Y_lifted, *X_lifted; /* (rows of O, rows): O Z G^T; its contraction */
  double *Y_outputs,
      *X_outputs; /* (rows of O)^2: O Z O^T; its contraction; Y and X themselves without hidden layers */
  double *turned; /* (rows of O, rows) */
};

void sgf_hessian_noise_free(sgf_hessian_noise *noise)
{
  if (noise == NULL) return;
  sgf_sample_moments_free(noise->moments);
  free(noise->above);
  free(noise->below);
  free(noise->G);
  free(noise->images);
  free(noise->sums);
  free(noise->Y);
  free(noise->X);
  free(noise->Y_lifted);
  free(noise->X_lifted);
  if (noise->Y_outputs != noise->Y) free(noise->Y_outputs);
  if (noise->X_outputs != noise->X) free(noise->X_outputs);
  free(noise->turned);
  free(noise);
}

/* ------------------------------------------------------------------ factors */

/* Rows of G (rank each) = Phi V^T, V the modes of the range; Phi (rows, n) with rows `leading` apart. */
static void into_modes(const sgf_range *range, size_t rows, size_t leading, const double *Phi, double *G)
{
  const double *V = range->V + (range->n - range->rank) * range->n;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)range->rank, (int)range->n, 1.0, Phi,
              (int)leading, V, (int)range->n, 0.0, G, (int)range->rank);
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
  const factor *F = &noise->factors[FORWARD], *B = &noise->factors[BACKWARD];
  size_t n = network->weights, inputs = network->widths[0], outputs = noise->outputs, rank = noise->rank;
  double *Phi = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Phi, F->rows > B->rows ? F->rows : B->rows, n, "Hessians of samples", error));
  for (size_t l = 1, first = 0; l < network->layers; first += network->widths[l++])
    SGF_TRY(fill_forward(network, problem->theta, l, Phi + first * inputs * n, error));
  into_modes(noise->range, F->rows, n, Phi, noise->G + F->first * rank);
  memset(Phi, 0, F->rows * n * sizeof *Phi);
  for (size_t l = 1, first = 0; l < network->layers; first += network->widths[l++])
    SGF_TRY(fill_backward(network, problem->theta, l, Phi + first * outputs * n, error));
  into_modes(noise->range, B->rows, n, Phi, noise->G + B->first * rank);
done:
  free(Phi);
  return status;
}

/* above, below: the products of the layers between a hidden layer and the output, and up to the last hidden layer. */
static sgf_status find_lift(const sgf_problem *problem, sgf_hessian_noise *noise, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t units = noise->factors[FORWARD].units;
  double *product = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&noise->above, noise->outputs, units, "Hessians of samples", error));
  for (size_t l = 1, first = 0; l < network->layers; first += network->widths[l++]) {
    SGF_TRY(sgf_layer_product(network, problem->theta, l + 1, network->layers, &product, error));
    for (size_t a = 0; a < noise->outputs; a++)
      memcpy(noise->above + a * units + first, product + a * network->widths[l],
             network->widths[l] * sizeof *product);
    free(product);
    product = NULL;
  }
  SGF_TRY(sgf_layer_product(network, problem->theta, 1, network->layers - 1, &noise->below, error));
done:
  free(product);
  return status;
}

static void size_factors(const sgf_network *network, size_t layer, sgf_hessian_noise *noise)
{
  size_t outputs = sgf_network_outputs(network), inputs = sgf_network_inputs(network), units = 0;
  for (size_t l = 1; l < network->layers && layer == 0; l++) units += network->widths[l];
  noise->outputs = outputs;
  noise->last = units > 0 ? network->widths[network->layers - 1] : 0;
  noise->factors[OUTPUT] = (factor){outputs, outputs * inputs, 0};
  noise->factors[FORWARD] = (factor){units, units * inputs, 0};
  noise->factors[BACKWARD] = (factor){units, units * outputs, units * inputs};
  noise->rows = units > 0 ? units * (inputs + outputs) : outputs * inputs;
}

static sgf_status make_factors(const sgf_problem *problem, size_t layer, sgf_hessian_noise *noise, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double *J = NULL;
  sgf_status status;
  size_factors(network, layer, noise);
  SGF_TRY(sgf_new_reals(&noise->G, noise->rows, noise->rank, "Hessians of samples", error));
  if (noise->last > 0) {
    SGF_TRY(hidden_factors(problem, noise, error));
    return find_lift(problem, noise, error);
  }
  SGF_TRY(sgf_jacobian(network, problem->theta, &J, error));
  into_modes(noise->range, noise->rows, network->weights, J + (layer > 0 ? network->offsets[layer] : 0), noise->G);
done:
  free(J);
  return status;
}

/* ----------------------------------------------------------- making and room */

static sgf_status make_room(sgf_hessian_noise *noise, sgf_error *error)
{
  size_t rows = noise->rows, outputs = noise->factors[OUTPUT].rows;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&noise->images, rows, noise->rank, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->sums, rows, noise->rank, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->Y, rows, rows, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->X, rows, rows, "Hessians of samples", error));
  noise->Y_outputs = noise->Y;
  noise->X_outputs = noise->X;
  if (noise->last == 0) return SGF_OK;
  noise->Y_outputs = noise->X_outputs = NULL;
  SGF_TRY(sgf_new_reals(&noise->Y_outputs, outputs, outputs, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->X_outputs, outputs, outputs, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->Y_lifted, outputs, rows, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->X_lifted, outputs, rows, "Hessians of samples", error));
  SGF_TRY(sgf_new_reals(&noise->turned, outputs, rows, "Hessians of samples", error));
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

/* out (rows of O, columns) = lift in, in (rows, columns). */
static void lift(const sgf_hessian_noise *noise, size_t columns, const double *in, double *out)
{
  const factor *F = &noise->factors[FORWARD], *B = &noise->factors[BACKWARD];
  size_t inputs = F->rows / F->units, outputs = noise->outputs, last = noise->last;
  const double *back = in + (B->first + B->rows - last * outputs) * columns;
  sgf_multiply(outputs, inputs * columns, F->units, SGF_PLAIN, noise->above, SGF_PLAIN, in, out);
  for (size_t a = 0; a < outputs; a++)
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)inputs, (int)columns, (int)last, 1.0, noise->below,
                (int)inputs, back + a * columns, (int)(outputs * columns), 1.0, out + a * inputs * columns,
                (int)columns);
}

/* out (rows, columns) += lift^T in, in (rows of O, columns). */
static void add_lowered(const sgf_hessian_noise *noise, size_t columns, const double *in, double *out)
{
  const factor *F = &noise->factors[FORWARD], *B = &noise->factors[BACKWARD];
  size_t inputs = F->rows / F->units, outputs = noise->outputs, last = noise->last;
  double *back = out + (B->first + B->rows - last * outputs) * columns;
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)F->units, (int)(inputs * columns), (int)outputs, 1.0,
              noise->above, (int)F->units, in, (int)(inputs * columns), 1.0, out, (int)(inputs * columns));
  for (size_t a = 0; a < outputs; a++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)last, (int)columns, (int)inputs, 1.0, noise->below,
                (int)inputs, in + a * inputs * columns, (int)columns, 1.0, back + a * columns,
                (int)(outputs * columns));
}

/* What E[left_out^T left_in Z right_in^T right_out] has between the outer two, of the block between the inner two. */
static void contract(const sgf_hessian_noise *noise, const int of[4], const double *before, size_t before_row,
                     double *after, size_t after_row)
{
  const sgf_contraction what = {{VARIABLE[of[0]], VARIABLE[of[1]], VARIABLE[of[2]], VARIABLE[of[3]]},
                                noise->factors[of[1]].units,
                                noise->factors[of[2]].units,
                                before_row,
                                after_row};
  sgf_sample_moments_contract(noise->moments, &what, before, after);
}

/* All blocks of [O; F; B] Z [O; F; B]^T but transposed ones, from images = G Z. */
static void find_blocks(const sgf_hessian_noise *noise)
{
  size_t rank = noise->rank, rows = noise->rows, forth = noise->factors[FORWARD].rows, back = rows - forth;
  if (noise->last == 0) {
    sgf_multiply(rows, rows, rank, SGF_PLAIN, noise->images, SGF_TRANSPOSED, noise->G, noise->Y);
    return;
  }
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)forth, (int)forth, (int)rank, 1.0, noise->images,
              (int)rank, noise->G, (int)rank, 0.0, noise->Y, (int)rows);
  sgf_multiply(back, rows, rank, SGF_PLAIN, noise->images + forth * rank, SGF_TRANSPOSED, noise->G,
               noise->Y + forth * rows);
  sgf_mirror(rows, noise->Y);
  lift(noise, rows, noise->Y, noise->Y_lifted);
  sgf_transpose(noise->factors[OUTPUT].rows, rows, noise->Y_lifted, noise->turned);
  lift(noise, noise->factors[OUTPUT].rows, noise->turned, noise->Y_outputs);
}

/* X (rows, rows) with G^T X G = E[H_mu Z H_mu], whose terms are O^T O Z O^T O, F^T B Z B^T F, B^T F Z F^T B and, with what
 * they are transposed, F^T B Z F^T B, -O^T O Z B^T F, -O^T O Z F^T B. */
static void contract_blocks(const sgf_hessian_noise *noise)
{
  size_t rows = noise->rows, outputs = noise->factors[OUTPUT].rows, forth = noise->factors[FORWARD].rows;
  size_t corner = forth * (rows + 1);
  contract(noise, (int[]){OUTPUT, OUTPUT, OUTPUT, OUTPUT}, noise->Y_outputs, 0, noise->X_outputs, 0);
  if (noise->last == 0) return;
  contract(noise, (int[]){FORWARD, BACKWARD, BACKWARD, FORWARD}, noise->Y + corner, rows, noise->X, rows);
  contract(noise, (int[]){BACKWARD, FORWARD, FORWARD, BACKWARD}, noise->Y, rows, noise->X + corner, rows);
  contract(noise, (int[]){BACKWARD, FORWARD, BACKWARD, FORWARD}, noise->Y + forth, rows, noise->X + forth * rows,
           rows);
  contract(noise, (int[]){OUTPUT, OUTPUT, BACKWARD, FORWARD}, noise->Y_lifted + forth, rows, noise->X_lifted, rows);
  contract(noise, (int[]){OUTPUT, OUTPUT, FORWARD, BACKWARD}, noise->Y_lifted, rows, noise->X_lifted + forth, rows);
  sgf_mirror(rows, noise->X);
  /* + lift^T (X_outputs lift - 2 X_lifted), of which the symmetric part counts */
  memset(noise->Y_lifted, 0, outputs * rows * sizeof *noise->Y_lifted);
  add_lowered(noise, outputs, noise->X_outputs, noise->Y_lifted);
  sgf_transpose(rows, outputs, noise->Y_lifted, noise->turned);
  cblas_daxpy((int)(outputs * rows), -2.0, noise->X_lifted, 1, noise->turned, 1);
  add_lowered(noise, rows, noise->turned, noise->X);
  sgf_symmetrize(rows, noise->X);
}

/* sums (rows, rank) = T G, T the triangle of X below its blocks and half of these. */
static void multiply_by_triangle(const sgf_hessian_noise *noise)
{
  size_t rank = noise->rank, rows = noise->rows, first = noise->last > 0 ? noise->factors[FORWARD].rows : rows;
  size_t back = rows - first;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)first, (int)rank, (int)first, 0.5, noise->X, (int)rows,
              noise->G, (int)rank, 0.0, noise->sums, (int)rank);
  if (back == 0) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)back, (int)rank, (int)first, 1.0,
              noise->X + first * rows, (int)rows, noise->G, (int)rank, 0.0, noise->sums + first * rank, (int)rank);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)back, (int)rank, (int)back, 0.5,
              noise->X + first * (rows + 1), (int)rows, noise->G + first * rank, (int)rank, 1.0,
              noise->sums + first * rank, (int)rank);
}

void sgf_hessian_noise_apply(const sgf_hessian_noise *noise, const double *Z, double *out)
{
  size_t rank = noise->rank;
  const double *h = noise->range->h + (noise->range->n - rank);
  double subtracted = sgf_sample_moments_centred(noise->moments) ? 0.0 : 1.0;
  sgf_multiply(noise->rows, rank, rank, SGF_PLAIN, noise->G, SGF_PLAIN, Z, noise->images);
  find_blocks(noise);
  contract_blocks(noise);
  multiply_by_triangle(noise);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)rank, (int)rank, (int)noise->rows, 2.0, noise->G,
              (int)rank, noise->sums, (int)rank, 0.0, out, (int)rank);
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
  double rank = (double)noise->rank, rows = (double)noise->rows, outputs = (double)noise->factors[OUTPUT].rows;
  double first = noise->last > 0 ? (double)noise->factors[FORWARD].rows : rows;
  double lifts = (double)(noise->factors[FORWARD].units + noise->last) * outputs * (rows + outputs);
  return 4.0 * (rank * (rows * rank + rows * rows - first * (rows - first)) + (noise->last > 0 ? lifts : 0.0));
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
