/* The kernels of SGD, written once for any width of vectors. The file that includes this defines
 *   VARIANT     the name of the table, such as portable
 *   TARGET      the attribute of a function that may use the instructions
 *   LANES       doubles in a vector: 2, 4 or 8
 *   MULTIPLY_ADD(a, x, sum)           sum + a x for a number a and vectors x and sum
 *   MULTIPLY_ADD_VECTORS(a, x, sum)   the same for a vector a, element by element
 *   MULTIPLY_HALVES(a, b)   of vectors of 64-bit words, the products of the lower halves; may be missing
 *   MULTIPLY_WORDS(a, b)    of such vectors, the lower words of the products; may be missing
 * and gets `const sgf_kernels sgf_kernels_VARIANT`.
 *
 * Why not a BLAS: whole steps with these kernels are 4.4, 1.5 and 1.2 times as fast as with cblas_dgemm of OpenBLAS
 * 0.3.21 on the networks of bench/README.md, on one thread, and several threads do not wait for one another.
 *
 * Accumulators are variables and not arrays, and the shapes of the tiles constants, so that no compiler leaves the
 * registers. */
#include <stddef.h>
#include <stdint.h>

#define KERNEL static inline __attribute__((always_inline)) TARGET

/* Neighbouring doubles, wherever they stand in memory. */
typedef double vector __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

#define LOAD(from) (*(const vector *)(from))
#define STORE(to, value) (*(vector *)(to) = (value))

KERNEL double sum_of_lanes(const vector *lanes)
{
#if LANES == 2
  return (*lanes)[0] + (*lanes)[1];
#elif LANES == 4
  return ((*lanes)[0] + (*lanes)[2]) + ((*lanes)[1] + (*lanes)[3]);
#else
  return (((*lanes)[0] + (*lanes)[4]) + ((*lanes)[2] + (*lanes)[6])) +
         (((*lanes)[1] + (*lanes)[5]) + ((*lanes)[3] + (*lanes)[7]));
#endif
}

/* ---------------------------------------------------------------- C = A B */

/* A row of a tile: 1 to 3 vectors of columns. */
#define ROW(row, a)                                                   \
  if (rows > row) {                                                   \
    double factor = (a);                                              \
    c##row##0 = MULTIPLY_ADD(factor, b0, c##row##0);                  \
    if (vectors > 1) c##row##1 = MULTIPLY_ADD(factor, b1, c##row##1); \
    if (vectors > 2) c##row##2 = MULTIPLY_ADD(factor, b2, c##row##2); \
  }
#define START_ROW(row)                                               \
  vector c##row##0 = {0}, c##row##1 = {0}, c##row##2 = {0};          \
  if (accumulate && rows > row) {                                    \
    c##row##0 = LOAD(C + row * C_step);                              \
    if (vectors > 1) c##row##1 = LOAD(C + row * C_step + LANES);     \
    if (vectors > 2) c##row##2 = LOAD(C + row * C_step + 2 * LANES); \
  }
