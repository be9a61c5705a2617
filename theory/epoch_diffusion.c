/* Diffusion of the rotations of the hidden layers in reshuffled epochs. */
#include "epoch_diffusion.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heavy_ball.h"
#include "linear_algebra.h"
#include "memory.h"

/* Products of forms are kept to this, relative to the largest. */
static const double KEPT = 1e-13;
/* Forms that a cost is told for, and what a number of one takes to be made, in multiply-adds of a matrix product. */
enum { FORMS = 24, MAKING = 30 };

/* ------------------------------------------------------- what modes do in an epoch */

/* Tables of every mode. */
typedef struct {
  const sgf_epoch_modes *modes;
  double *delta, *v;            /* (r, M + 1), at the end, of a kick (1, 1) with batch l; 0 behind them */
  double *f, *g;                /* (r, M + 1), delta k steps after (1, 0) and (0, 1), k = 0 ... M */
  double *end;                  /* (r, 4), F^M by rows */
  double *room;                 /* (3 M + 1) */
  sgf_mode_map *whole, *turned; /* (r), F^M - 1 and its transpose, of (delta, v) */
  sgf_pair *P, *Z;              /* (r, r), P_ij; covariance of z at the ends */
  double *block;
} epoch_tables;

static void free_tables(epoch_tables *of)
{
  free(of->block);
  free(of->whole);
  free(of->turned);
  free(of->P);
  free(of->Z);
}

static void fill_tables(epoch_tables *of)
{
  const sgf_epoch_modes *modes = of->modes;
  size_t M = modes->batches;
  for (size_t i = 0; i < modes->rank; i++) {
    double rho = modes->lambda * modes->h[i], beta = modes->momentum;
    double states[3][2] = {{0.0, 1.0}, {0.0, 0.0}, {0.0, 1.0}}; /* delta of the first two less 1 */
    for (size_t k = 0; k <= M; k++) {
      if (k < M) {
        of->delta[i * (M + 1) + M - 1 - k] = 1.0 + states[0][0];
        of->v[i * (M + 1) + M - 1 - k] = states[0][1];
      }
      of->f[i * (M + 1) + k] = 1.0 + states[1][0];
      of->g[i * (M + 1) + k] = states[2][0];
      for (size_t s = 0; s < 3 && k < M; s++) {
        states[s][1] = beta * states[s][1] - rho * ((s < 2 ? 1.0 : 0.0) + states[s][0]);
        states[s][0] += states[s][1];
      }
    }
    of->whole[i] = (sgf_mode_map){states[1][0], states[2][0], states[1][1], states[2][1] - 1.0};
    of->turned[i] = (sgf_mode_map){states[1][0], states[1][1], states[2][0], states[2][1] - 1.0};
    const double end[] = {1.0 + states[1][0], states[2][0], states[1][1], states[2][1]};
    memcpy(of->end + 4 * i, end, sizeof end);
  }
}

/* The z z block of J: (1/2) sum_k [ f_i(k) f_j(k+1) - f_i(k+1) f_j(k) ], f the row (f, g). */
static sgf_pair area_of_starts(const epoch_tables *of, size_t i, size_t j)
{
  size_t M = of->modes->batches;
  const double *left[] = {of->f + i * (M + 1), of->g + i * (M + 1)};
  const double *right[] = {of->f + j * (M + 1), of->g + j * (M + 1)};
  double sum[4] = {0.0};
  for (size_t s = 0; s < 4; s++)
    for (size_t k = 0; k < M; k++)
      sum[s] += 0.5 * (left[s / 2][k] * right[s % 2][k + 1] - left[s / 2][k + 1] * right[s % 2][k]);
  return (sgf_pair){sum[0], sum[1], sum[2], sum[3]};
}

/* M/(M-1) sum_l (w_l - mean)(w_l - mean)^T of two modes' kicks w = (delta, v); means (r, 2). */
static sgf_pair spread_of_kicks(const epoch_tables *of, const double *means, size_t i, size_t j)
{
  size_t M = of->modes->batches;
  const double *left[] = {of->delta + i * (M + 1), of->v + i * (M + 1)};
  const double *right[] = {of->delta + j * (M + 1), of->v + j * (M + 1)};
  double sum[4] = {0.0}, factor = (double)M / (double)(M - 1);
  for (size_t s = 0; s < 4; s++)
    for (size_t l = 0; l < M; l++)
      sum[s] += factor * (left[s / 2][l] - means[2 * i + s / 2]) * (right[s % 2][l] - means[2 * j + s % 2]);
  return (sgf_pair){sum[0], sum[1], sum[2], sum[3]};
}

