/* Tables of exhibits: means over replicates, their errors, and the verdict of each claim about each case. */
#include "exhibit.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/status.h"
#include "../verify/statistics.h"

enum { SHOWN_DIGITS = 5, MOST_REPLICATES = 256, GROUPS_OF_ERRORS = 24 /* of the jackknife; more elsewhere */ };

/* The rows of one case, with one label if they have any, in the exhibit's stream. */
typedef struct {
  const frame *from;
  size_t rows[MOST_REPLICATES], count;
} replicates;

static const frame *stream_of(const exhibit *of, const frame *streams)
{
  for (size_t k = 0; of->stream != NULL && of->of->streams[k].name != NULL; k++)
    if (strcmp(of->of->streams[k].name, of->stream) == 0) return &streams[k];
  return &streams[0];
}

static bool same_text(const frame *from, size_t one, size_t other, const char *column)
{
  return column == NULL || strcmp(frame_text(from, one, column), frame_text(from, other, column)) == 0;
}

/* Those with the case and the label of a row; false if an earlier row has them. */
static bool collect(const exhibit *of, const frame *from, size_t row, replicates *found)
{
  *found = (replicates){.from = from};
  for (size_t r = 0; r < from->rows && found->count < MOST_REPLICATES; r++)
    if (same_text(from, r, row, "case") && same_text(from, r, row, of->label)) {
      if (r < row) return false;
      found->rows[found->count++] = r;
    }
  return true;
}

static double cell(const replicates *of, size_t k, const char *column)
{
  return frame_number(of->from, of->rows[k], column);
}

/* ----------------------------------------------------------------------- columns */

/* Mean over the replicates, what sampling leaves of error in it, and the standard deviation between replicates; NaN where
 * there is none. */
static void summarize(const replicates *of, const exhibit_column *column, double *mean, double *error, double *spread)
{
  double sum = 0.0, squares = 0.0, errors = 0.0;
  for (size_t k = 0; k < of->count; k++) {
    double standard_error = column->error != NULL ? cell(of, k, column->error) : NAN;
    sum += cell(of, k, column->source);
    errors += standard_error * standard_error;
  }
  *mean = sum / (double)of->count;
  *error = sqrt(errors) / (double)of->count;
  for (size_t k = 0; k < of->count; k++) {
    double difference = cell(of, k, column->source) - *mean;
    squares += difference * difference;
  }
  *spread = of->count > 1 ? sqrt(squares / (double)(of->count - 1)) : NAN;
  if (*spread < 1e-12 * fabs(*mean)) *spread = 0.0; /* the same in all, but for the round-off of their mean */
}

/* A text that all replicates have, or how many have the first one's. */
static sgf_status put_text(const replicates *of, const exhibit_column *column, frame *table, sgf_error *error)
{
  const char *first = frame_text(of->from, of->rows[0], column->source);
  char text[160];
  size_t same = 0;
  for (size_t k = 0; k < of->count; k++)
    same += strcmp(frame_text(of->from, of->rows[k], column->source), first) == 0;
  if (same == of->count)
    snprintf(text, sizeof text, "%s", first);
  else
    snprintf(text, sizeof text, "%s in %zu of %zu", first, same, of->count);
  return frame_set_text(table, table->rows - 1, column->source, text, error);
}

static sgf_status put_column(const replicates *of, const exhibit_column *column, frame *table, sgf_error *error)
{
  double mean, standard_error, spread;
  char name[80];
  if (column->text) return put_text(of, column, table, error);
  summarize(of, column, &mean, &standard_error, &spread);
  sgf_status status = frame_set_number(table, table->rows - 1, column->source, mean, SHOWN_DIGITS, error);
  snprintf(name, sizeof name, "%s_se", column->source);
  if (status == SGF_OK && column->error != NULL)
    status = frame_set_number(table, table->rows - 1, name, standard_error, 2, error);
  snprintf(name, sizeof name, "%s_sd", column->source);
  return status == SGF_OK ? frame_set_number(table, table->rows - 1, name, spread, 2, error) : status;
}

/* ------------------------------------------------------------------------- tests */

static sgf_verdict decide(double p_agree, double p_disagree, double level)
{
  return p_agree < level ? SGF_AGREE : p_disagree < level ? SGF_DISAGREE : SGF_INCONCLUSIVE;
}

