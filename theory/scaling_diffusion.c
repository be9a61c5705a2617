/* Diffusion of the scalings of the hidden layers. */
#include "scaling_diffusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"

/* Step of the difference quotient along H_mu v, relative to the weights: gradients are polynomials. */
static const double QUOTIENT_STEP = 1e-4;

/* What is found of the samples; s scalings. */
typedef struct {
  const sgf_problem *problem;
  const double *theta;
  size_t n, P, s;
  sgf_mode *scalings; /* (s) */
  double *Z;          /* (P, n), z_mu */
  double *q;          /* (s, P), z_mu^T N_a z_mu less its mean */
  double *b;          /* (s, n), first grad tr(N_a C), then b_a */
  double *bz;         /* (s, P), b_a . z_mu */
  double *NC;         /* (s, n, n), N_a C */
  double *T;          /* (s, s) */
} sampling;

static void free_sampling(sampling *of)
{
  free(of->scalings);
  free(of->Z);
  free(of->q);
  free(of->b);
  free(of->bz);
  free(of->NC);
  free(of->T);
}

static sgf_status create_sampling(const sgf_problem *problem, const double *theta, size_t count,
                                  const sgf_mode *modes, sampling *of, sgf_error *error)
{
  size_t n = problem->network.weights, P = problem->data.samples;
  sgf_status status;
  *of = (sampling){.problem = problem, .theta = theta, .n = n, .P = P};
  SGF_TRY(sgf_modes_create(count, &of->scalings, error));
  for (size_t a = 0; a < count; a++)
    if (!modes[a].rotation) of->scalings[of->s++] = modes[a];
  SGF_TRY(sgf_new_reals(&of->Z, P, n, "noise of the samples", error));
  SGF_TRY(sgf_new_reals(&of->q, of->s, P, "scalings", error));
  SGF_TRY(sgf_new_reals(&of->b, of->s, n, "scalings", error));
  SGF_TRY(sgf_new_reals(&of->bz, of->s, P, "scalings", error));
  SGF_TRY(sgf_new_reals(&of->NC, of->s * n, n, "scalings", error));
  SGF_TRY(sgf_new_reals(&of->T, of->s, of->s, "scalings", error));
done:
  return status;
}

/* One sample as a dataset of its own; moments (N_0, N_0 + N_L) is room. */
static sgf_dataset sample_of(const sgf_dataset *data, size_t mu, double *moments)
{
  size_t N_0 = data->inputs, N_L = data->outputs;
  sgf_dataset one = {1, N_0, N_L, data->X + mu * N_0, data->Y + mu * N_L, moments, moments + N_0 * N_0};
  sgf_multiply(N_0, N_0, 1, SGF_PLAIN, one.X, SGF_PLAIN, one.X, one.input_moment);
  sgf_multiply(N_L, N_0, 1, SGF_PLAIN, one.Y, SGF_PLAIN, one.X, one.cross_moment);
  return one;
}

/* grad tr(N_a C) += (2 / P) H_mu N_a z_mu of one sample, of every scaling; work (3, n). */
static void add_gradients(const sampling *of, const sgf_gradient_room *room, size_t mu, double *work)
{
  size_t n = of->n;
  double *turned = work, *moved = work + n, *gradient = work + 2 * n, size = sgf_norm(n, of->theta);
  for (size_t a = 0; a < of->s; a++) {
    sgf_symmetry_apply(&of->problem->network, &of->scalings[a], of->Z + mu * n, turned);
    double length = sgf_norm(n, turned), step = QUOTIENT_STEP * size / length;
    if (!(length > 0.0)) continue;
    for (int side = -1; side <= 1; side += 2) {
      for (size_t k = 0; k < n; k++) moved[k] = of->theta[k] + side * step * turned[k];
      sgf_gradient_into(room, moved, gradient);
      for (size_t k = 0; k < n; k++) of->b[a * n + k] += side * gradient[k] / (step * (double)of->P);
    }
  }
}

/* Every sample by itself: z_mu first, which needs the mean of all, and then what is of them. */
static sgf_status visit_samples(const sampling *of, sgf_error *error)
{
  const sgf_dataset *data = &of->problem->data;
  size_t n = of->n;
  double *moments = NULL, *work = NULL;
  sgf_gradient_room room = {0};
  sgf_dataset one = *data;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&moments, data->inputs, data->inputs + data->outputs, "one sample", error));
  SGF_TRY(sgf_new_reals(&work, 3, n, "one sample", error));
  SGF_TRY(sgf_gradient_room_create(&of->problem->network, &one, &room, error));
  for (size_t mu = 0; mu < of->P; mu++) {
    one = sample_of(data, mu, moments);
    sgf_gradient_into(&room, of->theta, of->Z + mu * n);
  }
  for (size_t k = 0; k < n; k++) {
    double mean = 0.0;
    for (size_t mu = 0; mu < of->P; mu++) mean += of->Z[mu * n + k] / (double)of->P;
    for (size_t mu = 0; mu < of->P; mu++) of->Z[mu * n + k] -= mean;
  }
  for (size_t mu = 0; mu < of->P; mu++) {
    one = sample_of(data, mu, moments);
    add_gradients(of, &room, mu, work);
  }
done:
  sgf_gradient_room_free(&room);
  free(moments);
  free(work);
  return status;
}

