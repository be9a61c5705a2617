/* sgflow: stationary weight fluctuations of linear networks under SGD.
 *
 * Conventions, for every function of this header:
 *   - arguments come in the order inputs, settings, outputs, error;
 *   - matrices are row-major float64 with NumPy's shapes; an n x n matrix A has
 *     element (i, j) at A[i * n + j];
 *   - theta = (vec W_1; ...; vec W_L), vec stacks the rows of a matrix: the order of
 *     PyTorch's parameters_to_vector and of NumPy's ravel; W_l has shape (N_l, N_{l-1});
 *   - samples are rows: X has shape (P, N_0), Y has shape (P, N_L);
 *   - one SGD step is one unit of discrete time, continuum time is t = learning_rate * step,
 *     and rates (eigenvalues of the Hessian) are inverse continuum times;
 *   - the diffusion matrix is D = (lambda kappa / 2 S) C, with C the per-sample covariance
 *     of the gradient, S the minibatch size, and kappa = 1 for draws with replacement,
 *     (P - S) / (P - 1) for draws without and for reshuffled epochs;
 *   - objects made by sgf_*_create, sgf_predict, sgf_simulate, ... belong to the caller, who
 *     frees them with the matching sgf_*_free; freeing NULL does nothing; pointers that a
 *     getter returns belong to the object and live as long as it;
 *   - a fallible function returns a sgf_status and, if `error` is not NULL, leaves there a
 *     message that names the file, the key or the quantity, and the value it had; an object
 *     that could not be made is NULL, a number that could not be computed is NaN;
 *   - nothing here prints, exits or changes process-wide state, but for sgf_process_init, which a program calls first
 *     that has not turned off GSL's error handler itself (it aborts);
 *   - functions may be called by several threads at a time, on objects of their own; those that read or write files
 *     by one thread at a time, unless HDF5 is built to be thread-safe.
 *
 * Compatibility, as long as SGF_VERSION_MAJOR stays the same: functions, names and enumerators are added and never
 * removed or changed, and a program need not be compiled again. Structs that the library hands out by pointer may
 * grow at their end. All others keep their size: what is new takes the place of `reserved`, where 0 means as before,
 * so that a struct which the caller fills without its sgf_*_init begins as {0}. tests/abi.sh holds it to that.
 *
 * Equations are those of theory/README.md.
 */
#ifndef SGFLOW_H
#define SGFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SGF_API __attribute__((visibility("default")))
#define SGF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SGF_API
#define SGF_PRINTF(text, first)
#endif

/* Version of this header; sgf_version() is that of the library. */
#define SGF_VERSION_MAJOR 1
#define SGF_VERSION_MINOR 0
#define SGF_VERSION_PATCH 0
#define SGF_VERSION "1.0.0"
#define SGF_VERSION_AT_LEAST(major, minor, patch) \
  (SGF_VERSION_MAJOR > (major) ||                 \
   (SGF_VERSION_MAJOR == (major) &&               \
    (SGF_VERSION_MINOR > (minor) || (SGF_VERSION_MINOR == (minor) && SGF_VERSION_PATCH >= (patch)))))

/* ------------------------------------------------------------------ errors */

typedef enum sgf_status {
  SGF_OK = 0,
  SGF_ERROR_VALUE,        /* a setting or the data cannot be used */
  SGF_ERROR_UNSUPPORTED,  /* a valid combination that is not built */
  SGF_ERROR_UNSTABLE,     /* the learning rate is beyond the stability limit */
  SGF_ERROR_DIVERGED,     /* a simulation left every bound */
  SGF_ERROR_NO_INPUT,     /* an input file is missing or cannot be opened */
  SGF_ERROR_CREATE,       /* an output cannot be created */
  SGF_ERROR_WRITE,        /* an output cannot be written to its end */
  SGF_ERROR_MEMORY,       /* no memory, or a size that overflows */
  SGF_ERROR_NUMERICAL,    /* an iteration of a library or of ours did not converge */
  SGF_ERROR_INTERRUPTED,  /* the progress callback asked to stop */
  SGF_ERROR_INCOMPATIBLE, /* noise where the drift vanishes: a singular equation without a solution */
  SGF_ERROR_AMBIGUOUS     /* the rank of the drift, or its null space, is not known to working accuracy */
} sgf_status;

#define SGF_MESSAGE_LENGTH 512

typedef struct sgf_error {
  sgf_status status;
  char message[SGF_MESSAGE_LENGTH]; /* one sentence, no final newline, no program name */
} sgf_error;

/* Short English name of a status, never NULL. */
SGF_API const char *sgf_status_text(sgf_status status);

/* Version of the library, "MAJOR.MINOR.PATCH". */
SGF_API const char *sgf_version(void);

/* Set what is process-wide as the library wants it: GSL's error handler off, since it aborts, and one thread for OpenBLAS, so
 * that results have the same bits for any number of threads. To be called once, before other threads are started. */
SGF_API void sgf_process_init(void);

/* Free what a function of this header says is the caller's to free, by the allocator that it came from; NULL is fine. */
SGF_API void sgf_free(void *pointer);

/* Names and versions of the numerical libraries in use and of the BLAS, one per line,
 * written into text[0 .. capacity - 1] and always terminated. */
SGF_API void sgf_libraries(char *text, size_t capacity);

/* ---------------------------------------------------------------- settings */

/* Where the weights are at the minimum that is reached: as it is; with W_l W_l^T = W_{l+1}^T W_{l+1} at the same map; where
 * the noise no longer drives that balance, at the same map. */
typedef enum { SGF_START_DESCENT, SGF_START_BALANCED, SGF_START_NOISE_BALANCED } sgf_start;
typedef enum { SGF_SOURCE_GAUSSIAN, SGF_SOURCE_FILE } sgf_source;
typedef enum { SGF_TEACHER_GAUSSIAN, SGF_TEACHER_NONE, SGF_TEACHER_LOW_RANK } sgf_teacher;
typedef enum { SGF_SAMPLING_REPLACEMENT, SGF_SAMPLING_WITHOUT_REPLACEMENT, SGF_SAMPLING_EPOCH } sgf_sampling;
typedef enum { SGF_NOISE_EMPIRICAL, SGF_NOISE_POPULATION, SGF_NOISE_ISOTROPIC } sgf_noise;
typedef enum {
  SGF_EQUATION_CONTINUUM,
  SGF_EQUATION_DISCRETE,
  SGF_EQUATION_EXACT, /* one layer: the second moment of SGD itself */
  SGF_EQUATION_CLOSURE,
  SGF_EQUATION_MULTIPLICATIVE /* that of linearized SGD with the batch's own Hessian, any depth; one layer: exact */
} sgf_equation;
typedef enum { SGF_DYNAMICS_SGD, SGF_DYNAMICS_LANGEVIN } sgf_dynamics;
typedef enum { SGF_LANGEVIN_STATE, SGF_LANGEVIN_FROZEN } sgf_langevin_noise;
typedef enum { SGF_PROTOCOL_ENSEMBLE, SGF_PROTOCOL_WINDOW_PCA } sgf_protocol;

/* Everything that a config says. Strings and arrays are owned by the struct (malloc). */
typedef struct sgf_settings {
  struct {
    sgf_source source;
    size_t samples;              /* P; 0: 400 for Gaussian data, the file's for a file */
    double *input_spectrum;      /* eigenvalues of the inputs' covariance, repeated to fill N_0 */
    size_t input_spectrum_count; /* 0: all eigenvalues 1 */
    double input_power_law;      /* exponent a: eigenvalue k is k^-a, scaled to mean 1; NaN: unused */
    sgf_teacher teacher;
    size_t teacher_rank; /* for SGF_TEACHER_LOW_RANK; 0: 1 */
    double label_noise;  /* standard deviation s of the targets' noise */
    char *file;          /* for SGF_SOURCE_FILE */
    uint64_t reserved[8];
  } data;
  struct {
    size_t *widths;     /* N_0 ... N_L */
    size_t width_count; /* L + 1 */
    double init_scale;  /* weights start as N(0, init_scale^2 / fan-in) */
    char *weights;      /* NULL, or an HDF5 file with datasets W1 ... WL */
    bool relax;         /* false: linearize where the weights are */
    sgf_start start;    /* which of the minima of the same map theta* is */
    uint64_t reserved[8];
  } network;
  struct {
    double learning_rate; /* lambda */
    size_t batch_size;    /* S */
    sgf_sampling sampling;
    double momentum;     /* beta */
    double weight_decay; /* gamma: gamma |theta|^2 / 2 in the loss */
    uint64_t reserved[8];
  } training;
  struct {
    sgf_noise noise;
    sgf_equation equation;
    double rank_tolerance; /* relative to the largest eigenvalue; NaN: from the largest gap */
    size_t modes;          /* leading modes of a layer that is too large for all; 0: chosen */
    double
        flatness_factor; /* flatness is the distance between the points with L = factor L*, L without the weight-decay
                             term; above 1 */
    uint64_t reserved[8];
  } theory;
  struct {
    sgf_dynamics dynamics;
    sgf_langevin_noise langevin_noise; /* its covariance at theta, or frozen at theta* */
    double time_step;                  /* of Langevin dynamics, continuum time, at most lambda; NaN: chosen */
    sgf_protocol protocol; /* ensemble: second moments about theta* over short runs; window-pca: of long runs, about
                              the mean of each one's window, as an experimenter measures */
    bool uncoupled;        /* train each layer alone too, with the others frozen */
    size_t replicas;       /* 0: chosen from the relaxation rates and the tolerance */
    double burn_in;        /* continuum time; NaN: chosen */
    double window;         /* continuum time; NaN: chosen */
    uint64_t reserved[8];
  } simulation;
  struct {
    double tolerance; /* relative deviation that still counts as agreement */
    double level;     /* family-wise false-alarm rate */
    uint64_t reserved[8];
  } verify;
  uint64_t seed;
  uint64_t reserved[16];
} sgf_settings;

