/* Numbers that are followed along the runs of an ensemble: components of theta - theta* along a few directions. */
#ifndef SGF_FOLLOWED_H
#define SGF_FOLLOWED_H

#include "../theory/status.h"

/* Of the first `chains` replicas, `draws` of each, `thin` snapshots apart. */
typedef struct sgf_followed {
  size_t count, n; /* directions, 0: nothing is followed; weights */
  size_t chains, draws, thin;
  double *directions; /* (count, n) */
  double *values;     /* (chains, count, draws) */
} sgf_followed;

/* Choose and make room; the directions are copied, or with NULL left for the caller to fill in. At most 256 replicas and 256 draws of each. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_followed_create(const sgf_plan *plan, size_t count, size_t n, const double *directions,
                               sgf_followed *followed, sgf_error *error);
void sgf_followed_free(sgf_followed *followed);

/* Snapshot number `snapshot` = 0, 1, ... of a replica, theta and theta* (n), if it is one of those kept. */
void sgf_followed_take(sgf_followed *followed, size_t replica, size_t snapshot, const double *theta,
                       const double *reference);

/* The chains (chains, draws) of direction k, of the first so many replicas, copied. */
void sgf_followed_chains(const sgf_followed *followed, size_t k, size_t chains, double *values);

#endif
