/* Small equations side by side, written once for any width of vectors. The file that includes this defines
 *   VARIANT     the name of the table, such as portable
 *   TARGET      the attribute of a function that may use the instructions
 *   LANES       doubles in a vector: 2, 4 or 8
 *   MULTIPLY_ADD(a, x, sum)   sum + a x
 *   SQUARE_ROOT(x)
 *   TILE        rows and columns of a product that fit into the registers: 2 or 4
 * and gets `const sgf_lanes sgf_lanes_VARIANT`. */
#include <float.h>
#include <stdint.h>
#include <string.h>

#define LANE_KERNEL static inline __attribute__((always_inline)) TARGET
#define LANE_FUNCTION static __attribute__((noinline)) TARGET

typedef double vector __attribute__((vector_size(8 * LANES)));
typedef int64_t words __attribute__((vector_size(8 * LANES)));

#define WHERE(mask, yes, no) ((vector)(((words)(yes) & (mask)) | ((words)(no) & ~(mask))))
#define MAGNITUDE(x) ((vector)((words)(x)&INT64_MAX))
#define WITH_SIGN(x, of) ((vector)(((words)(x)&INT64_MAX) | ((words)(of)&INT64_MIN)))
#define ALL(value) ((vector){0} + (value))
#define ALL_WORDS(value) ((words){0} + (int64_t)(value))
#define LARGER(a, b) WHERE((a) > (b), a, b)
#define SMALLER(a, b) WHERE((a) < (b), a, b)

LANE_KERNEL bool any(words mask)
{
  int64_t all = 0;
  for (size_t k = 0; k < LANES; k++) all |= mask[k];
  return all != 0;
}

LANE_KERNEL int64_t extreme(words values, words mask, bool largest, int64_t otherwise)
{
  int64_t found = otherwise;
  for (size_t k = 0; k < LANES; k++)
    if (mask[k] != 0 && (largest ? values[k] > found : values[k] < found)) found = values[k];
  return found;
}

/* -------------------------------------------------------------- products */

/* A product's factors: element (i, k) of A at A[i row_A + k inner_A], (k, j) of B at B[k inner_B + j column_B]. */
typedef struct {
  size_t n;
  const vector *A, *B;
  size_t row_A, inner_A, inner_B, column_B;
  vector *C; /* row-major */
} lane_product;

#define TILE_ROW(row)                                            \
  if (rows > row) {                                              \
    vector a = A[row * of->row_A];                               \
    c##row##0 = MULTIPLY_ADD(a, b0, c##row##0);                  \
    if (columns > 1) c##row##1 = MULTIPLY_ADD(a, b1, c##row##1); \
    if (columns > 2) c##row##2 = MULTIPLY_ADD(a, b2, c##row##2); \
    if (columns > 3) c##row##3 = MULTIPLY_ADD(a, b3, c##row##3); \
  }
#define TILE_START(row) vector c##row##0 = {0}, c##row##1 = {0}, c##row##2 = {0}, c##row##3 = {0};
#define TILE_END(row)                                \
  if (rows > row) {                                  \
    C[row * of->n] = c##row##0;                      \
    if (columns > 1) C[row * of->n + 1] = c##row##1; \
    if (columns > 2) C[row * of->n + 2] = c##row##2; \
    if (columns > 3) C[row * of->n + 3] = c##row##3; \
  }

/* rows and columns of C from (i, j) on: constants where it is called. */
LANE_KERNEL void tile(const lane_product *of, size_t i, size_t j, size_t rows, size_t columns)
{
  const vector *A = of->A + i * of->row_A, *B = of->B + j * of->column_B;
  vector *C = of->C + i * of->n + j;
  TILE_START(0) TILE_START(1) TILE_START(2) TILE_START(3) for (size_t k = 0; k < of->n; k++)
  {
    vector b0 = B[0], b1 = {0}, b2 = {0}, b3 = {0};
    if (columns > 1) b1 = B[of->column_B];
    if (columns > 2) b2 = B[2 * of->column_B];
    if (columns > 3) b3 = B[3 * of->column_B];
    TILE_ROW(0) TILE_ROW(1) TILE_ROW(2) TILE_ROW(3) A += of->inner_A;
    B += of->inner_B;
  }
  TILE_END(0) TILE_END(1) TILE_END(2) TILE_END(3)
}