/* Continuum time of one step of the simulation: the learning rate, or the time step of Langevin dynamics. */
SGF_API double sgf_time_of_step(const sgf_settings *settings);

/* Fill `settings` with the defaults: everything but the widths has one. */
SGF_API void sgf_settings_init(sgf_settings *settings);

/* Set the widths N_0 ... N_L to a copy of `widths` (count). Errors: SGF_ERROR_MEMORY, the settings are then as before. */
SGF_API sgf_status sgf_settings_set_widths(sgf_settings *settings, size_t count, const size_t *widths,
                                           sgf_error *error);

/* Free what the settings own and set it to the defaults again. */
SGF_API void sgf_settings_free(sgf_settings *settings);

/* ----------------------------------------------------------------- problem */

/* Data, network at its minimum, and training: all that the theory and the simulation share. */
typedef struct sgf_problem sgf_problem;

/* Make a problem: read or generate the data, read or initialize the weights, find the minimum.
 *   settings  copied; may be freed afterwards
 *   folder    what relative paths in the settings are relative to; NULL: the current folder
 *   accept_constant_columns  a column of X with one nonzero value throughout (a bias) is used
 *             instead of refused
 *   problem   the new problem
 * Errors: SGF_ERROR_VALUE for a setting or data that cannot be used, SGF_ERROR_UNSUPPORTED,
 * SGF_ERROR_NO_INPUT, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 0. */
SGF_API sgf_status sgf_problem_create(const sgf_settings *settings, const char *folder, bool accept_constant_columns,
                                      sgf_problem **problem, sgf_error *error);

/* The same from arrays in memory instead of data.source.
 *   X (P, N_0), Y (P, N_L)  copied
 *   theta (n)               starting weights, or NULL for those that the settings name
 * Errors: as above. */
SGF_API sgf_status sgf_problem_from_arrays(const sgf_settings *settings, size_t samples, const double *X,
                                           const double *Y, const double *theta, sgf_problem **problem,
                                           sgf_error *error);

/* Free a problem; NULL is fine. No prediction or ensemble made from it needs it afterwards. */
SGF_API void sgf_problem_free(sgf_problem *problem);

/* What a problem resolved to: the settings with every default filled in. */
SGF_API const sgf_settings *sgf_problem_settings(const sgf_problem *problem);
/* Number of samples P, of weights n, and the weights theta* (n) at the minimum. */
SGF_API size_t sgf_problem_samples(const sgf_problem *problem);
SGF_API size_t sgf_problem_weights(const sgf_problem *problem);
SGF_API const double *sgf_problem_minimum(const sgf_problem *problem);

/* -------------------------------------------------------------- prediction */

typedef struct sgf_prediction sgf_prediction;

/* Slope of log variance on log flatness, over modes. psi = -slope: variance ~ flatness^-psi. */
typedef struct sgf_ivfr {
  double psi;     /* exponent; NaN when fewer than 3 modes or no spread in flatness */
  double psi_low; /* 95 % bootstrap interval over modes */
  double psi_high;
  double correlation; /* Pearson, of log variance with log curvature */
  size_t modes;       /* modes in the fit */
  size_t left_out;    /* modes of zero variance or curvature */
} sgf_ivfr;

/* Slope of log correlation time on log flatness, over modes: time ~ flatness^exponent. A mode of H by itself has time
 * 1/h and flatness ~ h^-1/2: exponent 2. */
typedef struct sgf_time_scaling {
  double exponent; /* NaN when fewer than 3 modes or no spread in flatness */
  double low;      /* 95 % bootstrap interval over modes */
  double high;
  double correlation; /* Pearson, of log time with log flatness */
  size_t modes;       /* modes in the fit */
  size_t left_out;    /* modes without fluctuations or curvature, or of a time that is not positive */
} sgf_time_scaling;

/* How the fluctuations of all weights, or of those of a layer, move in time; continuum time. */
typedef struct sgf_time_info {
  double correlation_time;  /* integrated, of all of them together: tr int R(tau) dtau / tr Sigma; of reshuffled epochs
                                up to where tr R(tau) is first 0 */
  double displacement_rate; /* mean square displacement in one step, per unit of time; its plateau is 2 tr Sigma */
  sgf_time_scaling scaling; /* along the principal directions, coupled */
  sgf_time_scaling scaling_uncoupled; /* of a layer, with its own drift */
} sgf_time_info;

/* How the covariance operator found the modes of a layer. */
typedef struct sgf_layer_modes {
  size_t modes;   /* found: entries of variance and curvature */
  bool principal; /* along the principal directions of the layer's block */
  double
      coupling; /* not principal: along those within each eigenvector of W_2 W_2^T; the Frobenius norm of what of the
                      block couples different ones, relative to the block's. Sorted, the variances differ from the
                      principal ones by at most as much (Hoffman and Wielandt) */
  double residual; /* of leading modes that were found by iteration; else 0 */
  double reserved[4];
} sgf_layer_modes;

/* Noise balance: where the slow motion along the minima ends (theory/README.md, section 16). NaN where it is not known: one
 * layer, weight decay, noise that vanishes for some of the map; all but `imbalance` for more
 * than two layers. */
typedef struct sgf_noise_balance_info {
  double
      imbalance;   /* at theta*: drift of the balance over what it would be if its two terms did not cancel, 0 to 1 */
  double rate;     /* of the slowest approach to it, per unit of continuum time; NaN for a map of rank above 50 */
  double distance; /* |theta - theta*| / |theta*| of the weights at noise balance, turned next to theta* */
  size_t surplus;  /* hidden units beyond the rank of the map, which fade away on the way */
} sgf_noise_balance_info;

