/* The displacement of the mean from the minimum under epoch reshuffling. */
#include "epoch_mean.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "epoch_walk.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

/* Samples times outputs that are worked on together. */
enum { SAMPLE_BLOCK = 1024 };

/* ----------------------------------------- what Hessians and noise have in common */

/* The modes v_a of the range, as changes of all weights and of the map. */
typedef struct {
  const sgf_problem *problem;
  size_t modes, size, map, first; /* modes; weights that they are of, from `first` on; N_L N_0 */
  const double *V;                /* (modes, size) */
  double *changes;                /* (modes, map), J v_a */
  double *means;                  /* (modes), v_a . g */
  double *residuals;              /* (P, N_L) */
  double *slopes;                 /* (modes, map), E[ -(e x^T) v_a . (g_mu - g) ] */
} mode_changes;

static void free_changes(mode_changes *of)
{
  free(of->changes);
  free(of->means);
  free(of->residuals);
  free(of->slopes);
}

static sgf_status create_changes(const sgf_problem *problem, size_t layer, const sgf_range *range, mode_changes *of,
                                 sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t modes = range->rank, size = range->n, map = problem->data.outputs * problem->data.inputs;
  double *J = NULL, *G = NULL;
  sgf_status status;
  *of = (mode_changes){.problem = problem, .modes = modes, .size = size, .map = map};
  of->first = layer > 0 ? network->offsets[layer] : 0;
  of->V = range->V + (size - modes) * size;
  SGF_TRY(sgf_jacobian(network, problem->theta, &J, error));
  SGF_TRY(sgf_map_gradient(network, &problem->data, problem->theta, &G, error));
  SGF_TRY(sgf_residuals(network, &problem->data, problem->theta, &of->residuals, error));
  SGF_TRY(sgf_new_reals(&of->changes, modes, map, "changes of the map", error));
  SGF_TRY(sgf_new_reals(&of->slopes, modes, map, "slopes of the samples", error));
  SGF_TRY(sgf_new_reals(&of->means, modes, 1, "mean gradient", error));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)modes, (int)map, (int)size, 1.0, of->V, (int)size,
              J + of->first, (int)network->weights, 0.0, of->changes, (int)map);
  for (size_t a = 0; a < modes; a++) of->means[a] = sgf_dot(map, of->changes + a * map, G);
done:
  free(J);
  free(G);
  return status;
}

/* Room for a block of samples. */
typedef struct {
  size_t most;      /* samples */
  double *y;        /* (modes, N_L, count), the change of each sample's outputs along each mode */
  double *weighted; /* (modes, N_L, count), times g */
  double *g;        /* (modes, count), v_a . (g_mu - g) */
  double *products; /* (count, map), e x^T */
  double *block;
} sample_room;

static sgf_status create_room(const mode_changes *of, sample_room *room, sgf_error *error)
{
  size_t outputs = of->problem->data.outputs;
  room->most = SAMPLE_BLOCK > outputs ? SAMPLE_BLOCK / outputs : 1;
  size_t rows = of->modes * (2 * outputs + 1) + of->map;
  sgf_status status = sgf_new_reals(&room->block, rows, room->most, "samples in the modes", error);
  if (status != SGF_OK) return status;
  room->y = room->block;
  room->weighted = room->y + of->modes * outputs * room->most;
  room->g = room->weighted + of->modes * outputs * room->most;
  room->products = room->g + of->modes * room->most;
  return SGF_OK;
}

/* y, g, g y and e x^T of the samples first ... first + count - 1. */
static void fill_room(const mode_changes *of, size_t first, size_t count, sample_room *room)
{
  const sgf_dataset *data = &of->problem->data;
  size_t outputs = data->outputs, inputs = data->inputs;
  const double *X = data->X + first * inputs, *e = of->residuals + first * outputs;
  sgf_multiply(of->modes * outputs, count, inputs, SGF_PLAIN, of->changes, SGF_TRANSPOSED, X, room->y);
  for (size_t a = 0; a < of->modes; a++) {
    double *g = room->g + a * count;
    const double *y = room->y + a * outputs * count;
    for (size_t m = 0; m < count; m++) g[m] = -of->means[a];
    for (size_t o = 0; o < outputs; o++)
      for (size_t m = 0; m < count; m++) g[m] -= e[m * outputs + o] * y[o * count + m];
    for (size_t o = 0; o < outputs; o++)
      for (size_t m = 0; m < count; m++) room->weighted[(a * outputs + o) * count + m] = g[m] * y[o * count + m];
  }
  for (size_t m = 0; m < count; m++)
    for (size_t o = 0; o < outputs; o++)
      for (size_t i = 0; i < inputs; i++)
        room->products[(m * outputs + o) * inputs + i] = e[m * outputs + o] * X[m * inputs + i];
}