#define TILE_COLUMNS(rows)                                           \
  {                                                                  \
    size_t j = upper ? i / TILE * TILE : 0;                          \
    for (; j + TILE <= of->n; j += TILE) tile(of, i, j, rows, TILE); \
    if (TILE > 2 && j + 2 <= of->n) {                                \
      tile(of, i, j, rows, 2);                                       \
      j += 2;                                                        \
    }                                                                \
    if (j < of->n) tile(of, i, j, rows, 1);                          \
  }

/* C = A B; `upper`: tiles on and above the diagonal, then mirrored. */
LANE_FUNCTION void multiply(const lane_product *of, bool upper)
{
  size_t n = of->n, i = 0;
  for (; i + TILE <= n; i += TILE) TILE_COLUMNS(TILE)
  if (TILE > 2 && i + 2 <= n) {
    TILE_COLUMNS(2)
    i += 2;
  }
  if (i < n) TILE_COLUMNS(1)
  for (i = 0; i < n && upper; i++)
    for (size_t j = 0; j < i; j++) of->C[i * n + j] = of->C[j * n + i];
}

LANE_KERNEL void plain_product(size_t n, const vector *A, const vector *B, vector *C)
{
  multiply(&(lane_product){n, A, B, n, 1, n, 1, C}, false);
}

/* out = W S W^T of symmetric S. */
LANE_KERNEL void congruence(size_t n, const vector *W, const vector *S, vector *work, vector *out)
{
  multiply(&(lane_product){n, W, S, n, 1, n, 1, work}, false);
  multiply(&(lane_product){n, work, W, n, 1, 1, n, out}, true);
}

/* out = W^T S W. */
LANE_KERNEL void congruence_back(size_t n, const vector *W, const vector *S, vector *work, vector *out)
{
  multiply(&(lane_product){n, S, W, n, 1, n, 1, work}, false);
  multiply(&(lane_product){n, W, work, 1, n, n, 1, out}, true);
}

LANE_FUNCTION vector norm_of(size_t count, const vector *values)
{
  vector sum = {0}, second = {0};
  size_t k = 0;
  for (; k + 2 <= count; k += 2) {
    sum = MULTIPLY_ADD(values[k], values[k], sum);
    second = MULTIPLY_ADD(values[k + 1], values[k + 1], second);
  }
  if (k < count) sum = MULTIPLY_ADD(values[k], values[k], sum);
  return SQUARE_ROOT(sum + second);
}

/* ||right - A S - S A^T|| for symmetric S, right the identity if it is NULL. */
LANE_FUNCTION vector residual_norm(size_t n, const vector *A, const vector *S, const vector *right, vector *work)
{
  vector sum = {0};
  plain_product(n, A, S, work);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      vector left = right != NULL ? right[i * n + j] : ALL(i == j ? 1.0 : 0.0);
      left -= work[i * n + j] + work[j * n + i];
      sum += (i == j ? 1.0 : 2.0) * left * left;
    }
  return SQUARE_ROOT(sum);
}

/* -------------------------------------------------------------- reflections */

/* v = (1, tail) and tau with (1 - tau v v^T) x = (beta, 0): tail overwrites x[step], x[2 step], ...; 0 where nothing is to be
 * done. */
LANE_KERNEL vector reflector(size_t count, size_t step, vector *x, vector *beta)
{
  vector alpha = x[0], sigma = {0};
  for (size_t i = 1; i < count; i++) sigma = MULTIPLY_ADD(x[i * step], x[i * step], sigma);
  words some = sigma > 0.0;
  vector norm = SQUARE_ROOT(MULTIPLY_ADD(alpha, alpha, sigma));
  vector turned = -WITH_SIGN(norm, alpha);
  vector divisor = WHERE(some, alpha - turned, ALL(1.0));
  vector factor = WHERE(some, 1.0 / divisor, ALL(0.0));
  for (size_t i = 1; i < count; i++) x[i * step] *= factor;
  *beta = WHERE(some, turned, alpha);
  return WHERE(some, (turned - alpha) / WHERE(some, turned, ALL(1.0)), ALL(0.0));
}