/* P_ij and Z_ij of all pairs. */
static sgf_status solve_pairs(epoch_tables *of, sgf_error *error)
{
  size_t r = of->modes->rank, M = of->modes->batches;
  double *means;
  sgf_status status = sgf_new_reals(&means, r, 2, "epochs", error);
  if (status != SGF_OK) return status;
  for (size_t i = 0; i < r; i++)
    for (size_t l = 0; l < M; l++) {
      means[2 * i] += of->delta[i * (M + 1) + l] / (double)M;
      means[2 * i + 1] += of->v[i * (M + 1) + l] / (double)M;
    }
  for (size_t i = 0; i < r && status == SGF_OK; i++)
    for (size_t j = 0; j < r && status == SGF_OK; j++) {
      sgf_pair area = area_of_starts(of, i, j), spread = spread_of_kicks(of, means, i, j);
      double noise = of->modes->lambda * of->modes->noise[i * r + j];
      SGF_TRY(sgf_pair_periodic(&of->turned[i], &of->turned[j], &area, &of->P[i * r + j], error));
      SGF_TRY(sgf_pair_periodic(&of->whole[i], &of->whole[j], &spread, &of->Z[i * r + j], error));
      sgf_pair *Z = &of->Z[i * r + j];
      *Z = (sgf_pair){noise * Z->YY, noise * Z->Yv, noise * Z->vY, noise * Z->vv};
    }
done:
  free(means);
  return status;
}

static sgf_status create_tables(const sgf_epoch_modes *modes, epoch_tables *of, sgf_error *error)
{
  size_t r = modes->rank, M = modes->batches;
  void *block;
  sgf_status status;
  *of = (epoch_tables){.modes = modes};
  SGF_TRY(sgf_new_reals(&of->block, r + 1, 4 * M + 8, "epochs", error));
  of->delta = of->block;
  of->v = of->delta + r * (M + 1);
  of->f = of->v + r * (M + 1);
  of->g = of->f + r * (M + 1);
  of->end = of->g + r * (M + 1);
  of->room = of->end + 4 * r;
  SGF_TRY(sgf_allocate(&block, r, 1, sizeof *of->whole, "epochs", error));
  of->whole = block;
  SGF_TRY(sgf_allocate(&block, r, 1, sizeof *of->turned, "epochs", error));
  of->turned = block;
  SGF_TRY(sgf_allocate(&block, r, r, sizeof *of->P, "epochs", error));
  of->P = block;
  SGF_TRY(sgf_allocate(&block, r, r, sizeof *of->Z, "epochs", error));
  of->Z = block;
  fill_tables(of);
  status = solve_pairs(of, error);
done:
  return status;
}

/* ---------------------------------------------------------------------- forms */

/* form (M, M), of the pair i r + j: G^1/2 K_ij G^1/2 of the noise, K_ij = (1/2) sum_k [ r_i(k-1-l) r_j(k-m) - r_i(k-l)
 * r_j(k-1-m) ] + w_i^T P w_j, w the kicks at the end and r their delta, 0 before the kick. Along a diagonal l - m the sums differ by
 * their last term. G^1/2 is (M/(M-1))^1/2 times the projector on what has no mean over the batches. */
static void noise_form(const epoch_tables *of, size_t pair, double *form)
{
  size_t M = of->modes->batches, r = of->modes->rank;
  size_t left = pair / r * (M + 1), right = pair % r * (M + 1);
  const double *delta = of->delta + right, *v = of->v + right;
  const sgf_pair *P = &of->P[pair];
  double share = 1.0 / (double)M, factor = 1.0 / (1.0 - share); /* the square of the root's */
  double *area = of->room, *rows = area + M + 1, *columns = rows + M, mean = 0.0;
  memset(area, 0, (M + 1) * sizeof *area);
  memset(columns, 0, M * sizeof *columns);
  for (size_t l = M; l-- > 0;) {
    double one = of->delta[left + l], other = of->v[left + l], *row = form + l * M, sum = 0.0;
    double of_delta = one * P->YY + other * P->vY, of_v = one * P->Yv + other * P->vv;
    double here = 0.5 * one, before = 0.5 * of->delta[left + l + 1];
    for (size_t m = 0; m < M; m++) {
      area[m] = area[m + 1] + before * delta[m] - here * delta[m + 1];
      row[m] = area[m] + of_delta * delta[m] + of_v * v[m];
      sum += row[m];
      columns[m] += share * row[m];
    }
    rows[l] = share * sum;
    mean += share * rows[l];
  }
  for (size_t l = 0; l < M; l++)
    for (size_t m = 0; m < M; m++) form[l * M + m] = factor * (form[l * M + m] - rows[l] - (columns[m] - mean));
}