/* The terms of H_mu that are linear in the slope -e x^T: for more layers than one that move. */
static sgf_status add_slopes(const mode_changes *of, double *T, sgf_error *error)
{
  size_t n = of->problem->network.weights;
  double *moved;
  if (of->size < n || of->problem->network.layers == 1) return SGF_OK;
  sgf_status status = sgf_new_reals(&moved, of->modes, n, "Hessians of the samples", error);
  if (status == SGF_OK)
    status =
        sgf_add_slope_terms(&of->problem->network, of->problem->theta, of->modes, of->slopes, of->V, moved, error);
  if (status == SGF_OK)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)of->modes, (int)of->modes, (int)n, 1.0, of->V, (int)n,
                moved, (int)n, 1.0, T, (int)of->modes);
  free(moved);
  return status;
}

/* T (modes, modes): T_ia = E[ (v_i . H_mu v_a) (v_a . (g_mu - g)) ]. */
static sgf_status hessian_noise_correlation(mode_changes *of, double *T, sgf_error *error)
{
  size_t P = of->problem->data.samples, outputs = of->problem->data.outputs;
  int modes = (int)of->modes, map = (int)of->map;
  sample_room room = {0};
  sgf_status status = create_room(of, &room, error);
  for (size_t first = 0; first < P && status == SGF_OK; first += room.most) {
    size_t count = P - first < room.most ? P - first : room.most;
    int columns = (int)(count * outputs);
    fill_room(of, first, count, &room);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, modes, modes, columns, 1.0 / (double)P, room.y, columns,
                room.weighted, columns, 1.0, T, modes);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, modes, map, (int)count, -1.0 / (double)P, room.g,
                (int)count, room.products, map, 1.0, of->slopes, map);
  }
  free(room.block);
  return status == SGF_OK ? add_slopes(of, T, error) : status;
}

/* ------------------------------------------------------------- over the epochs */

/* The mean in an epoch that starts at theta* at rest, and what a start elsewhere adds: m_k = p_k + f_k Y_0 + g_k v_0. Their
 * means over the epoch, and those of their products. */
typedef struct {
  size_t modes;
  double *T, *drive, *p;               /* (modes, modes); (modes, SGF_WALK_STEPS) of a block of steps */
  double *state;                       /* (modes, 2), Y and v of the first epoch */
  double *mean_p, *mean_f, *mean_g;    /* (modes) */
  double *pp, *pf, *pg, *ff, *fg, *gg; /* (modes, modes) */
  double *start;                       /* (modes, 2), Y_0 and v_0 of the periodic mean */
  double *reached;                     /* (modes, 2), their average over the epochs */
  sgf_mode_powers *powers;             /* (modes), of F^M over the epochs */
  double *block;
} orbit;

static sgf_status create_orbit(size_t modes, orbit *of, sgf_error *error)
{
  double **matrices[] = {&of->T, &of->pp, &of->pf, &of->pg, &of->ff, &of->fg, &of->gg};
  double **tables[] = {&of->drive, &of->p};
  double **vectors[] = {&of->mean_p, &of->mean_f, &of->mean_g};
  double **pairs[] = {&of->state, &of->start, &of->reached};
  void *powers;
  sgf_status status;
  of->modes = modes;
  SGF_TRY(sgf_new_reals(&of->block, modes, 7 * modes + 2 * SGF_WALK_STEPS + 9, "mean over an epoch", error));
  SGF_TRY(sgf_allocate(&powers, modes, 1, sizeof *of->powers, "mean over an epoch", error));
  of->powers = powers;
  double *next = of->block;
  for (size_t k = 0; k < 7; k++, next += modes * modes) *matrices[k] = next;
  for (size_t k = 0; k < 2; k++, next += modes * SGF_WALK_STEPS) *tables[k] = next;
  for (size_t k = 0; k < 3; k++, next += modes) *vectors[k] = next;
  for (size_t k = 0; k < 3; k++, next += 2 * modes) *pairs[k] = next;
done:
  return status;
}