/* The lower triangle of S into tridiagonal form: diagonal d, below it e; reflectors stay below that, tau (n). */
LANE_FUNCTION void tridiagonalize(size_t n, vector *S, vector *d, vector *e, vector *tau)
{
  vector v[SGF_MOST_LANE_ROWS], w[SGF_MOST_LANE_ROWS];
  for (size_t k = 0; k + 1 < n; k++) {
    size_t first = k + 1, count = n - first;
    tau[k] = reflector(count, n, S + first * n + k, &e[k]);
    v[0] = ALL(1.0);
    for (size_t i = 1; i < count; i++) v[i] = S[(first + i) * n + k];
    for (size_t i = 0; i < count; i++) w[i] = ALL(0.0);
    for (size_t i = 0; i < count; i++) {
      const vector *row = S + (first + i) * n + first;
      vector sum = row[i] * v[i], factor = v[i];
      for (size_t j = 0; j < i; j++) {
        sum = MULTIPLY_ADD(row[j], v[j], sum);
        w[j] = MULTIPLY_ADD(row[j], factor, w[j]);
      }
      w[i] += sum;
    }
    vector inner = {0};
    for (size_t i = 0; i < count; i++) {
      w[i] *= tau[k];
      inner = MULTIPLY_ADD(w[i], v[i], inner);
    }
    inner *= -0.5 * tau[k];
    for (size_t i = 0; i < count; i++) w[i] = MULTIPLY_ADD(inner, v[i], w[i]);
    for (size_t i = 0; i < count; i++) {
      vector *row = S + (first + i) * n + first, of_v = -v[i], of_w = -w[i];
      for (size_t j = 0; j <= i; j++) row[j] = MULTIPLY_ADD(of_v, w[j], MULTIPLY_ADD(of_w, v[j], row[j]));
    }
  }
  for (size_t k = 0; k < n; k++) d[k] = S[k * (n + 1)];
}

/* The transpose of the product of the reflectors. */
LANE_FUNCTION void collect_reflectors(size_t n, const vector *S, const vector *tau, vector *V)
{
  vector v[SGF_MOST_LANE_ROWS];
  for (size_t k = 0; k < n * n; k++) V[k] = ALL(0.0);
  for (size_t k = 0; k < n; k++) V[k * (n + 1)] = ALL(1.0);
  for (size_t k = n - 1; k-- > 0;) {
    size_t first = k + 1, count = n - first;
    v[0] = ALL(1.0);
    for (size_t i = 1; i < count; i++) v[i] = S[(first + i) * n + k];
    for (size_t j = 0; j < count; j++) {
      vector *row = V + (first + j) * n + first, sum = {0};
      for (size_t i = 0; i < count; i++) sum = MULTIPLY_ADD(row[i], v[i], sum);
      sum *= -tau[k];
      for (size_t i = 0; i < count; i++) row[i] = MULTIPLY_ADD(sum, v[i], row[i]);
    }
  }
}

/* A step of the implicit QL iteration with Wilkinson's shift on rows l to m, which differ from lane to lane; where m = l there
 * is none. */