typedef struct sgf_prediction_info {
  const char *path; /* "dense", or that of the covariance operator */
  size_t weights;   /* n */
  size_t layers;    /* L */
  size_t rank_hessian;
  size_t rank_noise;
  double rank_gap;             /* smallest kept / largest dropped eigenvalue of H; infinite at full rank */
  double rank_tolerance;       /* the relative tolerance that was used */
  bool rank_ambiguous;         /* the gap is below 1e3 */
  double null_noise;           /* ||C|| on null(H), relative to ||C|| */
  size_t diffusing_directions; /* of null(H) with noise beyond round-off: their variance grows without bound */
  double diffusing_rate;       /* the largest growth of their variance per unit of time */
  double residual;             /* scaled residual of the configured equation, recomputed from H, C, Sigma */
  double min_loss;             /* L* = L(theta*), without the weight-decay term */
  double regularized_loss;     /* with it, L* + gamma |theta*|^2 / 2; of several layers with weight decay, else NaN */
  bool certified_global;       /* theta* was proven to be a global minimum, without weight decay of the loss */
  size_t map_rank;          /* these three of several layers with weight decay, else 0: rank of M, and of every layer,
                                  what weight decay has not shrunk to zero */
  size_t rotations;         /* independent rotations of hidden layers: null(H), if nothing else is */
  size_t scalings;          /* modes of H of rate 2 gamma that have no noise: the scalings of hidden layers */
  double global_loss;       /* the least loss that a network of these widths can have */
  double gradient_norm;     /* relative norm of the gradient at theta* */
  double balance_error;     /* what the descent changed of the conserved W_l W_l^T - W_{l+1}^T W_{l+1}, relative;
                                  NaN where nothing flowed; with weight decay what is left of it, 0 at a minimum */
  double flow_time;         /* continuum time of the descent */
  double condition_number;  /* h_max / smallest kept h */
  double largest_curvature; /* h_max */
  double relaxation_rate;   /* smallest kept h */
  double decay_rate; /* rate at which its mode forgets, per continuum time: h, with momentum about h / (1 - beta) */
  size_t modes_below_crossover; /* epochs: modes with lambda h M / (1 - beta) < 3, which reshuffling calms; else 0 */
  double
      stability_limit; /* largest learning rate with a finite second moment, with hidden layers that of linearized SGD
                              on range(H); an estimate for epochs. With momentum, or a path that is not dense:
                              2 (1 + beta) / h_max, that of the drift alone, noise lowers it */
  double
      mean_square_limit; /* with momentum, that of linearized SGD in mean square (epochs: an estimate), where affordable; else NaN */
  bool stability_is_bound; /* it is only known that the limit is not below stability_limit: the network is large, and
                              the learning rate below half of this (equation multiplicative: never) */
  double noise_strength;   /* kappa / S */
  double temperature;      /* T = lambda kappa s^2 / 2S(1 - beta), s^2 = 2 L* / N_L: the unit of variance */
  double trace;            /* tr Sigma */
  double excess_loss;      /* tr(H Sigma) / 2: of the loss with its weight-decay term */
  double mean_shift;       /* equation closure, else NaN: |m - theta*| on range(H), quasi-stationary, w */
  double mean_drift;       /* likewise: |dm/dt| along null(H) there, w per unit of continuum time */
  double next_order;       /* likewise: trace over that of the discrete equation, of leading order, less 1 */
  double commutator;       /* ||[H, C]||_F */
  double commutator_relative; /* ||[H, C]||_F / (||H||_F ||C||_F) */
  double irreversible;        /* ||Q||_F / ||H Sigma||_F, Q = (H Sigma - Sigma H) / 2, continuum Sigma */
  double entropy_production;  /* rate per unit of continuum time */
  bool entropy_on_range;      /* D is singular: pseudo-inverses were used */
  bool noise_free;            /* the residuals are round-off: C = 0, nothing fluctuates */
  double anisotropy;          /* standard deviation of log variance over the modes that fluctuate; 0: isotropic */
  bool isotropic_noise;       /* C = s^2 H exactly: the continuum covariance is the closed form T Pi */
  double balance_rate;        /* relaxation of the balance towards its stationary value, by noise and, 2 gamma, by
                                  weight decay; NaN without a hidden layer */
  double balance_drift;       /* |d/dt (W_l W_l^T - W_{l+1}^T W_{l+1})| at theta*, over all hidden layers */
  double rate_ratio;          /* 1 / (lifetime decay_rate): quasi-stationary when << 1 */
  double lifetime;      /* 1 / (the part of noise of balance_rate), continuum time: when noise has moved the weights
                                  along the symmetry of the hidden layers, where weight decay does not hold them */
  double balance_shift; /* weight decay: the largest stationary |B_l|, over |W_l|^2 + |W_{l+1}|^2; NaN without */
  sgf_noise_balance_info noise_balance;
  double spectrum_distance;    /* Kolmogorov distance of the spectra of C / 2L* and H */
  double hessian_law_distance; /* of H to its limit law; NaN unless the data are Gaussian, one layer */
  double noise_law_distance;   /* of C / 2L* to its limit law; NaN likewise */
  sgf_ivfr ivfr;               /* of the joint covariance (one layer: of the layer) */
  sgf_time_info time;          /* of all weights */
  const char *untimed;         /* NULL, or why all of `time` is NaN, here and of the layers */
  double null_drift;           /* speed of the mean along null(H) at theta*, w per unit of time, and */
  double null_diffusion; /* growth of the mean square displacement there about it, w^2 per unit of time: scalings and
                                  rotations of all hidden layers; NaN where these are not known (section 14) */
} sgf_prediction_info;

/* One layer: its diagonal blocks, coupled (of the joint covariance) and uncoupled (the other layers frozen). */
typedef struct sgf_layer_info {
  size_t weights;      /* N_l N_{l-1} */
  size_t rank_hessian; /* of H_ll */
  size_t rank_noise;   /* of C_ll */
  double null_noise;   /* ||C_ll|| on null(H_ll), relative */
  double trace;        /* tr Sigma_ll, coupled */
  double trace_uncoupled;
  double anisotropy; /* as for all weights; coupled */
  double anisotropy_uncoupled;
  sgf_ivfr ivfr; /* coupled */
  sgf_ivfr ivfr_uncoupled;
  sgf_layer_modes found;     /* by the covariance operator: how variances and curvatures were found */
  sgf_ivfr ivfr_closed_form; /* of the closed form for C = s^2 H, two layers without bottleneck; NaN otherwise */
  sgf_ivfr ivfr_balanced;    /* of the closed form with the weights at noise balance; NaN where that is not known */
  sgf_time_info time;
  sgf_ivfr ivfr_independent; /* epochs: the same with draws that are independent in time; NaN otherwise */
  sgf_ivfr ivfr_uncoupled_independent;
} sgf_layer_info;

/* Build drift and diffusion at the minimum and solve for the stationary covariance.
 * Errors: SGF_ERROR_UNSTABLE when the learning rate is beyond the stability limit and `force` is
 * false; SGF_ERROR_UNSUPPORTED, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. With `force` beyond the
 * limit there is no stationary state: the covariances are NaN. Source: sections 1, 2, 8, 9. */
SGF_API sgf_status sgf_predict(const sgf_problem *problem, bool force, sgf_prediction **prediction, sgf_error *error);

/* Free a prediction; NULL is fine. */
SGF_API void sgf_prediction_free(sgf_prediction *prediction);

/* The numbers of a prediction, units as in the struct; they belong to the prediction. */
SGF_API const sgf_prediction_info *sgf_prediction_get_info(const sgf_prediction *prediction);

/* The learning rate from which on there is no stationary state: the stability limit, and with momentum that in mean
 * square where it is known and lower. */
SGF_API double sgf_learning_rate_limit(const sgf_prediction *prediction);

/* One number of a result under its name in the output file and in the JSON. */
typedef struct sgf_number {
  const char *name;
  double value;
  bool whole; /* a count or a flag */
} sgf_number;

/* All numbers of the prediction's info: the attributes of `theory` in the output. Writes up to `capacity` of them,
 * returns how many there are. */
SGF_API size_t sgf_prediction_numbers(const sgf_prediction *prediction, sgf_number *numbers, size_t capacity);

/* What is known of layer l = 1 ... L, and the same as numbers: the attributes of `theory/layerN`. NULL and 0 for another
 * layer. */
SGF_API const sgf_layer_info *sgf_prediction_get_layer(const sgf_prediction *prediction, size_t layer);
SGF_API size_t sgf_layer_numbers(const sgf_prediction *prediction, size_t layer, sgf_number *numbers,
                                 size_t capacity);

/* Motion of one hidden layer along its rotations W_l -> R W_l, W_{l+1} -> W_{l+1} R^T, which the loss does not see: the
 * fluctuations make it turn, steadily without detailed balance, and diffuse. nu_a = n_a . delta, n_a = (a W_l, -W_{l+1} a),
 * a = e_i e_j^T - e_j e_i^T, i < j in lexicographic order. Leading order in the learning rate, for displacements that are
 * small against the weights. Source: section 14. */
typedef struct sgf_rotation_info {
  size_t modes;         /* m = N_l (N_l - 1) / 2 */
  const char *left_out; /* NULL, or why the motion is not predicted: all numbers are NaN */
  const char *too_many; /* NULL, or why the diffusion is left out */
  double drift;         /* |d<nu>/dt|, w^2 per unit of continuum time */
  double diffusion;     /* trace of d cov(nu)/dt, w^4 per unit of time */
  double
      angular_velocity; /* root of the sum of squares over the planes (i, j), radian per unit of time; NaN where the
                               hidden layers have more than SGF_MOST_SYMMETRIES modes */
  double angular_diffusion; /* growth of the sum of variances of the angles, radian^2 per unit of time */
  double turn_time;         /* when the root mean square angle is 1 radian, if all goes on as at theta* */
} sgf_rotation_info;

/* Diffusion of more rotations than this, or of more multiply-adds, is left out; angles for more modes of the symmetry (sum
 * of N_l^2) than this. */
#define SGF_MOST_ROTATIONS 4000
#define SGF_MOST_ROTATION_WORK 1e11
#define SGF_MOST_SYMMETRIES 1000