/* p of the walk's steps from the drive -(lambda^2 kappa / S)/(M-1) T sum_{j<k} R_j = factor T (sum - r). */
static void drive_on(const sgf_epoch_walk *walk, double factor, orbit *of)
{
  int modes = (int)of->modes, count = (int)walk->count;
  for (size_t at = 0; at < of->modes * SGF_WALK_STEPS; at++) of->p[at] = walk->sum[at] - walk->r[at];
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, modes, count, modes, factor, of->T, modes, of->p,
              SGF_WALK_STEPS, 0.0, of->drive, SGF_WALK_STEPS);
  for (size_t i = 0; i < of->modes; i++) {
    const sgf_mode *mode = &walk->mode[i];
    double *Y = &of->state[2 * i], *v = &of->state[2 * i + 1];
    for (size_t k = 0; k < walk->count; k++) {
      double push = of->drive[i * SGF_WALK_STEPS + k] - mode->rho * (mode->a * *Y - mode->c * *v);
      *Y += push + mode->kappa * *v;
      *v = mode->momentum * *v + push;
      of->p[i * SGF_WALK_STEPS + k] = mode->a * *Y - mode->c * *v;
    }
  }
}

static void add_up(const sgf_epoch_walk *walk, orbit *of)
{
  const double *const tables[] = {of->p, walk->f, walk->g};
  double *const means[] = {of->mean_p, of->mean_f, of->mean_g};
  const struct {
    size_t left, right;
    double *sum;
  } products[] = {{0, 0, of->pp}, {0, 1, of->pf}, {0, 2, of->pg}, {1, 1, of->ff}, {1, 2, of->fg}, {2, 2, of->gg}};
  int modes = (int)of->modes, count = (int)walk->count;
  double weight = 1.0 / (double)walk->batches;
  for (size_t k = 0; k < sizeof products / sizeof *products; k++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, modes, modes, count, weight, tables[products[k].left],
                SGF_WALK_STEPS, tables[products[k].right], SGF_WALK_STEPS, 1.0, products[k].sum, modes);
  for (size_t t = 0; t < 3; t++)
    for (size_t i = 0; i < of->modes; i++)
      for (size_t k = 0; k < walk->count; k++) means[t][i] += weight * tables[t][i * SGF_WALK_STEPS + k];
}

/* z_0 with z_0 = F^M z_0 + state, and the average of (1 - F^{M e}) z_0 over the epochs e; epochs = 0: z_0. */
static void close_orbit(const sgf_range *range, double lambda, double momentum, size_t batches, size_t skipped,
                        size_t epochs, orbit *of)
{
  size_t null = range->n - range->rank;
  for (size_t i = 0; i < of->modes; i++) {
    sgf_mode mode = sgf_mode_of(lambda, momentum, range->h[null + i]);
    sgf_mode_map whole = sgf_mode_power(sgf_mode_step(&mode), batches);
    double Y = -of->state[2 * i], v = -of->state[2 * i + 1], *z = of->start + 2 * i;
    double determinant = whole.YY * whole.vv - whole.Yv * whole.vY;
    z[0] = (whole.vv * Y - whole.Yv * v) / determinant;
    z[1] = (whole.YY * v - whole.vY * Y) / determinant;
    sgf_mode_powers_of(&mode, &whole, skipped, epochs, &of->powers[i]);
    memcpy(of->reached + 2 * i, z, 2 * sizeof *z);
    if (epochs > 0) sgf_mode_built_up(&of->powers[i], z, of->reached + 2 * i);
  }
}