LANE_KERNEL void ql_step(size_t n, size_t l, words m, vector *d, vector *e, vector *V)
{
  words active = m > (int64_t)l;
  int64_t top = extreme(m, active, true, (int64_t)l);
  vector of_l = WHERE(active, e[l], ALL(1.0)), g = (d[l + 1] - d[l]) / (2.0 * of_l), end = {0};
  for (size_t i = l + 1; i <= (size_t)top; i++) end = WHERE(m == (int64_t)i, d[i], end);
  vector r = SQUARE_ROOT(MULTIPLY_ADD(g, g, ALL(1.0)));
  vector start = end - d[l] + e[l] / (g + WITH_SIGN(r, g)), s = ALL(0.0), c = ALL(1.0), p = {0};
  g = start;
  for (size_t i = (size_t)top; i-- > l;) {
    words begins = m == (int64_t)(i + 1), within = active & (m > (int64_t)i);
    s = WHERE(begins, ALL(1.0), s);
    c = WHERE(begins, ALL(1.0), c);
    p = WHERE(begins, ALL(0.0), p);
    g = WHERE(begins, start, g);
    vector f = s * e[i], b = c * e[i];
    r = SQUARE_ROOT(MULTIPLY_ADD(f, f, g * g));
    words turned = within & (r > 0.0);
    vector divisor = WHERE(turned, r, ALL(1.0));
    s = WHERE(turned, f / divisor, ALL(0.0));
    c = WHERE(turned, g / divisor, ALL(1.0));
    e[i + 1] = WHERE(within & ~begins, r, e[i + 1]);
    g = d[i + 1] - p;
    r = MULTIPLY_ADD(d[i] - g, s, 2.0 * c * b);
    p = s * r;
    d[i + 1] = WHERE(within, g + p, d[i + 1]);
    g = c * r - b;
    vector *lower = V + i * n, *upper = lower + n;
    for (size_t k = 0; k < n; k++) {
      vector kept = upper[k];
      upper[k] = MULTIPLY_ADD(s, lower[k], c * kept);
      lower[k] = c * lower[k] - s * kept;
    }
  }
  d[l] = WHERE(active, d[l] - p, d[l]);
  e[l] = WHERE(active, g, e[l]);
  for (size_t i = l + 1; i < n; i++) e[i] = WHERE(active & (m == (int64_t)i), ALL(0.0), e[i]);
}

/* Eigenvalues d and, in the rows of V, eigenvectors; the lanes that got there. e (n) */
LANE_FUNCTION words diagonalize(size_t n, vector *d, vector *e, vector *V)
{
  enum { MOST_STEPS = 40 };
  e[n - 1] = ALL(0.0);
  for (size_t l = 0; l + 1 < n; l++)
    for (size_t step = 0;; step++) {
      words m = ALL_WORDS(n - 1);
      for (size_t i = n - 1; i-- > l;) {
        words small = MAGNITUDE(e[i]) <= DBL_EPSILON * (MAGNITUDE(d[i]) + MAGNITUDE(d[i + 1]));
        m = (small & (int64_t)i) | (~small & m);
      }
      words active = m > (int64_t)l;
      if (!any(active)) break;
      if (step == MOST_STEPS) return ~active;
      ql_step(n, l, m, d, e, V);
    }
  return ALL_WORDS(-1);
}

/* --------------------------------------------------------- what was found */

typedef struct {
  words found;
  vector A, Q, X, residual, Y_spectral, Y_frobenius, real, imaginary;
} lane_measures;

LANE_FUNCTION void tell(size_t n, const vector *A, const lane_measures *all, sgf_lane *found)
{
  vector products = {0};
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) products += MAGNITUDE(A[i * n + j] * A[j * n + i]);
  for (size_t k = 0; k < LANES; k++)
    found[k] = (sgf_lane){.found = all->found[k] != 0,
                          .A = all->A[k],
                          .Q = all->Q[k],
                          .X = all->X[k],
                          .residual = all->residual[k],
                          .Y_spectral = all->Y_spectral[k],
                          .Y_frobenius = all->Y_frobenius[k],
                          .real = all->real[k],
                          .imaginary = all->imaginary[k],
                          .products = products[k]};
}