/* form (M), of 2 (i r + j) + s: row s, of delta or v, of the z xi block of K_ij, times G^1/2: what (1/2) sum_k [ f_i(k) x_j(k+1) -
 * f_i(k+1) x_j(k) ] and P at the end are of every kick of mode j, from the end on. */
static void mixed_form(const epoch_tables *of, size_t number, double *form)
{
  size_t M = of->modes->batches, r = of->modes->rank, pair = number / 2, row = number % 2, i = pair / r, j = pair % r;
  const double *f = (row == 0 ? of->f : of->g) + i * (M + 1), *end = of->end + 4 * i + row;
  const sgf_pair *P = &of->P[pair];
  double rho = of->modes->lambda * of->modes->h[j], beta = of->modes->momentum;
  double delta = 0.5 * f[M - 1] + end[0] * P->YY + end[2] * P->vY, v = end[0] * P->Yv + end[2] * P->vv;
  for (size_t m = M; m-- > 0;) { /* (delta, v) is what the state after batch m has yet to give */
    form[m] = delta + v;
    double both = delta + v, here = 0.5 * ((m > 0 ? f[m - 1] : 0.0) - f[m + 1]);
    delta = here + delta - rho * both;
    v = beta * both;
  }
  double mean = 0.0, root = sqrt((double)M / (double)(M - 1));
  for (size_t m = 0; m < M; m++) mean += form[m] / (double)M;
  for (size_t m = 0; m < M; m++) form[m] = root * (form[m] - mean);
}

/* ------------------------------------------------------------- a few of the forms */

/* Numbers of forms that are stored. */
enum { STORED = 1 << 24 };
/* Forms that are kept at most, and modes whose forms are tried first. */
enum { MOST_FORMS = 1024, TRIED_MODES = 8 };

/* Forms number 0 ... count - 1, each of `length` numbers. */
typedef struct {
  const epoch_tables *of;
  size_t count, length;
  void (*fill)(const epoch_tables *of, size_t number, double *form);
  const size_t *numbers;     /* (count), which of the forms they are; NULL: all */
  double *stored;            /* (count, length), NULL where they are too many numbers */
  size_t kept;               /* forms that the rest are made of, */
  size_t pivots[MOST_FORMS]; /* and which ones, of 0 ... count - 1 */
  double *products;          /* (kept, count): sum over kept of products o products^T are the products of all forms */
  double *left, *room;       /* (count), of the squares what the products lack; (length) */
} family;

static void free_family(family *all)
{
  free(all->stored);
  free(all->products);
  free(all->left);
  free(all->room);
}

static void make_form(const family *all, size_t at, double *form)
{
  all->fill(all->of, all->numbers != NULL ? all->numbers[at] : at, form);
}

static const double *form_of(const family *all, size_t at)
{
  if (all->stored != NULL) return all->stored + at * all->length;
  make_form(all, at, all->room);
  return all->room;
}

static sgf_status create_family(const epoch_tables *of, bool mixed, size_t count, const size_t *numbers, family *all,
                                sgf_error *error)
{
  size_t M = of->modes->batches;
  sgf_status status;
  *all = (family){.of = of,
                  .count = count,
                  .length = mixed ? M : M * M,
                  .fill = mixed ? mixed_form : noise_form,
                  .numbers = numbers};
  SGF_TRY(sgf_new_reals(&all->left, count, 1, "forms of an epoch", error));
  SGF_TRY(sgf_new_reals(&all->room, all->length, 1, "forms of an epoch", error));
  if (count > STORED / all->length) return SGF_OK;
  SGF_TRY(sgf_new_reals(&all->stored, count, all->length, "forms of an epoch", error));
  for (size_t p = 0; p < count; p++) make_form(all, p, all->stored + p * all->length);
done:
  return status;
}

/* `left` and the largest of the squares, from nothing. */
static double square_all(family *all)
{
  double top = 0.0;
  for (size_t p = 0; p < all->count; p++) {
    const double *form = form_of(all, p);
    all->left[p] = sgf_dot(all->length, form, form);
    top = fmax(top, all->left[p]);
  }
  return top;
}