/* The motion of hidden layer l = 1 ... L - 1, and the same as numbers: the attributes of `theory/rotation/layerN`, next to
 * its datasets drift (m) and diffusion (m, m). NULL and 0 for another layer and without n x n matrices. */
SGF_API const sgf_rotation_info *sgf_prediction_get_rotation(const sgf_prediction *prediction, size_t hidden);
SGF_API size_t sgf_rotation_numbers(const sgf_prediction *prediction, size_t hidden, sgf_number *numbers,
                                    size_t capacity);

/* An n x n (or n) array of the prediction by its name in the output file below `theory/`, such as
 * "hessian", "covariance", "layer1/variance"; its shape in rows and columns (columns 1 for a vector).
 * NULL, and a shape of 0, when the prediction has none of that name. */
SGF_API const double *sgf_prediction_array(const sgf_prediction *prediction, const char *name, size_t *rows,
                                           size_t *columns);

/* Noise on null(H) above this, relative to all of it, is not round-off: those directions diffuse. */
#define SGF_DIFFUSING 1e-10
/* Burn-in and window, or the balance rate over the relaxation rate, above this are not short against the lifetime. */
#define SGF_NOT_SHORT 0.2

/* ----------------------------------------------------- covariance operator */

/* The stationary covariance of a minimum of zero slope (no bottleneck, no weight decay), known by what it does and
 * never formed: Sigma = J^T (...) J with a matrix of the size of the map N_L N_0, not of the weights. One layer or
 * two, noise isotropic or that of a population: blocks of the size of the inputs, one for each output. */
typedef struct sgf_covariance_operator sgf_covariance_operator;

typedef struct sgf_covariance_operator_info {
  const char *path;         /* "closed-form": C = s^2 H in continuum time, from singular values of the weights alone;
                               "kronecker": blocks, one for each output; "reduced": one problem of the size of the map */
  size_t weights;           /* n */
  size_t layers;            /* L */
  size_t rank;              /* of H and of Sigma */
  double rank_gap;          /* smallest kept / largest dropped eigenvalue of H */
  double rank_tolerance;    /* the relative tolerance that was used */
  bool rank_ambiguous;      /* the gap is below 1e3 */
  double relaxation_rate;   /* smallest kept eigenvalue of H */
  double largest_curvature; /* largest eigenvalue of H */
  double stability_limit;   /* 2 (1 + beta) / h_max, that of the drift alone */
  double noise_strength;    /* kappa / S */
  double temperature;       /* T = lambda kappa s^2 / 2S(1 - beta), w^2 */
  bool noise_free;          /* the residuals are round-off: Sigma = 0 */
  double trace;             /* tr Sigma, w^2 */
  double excess_loss;       /* tr(H Sigma) / 2, y^2 */
  double bytes;             /* held */
} sgf_covariance_operator_info;

/* Make the operator by the settings' equation (continuum, discrete or closure) and noise. The problem is not needed afterwards.
 * Errors: SGF_ERROR_UNSUPPORTED for another equation, reshuffled epochs, a bottleneck, weight decay, or a minimum that
 * is known to few digits; SGF_ERROR_UNSTABLE beyond the stability limit; SGF_ERROR_VALUE, SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL. Source: sections 3 and 6. */
SGF_API sgf_status sgf_covariance_operator_create(const sgf_problem *problem, sgf_covariance_operator **covariance,
                                                  sgf_error *error);

/* Free an operator; NULL is fine. */
SGF_API void sgf_covariance_operator_free(sgf_covariance_operator *covariance);

/* Its numbers, units as in the struct; they belong to the operator. */
SGF_API const sgf_covariance_operator_info *sgf_covariance_operator_get_info(
    const sgf_covariance_operator *covariance);

/* out (count, n) = the rows of v (count, n) times Sigma; out may not be v. Errors: SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_covariance_operator_apply(const sgf_covariance_operator *covariance, size_t count,
                                                 const double *v, double *out, sgf_error *error);

/* forms (count) = v Sigma v^T, w^2, of the rows of v (count, n). Errors: SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_covariance_operator_forms(const sgf_covariance_operator *covariance, size_t count,
                                                 const double *v, double *forms, sgf_error *error);

/* curvatures (count) = v H v^T, x^2 for unit rows of v (count, n). Errors: SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_covariance_operator_curvatures(const sgf_covariance_operator *covariance, size_t count,
                                                      const double *v, double *curvatures, sgf_error *error);

/* diagonal (n) of Sigma, w^2. Errors: SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_covariance_operator_diagonal(const sgf_covariance_operator *covariance, double *diagonal,
                                                    sgf_error *error);

/* The nonzero eigenvalues (rank) of H, ascending, x^2. The path closed-form does not need them and solves for them
 * here, N_L problems of the size of the inputs. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
SGF_API sgf_status sgf_covariance_operator_rates(const sgf_covariance_operator *covariance, double *rates,
                                                 sgf_error *error);

/* block (N_l N_{l-1} square) of layer l = 1 ... L, w^2. Errors: SGF_ERROR_VALUE for another layer, SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_covariance_operator_block(const sgf_covariance_operator *covariance, size_t layer,
                                                 double *block, sgf_error *error);

/* The `count` largest principal variances, of all weights (layer 0) or of the block of one layer; n stands for the
 * weights of either.
 *   variance    (count), descending, w^2
 *   curvature   (count), p^T H p along them, x^2; may be NULL
 *   directions  (count, n), orthonormal; may be NULL
 *   residual    the largest |Sigma p - variance p| over the largest variance: 0 where a dense problem (up to 4000 rows)
 *               was solved, else what the iteration reached
 * Errors: SGF_ERROR_VALUE for another layer, and for a count above n (layer 0: above N_L rank(Sigma_xx): beyond it all are
 * 0), SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
SGF_API sgf_status sgf_covariance_operator_principal(const sgf_covariance_operator *covariance, size_t layer,
                                                     size_t count, double *variance, double *curvature,
                                                     double *directions, double *residual, sgf_error *error);

/* Variances and the curvature along their directions for a layer: all N_l N_{l-1} of them, exactly, where the noise
 * does not couple outputs or the layer has up to 4000 weights. Beyond: two layers, all of them within the outputs'
 * eigenvectors; else, or where `leading` is not 0, the `leading` largest (0: 200). A `leading` of all weights of the
 * layer is a dense problem at any size.
 *   variance, curvature  (N_l N_{l-1}), descending variance; only the first `modes` are set
 * Errors: SGF_ERROR_VALUE for another layer, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 3, 6 and 9. */
SGF_API sgf_status sgf_covariance_operator_layer(const sgf_covariance_operator *covariance, size_t layer,
                                                 size_t leading, double *variance, double *curvature,
                                                 sgf_layer_modes *found, sgf_error *error);

/* samples (count, n): Gaussian deviations theta - theta* of covariance Sigma; the same seed gives the same ones.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
SGF_API sgf_status sgf_covariance_operator_samples(const sgf_covariance_operator *covariance, size_t count,
                                                   uint64_t seed, double *samples, sgf_error *error);

/* One way to predict, and what it would take. */
typedef struct sgf_cost {
  const char *path;    /* "dense", "reduced", "kronecker" or "closed-form" */
  const char *refusal; /* NULL, or why the settings exclude it */
  double seconds;      /* on one thread, to a factor of about 2; without reading data and finding the minimum */
  double bytes;        /* at its largest */
  double reserved[4];
} sgf_cost;

#define SGF_MOST_PATHS 16

typedef struct sgf_costs {
  size_t count; /* of paths */
  sgf_cost paths[SGF_MOST_PATHS];
  size_t chosen;      /* index of the path to take */
  const char *reason; /* for the choice */
  size_t weights;     /* n */
  size_t samples;     /* P */
  double memory;      /* bytes of the machine */
  bool fits;          /* what the chosen path needs */
  double reserved[8];
} sgf_costs;

/* Estimate what each path takes for the settings, before anything is made: dense for n <= 4000, for what the
 * covariance operator is not built for, or when the n x n sets are asked for; else the operator's path. The machine's
 * speed is measured for some milliseconds.
 *   folder  what relative paths in the settings are relative to; NULL: the current folder
 *   dense   n x n matrices are asked for at any n
 * Errors: SGF_ERROR_VALUE and those of reading data.file, whose number of samples is needed. */
SGF_API sgf_status sgf_estimate_costs(const sgf_settings *settings, const char *folder, bool dense, sgf_costs *costs,
                                      sgf_error *error);

