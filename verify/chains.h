/* Convergence diagnostics of chains by the names of the field: R-hat, effective sample sizes, Monte Carlo standard
 * errors and integrated autocorrelation times of a number that is followed along independent runs.
 *
 * Everywhere: NaN or infinity among the values, fewer than 4 draws or no chain gives NaN for all results, and so does
 * whatever a constant series leaves undefined, 0/0 or x/0. One chain is allowed: it is split in halves as all are.
 * Functions that return a status fail with SGF_ERROR_MEMORY alone. They are pure: nothing is kept between calls. */
#ifndef SGF_CHAINS_H
#define SGF_CHAINS_H

#include "../theory/status.h"

typedef struct sgf_chains {
  size_t chains, draws; /* R, T */
  const double *values; /* (R, T), the draws of a chain together and in their order; the caller's */
} sgf_chains;

/* Ratio of the spread of all draws to that within half chains; 1 when the chains have converged to the same
 * distribution. Stationary chains of n draws a half with autocorrelation time tau have sqrt(1 + tau/n), so that
 * 1.01, the customary bound, is for chains of more than about 100 tau. */
typedef struct sgf_r_hat {
  double plain;  /* of the values: sees means that differ, needs finite variance */
  double ranks;  /* of the rank-normalized values */
  double folded; /* of the rank-normalized distances from the median: sees variances that differ */
  double most;   /* the larger of ranks and folded */
} sgf_r_hat;

/* Split R-hat and its rank-normalized versions. NaN where the halves are constant. An odd number of draws leaves out
 * the middle one. Source: Vehtari, Gelman, Simpson, Carpenter, Buerkner, Bayesian Analysis 16, 667 (2021); ranks
 * become normal scores by Blom's (rank - 3/8)/(count + 1/4). */
sgf_status sgf_chains_r_hat(const sgf_chains *chains, sgf_r_hat *r_hat, sgf_error *error);

/* Number of independent draws that would give the same error, of all chains together. Not more than
 * S log10 S, S the number of draws: antithetic chains can have more than S. */
typedef struct sgf_effective_sizes {
  double mean;     /* for the mean of the values */
  double variance; /* for the mean of the squared distances from the mean of all draws */
  double bulk;     /* for the mean of the rank-normalized values */
  double tail;     /* the smaller of those for the shares below the 5 % and the 95 % quantile */
} sgf_effective_sizes;

/* Effective sample sizes of split chains, by the autocovariances of all chains together and Geyer's initial monotone
 * positive sequence. The estimator is for chains of hundreds of tau: in halves of n draws every autocorrelation
 * comes out lower by about 1/n, and 400 AR(1) chains of 64 draws with tau = 3 look like 2.6.
 * sgf_chains_correlation_time is for short chains. Source: the same; Geyer, Stat. Sci. 7, 473 (1992). */
sgf_status sgf_chains_effective_sizes(const sgf_chains *chains, sgf_effective_sizes *sizes, sgf_error *error);

typedef struct sgf_chain_moments {
  double mean, mean_error;         /* in the unit of the values */
  double variance, variance_error; /* in that unit squared; of all draws about their mean, divisor S - 1 */
} sgf_chain_moments;

/* Mean and variance of all draws and their Monte Carlo standard errors: the standard deviation of what is averaged
 * over the root of its effective sample size. Source: the same. */
sgf_status sgf_chains_moments(const sgf_chains *chains, sgf_chain_moments *moments, sgf_error *error);

typedef struct sgf_correlation_time {
  double time;   /* 1 + 2 sum of the autocorrelations, in draws */
  double error;  /* its standard error over chains; NaN for one chain */
  size_t lags;   /* how many autocorrelations were summed */
  bool complete; /* whether they reached the noise before the chain ended; if not, `time` is a lower bound */
} sgf_correlation_time;

/* Integrated autocorrelation time of chains that share their mean, made for many chains that are each short.
 *
 * About its own mean, a chain of T draws shows tau too short by a share of order tau/T, however many chains there
 * are. So deviations are from *known_mean, or if that is NULL from the mean of all chains, and the variance of the
 * latter, seen from the spread of the chains' means, is given back to every autocovariance, which leaves no bias of
 * first order in tau/(RT). One chain of unknown mean has nothing to correct with and keeps its bias. Autocovariances
 * have the divisor T - lag, and the sum ends for all chains together where a pair of autocorrelations averaged over
 * them is no longer positive (Geyer 1992). A chain that stays elsewhere counts as slow: see sgf_chains_r_hat.
 *
 * The error is that of a ratio of means over chains, for the lags found; that they are found in the same noise is not
 * in it: over 200 seeds of 400 AR(1) chains of 64 draws with tau 3 it was 0.11, the spread 0.16, and tau too long by
 * 0.06. NaN for constant chains. */
sgf_status sgf_chains_correlation_time(const sgf_chains *chains, const double *known_mean, sgf_correlation_time *time,
                                       sgf_error *error);

/* ------------------------------------------------- what the theory predicts */

/* Autocorrelation rho = (1 - lambda h)^stride of a mode of `rate` h under SGD with learning rate lambda, `stride`
 * steps apart. NaN unless 0 <= lambda h < 2. To leading order in lambda the square of the mode, less its mean, has
 * rho^2. */
double sgf_mode_correlation(double rate, double learning_rate, size_t stride);

/* Its integrated autocorrelation time (1 + rho)/(1 - rho) in draws; infinite for rho = 1, NaN unless -1 < rho <= 1.
 * For the square of a Gaussian mode, of rho^2. */
double sgf_mode_correlation_time(double correlation);

/* The same as sgf_chains_correlation_time with a known mean sees it: in a window of `draws`, summed over `lags` <
 * draws, of runs that start at 0 `start` draws before the first of the window (INFINITY: stationary, then this is the
 * sum over lags alone). 1 + 2 sum_k rho^k f_k/f_0, f_k = 1 - mean over i < draws - k of rho^{2 (start + i)}:
 * covariances of a mode that starts at 0 are rho^k (1 - rho^{2i}). The start cancels but for a share of about rho^{2
 * start} tau^2 / (4 draws^2): it matters in windows of few tau alone. For the square, rho^2 and INFINITY: from a
 * start at 0 its mean grows along the window, which is not in this sum. NaN unless 0 < |rho| < 1. */
double sgf_mode_window_time(double correlation, double start, size_t draws, size_t lags);

#endif