TARGET static void solve_symmetric(size_t n, const double *drift, const double *noise, double *solution, double *work,
                                   sgf_lane *found)
{
  const vector *A = (const vector *)drift, *Q = (const vector *)noise;
  vector *X = (vector *)solution, *S = (vector *)work, *V = S + n * n, *W = V + n * n;
  vector d[SGF_MOST_LANE_ROWS], e[SGF_MOST_LANE_ROWS], tau[SGF_MOST_LANE_ROWS], square = {0};
  memcpy(S, A, n * n * sizeof *S);
  tridiagonalize(n, S, d, e, tau);
  collect_reflectors(n, S, tau, V);
  words done = diagonalize(n, d, e, V);
  vector least = d[0];
  for (size_t k = 1; k < n; k++) least = SMALLER(d[k], least);
  done &= least > 0.0;
  for (size_t k = 0; k < n; k++) square += 0.25 / (d[k] * d[k]);
  congruence(n, V, Q, W, X);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) X[i * n + j] = X[j * n + i] = X[i * n + j] / (d[i] + d[j]);
  memcpy(S, X, n * n * sizeof *S);
  congruence_back(n, V, S, W, X);
  lane_measures all = {done,
                       norm_of(n * n, A),
                       norm_of(n * n, Q),
                       norm_of(n * n, X),
                       residual_norm(n, A, X, Q, W),
                       0.5 / least,
                       SQUARE_ROOT(square),
                       least,
                       ALL(0.0)};
  tell(n, A, &all, found);
}

/* --------------------------------------------------- eigenvalues of any drift */

/* Of the eigenvalues: the one of least real part, and the least and largest modulus. */
typedef struct {
  vector real, imaginary, least, largest;
} lane_spectrum;

LANE_KERNEL void see(lane_spectrum *seen, words mask, vector real, vector imaginary)
{
  vector size = SQUARE_ROOT(MULTIPLY_ADD(real, real, imaginary * imaginary));
  words worse = mask & (real < seen->real);
  seen->real = WHERE(worse, real, seen->real);
  seen->imaginary = WHERE(worse, imaginary, seen->imaginary);
  seen->least = WHERE(mask & (size < seen->least), size, seen->least);
  seen->largest = WHERE(mask & (size > seen->largest), size, seen->largest);
}

/* H, of n rows with n + 1 to the row, into Hessenberg form. */
LANE_FUNCTION void reduce_to_hessenberg(size_t n, vector *H)
{
  size_t step = n + 1;
  vector v[SGF_MOST_LANE_ROWS], beta;
  for (size_t k = 0; k + 2 < n; k++) {
    size_t first = k + 1, count = n - first;
    vector tau = reflector(count, step, H + first * step + k, &beta);
    v[0] = ALL(1.0);
    for (size_t i = 1; i < count; i++) {
      v[i] = H[(first + i) * step + k];
      H[(first + i) * step + k] = ALL(0.0);
    }
    H[first * step + k] = beta;
    for (size_t j = first; j < n; j++) {
      vector sum = {0};
      for (size_t i = 0; i < count; i++) sum = MULTIPLY_ADD(v[i], H[(first + i) * step + j], sum);
      sum *= -tau;
      for (size_t i = 0; i < count; i++)
        H[(first + i) * step + j] = MULTIPLY_ADD(sum, v[i], H[(first + i) * step + j]);
    }
    for (size_t i = 0; i < n; i++) {
      vector *row = H + i * step + first, sum = {0};
      for (size_t j = 0; j < count; j++) sum = MULTIPLY_ADD(row[j], v[j], sum);
      sum *= -tau;
      for (size_t j = 0; j < count; j++) row[j] = MULTIPLY_ADD(sum, v[j], row[j]);
    }
  }
}

/* The active block of each lane, rows low to high, and the numbers at its end: x = h_high,high, y = the diagonal element
 * before, w = the product of those beside it. */
typedef struct {
  words low, high;
  vector x, y, w;
} lane_block;

LANE_KERNEL void find_block(size_t n, const vector *H, lane_block *block)
{
  size_t step = n + 1;
  block->low = ALL_WORDS(0);
  block->x = H[0];
  block->y = block->w = ALL(0.0);
  for (size_t l = 1; l < n; l++) {
    const vector *at = H + l * step + l;
    vector below = at[-1], before = at[-1 - (ptrdiff_t)step];
    words small = MAGNITUDE(below) <= DBL_EPSILON * (MAGNITUDE(at[0]) + MAGNITUDE(before));
    words lower = small & (block->high >= (int64_t)l), end = block->high == (int64_t)l;
    block->low = (lower & (int64_t)l) | (~lower & block->low);
    block->x = WHERE(end, at[0], block->x);
    block->y = WHERE(end, before, block->y);
    block->w = WHERE(end, below * at[-(ptrdiff_t)step], block->w);
  }
}