/* Pivoted Cholesky, on from the products that are there. */
static sgf_status decompose(family *all, double top, sgf_error *error)
{
  double *pivot;
  sgf_status status = sgf_new_reals(&pivot, all->length, 1, "forms of an epoch", error);
  for (; status == SGF_OK; all->kept++) {
    size_t best = 0;
    for (size_t p = 1; p < all->count; p++) best = all->left[p] > all->left[best] ? p : best;
    if (!(all->left[best] > KEPT * top)) break;
    if (all->kept == MOST_FORMS) {
      status = sgf_fail(error, SGF_ERROR_NUMERICAL, "the modes of an epoch have more than %d forms", MOST_FORMS);
      break;
    }
    void *grown = realloc(all->products, (all->kept + 1) * all->count * sizeof *all->products);
    if (grown == NULL) {
      status = sgf_fail(error, SGF_ERROR_MEMORY, "no memory for the forms of an epoch");
      break;
    }
    all->products = grown;
    all->pivots[all->kept] = best;
    double *row = all->products + all->kept * all->count, scale = 1.0 / sqrt(all->left[best]);
    memcpy(pivot, form_of(all, best), all->length * sizeof *pivot);
    for (size_t p = 0; p < all->count; p++) {
      row[p] = sgf_dot(all->length, form_of(all, p), pivot);
      for (size_t s = 0; s < all->kept; s++)
        row[p] -= all->products[s * all->count + p] * all->products[s * all->count + best];
      row[p] *= scale;
    }
    for (size_t p = 0; p < all->count; p++) all->left[p] = p == best ? 0.0 : all->left[p] - row[p] * row[p];
  }
  free(pivot);
  return status;
}

/* products (kept) of one form with those that `few` keeps, from its scalar products with them; what is left of its square. */
static double solve_products(const family *few, const double *scalar, double square, double *row)
{
  for (size_t s = 0; s < few->kept; s++) {
    row[s] = scalar[s];
    for (size_t t = 0; t < s; t++) row[s] -= few->products[t * few->count + few->pivots[s]] * row[t];
    row[s] /= few->products[s * few->count + few->pivots[s]];
    square -= row[s] * row[s];
  }
  return square;
}

/* The products of all forms with those that `few` keeps, in one pass, some forms at a time; and the largest square. */
static sgf_status extend(const family *few, family *all, double *top, sgf_error *error)
{
  enum { TOGETHER = 8 };
  size_t kept = few->kept, count = all->count, length = all->length;
  double *pivots = NULL, *forms = NULL, *scalars = NULL, *row;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&pivots, kept, length, "forms of an epoch", error));
  SGF_TRY(sgf_new_reals(&forms, TOGETHER, length, "forms of an epoch", error));
  SGF_TRY(sgf_new_reals(&scalars, TOGETHER + 1, kept, "forms of an epoch", error));
  SGF_TRY(sgf_new_reals(&all->products, kept, count, "forms of an epoch", error));
  row = scalars + TOGETHER * kept;
  for (size_t s = 0; s < kept; s++) make_form(few, few->pivots[s], pivots + s * length);
  for (size_t first = 0; first < count; first += TOGETHER) {
    size_t here = count - first < TOGETHER ? count - first : TOGETHER;
    for (size_t k = 0; k < here; k++) make_form(all, first + k, forms + k * length);
    sgf_multiply(here, kept, length, SGF_PLAIN, forms, SGF_TRANSPOSED, pivots, scalars);
    for (size_t k = 0; k < here; k++) {
      double square = sgf_dot(length, forms + k * length, forms + k * length);
      *top = fmax(*top, square);
      all->left[first + k] = solve_products(few, scalars + k * kept, square, row);
      for (size_t s = 0; s < kept; s++) all->products[s * count + first + k] = row[s];
    }
  }
  all->kept = kept;
done:
  free(pivots);
  free(forms);
  free(scalars);
  return status;
}