/* The same of what sgf_predict_on_directions takes instead of sgf_predict_by_operator, and the moments on them: never the
 * path closed-form. The runs themselves are not in the seconds. */
SGF_API sgf_status sgf_estimate_costs_on_directions(const sgf_settings *settings, const char *folder,
                                                    sgf_costs *costs, sgf_error *error);

/* As sgf_predict, by the covariance operator: no n x n array, so that it is not compared with.
 * Numbers that need them are NaN, and left out of sgf_prediction_numbers. Arrays: covariance_diagonal (n);
 * spectrum/hessian (rank), its nonzero part, where it is affordable; layerN/variance, curvature, flatness: all, or
 * the leading ones (info of sgf_covariance_operator_layer as numbers of the layer). theory.modes is as `leading` of
 * sgf_covariance_operator_layer. Errors: those of sgf_covariance_operator_create and sgf_covariance_operator_layer. */
SGF_API sgf_status sgf_predict_by_operator(const sgf_problem *problem, sgf_prediction **prediction, sgf_error *error);

/* The same to be simulated and compared with, along some directions: with the operator itself and up to 256 orthonormal
 * directions of range(H), which span what it has of principal directions of all weights and of each layer's block, the
 * leading ones and others from all of the spectrum where it is known. Always in the modes of H, so that the path is
 * never closed-form. Errors: as above. Source: theory/README.md, section 11. */
SGF_API sgf_status sgf_predict_on_directions(const sgf_problem *problem, sgf_prediction **prediction,
                                             sgf_error *error);

/* The directions (count, n); NULL, and a count of 0, for any other prediction. */
SGF_API const double *sgf_prediction_directions(const sgf_prediction *prediction, size_t *count);

/* -------------------------------------------------------------- simulation */

typedef struct sgf_ensemble sgf_ensemble;

/* Called now and then from one thread; returns false to stop.
 *   done, total  replica-steps */
typedef bool (*sgf_progress)(void *context, double done, double total);

typedef struct sgf_plan {
  size_t replicas;
  size_t burn_in_steps; /* steps from theta* before the window */
  size_t window_steps;  /* a multiple of stride */
  size_t stride;        /* a snapshot enters the moments every so many steps of the window */
  size_t
      looks; /* 0 or 1: one comparison will be made, with all of the level. More: the ensemble may grow, to twice its
                   size from each comparison to the next, and a program that has no budget stops after so many */
  size_t
      look; /* of the ensemble that the plan belongs to: 1, 2, ... for up to replicas, twice, four times as many as were
                   planned; look k is held to 6 / (pi k)^2 of the level, so that any number of them keeps it. 0: the only
                   one */
  bool centred; /* moments about the mean of each window, not about theta*: protocol window-pca */
  bool replicas_chosen, burn_in_chosen, window_chosen; /* chosen here, not by the settings */
  double relaxed;  /* exp(-h_min (burn-in + window)): what the slowest mode remembers */
  double lifetime; /* burn-in + window over the lifetime of the quasi-stationary state; 0 for one layer */
  double reserved[8];
} sgf_plan;

/* Choose what the settings leave out: burn-in, window and replicas that decide every quantity at the
 * configured tolerance and level, from the predicted relaxation rates. Errors: SGF_ERROR_VALUE for
 * times that overflow, and steps that are lost in the last digits of theta*. */
SGF_API sgf_status sgf_plan_simulation(const sgf_problem *problem, const sgf_prediction *prediction, sgf_plan *plan,
                                       sgf_error *error);

/* What runs of a plan show of all weights, null space and all, with theory.equation closure: mean and fluctuations by the
 * closure, joined with the rotations and scalings of the hidden layers along which the loss is flat, and the drift of where
 * they have come to. Into arrays of the prediction: whole/mean (n), of theta - theta* at the end of the window;
 * whole/covariance (n, n), of theta there; whole/second_moment (n, n), of theta - theta*, mean over the snapshots; and the numbers
 * whole_time (from theta* to the end), whole_mean (norm), whole_trace (of whole/covariance), whole_along (the part of
 * that along the symmetry of the hidden layers), whole_least (smallest over largest eigenvalue of whole/covariance: below zero, but for
 * round-off, where the next order in the learning rate is not enough). A comparison with runs of the plan tests them. Does nothing where sgf_whole_left_out has a reason.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: theory/README.md, sections 13 and 14. */
SGF_API sgf_status sgf_predict_runs(const sgf_problem *problem, sgf_prediction *prediction, const sgf_plan *plan,
                                    sgf_error *error);

/* Why sgf_predict_runs would do nothing: a clause without a full stop; NULL if it would. */
SGF_API const char *sgf_whole_left_out(const sgf_problem *problem, const sgf_prediction *prediction);

/* Run SGD from theta* in independent replicas. The result has the same bits for any number of threads.
 *   threads   0: OpenMP's default
 *   progress  NULL, or called with `context`
 * Errors: SGF_ERROR_DIVERGED with the step, SGF_ERROR_MEMORY, SGF_ERROR_INTERRUPTED. */
SGF_API sgf_status sgf_simulate(const sgf_problem *problem, const sgf_plan *plan, int threads, sgf_progress progress,
                                void *context, sgf_ensemble **ensemble, sgf_error *error);

/* The same in parts: a simulation that can be left, saved, continued and extended by more replicas. */
typedef struct sgf_simulation sgf_simulation;

/* A simulation of which nothing has run yet. `plan` is copied, the problem must outlive the simulation. plan->replicas
 * says in how many rows the moments are kept. Errors: SGF_ERROR_VALUE for an empty plan, SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_simulation_create(const sgf_problem *problem, const sgf_plan *plan,
                                         sgf_simulation **simulation, sgf_error *error);

/* The same where the second moments of all weights are too many: the ensemble keeps moments and means of
 * D (theta - theta*) and, of all weights and of each layer, the mean of |theta - theta*|^2.
 *   count, directions  rows of D (count, n), orthonormal; copied, and a checkpoint has them
 * Errors: as above; SGF_ERROR_UNSUPPORTED for simulation.uncoupled and for the protocol window-pca. */
SGF_API sgf_status sgf_simulation_create_on(const sgf_problem *problem, const sgf_plan *plan, size_t count,
                                            const double *directions, sgf_simulation **simulation, sgf_error *error);

/* Free a simulation and its ensemble; NULL is fine. */
SGF_API void sgf_simulation_free(sgf_simulation *simulation);

/* Before anything has run: follow theta - theta* along a few modes (count, n), in up to 256 replicas, for the
 * diagnostics of the comparison. A checkpoint has them. Errors: SGF_ERROR_VALUE when it is too late, or for moments on
 * directions; SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_simulation_follow(sgf_simulation *simulation, size_t count, const double *modes,
                                         sgf_error *error);
#define SGF_SLOW_MODES 3 /* of which diagnostics are kept at most */
/* The slowest modes of the drift that fluctuate, slowest first: how many, at most `most`, and where they are, (count, n).
 * 0 and NULL for a prediction without n x n matrices. */
SGF_API size_t sgf_prediction_slow_modes(const sgf_prediction *prediction, size_t most, const double **modes);

typedef struct sgf_provenance sgf_provenance; /* below, with the output */

/* Before anything has run: write the weights of the plan's replicas as they go into an HDF5 file, dataset `weights` (R, T, n)
 * with attributes stride and burn_in_steps, chunked and compressed, which sgf_trajectory_read reads. Replicas that are added
 * later are not in it. Values do not depend on the number of threads; a checkpoint knows nothing of it.
 *   every       steps between snapshots, the first one after the burn-in; 0: those of the moments
 *   provenance  NULL, or what the file says of itself
 * Errors: SGF_ERROR_VALUE for fewer than 2 snapshots, or when it is too late; SGF_ERROR_UNSUPPORTED for simulations in many
 * processes; SGF_ERROR_CREATE, also when the disk has no room; SGF_ERROR_MEMORY. sgf_simulation_run can then fail with
 * SGF_ERROR_WRITE. */
SGF_API sgf_status sgf_simulation_record(sgf_simulation *simulation, const char *path, size_t every,
                                         const sgf_provenance *provenance, sgf_error *error);

/* Put the file in its place, with the replicas that are complete: *replicas of them, of *snapshots each; both 0 when nothing was
 * recorded. Without it nothing is left of it. Errors: SGF_ERROR_WRITE. */
SGF_API sgf_status sgf_simulation_record_end(sgf_simulation *simulation, size_t *replicas, size_t *snapshots,
                                             sgf_error *error);