/* Of an estimate with its error: whether it is within the tolerance about 0, or on the claimed side of 0. */
static sgf_verdict judge(const exhibit_test *test, double estimate, double error, double freedom, double level)
{
  if (isnan(estimate) || isnan(error)) return SGF_INCONCLUSIVE;
  double side = test->kind == TEST_BELOW ? -estimate : estimate;
  if (test->kind == TEST_EQUAL && error > 0.0)
    return decide(sgf_p_agree(estimate, error, NAN, test->tolerance, freedom),
                  sgf_p_disagree(estimate, error, NAN, test->tolerance, freedom), level);
  if (test->kind == TEST_EQUAL) return fabs(estimate) < test->tolerance ? SGF_AGREE : SGF_DISAGREE;
  if (test->kind == TEST_SAME) return estimate == 0.0 ? SGF_AGREE : SGF_DISAGREE;
  if (!(error > 0.0)) return side > 0.0 ? SGF_AGREE : SGF_DISAGREE;
  return decide(gsl_cdf_tdist_Q(side / error, freedom), gsl_cdf_tdist_P(side / error, freedom), level);
}

/* left - right of a replicate, of TEST_EQUAL relative to right, and its standard error by sampling. */
static void difference(const replicates *of, size_t k, const exhibit_test *test, double *estimate, double *error)
{
  double right = test->right != NULL ? cell(of, k, test->right) : test->value;
  double left_error = test->left_error != NULL ? cell(of, k, test->left_error) : 0.0;
  double right_error = test->right_error != NULL ? cell(of, k, test->right_error) : 0.0;
  double divisor = test->kind == TEST_EQUAL && right != 0.0 ? fabs(right) : 1.0;
  *estimate = (cell(of, k, test->left) - right) / divisor;
  *error = hypot(left_error, right_error) / divisor;
}

/* The worst of the replicates: one that disagrees is enough, and all must agree. */
static sgf_verdict worse(sgf_verdict one, sgf_verdict other)
{
  if (one == SGF_DISAGREE || other == SGF_DISAGREE) return SGF_DISAGREE;
  return one == SGF_AGREE && other == SGF_AGREE ? SGF_AGREE : SGF_INCONCLUSIVE;
}

static sgf_verdict verdict_of_each(const replicates *of, const exhibit_test *test, double level)
{
  sgf_verdict verdict = SGF_AGREE;
  double estimate, error;
  for (size_t k = 0; k < of->count; k++) {
    if (test->kind == TEST_VERDICTS) {
      const char *text = frame_text(of->from, of->rows[k], test->left);
      sgf_verdict one = strcmp(text, sgf_verdict_text(SGF_AGREE)) == 0      ? SGF_AGREE
                        : strcmp(text, sgf_verdict_text(SGF_DISAGREE)) == 0 ? SGF_DISAGREE
                                                                            : SGF_INCONCLUSIVE;
      verdict = worse(verdict, one);
    } else {
      difference(of, k, test, &estimate, &error);
      verdict = worse(verdict, judge(test, estimate, error, GROUPS_OF_ERRORS - 1, level / (double)of->count));
    }
  }
  return verdict;
}

static sgf_verdict verdict_of_mean(const replicates *of, const exhibit_test *test, double level)
{
  double values[MOST_REPLICATES], mean, error, ignored;
  for (size_t k = 0; k < of->count; k++) difference(of, k, test, &values[k], &ignored);
  if (of->count < 2) return SGF_INCONCLUSIVE;
  sgf_mean_and_error(values, of->count, &mean, &error);
  return judge(test, mean, error, (double)(of->count - 1), level);
}

/* Whether a test is about these rows: it says so, and they have the number that it is about. */
static bool concerns(const exhibit_test *test, const replicates *of)
{
  bool any = false;
  for (size_t k = 0; k < of->count; k++) any = any || frame_text(of->from, of->rows[k], test->left)[0] != '\0';
  return any && frame_passes(of->from, of->rows[0], test->where);
}

static bool has_comparisons(const exhibit *of)
{
  bool any = false;
  for (size_t t = 0; t < of->test_count; t++) any = any || of->tests[t].kind == TEST_VERDICTS;
  return any;
}

/* The last value that a config gives to a key, or `otherwise`. */
static double config_value(const char *config, const char *key, double otherwise)
{
  size_t length = strlen(key);
  for (const char *at = strstr(config, key); at != NULL; at = strstr(at + length, key)) otherwise = atof(at + length);
  return otherwise;
}

/* What the full comparisons of a case were held to. */
static sgf_status put_standards(const exhibit *of, study_scale size, const study_case *which, frame *table,
                                sgf_error *error)
{
  sgf_settings defaults;
  if (!has_comparisons(of)) return SGF_OK;
  sgf_settings_init(&defaults);
  double tolerance = config_value(of->of->config[size], "verify.tolerance=", defaults.verify.tolerance);
  double level = config_value(of->of->config[size], "verify.level=", defaults.verify.level);
  sgf_settings_free(&defaults);
  tolerance = config_value(which->config, "verify.tolerance=", tolerance);
  level = config_value(which->config, "verify.level=", level);
  sgf_status status = frame_set_number(table, table->rows - 1, "tolerance", tolerance, SHOWN_DIGITS, error);
  return status == SGF_OK ? frame_set_number(table, table->rows - 1, "level", level, SHOWN_DIGITS, error) : status;
}

