/* All exhibits. A new one is a study and an entry here. */
#ifndef SGFLOW_CATALOGUE_H
#define SGFLOW_CATALOGUE_H

#include "exhibit.h"

extern const exhibit *const CATALOGUE[];
extern const size_t CATALOGUE_SIZE;

/* Whether exhibit k goes by that name, in capitals or not: "T2" is T2 and T2-exponents. */
bool catalogue_matches(size_t k, const char *id);

/* "T1, T2, ..." into text. */
void catalogue_names(char *text, size_t capacity);

/* The exhibits, by the file that defines them. */
extern const exhibit EXHIBIT_T1, EXHIBIT_T2, EXHIBIT_T2_EXPONENTS, EXHIBIT_T3; /* single_layer.c */
extern const exhibit EXHIBIT_T4;                                               /* ranks.c */
extern const exhibit EXHIBIT_T5, EXHIBIT_T6;                                   /* two_layers.c */
extern const exhibit EXHIBIT_T6_WINDOW;                                        /* windows.c */
extern const exhibit EXHIBIT_T7, EXHIBIT_T7_SLOPE;                             /* continuum_limit.c */
extern const exhibit EXHIBIT_T8_SAMPLING, EXHIBIT_T8_MOMENTUM, EXHIBIT_T8_DEPTH,
    EXHIBIT_T8_DEPTH_LAYERS;                                      /* beyond.c */
extern const exhibit EXHIBIT_T8_ROTATION;                         /* rotation.c */
extern const exhibit EXHIBIT_T8_TURNING, EXHIBIT_T8_TURNING_LIMITS;        /* turning_rates.c */
extern const exhibit EXHIBIT_T8_BALANCE, EXHIBIT_T8_BALANCE_ENDS; /* balance_lifetime.c */
extern const exhibit EXHIBIT_T6_SIZE; /* size.c */
extern const exhibit EXHIBIT_R1, EXHIBIT_R2, EXHIBIT_R2_IVFR;     /* real_data.c */

#endif