/* Run until `replicas` replicas are complete, those of earlier calls included. The bits depend neither on threads nor on
 * interruptions nor on the numbers that earlier calls asked for. Errors: as for sgf_simulate; after
 * SGF_ERROR_INTERRUPTED nothing is lost, and the next call goes on. */
SGF_API sgf_status sgf_simulation_run(sgf_simulation *simulation, size_t replicas, int threads, sgf_progress progress,
                                      void *context, sgf_error *error);

/* The moments of all replicas, once sgf_simulation_run returned SGF_OK; they belong to the simulation. */
SGF_API const sgf_ensemble *sgf_simulation_ensemble(const sgf_simulation *simulation);

/* Replicas that are complete or under way in some layer's runs. */
SGF_API size_t sgf_simulation_replicas(const sgf_simulation *simulation);

/* The plan as it was given, or as it was loaded. */
SGF_API const sgf_plan *sgf_simulation_plan(const sgf_simulation *simulation);

/* End with the replicas that are complete in all layers, the ones under way are dropped: the ensemble is then of these,
 * and *replicas how many. For budgets that are spent. Fails with SGF_ERROR_VALUE while none is complete; runs that share
 * the moments of others must be completed first (SGF_ERROR_INTERRUPTED: call sgf_simulation_run again). */
SGF_API sgf_status sgf_simulation_end(sgf_simulation *simulation, size_t *replicas, sgf_error *error);

/* Write all that is needed to continue to the same bits: beside, synced, renamed, checksummed; the checkpoint of before
 * is kept as `path`.old.
 *   identity  describes the run, a line for each key: the loader must give the same text
 * Errors: SGF_ERROR_CREATE, SGF_ERROR_WRITE, SGF_ERROR_MEMORY; the checkpoint of before is then intact. */
SGF_API sgf_status sgf_simulation_save(sgf_simulation *simulation, const char *path, const char *identity,
                                       sgf_error *error);

/* Continue from a checkpoint. Data, theta* and seed of the problem must be those of the run to the last bit.
 *   fallback  (SGF_MESSAGE_LENGTH) "", or why the older generation was read
 * Errors: SGF_ERROR_NO_INPUT when there is none; SGF_ERROR_VALUE when it is damaged, or of another run or version, with
 * what differs; SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_simulation_load(const sgf_problem *problem, const char *path, const char *identity,
                                       sgf_simulation **simulation, char *fallback, sgf_error *error);

/* Remove a checkpoint, both generations, and what a killed run left of another: the run is complete. */
SGF_API void sgf_simulation_forget(const char *path);

/* Many processes. A program of MPI processes that all call sgf_workers_begin goes on in process 0 (*leads) alone: its
 * simulations, one at a time, use all processes, each with the threads that process 0 asks for, and give the bits that one
 * process gives. The others are to call sgf_workers_serve, which returns when process 0 calls sgf_workers_end; they
 * need no input files and write nothing. MPI_Init and MPI_Finalize are the program's. Process 0 must not call MPI on its
 * own account while the others serve, but on a communicator that they have no part in.
 *   leads  whether this is process 0; true after an error
 * Errors, on all: SGF_ERROR_UNSUPPORTED when built without MPI, SGF_ERROR_VALUE when MPI is not initialized, or when the
 * processes are of different versions or their machines of different vector instructions. */
SGF_API sgf_status sgf_workers_begin(bool *leads, sgf_error *error);

/* progress, NULL or called now and then with `context`: false interrupts the simulation in all processes. */
SGF_API void sgf_workers_serve(sgf_progress progress, void *context);
SGF_API void sgf_workers_end(void);

/* Read weights that another program recorded: HDF5 dataset `weights`, shape (R, T, n), or (T, n) for
 * one run, which is cut into batches that stand in for replicas. Snapshots of stationary SGD; theta* of the problem is
 * subtracted. With simulation.protocol window-pca moments are about the mean of each run or batch, and the attribute
 * `stride` of the dataset must say how many steps lie between snapshots. Errors: SGF_ERROR_NO_INPUT, SGF_ERROR_VALUE for a missing set, another n, too few runs or snapshots, or
 * values that are not finite, SGF_ERROR_MEMORY. Source: section 11. */
SGF_API sgf_status sgf_trajectory_read(const char *path, const sgf_problem *problem, sgf_ensemble **ensemble,
                                       sgf_error *error);

/* The same on `count` directions (count, n), as sgf_simulation_create_on keeps moments. Errors: as above;
 * SGF_ERROR_UNSUPPORTED for the protocol window-pca. */
SGF_API sgf_status sgf_trajectory_read_on(const char *path, const sgf_problem *problem, size_t count,
                                          const double *directions, sgf_ensemble **ensemble, sgf_error *error);

/* The same from memory.
 *   runs, snapshots, weights  (R, T, n), R of 1 as one run that is cut; copied
 *   stride                    steps between snapshots; 0: not known
 *   count, directions         (count, n), or 0 and NULL for all weights
 * Errors: as above, of both. */
SGF_API sgf_status sgf_trajectory_from_array(const sgf_problem *problem, size_t runs, size_t snapshots,
                                             const double *weights, size_t stride, size_t count,
                                             const double *directions, sgf_ensemble **ensemble, sgf_error *error);

/* Free an ensemble; NULL is fine. */
SGF_API void sgf_ensemble_free(sgf_ensemble *ensemble);

typedef struct sgf_ensemble_info {
  size_t replicas;
  size_t pools;   /* independent rows that the errors come from: replicas, or groups of them when n is large */
  bool batches;   /* one long run, cut: `replicas` counts batches */
  bool recorded;  /* read from a trajectory */
  bool centred;   /* second moments are about the mean of each run's window, not about theta* */
  sgf_plan plan;  /* of a simulation */
  double steps;   /* replica-steps in all, 0 when recorded */
  double seconds; /* wall time of the simulation */
  double trace;   /* of the measured second moment about theta* */
  double trace_se;
} sgf_ensemble_info;

/* How an ensemble was made, and its trace; the struct belongs to the ensemble. */
SGF_API const sgf_ensemble_info *sgf_ensemble_get_info(const sgf_ensemble *ensemble);

/* For an ensemble on directions all that follows is in these, n their number.
 * Second moment about theta* (with `centred`, about the windows' means) and its standard error over replicas, both (n, n), and the mean (n) of
 * theta - theta*; any may be NULL. Units: those of the weights, squared for the moments. With one replica the error is
 * NaN. Errors: SGF_ERROR_VALUE for an ensemble of no replicas. Source: section 11. */
SGF_API sgf_status sgf_ensemble_moments(const sgf_ensemble *ensemble, double *covariance, double *standard_error,
                                        double *mean, sgf_error *error);

/* The inverse variance-flatness relation that an experimenter reads off long runs: of each run's window alone. */
typedef struct sgf_window_pca {
  size_t runs;
  double psi;         /* mean over the runs of the exponent, fitted over the components of each */
  double psi_error;   /* its standard error; NaN for one run */
  double correlation; /* mean over the runs, of log variance with -log flatness */
  double correlation_error;
  double reserved[4];
} sgf_window_pca;

/* Principal components of layer l's weights in the window of every run, and the Feng-Tu flatness along them, exact, from
 * the mean of the window. For ensembles of the protocol window-pca.
 *   variance  (runs, N_l N_{l-1}), descending in each run; may be NULL
 *   flatness  (runs, N_l N_{l-1}); may be NULL
 * Errors: SGF_ERROR_VALUE for another protocol or layer, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; the result is NaN then.
 * Source: section 9 (Feng & Tu 2021). */
SGF_API sgf_status sgf_window_pca_measure(const sgf_problem *problem, const sgf_ensemble *ensemble, size_t layer,
                                          sgf_window_pca *result, double *variance, double *flatness,
                                          sgf_error *error);

/* -------------------------------------------------------------- comparison */

typedef enum { SGF_AGREE = 0, SGF_DISAGREE = 1, SGF_INCONCLUSIVE = 2 } sgf_verdict;

typedef struct sgf_quantity {
  char name[48]; /* name of its group in the output file */
  double predicted;
  double measured;
  double standard_error;  /* of measured */
  double deviation;       /* relative to what `scale` says */
  double low, high;       /* confidence interval of the deviation, corrected for the family */
  double replicas_needed; /* replicas that would decide it; 0 when decided */
  sgf_verdict verdict;
  double reserved[4];
} sgf_quantity;

typedef struct sgf_comparison sgf_comparison;