/* The verdict of each test that is about this case, and of all of them; "" without any. */
static sgf_status put_verdicts(const exhibit *of, const replicates *rows, double level, frame *table,
                               sgf_error *error)
{
  sgf_verdict all = SGF_AGREE;
  bool any = false;
  for (size_t t = 0; t < of->test_count; t++) {
    const exhibit_test *test = &of->tests[t];
    if (!concerns(test, rows)) continue;
    sgf_verdict verdict =
        test->of_population ? verdict_of_mean(rows, test, level) : verdict_of_each(rows, test, level);
    all = worse(all, verdict);
    any = true;
    sgf_status status = frame_set_text(table, table->rows - 1, test->name, sgf_verdict_text(verdict), error);
    if (status != SGF_OK) return status;
  }
  return frame_set_text(table, table->rows - 1, "verdict", any ? sgf_verdict_text(all) : "", error);
}

/* ------------------------------------------------------------------------- table */

static sgf_status add_columns(const exhibit *of, frame *table, sgf_error *error)
{
  static const char *const first[] = {"case", "row", "replicates", NULL};
  char name[80];
  sgf_status status = frame_create(first, table, error);
  for (size_t k = 0; k < of->column_count && status == SGF_OK; k++) {
    const exhibit_column *column = &of->columns[k];
    status = frame_add_column(table, column->source, error);
    if (column->text) continue;
    snprintf(name, sizeof name, "%s_se", column->source);
    if (status == SGF_OK && column->error != NULL) status = frame_add_column(table, name, error);
    snprintf(name, sizeof name, "%s_sd", column->source);
    if (status == SGF_OK) status = frame_add_column(table, name, error);
  }
  if (has_comparisons(of) && status == SGF_OK) status = frame_add_column(table, "tolerance", error);
  if (has_comparisons(of) && status == SGF_OK) status = frame_add_column(table, "level", error);
  for (size_t t = 0; t < of->test_count && status == SGF_OK; t++)
    status = frame_add_column(table, of->tests[t].name, error);
  return status == SGF_OK ? frame_add_column(table, "verdict", error) : status;
}

/* How many decisions share the level. */
static size_t decisions(const exhibit *of, const frame *from)
{
  size_t count = 0;
  replicates rows;
  for (size_t r = 0; r < from->rows; r++)
    for (size_t t = 0; collect(of, from, r, &rows) && t < of->test_count; t++)
      count += concerns(&of->tests[t], &rows);
  return count;
}

static sgf_status put_row(const exhibit *of, const replicates *rows, double level, frame *table, sgf_error *error)
{
  const char *label = of->label != NULL ? frame_text(rows->from, rows->rows[0], of->label) : "";
  sgf_status status;
  SGF_TRY(frame_add_row(table, error));
  size_t row = table->rows - 1;
  SGF_TRY(frame_set_text(table, row, "case", frame_text(rows->from, rows->rows[0], "case"), error));
  SGF_TRY(frame_set_text(table, row, "row", label, error));
  SGF_TRY(frame_set_number(table, row, "replicates", (double)rows->count, SHOWN_DIGITS, error));
  for (size_t k = 0; k < of->column_count; k++) SGF_TRY(put_column(rows, &of->columns[k], table, error));
  SGF_TRY(put_verdicts(of, rows, level, table, error));
done:
  return status;
}

sgf_status exhibit_tabulate(const exhibit *of, const frame *streams, study_scale size, double level, frame *table,
                            sgf_error *error)
{
  replicates rows;
  const frame *from = stream_of(of, streams);
  size_t shares = decisions(of, from);
  sgf_status status;
  *table = (frame){0};
  SGF_TRY(add_columns(of, table, error));
  for (size_t c = 0; c < of->of->case_count; c++)
    for (size_t r = 0; r < from->rows; r++) {
      if (strcmp(frame_text(from, r, "case"), of->of->cases[c].name) != 0 || !collect(of, from, r, &rows)) continue;
      SGF_TRY(put_row(of, &rows, level / (double)(shares > 0 ? shares : 1), table, error));
      SGF_TRY(put_standards(of, size, &of->of->cases[c], table, error));
    }
done:
  if (status != SGF_OK) frame_free(table);
  return status;
}