/* The eigenvalues of blocks of one or two rows; the lanes that had some. */
LANE_KERNEL words deflate(lane_block *block, lane_spectrum *seen)
{
  words alive = block->high >= 0, one = alive & (block->low == block->high),
        two = alive & (block->low == block->high - 1);
  if (any(one)) see(seen, one, block->x, ALL(0.0));
  if (any(two)) {
    vector p = 0.5 * (block->y - block->x), q = MULTIPLY_ADD(p, p, block->w), z = SQUARE_ROOT(MAGNITUDE(q));
    words are_real = two & (q >= 0.0), are_complex = two & ~(q >= 0.0);
    vector larger = p + WITH_SIGN(z, p), divisor = WHERE(larger == 0.0, ALL(1.0), larger);
    see(seen, are_real, block->x + larger, ALL(0.0));
    see(seen, are_real, block->x - block->w / divisor, ALL(0.0));
    see(seen, are_complex, block->x + p, z);
  }
  block->high += one; /* -1 where true */
  block->high += two + two;
  return one | two;
}

/* Rows and columns k to k + 2 of H by the reflection that takes (p, q, r) to a multiple of the first. */
LANE_KERNEL void qr_reflect(size_t step, size_t k, size_t first, size_t last, words within, words starts, vector p,
                            vector q, vector r, vector *H)
{
  vector s = WITH_SIGN(SQUARE_ROOT(MULTIPLY_ADD(p, p, MULTIPLY_ADD(q, q, r * r))), p);
  within &= s != 0.0;
  if (k > 0) {
    vector *before = H + k * step + k - 1;
    words inside = within & ~starts;
    before[0] = WHERE(inside, -s, before[0]);
    before[step] = WHERE(inside, ALL(0.0), before[step]);
    before[2 * step] = WHERE(inside, ALL(0.0), before[2 * step]);
  }
  vector by_s = WHERE(within, 1.0 / WHERE(within, s, ALL(1.0)), ALL(0.0)), sum = p + s;
  vector by_sum = WHERE(within, 1.0 / WHERE(within, sum, ALL(1.0)), ALL(0.0));
  vector x = sum * by_s, y = q * by_s, z = r * by_s;
  q *= by_sum;
  r *= by_sum;
  vector *row = H + k * step;
  for (size_t j = k; j <= last; j++) {
    vector at = MULTIPLY_ADD(r, row[2 * step + j], MULTIPLY_ADD(q, row[step + j], row[j]));
    row[j] -= at * x;
    row[step + j] -= at * y;
    row[2 * step + j] -= at * z;
  }
  size_t bottom = k + 3 < last ? k + 3 : last;
  for (size_t i = first; i <= bottom; i++) {
    vector *at = H + i * step + k, along = MULTIPLY_ADD(z, at[2], MULTIPLY_ADD(y, at[1], x * at[0]));
    at[0] -= along;
    at[1] -= along * q;
    at[2] -= along * r;
  }
}

/* A double-shifted QR step in the blocks of the active lanes. */
LANE_KERNEL void qr_step(size_t n, const lane_block *block, words active, vector *H)
{
  size_t step = n + 1, first = (size_t)extreme(block->low, active, false, (int64_t)n),
         last = (size_t)extreme(block->high, active, true, 0);
  for (size_t k = first; k < last; k++) {
    words within = active & (block->low <= (int64_t)k) & (block->high > (int64_t)k);
    if (!any(within)) continue;
    words starts = within & (block->low == (int64_t)k), has_third = block->high > (int64_t)(k + 1);
    const vector *at = H + k * step + k;
    vector p = {0}, q = {0}, r = {0};
    if (k > 0) {
      p = at[-1];
      q = at[step - 1];
      r = at[2 * step - 1];
    }
    if (any(starts)) {
      vector to_x = block->x - at[0], to_y = block->y - at[0];
      vector below = WHERE(starts, at[step], ALL(1.0));
      p = WHERE(starts, (to_x * to_y - block->w) / below + at[1], p);
      q = WHERE(starts, at[step + 1] - at[0] - to_x - to_y, q);
      r = WHERE(starts, at[2 * step + 1], r);
    }
    r = WHERE(has_third, r, ALL(0.0));
    qr_reflect(step, k, first, last, within, starts, p, q, r, H);
  }
}