#define END_ROW(row)                                                 \
  if (rows > row) {                                                  \
    STORE(C + row * C_step, c##row##0);                              \
    if (vectors > 1) STORE(C + row * C_step + LANES, c##row##1);     \
    if (vectors > 2) STORE(C + row * C_step + 2 * LANES, c##row##2); \
  }

/* `rows` <= 4 by `vectors` <= 3, constants of the call, kept in registers while k runs: 12 sums hide the latency of an
 * addition, and with 3 vectors of B and a factor they fill 16 registers. */
KERNEL void tile(size_t rows, size_t vectors, size_t inner, const double *A, size_t row_step, size_t inner_step,
                 const double *B, size_t B_step, double *C, size_t C_step, bool accumulate)
{
  START_ROW(0) START_ROW(1) START_ROW(2) START_ROW(3) for (size_t k = 0; k < inner; k++, A += inner_step, B += B_step)
  {
    vector b0 = LOAD(B), b1 = b0, b2 = b0;
    if (vectors > 1) b1 = LOAD(B + LANES);
    if (vectors > 2) b2 = LOAD(B + 2 * LANES);
    ROW(0, A[0]) ROW(1, A[row_step]) ROW(2, A[2 * row_step]) ROW(3, A[3 * row_step])
  }
  END_ROW(0) END_ROW(1) END_ROW(2) END_ROW(3)
}

/* All rows of a panel of columns: the panel of B stays in the first cache. */
KERNEL void panel(size_t vectors, size_t rows, size_t inner, const double *A, size_t row_step, size_t inner_step,
                  const double *B, size_t B_step, double *C, size_t C_step, bool accumulate)
{
  for (; rows >= 4; rows -= 4, A += 4 * row_step, C += 4 * C_step)
    tile(4, vectors, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate);
  switch (rows) {
  case 3: tile(3, vectors, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate); break;
  case 2: tile(2, vectors, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate); break;
  case 1: tile(1, vectors, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate); break;
  default: break;
  }
}

TARGET static void multiply(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step,
                            size_t inner_step, const double *B, size_t B_step, double *C, size_t C_step,
                            bool accumulate)
{
  size_t vectors = columns / LANES;
  /* 4 as 2 + 2, not 3 + 1: a tile of one vector waits for its additions */
  for (; vectors >= 3 && vectors != 4; vectors -= 3, B += 3 * LANES, C += 3 * LANES)
    panel(3, rows, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate);
  for (; vectors >= 2; vectors -= 2, B += 2 * LANES, C += 2 * LANES)
    panel(2, rows, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate);
  if (vectors == 1) panel(1, rows, inner, A, row_step, inner_step, B, B_step, C, C_step, accumulate);
}

/* --------------------------------------------------------------- elements */

/* Four by four in registers, where the compiler can say so. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE __builtin_shufflevector
#endif
#endif
#ifdef SHUFFLE
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));

KERNEL void transpose_four(const double *A, size_t A_step, double *B, size_t B_step)
{
  four a = *(const four *)A, b = *(const four *)(A + A_step);
  four c = *(const four *)(A + 2 * A_step), d = *(const four *)(A + 3 * A_step);
  four even_ab = SHUFFLE(a, b, 0, 4, 2, 6), odd_ab = SHUFFLE(a, b, 1, 5, 3, 7);
  four even_cd = SHUFFLE(c, d, 0, 4, 2, 6), odd_cd = SHUFFLE(c, d, 1, 5, 3, 7);
  *(four *)B = SHUFFLE(even_ab, even_cd, 0, 1, 4, 5);
  *(four *)(B + B_step) = SHUFFLE(odd_ab, odd_cd, 0, 1, 4, 5);
  *(four *)(B + 2 * B_step) = SHUFFLE(even_ab, even_cd, 2, 3, 6, 7);
  *(four *)(B + 3 * B_step) = SHUFFLE(odd_ab, odd_cd, 2, 3, 6, 7);
}
#else
KERNEL void transpose_four(const double *A, size_t A_step, double *B, size_t B_step)
{
  for (size_t i = 0; i < 4; i++)
    for (size_t j = 0; j < 4; j++) B[j * B_step + i] = A[i * A_step + j];
}
#endif

TARGET static void transpose(size_t rows, size_t columns, const double *A, size_t A_step, double *B, size_t B_step)
{
  size_t whole_rows = rows - rows % 4, whole_columns = columns - columns % 4;
  for (size_t i = 0; i < whole_rows; i += 4)
    for (size_t j = 0; j < whole_columns; j += 4)
      transpose_four(A + i * A_step + j, A_step, B + j * B_step + i, B_step);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = i < whole_rows ? whole_columns : 0; j < columns; j++) B[j * B_step + i] = A[i * A_step + j];
}

TARGET static void subtract_and_scale(size_t count, const double *h, const double *y, double factor, double *e)
{
  for (size_t k = 0; k < count; k += LANES) STORE(e + k, factor * (LOAD(h + k) - LOAD(y + k)));
}

TARGET static double step(size_t count, double rate, double momentum, double decay, double *gradient,
                          double *velocity, double *theta)
{
  vector square = {0};
  for (size_t k = 0; k < count; k += LANES) {
    vector g = MULTIPLY_ADD(decay, LOAD(theta + k), LOAD(gradient + k));
    square += g * g;
    STORE(gradient + k, g);
    if (momentum > 0.0) {
      vector v = momentum * LOAD(velocity + k) - rate * g;
      STORE(velocity + k, v);
      STORE(theta + k, LOAD(theta + k) + v);
    } else {
      STORE(theta + k, MULTIPLY_ADD(-rate, g, LOAD(theta + k)));
    }
  }
  return sum_of_lanes(&square);
}

/* ------------------------------------------------- products of snapshots */

/* Tiles of the triangle: sums that fill the registers, 24 of 32 with eight lanes and 12 of 16 else. A panel of 24 columns
 * of 128 snapshots stays in the first cache; rows go through 4 panels at a time, so that they are few long stretches of
 * memory and not many short ones.
 *
 * Why not a BLAS: for 64 rows of 800 weights on an AMD EPYC, blocks of 128 snapshots take 5.8 microseconds a snapshot of
 * one thread, cblas_dsyrk of OpenBLAS 0.3.21 on whole matrices 12.4, and tiles of 4 rows without FETCH 8.0. */
enum { PRODUCT_ROWS = LANES == 8 ? 8 : 4, PANEL = 24, PANELS = 4, TOGETHER = 128, LINE = 8 };

#define START_SUMS(row) vector s##row##0 = {0}, s##row##1 = {0}, s##row##2 = {0};
#define ADD_PRODUCTS(row)                            \
  if (PRODUCT_ROWS > row) {                          \
    double factor = A[row];                          \
    s##row##0 = MULTIPLY_ADD(factor, b0, s##row##0); \
    s##row##1 = MULTIPLY_ADD(factor, b1, s##row##1); \
    s##row##2 = MULTIPLY_ADD(factor, b2, s##row##2); \
  }
#define END_SUMS(row)                                 \
  if (PRODUCT_ROWS > row) {                           \
    STORE(sums + row * PANEL, s##row##0);             \
    STORE(sums + row * PANEL + LANES, s##row##1);     \
    STORE(sums + row * PANEL + 2 * LANES, s##row##2); \
  }

/* sums (PRODUCT_ROWS, 3 vectors) = sum_k A_k B_k, k < count; rows of B and of the sums are a panel apart. */
KERNEL void product_tile(size_t count, const double *A, size_t A_step, const double *B, double *sums)
{
  START_SUMS(0)
  START_SUMS(1)
  START_SUMS(2)
  START_SUMS(3)
  START_SUMS(4) START_SUMS(5) START_SUMS(6) START_SUMS(7) for (size_t k = 0; k < count; k++, A += A_step, B += PANEL)
  {
    vector b0 = LOAD(B), b1 = LOAD(B + LANES), b2 = LOAD(B + 2 * LANES);
    ADD_PRODUCTS(0)
    ADD_PRODUCTS(1) ADD_PRODUCTS(2) ADD_PRODUCTS(3) ADD_PRODUCTS(4) ADD_PRODUCTS(5) ADD_PRODUCTS(6) ADD_PRODUCTS(7)
  }
  END_SUMS(0) END_SUMS(1) END_SUMS(2) END_SUMS(3) END_SUMS(4) END_SUMS(5) END_SUMS(6) END_SUMS(7)
}

/* Columns `from` ... of the block side by side, zeros beyond the last. */
KERNEL void pack_columns(size_t n, size_t count, const double *block, size_t from, size_t columns, double *packed)
{
  size_t held = n - from < columns ? n - from : columns;
  for (size_t k = 0; k < count; k++, packed += columns) {
    const double *row = block + k * n + from;
    size_t j = 0;
    for (; j + LANES <= held; j += LANES) STORE(packed + j, LOAD(row + j));
    for (size_t rest = j; rest < columns; rest += LANES) STORE(packed + rest, (vector){0});
    for (; j < held; j++) packed[j] = row[j];
  }
}

/* Ask for a strip of the triangle before its sums are made: nobody has touched it since the last block of this row, and
 * rows of a triangle are no regular pattern. A macro, since gcc drops calls of functions that do nothing else. */
#ifdef __GNUC__
#define FETCH(line) __builtin_prefetch(line, 1)
#else
#define FETCH(line) (void)(line)
#endif

KERNEL void add_strip(size_t columns, double sign, const double *sums, double *row)
{
  size_t j = 0;
  for (; j + LANES <= columns; j += LANES) STORE(row + j, MULTIPLY_ADD(sign, LOAD(sums + j), LOAD(row + j)));
  for (; j < columns; j++) row[j] += sign * sums[j];
}

/* Rows first ... first + rows - 1, as far as they reach into the columns from `from` on, of which `packed` has the panels. */
KERNEL void add_rows(size_t count, const double *A, size_t A_step, size_t first, size_t rows, size_t from,
                     const double *packed, double sign, double *second)
{
  double sums[PRODUCT_ROWS * PANEL];
  for (size_t p = 0; p < PANELS && from < first + rows; p++, from += PANEL, packed += TOGETHER * PANEL) {
    for (size_t i = first; i < first + rows; i++)
      for (size_t j = from; j <= i && j < from + PANEL + LINE; j += LINE) FETCH(second + i * (i + 1) / 2 + j);
    for (size_t at = 0; at < PANEL; at += 3 * LANES) product_tile(count, A, A_step, packed + at, sums + at);
    for (size_t i = first; i < first + rows; i++)
      if (i >= from)
        add_strip(i + 1 - from < PANEL ? i + 1 - from : PANEL, sign, sums + (i - first) * PANEL,
                  second + i * (i + 1) / 2 + from);
  }
}

TARGET static void add_some_products(size_t n, size_t count, const double *block, double sign, double *second)
{
  double packed[PANELS * TOGETHER * PANEL], last[TOGETHER * PRODUCT_ROWS];
  for (size_t from = 0; from < n; from += PANELS * PANEL) {
    for (size_t p = 0; p < PANELS && from + p * PANEL < n; p++)
      pack_columns(n, count, block, from + p * PANEL, PANEL, packed + p * TOGETHER * PANEL);
    size_t first = from;
    for (; first + PRODUCT_ROWS <= n; first += PRODUCT_ROWS)
      add_rows(count, block + first, n, first, PRODUCT_ROWS, from, packed, sign, second);
    if (first == n) continue;
    pack_columns(n, count, block, first, PRODUCT_ROWS, last);
    add_rows(count, last, PRODUCT_ROWS, first, n - first, from, packed, sign, second);
  }
}

TARGET static void add_products(size_t n, size_t count, const double *block, double sign, double *second)
{
  for (; count > TOGETHER; count -= TOGETHER, block += TOGETHER * n)
    add_some_products(n, TOGETHER, block, sign, second);
  add_some_products(n, count, block, sign, second);
}

/* ------------------------------------------------------------- one output */

#define DOT(row) \
  if (rows > row) d##row = MULTIPLY_ADD_VECTORS(w, LOAD(x[row] + k), d##row);
#define END_DOT(row) \
  if (rows > row) e[row] = factors[row] * (sum_of_lanes(&d##row) - y[row]);

/* e_s = factor_s (w . x_s - y_s) for `rows` <= 8 samples at a time, a constant of the call. */
KERNEL void residuals(size_t rows, size_t count, const double *weights, const double *const *x, const double *y,
                      const double *factors, double *e)
{
  vector d0 = {0}, d1 = {0}, d2 = {0}, d3 = {0}, d4 = {0}, d5 = {0}, d6 = {0}, d7 = {0};
  for (size_t k = 0; k < count; k += LANES) {
    vector w = LOAD(weights + k);
    DOT(0) DOT(1) DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7)
  }
  END_DOT(0) END_DOT(1) END_DOT(2) END_DOT(3) END_DOT(4) END_DOT(5) END_DOT(6) END_DOT(7)
}

#define START_SUM(v) \
  vector g##v = {0}; \
  if (accumulate && vectors > v) g##v = LOAD(gradient + v * LANES);
#define ADD(v) \
  if (vectors > v) g##v = MULTIPLY_ADD(factor, LOAD(row + v * LANES), g##v);
#define END_SUM(v) \
  if (vectors > v) STORE(gradient + v * LANES, g##v);

/* gradient = sum_s e_s x_s on `vectors` <= 8 vectors from column `first` on. */
KERNEL void add_samples(size_t vectors, size_t samples, const double *const *x, size_t first, const double *e,
                        double *gradient, bool accumulate)
{
  START_SUM(0)
  START_SUM(1)
  START_SUM(2) START_SUM(3) START_SUM(4) START_SUM(5) START_SUM(6) START_SUM(7) for (size_t s = 0; s < samples; s++)
  {
    const double *row = x[s] + first;
    double factor = e[s];
    ADD(0) ADD(1) ADD(2) ADD(3) ADD(4) ADD(5) ADD(6) ADD(7)
  }
  END_SUM(0) END_SUM(1) END_SUM(2) END_SUM(3) END_SUM(4) END_SUM(5) END_SUM(6) END_SUM(7)
}

TARGET static void gradient_of_row(size_t samples, size_t count, const double *weights, const double *const *x,
                                   const double *y, const double *factors, double *e, double *gradient,
                                   bool accumulate)
{
  size_t s = 0, at = 0, vectors = count / LANES;
  for (; s + 8 <= samples; s += 8) residuals(8, count, weights, x + s, y + s, factors + s, e + s);
  for (; s + 4 <= samples; s += 4) residuals(4, count, weights, x + s, y + s, factors + s, e + s);
  for (; s + 2 <= samples; s += 2) residuals(2, count, weights, x + s, y + s, factors + s, e + s);
  for (; s < samples; s++) residuals(1, count, weights, x + s, y + s, factors + s, e + s);
  for (; vectors >= 8; vectors -= 8, at += 8 * LANES) add_samples(8, samples, x, at, e, gradient + at, accumulate);
  switch (vectors) {
  case 7: add_samples(7, samples, x, at, e, gradient + at, accumulate); break;
  case 6: add_samples(6, samples, x, at, e, gradient + at, accumulate); break;
  case 5: add_samples(5, samples, x, at, e, gradient + at, accumulate); break;
  case 4: add_samples(4, samples, x, at, e, gradient + at, accumulate); break;
  case 3: add_samples(3, samples, x, at, e, gradient + at, accumulate); break;
  case 2: add_samples(2, samples, x, at, e, gradient + at, accumulate); break;
  case 1: add_samples(1, samples, x, at, e, gradient + at, accumulate); break;
  default: break;
  }
}

/* --------------------------------------------------------- random indices */

/* Philox4x64-10 of several steps side by side; the words are those of Random123 bit by bit, which takes them one after the
 * other. Ten indices below 100, a block, take 11.4 nanoseconds of an AMD EPYC with AVX-512, 19.7 step by step. */
#ifdef MULTIPLY_HALVES
#include <Random123/philox.h>

typedef uint64_t words __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* The upper words of a times a constant, and the lower ones, from products of halves. */
KERNEL words multiply_words(words a, uint64_t constant, words *low)
{
  words zero = {0}, under = zero + (constant & UINT32_MAX), over = zero + (constant >> 32), a_over = a >> 32;
  words least = MULTIPLY_HALVES(a, under), left = MULTIPLY_HALVES(a_over, under) + (least >> 32);
  words right = MULTIPLY_HALVES(a, over) + (left & UINT32_MAX);
#ifdef MULTIPLY_WORDS
  *low = MULTIPLY_WORDS(a, zero + constant);
#else
  *low = (right << 32) | (least & UINT32_MAX);
#endif
  return MULTIPLY_HALVES(a_over, over) + (left >> 32) + (right >> 32);
}

/* The same of one word. */
static inline uint64_t multiply_word(uint64_t a, uint64_t constant, uint64_t *low)
{
  __extension__ unsigned __int128 product = (unsigned __int128)a * constant;
  *low = (uint64_t)product;
  return (uint64_t)(product >> 64);
}

/* The words of a block under way, of as many steps as a vector has. */
typedef struct {
  words a, b, c, d;
} draw;

/* Two rounds. Of the counter (block, step, 0, 0) only the second word differs between steps, so that the first round is one
 * of words, and half of the second too. */
KERNEL void begin_draw(uint64_t seed, uint64_t stream, words steps, uint64_t block, draw *of)
{
  uint64_t low_block, low_middle, middle = multiply_word(block, PHILOX_M4x64_0, &low_block) ^ stream;
  uint64_t high_middle = multiply_word(middle, PHILOX_M4x64_1, &low_middle);
  words zero = {0};
  of->c =
      multiply_words(steps ^ (zero + seed), PHILOX_M4x64_0, &of->d) ^ (zero + (low_block ^ (stream + PHILOX_W64_1)));
  of->a = zero + (high_middle ^ (seed + PHILOX_W64_0));
  of->b = zero + low_middle;
}

KERNEL void mix_draw(uint64_t seed, uint64_t stream, draw *of)
{
  words zero = {0}, low_a, low_c;
  words high_a = multiply_words(of->a, PHILOX_M4x64_0, &low_a),
        high_c = multiply_words(of->c, PHILOX_M4x64_1, &low_c);
  of->a = high_c ^ of->b ^ (zero + seed);
  of->b = low_c;
  of->c = high_a ^ of->d ^ (zero + stream);
  of->d = low_a;
}

/* The `count` indices that a word has, of as many steps as a vector has, to every second vector. */
KERNEL void take_indices(words word, words bounds, size_t count, uint64_t *indices)
{
  for (; count > 0; count--, indices += 2 * LANES) {
    words under = MULTIPLY_HALVES(word, bounds), over = MULTIPLY_HALVES(word >> 32, bounds) + (under >> 32);
    *(words *)indices = over >> 32;
    word = (over << 32) | (under & UINT32_MAX);
  }
}

/* Two vectors of steps at once: a round of one waits for its products, and the other fills the time. */
TARGET static void draw_indices(uint64_t seed, uint64_t stream, uint64_t step, size_t bound, size_t per_word,
                                size_t count, uint64_t *indices)
{
  words steps, later, bounds = (words){0} + (uint64_t)bound;
  for (size_t lane = 0; lane < LANES; lane++) steps[lane] = step + lane;
  later = steps + LANES;
  for (uint64_t block = 0; count > 0; block++) {
    draw one, other;
    begin_draw(seed, stream, steps, block, &one);
    begin_draw(seed, stream, later, block, &other);
    for (uint64_t round = 2; round < 10; round++) {
      mix_draw(seed + round * PHILOX_W64_0, stream + round * PHILOX_W64_1, &one);
      mix_draw(seed + round * PHILOX_W64_0, stream + round * PHILOX_W64_1, &other);
    }
    const words drawn[2][4] = {{one.a, one.b, one.c, one.d}, {other.a, other.b, other.c, other.d}};
    for (size_t k = 0; k < 4 && count > 0; k++) {
      size_t taken = per_word < count ? per_word : count;
      take_indices(drawn[0][k], bounds, taken, indices);
      take_indices(drawn[1][k], bounds, taken, indices + LANES);
      indices += 2 * LANES * taken;
      count -= taken;
    }
  }
}
#else
#define draw_indices NULL
#endif

#define TABLE_NAME(variant) sgf_kernels_##variant
#define TABLE(variant) TABLE_NAME(variant)
#define TEXT_OF(variant) #variant
#define TEXT(variant) TEXT_OF(variant)
extern const sgf_kernels TABLE(VARIANT);
const sgf_kernels TABLE(VARIANT) = {TEXT(VARIANT), LANES,           multiply,     transpose,   subtract_and_scale,
                                    step,          gradient_of_row, add_products, draw_indices};