typedef struct sgf_comparison_info {
  sgf_verdict verdict;
  size_t quantities;
  size_t agree, disagree, inconclusive;
  double replicas_needed;   /* the largest over inconclusive quantities */
  size_t look;              /* which one at a growing ensemble; 0: the only one */
  double level;             /* that this look is held to */
  double r_hat;             /* split R-hat of the slowest mode */
  double effective_samples; /* of the slowest mode's mean, all replicas together */
  bool z_tested;            /* exact equation and 100 independent replicas: z-scores test zero deviation */
  size_t z_count;           /* elements of the covariance */
  double z_largest;         /* largest |z| among them */
  double z_variance;        /* about zero; 1 under the null hypothesis, (R-1)/(R-3) by Student's t */
  double z_p_value;         /* of the largest, for the family */
  double null_leak;       /* share of the measured trace outside of range(H): what moved along the null space; NaN for
                               ensembles on directions */
  double null_leak_error; /* its standard error */
  double batch_correlation; /* lag-1 correlation between batches of one run; NaN for replicas */
  double
      correlation_ratio; /* correlation times over predicted ones, mean over the joint directions, from the spread of
                               the windows' means against that within them; NaN where these are not known */
  double correlation_ratio_error; /* its standard error */
  size_t directions;              /* of an ensemble on directions: how many; 0 for all weights */
  double directions_share;        /* what of the predicted stationary trace they have */
} sgf_comparison_info;

/* Compare an ensemble with a prediction, quantity by quantity. Source: section 11.
 * Errors: SGF_ERROR_VALUE when there are fewer than 4 replicas or nothing fluctuates,
 * SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
SGF_API sgf_status sgf_compare(const sgf_problem *problem, const sgf_prediction *prediction,
                               const sgf_ensemble *ensemble, sgf_comparison **comparison, sgf_error *error);

/* Free a comparison; NULL is fine. */
SGF_API void sgf_comparison_free(sgf_comparison *comparison);

/* Verdict, counts and diagnostics; and the quantities themselves, info->quantities of them in the order of the report.
 * Both belong to the comparison. */
SGF_API const sgf_comparison_info *sgf_comparison_get_info(const sgf_comparison *comparison);
SGF_API const sgf_quantity *sgf_comparison_quantities(const sgf_comparison *comparison);

/* What the replicas cannot tell, `*count` of them: no quantities, and in no verdict. Of each are there name, predicted and measured
 * with its standard_error, deviation, and replicas_needed, of which it would be a quantity; low and high are NaN. They belong to
 * the comparison. */
SGF_API const sgf_quantity *sgf_comparison_untested(const sgf_comparison *comparison, size_t *count);

/* A slow mode along the runs, of up to 256 replicas with up to 256 draws of each window. */
typedef struct sgf_mode_diagnostics {
  double rate;                    /* p^T H p, 1 / continuum time */
  double r_hat;                   /* split, rank-normalized, folded: the larger. Windows of n times tau have about
                                     sqrt(1 + 2 / n) */
  double ess_bulk, ess_tail;      /* effective sample sizes of all draws together */
  double mean, mcse_mean;         /* of p . (theta - theta*), and its Monte Carlo standard error */
  double variance, mcse_variance; /* of the draws about their mean */
  double correlation_time; /* integrated, continuum time: half of 1 + 2 sum rho in draws, times their distance */
  double correlation_time_error;
  double correlation_time_predicted; /* of the same sum over the same window; NaN where it is not known */
} sgf_mode_diagnostics;

/* Diagnostics of slow mode k = 0, 1, ...; NULL for what was not followed. It belongs to the comparison. And as numbers, in
 * the way of sgf_prediction_numbers. Source: theory/README.md, section 11. */
SGF_API const sgf_mode_diagnostics *sgf_comparison_get_mode(const sgf_comparison *comparison, size_t k);
SGF_API size_t sgf_mode_numbers(const sgf_mode_diagnostics *mode, sgf_number *numbers, size_t capacity);

/* "agree", "disagree" or "inconclusive"; never NULL. */
SGF_API const char *sgf_verdict_text(sgf_verdict verdict);

/* The numbers of the comparison's info (attributes of `comparison`), and those of one quantity (its datasets), in the
 * way of sgf_prediction_numbers. */
SGF_API size_t sgf_comparison_numbers(const sgf_comparison *comparison, sgf_number *numbers, size_t capacity);
SGF_API size_t sgf_quantity_numbers(const sgf_quantity *quantity, sgf_number *numbers, size_t capacity);
#define SGF_MOST_NUMBERS 256 /* a capacity that is enough for each of them */

/* ------------------------------------------- Lyapunov and Stein equations
 *
 * A X + X A^T = Q for the process dx = -A x dt + noise of covariance Q dt, and X - A X A^T = Q (discrete) for
 * x' = A x + noise. The drift may be singular: an eigenvalue 0 of A (discrete: 1) is a quantity that does not relax.
 * With L the left null vectors of A (discrete: of 1 - A), L^T Q L must vanish, and X is then not unique: it is that of
 * least Frobenius norm, or the one that an initial covariance leads to. Every other eigenvalue must be stable: of
 * positive real part (discrete: within the unit circle). Where the units of the coordinates differ so much that it helps,
 * a general drift is solved in units that are alike; gap, null_noise and separation below are then in those. Source: theory/README.md, section 10. */

/* How an equation is solved. */
typedef enum {
  SGF_METHOD_AUTO,      /* chosen from size, symmetry and form of the input */
  SGF_METHOD_SYMMETRIC, /* eigenbasis of a symmetric drift */
  SGF_METHOD_SCHUR,     /* real Schur form of any drift */
  SGF_METHOD_KRONECKER, /* A (x) 1 + 1 (x) A as a sparse system; sparse drift only */
  SGF_METHOD_LOW_RANK   /* extended Krylov space; sparse drift and a factored right-hand side of few columns */
} sgf_method;

typedef struct sgf_lyapunov_options {
  bool discrete;
  sgf_method method;
  double rank_tolerance; /* singular values of A (discrete: of 1 - A) up to this, relative to the largest, are 0; NaN:
                            those at round-off are, and a gap below 1e3 is an error; NaN or in [0, 1) */
  const double *initial; /* (n, n) X(0): the solution that it leads to; NULL: the one of least norm */
  double memory;         /* bytes that may be used; 0: three quarters of the machine's */
  double reserved[8];
} sgf_lyapunov_options;

/* What is known of a solution, or of a system that was refused; NaN where nothing is. */
typedef struct sgf_certificate {
  size_t size;        /* n */
  size_t rank;        /* of A (discrete: of 1 - A) */
  double gap;         /* smallest singular value kept over the largest dropped, or over round-off */
  bool ambiguous;     /* gap < 1e3, an error unless the tolerance was given; or refused with SGF_ERROR_AMBIGUOUS */
  double null_noise;  /* ||L^T Q L|| / ||Q||, L^T R = 1, R the orthonormal right null vectors */
  double residual;    /* ||A X + X A^T - Q||_F / (2 ||A|| ||X|| + ||Q||), recomputed from the input; discrete:
                            ||X - A X A^T - Q||_F / ((1 + ||A||^2) ||X|| + ||Q||) */
  double separation;  /* least ||A Y + Y A^T||_2 / ||Y||_2 over symmetric Y on the range; discrete likewise */
  double error_bound; /* of ||X - exact||_F / ||X||_F, data rounded to their last digit included; 1 and
                             more, or infinite: no digit of X is certain */
  double real, imaginary; /* the eigenvalue of A that is nearest to instability, null ones aside; the offending one */
  bool refined;           /* a step of iterative refinement was worth it */
  sgf_method method;      /* the one used */
  double reserved[4];
} sgf_certificate;

/* Fill with the defaults: continuous, automatic, tolerance chosen, least norm. */
SGF_API void sgf_lyapunov_options_init(sgf_lyapunov_options *options);

/* Solve a dense equation.
 *   n, A        (n, n)
 *   columns, Q  0 and the symmetric matrix (n, n); or m and a factor B (n, m), then Q = B B^T
 *   options     NULL: the defaults
 *   X           (n, n), symmetric to the last bit; NaN after a failure
 *   certificate filled as far as things went, also after a failure
 * A solution has a scaled residual of at most 1e-13 (singular, with a larger rank tolerance: at most that).
 * Errors: SGF_ERROR_VALUE for entries that are not finite, Q not symmetric to round-off and an X that overflows,
 * SGF_ERROR_UNSTABLE, SGF_ERROR_INCOMPATIBLE for L^T Q L above what round-off makes of 0: of a symmetric drift in norm, of
 * any other element by element, so that it does not depend on units; SGF_ERROR_AMBIGUOUS for a gap below 1e3, and for a
 * singular drift whose null vectors leave no digit of X certain or too large a residual; SGF_ERROR_UNSUPPORTED for a method
 * that does not fit the input, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL (an iteration that failed, or a residual above 1e-13
 * with a regular drift). Source: section 10; R. H. Bartels, G. W. Stewart, Commun. ACM 15, 820 (1972). */