/* The spectrum of A; the lanes that got there. H: (n + 2) (n + 1) */
LANE_FUNCTION words find_spectrum(size_t n, const vector *A, vector *H, lane_spectrum *seen)
{
  const size_t most_steps = 10 * n + 20;
  for (size_t k = 0; k < (n + 2) * (n + 1); k++) H[k] = ALL(0.0);
  for (size_t i = 0; i < n; i++) memcpy(H + i * (n + 1), A + i * n, n * sizeof *H);
  reduce_to_hessenberg(n, H);
  *seen = (lane_spectrum){ALL(DBL_MAX), ALL(0.0), ALL(DBL_MAX), ALL(0.0)};
  lane_block block = {.high = ALL_WORDS(n - 1)};
  for (size_t step = 0; step < most_steps && any(block.high >= 0); step++) {
    find_block(n, H, &block);
    words alive = block.high >= 0, active = alive & ~deflate(&block, seen);
    if (any(active)) qr_step(n, &block, active, H);
  }
  return block.high < 0;
}

/* ------------------------------------------------------- squared Smith iteration */

/* M <- M^{-1} without pivots: what is wrong with it shows in the residual. */
LANE_FUNCTION void invert(size_t n, vector *M)
{
  for (size_t k = 0; k < n; k++) {
    vector *row = M + k * n, pivot = 1.0 / row[k];
    row[k] = ALL(1.0);
    for (size_t j = 0; j < n; j++) row[j] *= pivot;
    for (size_t i = 0; i < n; i++) {
      if (i == k) continue;
      vector *other = M + i * n, factor = -other[k];
      other[k] = ALL(0.0);
      for (size_t j = 0; j < n; j++) other[j] = MULTIPLY_ADD(factor, row[j], other[j]);
    }
  }
}

/* S <- S + C S C^T in the lanes of `going`. */
LANE_KERNEL void double_sum(size_t n, words going, const vector *C, vector *S, vector *work, vector *change)
{
  if (!any(going)) return;
  congruence(n, C, S, work, change);
  for (size_t k = 0; k < n * n; k++) S[k] += WHERE(going, change[k], ALL(0.0));
}

/* X and Y, Y only to a few digits; the lanes that got there. work: 4 n^2 */
LANE_FUNCTION words smith(size_t n, const vector *A, const vector *Q, const lane_spectrum *seen, vector *X, vector *Y,
                          vector *work)
{
  enum { MOST_STEPS = 12 };
  const double few_digits = 1e-3, all_digits = 1e-18;
  vector *C = work, *B = C + n * n, *next = B + n * n, *change = next + n * n;
  vector p = SQUARE_ROOT(seen->least * seen->largest);
  memcpy(B, A, n * n * sizeof *B);
  for (size_t k = 0; k < n; k++) B[k * (n + 1)] += p;
  invert(n, B);
  congruence(n, B, Q, next, X);
  multiply(&(lane_product){n, B, B, n, 1, 1, n, Y}, true);
  for (size_t k = 0; k < n * n; k++) {
    X[k] *= 2.0 * p;
    Y[k] *= 2.0 * p;
    C[k] = -2.0 * p * B[k];
  }
  for (size_t k = 0; k < n; k++) C[k * (n + 1)] += 1.0;
  words going = ALL_WORDS(-1), rough = ALL_WORDS(-1);
  for (size_t step = 0; step < MOST_STEPS; step++) {
    vector size = norm_of(n * n, C);
    going &= ~(size * size <= all_digits);
    rough &= ~(size * size <= few_digits);
    if (!any(going)) break;
    double_sum(n, going, C, X, next, change);
    double_sum(n, rough, C, Y, next, change);
    plain_product(n, C, C, next);
    memcpy(C, next, n * n * sizeof *C);
  }
  return ~going;
}

