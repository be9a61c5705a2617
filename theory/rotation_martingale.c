/* Covariance of what rotations turn by, of fluctuations that need not be stationary. */
#include "rotation_martingale.h"

#include <stdlib.h>

#include "linear_algebra.h"
#include "memory.h"

bool sgf_martingale_is_affordable(size_t rank, size_t count)
{
  double r = (double)rank, m = (double)count;
  return 4.0 * m * r * r <= SGF_MOST_MARTINGALE_NUMBERS &&
         m * r * r * (3.0 * r + 2.0 * m) <= SGF_MOST_MARTINGALE_WORK;
}

/* Of every rotation, (count, r, r) each: B, S B D, P D and its transpose. */
typedef struct {
  double *B, *state, *noise, *turned;
} forms;

static void free_forms(forms *all)
{
  free(all->B);
  free(all->state);
  free(all->noise);
  free(all->turned);
}

/* Those of one; N (r, r) is overwritten, work (r, r). */
static void fill_forms(const sgf_motion *motion, double step, const double *D, double *N, double *work, double *B,
                       double *state, double *noise, double *turned)
{
  size_t r = motion->rank;
  const double *h = motion->h;
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) {
      double s = h[i] + h[j] - step * h[i] * h[j], one = N[i * r + j];
      B[i * r + j] = one * h[i] * (2.0 - step * h[i]) / s;
      N[i * r + j] = one * (h[i] - h[j]) / (2.0 * s);
    }
  sgf_multiply(r, r, r, SGF_PLAIN, motion->S, SGF_PLAIN, B, work);
  sgf_multiply(r, r, r, SGF_PLAIN, work, SGF_PLAIN, D, state);
  sgf_multiply(r, r, r, SGF_PLAIN, N, SGF_PLAIN, D, noise);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) turned[i * r + j] = noise[j * r + i];
}

sgf_status sgf_martingale_rate(const sgf_motion *motion, double step, const double *noise, size_t count,
                               const sgf_mode *modes, double *rate, sgf_error *error)
{
  size_t r = motion->rank, square = r * r;
  const sgf_panel whole = {0, r, r};
  forms all = {0};
  double *N = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&all.B, count, square, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&all.state, count, square, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&all.noise, count, square, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&all.turned, count, square, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&N, r, r, "rotations in the modes", error));
  SGF_TRY(sgf_new_reals(&work, r, r, "rotations in the modes", error));
  for (size_t a = 0; a < count; a++) {
    sgf_mode_in_range(motion, motion->rows, motion->rows, &modes[a], &whole, N);
    fill_forms(motion, step, noise, N, work, all.B + a * square, all.state + a * square, all.noise + a * square,
               all.turned + a * square);
  }
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b <= a; b++)
      rate[a * count + b] = rate[b * count + a] =
          sgf_dot(square, all.state + a * square, all.B + b * square) +
          2.0 * step * sgf_dot(square, all.noise + a * square, all.turned + b * square);
done:
  if (status != SGF_OK) sgf_fill_nan(count * count, rate);
  free_forms(&all);
  free(N);
  free(work);
  return status;
}