/* Average over the epochs of c_e c_e'^T, c_e = (1 - F^{M e}) z_0 of two modes. */
static sgf_pair product_of_starts(const orbit *of, size_t i, size_t j)
{
  const double *z = of->start + 2 * i, *w = of->start + 2 * j, *c = of->reached + 2 * i, *d = of->reached + 2 * j;
  sgf_pair product = {z[0] * w[0], z[0] * w[1], z[1] * w[0], z[1] * w[1]};
  if (of->powers[i].count == 0) return product;
  sgf_pair lost = sgf_pair_built_up(&of->powers[i], &of->powers[j], &product);
  return (sgf_pair){c[0] * w[0] + z[0] * d[0] - lost.YY, c[0] * w[1] + z[0] * d[1] - lost.Yv,
                    c[1] * w[0] + z[1] * d[0] - lost.vY, c[1] * w[1] + z[1] * d[1] - lost.vv};
}

/* Average of m_i m_j over the epoch and the epochs. */
static double product_of_means(const orbit *of, size_t i, size_t j)
{
  size_t at = i * of->modes + j, mirrored = j * of->modes + i;
  const double *c = of->reached + 2 * i, *d = of->reached + 2 * j;
  sgf_pair starts = product_of_starts(of, i, j);
  return of->pp[at] + of->pf[at] * d[0] + of->pg[at] * d[1] + of->pf[mirrored] * c[0] + of->pg[mirrored] * c[1] +
         of->ff[at] * starts.YY + of->fg[at] * starts.Yv + of->fg[mirrored] * starts.vY + of->gg[at] * starts.vv;
}

/* Out of the modes: mean = V^T m, second = V^T (m m^T) V. */
static sgf_status out_of_modes(const mode_changes *changes, const orbit *of, double *mean, double *second,
                               sgf_error *error)
{
  size_t modes = of->modes, size = changes->size;
  double *inside = NULL, *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&inside, modes, modes, "second moment of the mean", error));
  SGF_TRY(sgf_new_reals(&half, modes, size, "second moment of the mean", error));
  for (size_t i = 0; i < modes; i++)
    for (size_t j = 0; j <= i; j++) inside[i * modes + j] = inside[j * modes + i] = product_of_means(of, i, j);
  sgf_multiply(modes, size, modes, SGF_PLAIN, inside, SGF_PLAIN, changes->V, half);
  sgf_multiply(size, size, modes, SGF_TRANSPOSED, changes->V, SGF_PLAIN, half, second);
  sgf_symmetrize(size, second);
  for (size_t i = 0; i < modes; i++) {
    const double *c = of->reached + 2 * i;
    double m = of->mean_p[i] + of->mean_f[i] * c[0] + of->mean_g[i] * c[1];
    cblas_daxpy((int)size, m, changes->V + i * size, 1, mean, 1);
  }
done:
  free(inside);
  free(half);
  return status;
}

sgf_status sgf_epoch_mean(const sgf_problem *problem, size_t layer, const sgf_range *range, double strength,
                          size_t batches, size_t skipped, size_t epochs, double *mean, double *second,
                          sgf_error *error)
{
  double lambda = problem->settings.training.learning_rate, momentum = problem->settings.training.momentum;
  mode_changes changes = {0};
  orbit of = {0};
  sgf_epoch_walk walk = {0};
  sgf_status status;
  memset(mean, 0, range->n * sizeof *mean);
  memset(second, 0, range->n * range->n * sizeof *second);
  if (batches < 2) return SGF_OK;
  SGF_TRY(create_changes(problem, layer, range, &changes, error));
  SGF_TRY(create_orbit(range->rank, &of, error));
  SGF_TRY(hessian_noise_correlation(&changes, of.T, error));
  SGF_TRY(sgf_epoch_walk_create(range, lambda, momentum, batches, &walk, error));
  double factor = -lambda * lambda * strength / (double)(batches - 1);
  while (sgf_epoch_walk_on(&walk)) {
    drive_on(&walk, factor, &of);
    add_up(&walk, &of);
  }
  close_orbit(range, lambda, momentum, batches, skipped, epochs, &of);
  SGF_TRY(out_of_modes(&changes, &of, mean, second, error));
done:
  free_changes(&changes);
  sgf_epoch_walk_free(&walk);
  free(of.block);
  free(of.powers);
  if (status != SGF_OK) sgf_fill_nan(range->n, mean);
  return status;
}