/* Whether Y is positive beyond doubt. work: n^2 */
LANE_FUNCTION words is_positive(size_t n, const vector *Y, vector *work)
{
  const double beyond_doubt = 1e-12;
  vector largest = Y[0], least;
  for (size_t k = 0; k < n; k++) largest = LARGER(Y[k * (n + 1)], largest);
  memcpy(work, Y, n * n * sizeof *Y);
  least = Y[0];
  for (size_t k = 0; k < n; k++) {
    vector pivot = work[k * (n + 1)];
    least = WHERE(~(pivot >= least), pivot, least);
    for (size_t i = k + 1; i < n; i++) {
      vector factor = -work[i * n + k] / pivot;
      for (size_t j = k + 1; j <= i; j++) work[i * n + j] = MULTIPLY_ADD(factor, work[j * n + k], work[i * n + j]);
    }
  }
  return least > beyond_doubt * largest;
}

/* The largest eigenvalue of a positive Y by the power method, to about a per cent and from below. */
LANE_FUNCTION vector largest_eigenvalue(size_t n, const vector *Y)
{
  enum { MOST_STEPS = 60 };
  vector v[SGF_MOST_LANE_ROWS], next[SGF_MOST_LANE_ROWS], value = {0}, best = Y[0];
  words going = ALL_WORDS(-1);
  memcpy(v, Y, n * sizeof *v);
  for (size_t j = 1; j < n; j++) {
    words better = Y[j * (n + 1)] > best;
    best = WHERE(better, Y[j * (n + 1)], best);
    for (size_t i = 0; i < n; i++) v[i] = WHERE(better, Y[j * n + i], v[i]);
  }
  for (size_t step = 0; step < MOST_STEPS && any(going); step++) {
    vector factor = 1.0 / norm_of(n, v);
    for (size_t i = 0; i < n; i++) {
      next[i] = ALL(0.0);
      for (size_t j = 0; j < n; j++) next[i] = MULTIPLY_ADD(Y[i * n + j], v[j], next[i]);
      next[i] *= factor;
    }
    memcpy(v, next, n * sizeof *v);
    vector now = norm_of(n, v), before = value;
    value = WHERE(going, now, value);
    going &= now - before > 1e-4 * now;
  }
  return value;
}

TARGET static void solve_general(size_t n, const double *drift, const double *noise, double *solution, double *work,
                                 sgf_lane *found)
{
  const double most = 0.1; /* of the residual of Y */
  const vector *A = (const vector *)drift, *Q = (const vector *)noise;
  vector *X = (vector *)solution, *Y = (vector *)work, *H = Y + n * n;
  lane_spectrum seen;
  words done = find_spectrum(n, A, H, &seen);
  done &= seen.real > 0.0;
  done &= smith(n, A, Q, &seen, X, Y, H);
  vector of_Y = residual_norm(n, A, Y, NULL, H), doubt = 1.0 / (1.0 - SMALLER(of_Y, ALL(most)));
  done &= (of_Y <= most) & is_positive(n, Y, H);
  lane_measures all = {done,
                       norm_of(n * n, A),
                       norm_of(n * n, Q),
                       norm_of(n * n, X),
                       residual_norm(n, A, X, Q, H),
                       largest_eigenvalue(n, Y) * doubt,
                       norm_of(n * n, Y) * doubt,
                       seen.real,
                       seen.imaginary};
  tell(n, A, &all, found);
}

#define LANE_NAME(variant) LANE_NAME_OF(variant)
#define LANE_NAME_OF(variant) sgf_lanes_##variant
extern const sgf_lanes LANE_NAME(VARIANT);
const sgf_lanes LANE_NAME(VARIANT) = {LANES, solve_symmetric, solve_general};