/* b_a = (kappa/S) H^+ grad tr(N_a C) in the place of the gradient, and b_a . z_mu; work (n). */
static void solve(const sampling *of, const sgf_range *range, double strength, double *work)
{
  size_t n = of->n;
  for (size_t a = 0; a < of->s; a++) {
    double *b = of->b + a * n;
    memcpy(work, b, n * sizeof *work);
    memset(b, 0, n * sizeof *b);
    for (size_t k = n - range->rank; k < n; k++) {
      double part = strength * sgf_dot(n, range->V + k * n, work) / range->h[k];
      for (size_t i = 0; i < n; i++) b[i] += part * range->V[k * n + i];
    }
    for (size_t mu = 0; mu < of->P; mu++) of->bz[a * of->P + mu] = sgf_dot(n, b, of->Z + mu * n);
  }
}

/* q, and T_ab from N_a C of all scalings. */
static sgf_status find_forms(const sampling *of, sgf_error *error)
{
  const sgf_network *network = &of->problem->network;
  size_t n = of->n, P = of->P;
  double *C = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&C, n, n, "noise of the samples", error));
  SGF_TRY(sgf_new_reals(&turned, n, 1, "scalings", error));
  sgf_multiply(n, n, P, SGF_TRANSPOSED, of->Z, SGF_PLAIN, of->Z, C);
  for (size_t k = 0; k < n * n; k++) C[k] /= (double)P;
  for (size_t a = 0; a < of->s; a++) {
    double mean = 0.0, *q = of->q + a * P;
    for (size_t mu = 0; mu < P; mu++) {
      sgf_symmetry_apply(network, &of->scalings[a], of->Z + mu * n, turned);
      mean += (q[mu] = sgf_dot(n, turned, of->Z + mu * n)) / (double)P;
    }
    for (size_t mu = 0; mu < P; mu++) q[mu] -= mean;
    for (size_t k = 0; k < n; k++) /* rows of C: (N_a C)^T */
      sgf_symmetry_apply(network, &of->scalings[a], C + k * n, of->NC + (a * n + k) * n);
  }
  for (size_t a = 0; a < of->s; a++) { /* the trace of a product: elements by those of the transposed */
    sgf_transpose(n, n, of->NC + a * n * n, C);
    for (size_t b = 0; b <= a; b++)
      of->T[a * of->s + b] = of->T[b * of->s + a] = sgf_dot(n * n, C, of->NC + b * n * n);
  }
done:
  free(C);
  free(turned);
  return status;
}

/* Factors of the second, third and fourth cumulants of a batch's mean. */
typedef struct {
  double k_2, k_3, k_4;
} batch_factors;

static batch_factors factors_of(const sgf_problem *problem)
{
  double P = (double)problem->data.samples, S = (double)problem->settings.training.batch_size, f = S / P;
  sgf_sampling how = problem->settings.training.sampling;
  batch_factors of = {sgf_noise_strength(problem->data.samples, problem->settings.training.batch_size, how),
                      1.0 / (S * S), 1.0 / (S * S * S)};
  if (how == SGF_SAMPLING_REPLACEMENT) return of;
  of.k_3 *= P > 2.0 ? (P - S) * (P - 2.0 * S) / ((P - 1.0) * (P - 2.0)) : 0.0;
  of.k_4 *= (1.0 - f) * (1.0 - 6.0 * f * (1.0 - f));
  return of;
}

sgf_status sgf_scaling_diffusion(const sgf_problem *problem, const sgf_range *range, const double *theta,
                                 size_t count, const sgf_mode *modes, double *diffusion, sgf_error *error)
{
  double rate = problem->settings.training.learning_rate, P = (double)problem->data.samples;
  batch_factors k = factors_of(problem);
  sampling of = {0};
  double *work = NULL;
  sgf_status status = SGF_OK;
  memset(diffusion, 0, count * count * sizeof *diffusion);
  if (problem->settings.training.momentum > 0.0) return SGF_OK;
  SGF_TRY(create_sampling(problem, theta, count, modes, &of, error));
  SGF_TRY(visit_samples(&of, error));
  SGF_TRY(sgf_new_reals(&work, of.n, 1, "scalings", error));
  solve(&of, range, k.k_2, work);
  SGF_TRY(find_forms(&of, error));
  for (size_t a = 0, i = 0; a < count; a++) {
    if (modes[a].rotation) continue;
    const double *q_a = of.q + i * of.P, *z_a = of.bz + i * of.P;
    for (size_t b = 0, j = 0; b < count; b++) {
      if (modes[b].rotation) continue;
      const double *q_b = of.q + j * of.P, *z_b = of.bz + j * of.P;
      double T = of.T[i * of.s + j], q = sgf_dot(of.P, q_a, q_b) / P;
      double crossed = (sgf_dot(of.P, q_a, z_b) + sgf_dot(of.P, q_b, z_a)) / P;
      diffusion[a * count + b] =
          0.25 * pow(rate, 3.0) *
          (k.k_4 * (q - 2.0 * T) + 2.0 * k.k_2 * k.k_2 * T - k.k_3 * crossed + k.k_2 * sgf_dot(of.P, z_a, z_b) / P);
      j++;
    }
    i++;
  }
done:
  free_sampling(&of);
  free(work);
  if (status != SGF_OK) sgf_fill_nan(count * count, diffusion);
  return status;
}
