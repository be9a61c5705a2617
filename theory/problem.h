/* The problem: data, network at its minimum, training. What theory and simulation share. */
#ifndef SGF_PROBLEM_H
#define SGF_PROBLEM_H

#include "certificate.h"
#include "dataset.h"
#include "network.h"

struct sgf_problem {
  sgf_settings settings; /* resolved: every default filled in, paths as given */
  sgf_network network;
  sgf_dataset data;
  double *theta;                       /* theta* (n) */
  sgf_minimum_certificate certificate; /* of theta* */
};

/* Weights of which the dense n x n operators hold at most: its square is the largest below 2^31. */
enum { SGF_MOST_DENSE_WEIGHTS = 46340 };

/* Refuse, with the numbers, networks whose n x n matrices would not fit. Errors: SGF_ERROR_VALUE. */
sgf_status sgf_check_dense(const sgf_network *network, sgf_error *error);

/* "continuum", "discrete", ...; never NULL. */
const char *sgf_equation_text(sgf_equation equation);

/* Whether the configured equation is that of SGD itself, at any learning rate: a run differs from it by sampling error
 * alone. */
bool sgf_is_exact(const sgf_settings *settings);

/* Refuse settings that are out of range on their own (SGF_ERROR_VALUE) and combinations that are not built
 * (SGF_ERROR_UNSUPPORTED). The message names the key and its value. */
sgf_status sgf_settings_check(const sgf_settings *settings, sgf_error *error);

#endif