/* The forms of all pairs: those of a few modes are tried first, evenly chosen, which mostly is all that is needed. */
static sgf_status find_family(const epoch_tables *of, bool mixed, family *all, sgf_error *error)
{
  size_t r = of->modes->rank, parts = mixed ? 2 : 1, tried = r < TRIED_MODES ? r : TRIED_MODES;
  size_t numbers[2 * TRIED_MODES * TRIED_MODES], count = 0;
  double top = 0.0;
  family few = {0};
  sgf_status status;
  SGF_TRY(create_family(of, mixed, parts * r * r, NULL, all, error));
  for (size_t a = 0; a < tried; a++)
    for (size_t b = 0; b < tried; b++)
      for (size_t s = 0; s < parts; s++) {
        size_t i = tried > 1 ? a * (r - 1) / (tried - 1) : 0, j = tried > 1 ? b * (r - 1) / (tried - 1) : 0;
        numbers[count++] = parts * (i * r + j) + s;
      }
  SGF_TRY(create_family(of, mixed, count, numbers, &few, error));
  SGF_TRY(decompose(&few, square_all(&few), error));
  SGF_TRY(extend(&few, all, &top, error));
  status = decompose(all, top, error);
done:
  free_family(&few);
  return status;
}

/* ------------------------------------------------------------------ covariance */

/* rate += factor sum over the parts s, t of <Z^ts (N_a o products_s) C, N_b o products_t>, one form of a family after the other. */
static sgf_status add_family(const family *all, size_t parts, double factor, size_t count, const double *N,
                             double *rate, sgf_error *error)
{
  const epoch_tables *of = all->of;
  size_t r = of->modes->rank, square = r * r, whole = count * square;
  double *C = NULL, *Z = NULL, *forms = NULL, *moved = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&C, r, r, "epochs", error));
  SGF_TRY(sgf_new_reals(&Z, parts * parts, square, "epochs", error));
  SGF_TRY(sgf_new_reals(&forms, parts, whole, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&moved, r, r, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&turned, parts, whole, "rotations in the modes", error));
  for (size_t k = 0; k < square; k++) {
    C[k] = of->modes->lambda * of->modes->noise[k];
    const double states[] = {of->Z[k].YY, of->Z[k].Yv, of->Z[k].vY, of->Z[k].vv};
    for (size_t s = 0; s < parts * parts; s++) Z[s * square + k] = parts == 1 ? C[k] : states[s];
  }
  for (size_t form = 0; form < all->kept; form++) {
    const double *products = all->products + form * all->count;
    memset(turned, 0, parts * whole * sizeof *turned);
    for (size_t s = 0; s < parts; s++)
      for (size_t a = 0; a < count; a++) {
        double *U = forms + s * whole + a * square;
        for (size_t k = 0; k < square; k++) U[k] = N[a * square + k] * products[parts * k + s];
        sgf_multiply(r, r, r, SGF_PLAIN, U, SGF_PLAIN, C, moved);
        for (size_t t = 0; t < parts; t++)
          cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)r, (int)r, 1.0,
                      Z + (t * parts + s) * square, (int)r, moved, (int)r, 1.0, turned + t * whole + a * square,
                      (int)r);
      }
    for (size_t t = 0; t < parts; t++)
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)count, (int)square, factor,
                  turned + t * whole, (int)square, forms + t * whole, (int)square, 1.0, rate, (int)count);
  }
done:
  free(C);
  free(Z);
  free(forms);
  free(moved);
  free(turned);
  return status;
}

sgf_status sgf_epoch_diffusion(const sgf_epoch_modes *of, size_t count, const double *N, double *rate,
                               sgf_error *error)
{
  epoch_tables tables = {0};
  family noise = {0}, mixed = {0};
  double per_time = 1.0 / (of->lambda * (double)of->batches);
  sgf_status status = SGF_OK;
  memset(rate, 0, count * count * sizeof *rate);
  if (of->batches < 2 || of->rank == 0 || count == 0) return SGF_OK;
  SGF_TRY(create_tables(of, &tables, error));
  SGF_TRY(find_family(&tables, false, &noise, error));
  SGF_TRY(find_family(&tables, true, &mixed, error));
  SGF_TRY(add_family(&noise, 1, 2.0 * per_time, count, N, rate, error));
  SGF_TRY(add_family(&mixed, 2, 4.0 * per_time, count, N, rate, error));
  sgf_symmetrize(count, rate);
done:
  free_tables(&tables);
  free_family(&noise);
  free_family(&mixed);
  if (status != SGF_OK) sgf_fill_nan(count * count, rate);
  return status;
}

double sgf_epoch_diffusion_cost(size_t rank, size_t batches, size_t count)
{
  double r = (double)rank, M = (double)batches, modes = (double)count, few = TRIED_MODES * TRIED_MODES;
  double tried = few * M * M <= STORED ? MAKING + FORMS : MAKING * FORMS;
  return M * M * (few * tried + r * r * (MAKING + FORMS)) + FORMS * modes * r * r * (16.0 * r + 3.0 * modes);
}