SGF_API sgf_status sgf_lyapunov_solve(size_t n, const double *A, size_t columns, const double *Q,
                                      const sgf_lyapunov_options *options, double *X, sgf_certificate *certificate,
                                      sgf_error *error);

/* Solve many equations of one size, in parallel: system k is A + k n^2, Q + k n^2, X + k n^2. Some may fail: the
 * status of each is in statuses (count) or NULL, and the function returns the first that is not SGF_OK, with its message,
 * after all were tried. certificates (count) or NULL.
 *   threads  0: OpenMP's default; the result has the same bits for any number
 * The last bits of a system's solution may depend on which systems are solved beside it. */
SGF_API sgf_status sgf_lyapunov_solve_many(size_t count, size_t n, const double *A, const double *Q,
                                           const sgf_lyapunov_options *options, int threads, double *X,
                                           sgf_certificate *certificates, sgf_status *statuses, sgf_error *error);

/* A sparse matrix by columns (CSC): the entries of column j are values[k] in row rows[k], starts[j] <= k <
 * starts[j + 1], in any order, none twice. */
typedef struct sgf_sparse {
  size_t rows, columns;
  int64_t *starts;  /* (columns + 1) */
  int64_t *indices; /* row of each entry */
  double *values;
} sgf_sparse;

/* Solve with a sparse drift; arguments, promises and errors otherwise as for the dense one. SGF_ERROR_MEMORY names the
 * estimated fill when it would not fit. A drift of up to 1000 rows that is not symmetric is solved by dense algebra
 * beside a sparse method that was chosen: SGF_ERROR_AMBIGUOUS where they disagree. */
SGF_API sgf_status sgf_lyapunov_solve_sparse(const sgf_sparse *A, size_t columns, const double *Q,
                                             const sgf_lyapunov_options *options, double *X,
                                             sgf_certificate *certificate, sgf_error *error);

/* Solve with a large sparse drift and Q = B B^T of few columns; X = Z Z^T, the solution that starts from 0.
 *   columns, B  m, (n, m)
 *   tolerance   of the residual relative to ||Q||, in [0, 1); 0: 1e-12. The scaled residual is at most 1e-13, or this
 *   rank, Z     columns of the factor Z (n, rank), allocated here, the caller's to sgf_free(); NULL after a failure
 * The certificate's separation and error bound are estimates from below and above where the drift is not symmetric in any
 * units and has more than 1000 rows (docs/solvers.md).
 * Errors: as above; SGF_ERROR_NUMERICAL when the space does not suffice. Source: section 10; V. Simoncini, SIAM J. Sci.
 * Comput. 29, 1268 (2007). */
SGF_API sgf_status sgf_lyapunov_solve_low_rank(const sgf_sparse *A, size_t columns, const double *B, double tolerance,
                                               const sgf_lyapunov_options *options, size_t *rank, double **Z,
                                               sgf_certificate *certificate, sgf_error *error);

/* "symmetric", "schur", ...; "unknown" for what is no method; never NULL. */
SGF_API const char *sgf_method_text(sgf_method method);

/* The numbers of a certificate under their names in output files, in the way of sgf_prediction_numbers. */
SGF_API size_t sgf_certificate_numbers(const sgf_certificate *certificate, sgf_number *numbers, size_t capacity);

/* An equation as files have it; arrays are owned by the struct. */
typedef struct sgf_system {
  size_t n;
  double *A;         /* (n, n), or NULL: the drift is sparse */
  sgf_sparse sparse; /* empty unless A is NULL */
  size_t columns;    /* as for sgf_lyapunov_solve */
  double *Q;         /* (n, n), or B (n, columns) */
  double *initial;   /* (n, n) or NULL */
  void *reserved[4];
} sgf_system;

/* Read an equation.
 *   drift    an HDF5 file with A, dataset (n, n) or a sparse group in SciPy's way (data, indices, indptr, attributes
 *            shape and format), and dataset Q (n, n) or B (n, m); or a Matrix Market file with A
 *   noise    the Matrix Market file with Q, or with `factor` B; NULL for an HDF5 drift
 *   initial  NULL, or a file with X(0): HDF5, dataset X0, or Matrix Market
 * Entries are not looked at, but for what makes a sparse matrix one. Errors: SGF_ERROR_NO_INPUT, SGF_ERROR_VALUE
 * that names file and dataset, or file and line, SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_system_read(const char *drift, const char *noise, bool factor, const char *initial,
                                   sgf_system *system, sgf_error *error);

/* Free what a system owns; freeing a zeroed one does nothing. */
SGF_API void sgf_system_free(sgf_system *system);

/* ------------------------------------------------------------------ output */

/* Where a result comes from: strings of the caller, none NULL. */
struct sgf_provenance {
  const char *config;  /* the resolved config as YAML */
  const char *command; /* the command that reproduces the result */
  int threads;
  const char *request; /* the config as asked, before sizes, times and replicas were chosen: what a result is of */
  void *reserved[4];
};

/* Write the HDF5 output: beside `path`, renamed when complete. Any of prediction, ensemble and
 * comparison may be NULL: their groups are then absent.
 *   full  write the n x n sets even when n > 4000
 * Errors: SGF_ERROR_CREATE, SGF_ERROR_WRITE, SGF_ERROR_MEMORY; an older file at `path` is then intact. */
SGF_API sgf_status sgf_write_results(const char *path, const sgf_provenance *provenance, const sgf_problem *problem,
                                     const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                                     const sgf_comparison *comparison, bool full, sgf_error *error);

/* Write the self-contained HTML report in the same way. Without gnuplot it has no figures and
 * *figures is false. */
SGF_API sgf_status sgf_write_report(const char *path, const sgf_provenance *provenance, const sgf_problem *problem,
                                    const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                                    const sgf_comparison *comparison, bool *figures, sgf_error *error);

/* An output file, open for reading. */
typedef struct sgf_results sgf_results;

/* Open a file of sgf_write_results. `results` is NULL after a failure.
 * Errors: SGF_ERROR_NO_INPUT when it is missing or cannot be read; SGF_ERROR_VALUE when it is not HDF5, damaged, or not
 * written by sgf_write_results; SGF_ERROR_MEMORY. */
SGF_API sgf_status sgf_results_open(const char *path, sgf_results **results, sgf_error *error);

/* Close it; NULL is fine. */
SGF_API void sgf_results_close(sgf_results *results);

/* One number by its place in the file: an attribute ("theory/min_loss") or a scalar dataset
 * ("comparison/trace/predicted"); NaN when there is none of that name. */
SGF_API double sgf_results_number(const sgf_results *results, const char *name);

/* One text by its place ("comparison/verdict", "config"); NULL when there is none of that name, or no memory. The
 * caller's to sgf_free(). */
SGF_API char *sgf_results_text(const sgf_results *results, const char *name);

/* A solution of an equation; strings and arrays are the caller's. */
typedef struct sgf_solution {
  size_t n;
  const double *X; /* (n, n), or NULL */
  size_t rank;
  const double *Z; /* (n, rank) with X = Z Z^T, or NULL */
  const sgf_certificate *certificate;
  const char *command; /* that reproduces it */
  void *reserved[4];
} sgf_solution;

/* Write datasets X or Z and the root attributes: the numbers of the certificate, method, command, version, date, host.
 *   base  NULL: a new file; else an HDF5 file of which all but an older X, Z and these attributes is kept, and which
 *         may be path
 * Errors: as for sgf_write_results; SGF_ERROR_UNSUPPORTED for a base with a user block. */
SGF_API sgf_status sgf_write_solution(const char *path, const char *base, const sgf_solution *solution,
                                      sgf_error *error);

/* Fail now, with SGF_ERROR_CREATE, if X could not be written into the file at `path`. */
SGF_API sgf_status sgf_check_extension(const char *path, sgf_error *error);

/* Write a text in the same way as the results: beside `path`, renamed when complete.
 * Errors: SGF_ERROR_CREATE, SGF_ERROR_WRITE, SGF_ERROR_MEMORY; an older file at `path` is then intact. */
SGF_API sgf_status sgf_write_text(const char *path, const char *text, sgf_error *error);

/* Fail now, with SGF_ERROR_CREATE, if nothing could be created at `path`: before a long run, not after. */
SGF_API sgf_status sgf_check_output(const char *path, sgf_error *error);

#ifdef __cplusplus
}
#endif
#endif
