/* The pages: for every exhibit its claim, figure, numbers, verdict, and the command that makes it. */
#include "page.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/status.h"

static const char STYLE[] =
    "body{font:16px/1.5 Georgia,serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#111}"
    "h1,h2,h3,table,nav,code,summary{font-family:Helvetica,Arial,sans-serif}h1{font-size:1.7rem}h2{font-size:1.25rem;"
    "margin-top:3rem;border-top:1px solid #999;padding-top:1rem}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.8rem;margin:1rem 0;white-space:nowrap}"
    "th,td{padding:.2rem .55rem;text-align:right;border-bottom:1px solid "
    "#ddd}th{white-space:normal;border-bottom:1.5px solid #111;"
    "vertical-align:bottom}td:first-child,th:first-child{text-align:left}.s{color:#666}"
    ".agree{color:#00603f}.disagree{color:#a63a00;font-weight:bold}.inconclusive{color:#555;font-style:italic}"
    "figure{margin:1rem 0}figure img{max-width:100%}figcaption{font-size:.9rem;color:#333}"
    "code{font-size:.85rem;background:#f3f3f3;padding:.1rem .3rem}.claim{font-size:1.05rem}";

static void put_escaped(FILE *out, const char *text)
{
  for (; *text != '\0'; text++) switch (*text) {
    case '<': fputs("&lt;", out); break;
    case '>': fputs("&gt;", out); break;
    case '&': fputs("&amp;", out); break;
    default: fputc(*text, out);
    }
}

/* What a row is of: its case, and its label if it has one. */
static void put_case(FILE *out, const frame *table, size_t row)
{
  const char *label = frame_text(table, row, "row");
  put_escaped(out, frame_text(table, row, "case"));
  if (label[0] == '\0') return;
  fputs(", ", out);
  put_escaped(out, label);
}

void made_count(made *one)
{
  one->agree = one->disagree = one->inconclusive = 0;
  for (size_t r = 0; r < one->table.rows; r++) {
    const char *verdict = frame_text(&one->table, r, "verdict");
    one->agree += strcmp(verdict, sgf_verdict_text(SGF_AGREE)) == 0;
    one->disagree += strcmp(verdict, sgf_verdict_text(SGF_DISAGREE)) == 0;
    one->inconclusive += strcmp(verdict, sgf_verdict_text(SGF_INCONCLUSIVE)) == 0;
  }
}

/* ---------------------------------------------------------------------- numbers */

static void put_verdict(FILE *out, const char *verdict) { fprintf(out, "<td class='%s'>%s</td>", verdict, verdict); }

static void put_head(FILE *out, const exhibit *of, bool compared)
{
  fputs("<tr><th>case</th>", out);
  if (of->test_count > 0) fputs("<th>verdict</th>", out);
  for (size_t t = 0; t < of->test_count && of->test_count > 1; t++) fprintf(out, "<th>(%c)</th>", (char)('a' + t));
  for (size_t k = 0; k < of->column_count; k++)
    if (of->columns[k].label != NULL) fprintf(out, "<th>%s</th>", of->columns[k].label);
  if (compared) fputs("<th>compared within &plusmn;</th><th>at level</th>", out);
  fputs("</tr>\n", out);
}

static void put_value(FILE *out, const frame *table, size_t row, const exhibit_column *column)
{
  char name[80];
  if (column->label == NULL) return;
  fputs("<td>", out);
  put_escaped(out, frame_text(table, row, column->source));
  snprintf(name, sizeof name, "%s_se", column->source);
  if (frame_text(table, row, name)[0] != '\0') fprintf(out, " ± %s", frame_text(table, row, name));
  snprintf(name, sizeof name, "%s_sd", column->source);
  const char *spread = frame_text(table, row, name);
  if (spread[0] != '\0' && strcmp(spread, "0") != 0) fprintf(out, " <span class='s'>[%s]</span>", spread);
  fputs("</td>", out);
}

static void put_numbers(FILE *out, const made *one)
{
  fputs("<div class='wide'><table>\n", out);
  bool compared = frame_column(&one->table, "tolerance") != SIZE_MAX;
  put_head(out, one->of, compared);
  for (size_t r = 0; r < one->table.rows; r++) {
    fputs("<tr><td>", out);
    put_case(out, &one->table, r);
    fputs("</td>", out);
    if (one->of->test_count > 0) put_verdict(out, frame_text(&one->table, r, "verdict"));
    for (size_t t = 0; t < one->of->test_count && one->of->test_count > 1; t++)
      put_verdict(out, frame_text(&one->table, r, one->of->tests[t].name));
    for (size_t k = 0; k < one->of->column_count; k++) put_value(out, &one->table, r, &one->of->columns[k]);
    if (compared)
      fprintf(out, "<td>%s</td><td>%s</td>", frame_text(&one->table, r, "tolerance"),
              frame_text(&one->table, r, "level"));
    fputs("</tr>\n", out);
  }
  fputs("</table></div>\n", out);
}

/* The cases in which the claim as a whole does not hold, or is not decided. */
static void put_exceptions(FILE *out, const made *one, sgf_verdict verdict, const char *before)
{
  bool any = false;
  for (size_t r = 0; r < one->table.rows; r++) {
    if (strcmp(frame_text(&one->table, r, "verdict"), sgf_verdict_text(verdict)) != 0) continue;
    fputs(any ? "; " : before, out);
    put_case(out, &one->table, r);
    any = true;
  }
  if (any) fputs(". ", out);
}

static void put_finding(FILE *out, const made *one)
{
  fputs("<p><b>Verdict.</b> ", out);
  if (one->agree + one->disagree + one->inconclusive == 0) {
    fputs("Nothing is claimed here.</p>\n", out);
    return;
  }
  fprintf(out, "The claim holds in %zu of %zu cases. ", one->agree, one->agree + one->disagree + one->inconclusive);
  put_exceptions(out, one, SGF_DISAGREE, "<span class='disagree'>It does not hold</span> in: ");
  put_exceptions(out, one, SGF_INCONCLUSIVE, "<span class='inconclusive'>Not decided</span> in: ");
  fputs("</p>\n", out);
}

/* ---------------------------------------------------------------------- sections */

static void put_tests(FILE *out, const exhibit *of)
{
  if (of->test_count == 0) return;
  fputs("<p>Claimed of every case", out);
  for (size_t t = 0; t < of->test_count; t++)
    if (of->test_count > 1)
      fprintf(out, "%s (%c) %s", t > 0 ? ";" : ":", (char)('a' + t), of->tests[t].what);
    else
      fprintf(out, ": %s", of->tests[t].what);
  fputs(".</p>\n", out);
}

static void put_section(FILE *out, const made *one, const char *command)
{
  const exhibit *of = one->of;
  fprintf(out, "<h2 id='%s'>%s. %s</h2>\n<p class='claim'>%s</p>\n", of->id, of->id, of->title, of->claim);
  if (!one->complete) {
    fprintf(out, "<p>Not made, or not complete. <code>%s %s</code></p>\n", command, of->id);
    return;
  }
  fprintf(out, "<p>%s</p>\n", of->setup);
  if (one->drawn)
    fprintf(out,
            "<figure><img src='%s.svg' alt='Figure of %s' style='width:%s'><figcaption>%s (<a "
            "href='%s.pdf'>PDF</a>)</figcaption>"
            "</figure>\n",
            of->id, of->id, of->panel_count > 1 ? "100%" : "50%", of->caption, of->id);
  put_tests(out, of);
  put_numbers(out, one);
  put_finding(out, one);
  if (of->remarks != NULL) fprintf(out, "<p>%s</p>\n", of->remarks);
  fprintf(out, "<p><code>%s %s</code> makes <a href='%s.csv'>%s.csv</a>; its replicates are in", command, of->id,
          of->id, of->id);
  for (size_t k = 0; of->of->streams[k].name != NULL; k++)
    fprintf(out, "%s <a href='data/%s-%s.csv'>%s-%s.csv</a>", k > 0 ? "," : "", of->of->name, of->of->streams[k].name,
            of->of->name, of->of->streams[k].name);
  fputs(", its configs in <a href='cases.csv'>cases.csv</a>.</p>\n", out);
}

static void put_summary(FILE *out, const made *all, size_t count, bool real_data)
{
  fputs("<table>\n<tr><th>table</th><th>holds</th><th>does not</th><th>not decided</th></tr>\n", out);
  for (size_t k = 0; k < count; k++) {
    if (all[k].of->on_real_data != real_data) continue;
    fprintf(out, "<tr><td><a href='#%s'>%s</a>. %s</td>", all[k].of->id, all[k].of->id, all[k].of->title);
    if (all[k].complete)
      fprintf(out, "<td>%zu</td><td>%zu</td><td>%zu</td></tr>\n", all[k].agree, all[k].disagree, all[k].inconclusive);
    else
      fputs("<td colspan='3'>not made</td></tr>\n", out);
  }
  fputs("</table>\n", out);
}

static const char INTRODUCTION[] =
    "<p>Each section has one claim of <a href='https://arxiv.org/abs/2311.14120'>arXiv:2311.14120</a> (Gross, Raulf, "
    "R&auml;th, Phys. Rev. Research 6, 033103, 2024), or one that goes beyond it, with theory, SGD, and a verdict. "
    "Numbers are means over replicates, that is data sets and starts; &plusmn; is one standard error by the sampling "
    "of "
    "SGD alone, and [ ] the standard deviation between replicates. <i>agree</i>: what is claimed of a case is "
    "established; <i>disagree</i>: the contrary is; <i>inconclusive</i>: the data do not decide. The verdicts of a "
    "table "
    "share one false-alarm rate, of a thousandth; where a verdict is that of full comparisons of theory with SGD, "
    "each of "
    "these has the tolerance and the level of the last columns, of all its quantities together. Where a claim does "
    "not "
    "hold, the case is named.</p>\n";
static const char INTRODUCTION_REAL[] =
    "<p>The same observables on data that are not Gaussian. What a claim assumes of the data, and what is left of it "
    "without, is said with each table. Numbers and verdicts as on <a href='index.html'>the page of the paper's "
    "claims</a>.</p>\n";

static void put_page(FILE *out, const made *all, size_t count, const frame *provenance, const char *command,
                     bool real_data)
{
  fprintf(out,
          "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
          "content='width=device-width'><title>%s</title><style>%s</style></head><body>\n<h1>%s</h1>\n%s",
          real_data ? "sgflow: real data" : "sgflow: the paper's claims", STYLE,
          real_data ? "Weight fluctuations on real data"
                    : "Weight fluctuations in linear networks: the claims, from theory and from SGD",
          real_data ? INTRODUCTION_REAL : INTRODUCTION);
  put_summary(out, all, count, real_data);
  if (!real_data) fputs("<p>Data that are not Gaussian: <a href='real-data.html'>real data</a>.</p>\n", out);
  for (size_t k = 0; k < count; k++)
    if (all[k].of->on_real_data == real_data) put_section(out, &all[k], command);
  fputs("<h2 id='provenance'>Provenance</h2>\n<table>\n", out);
  for (size_t r = 0; r < provenance->rows; r++) {
    fputs("<tr><td>", out);
    put_escaped(out, frame_text(provenance, r, "what"));
    fputs("</td><td style='text-align:left;white-space:normal'>", out);
    put_escaped(out, frame_text(provenance, r, "value"));
    fputs("</td></tr>\n", out);
  }
  fputs("</table>\n</body></html>\n", out);
}

sgf_status page_write(const made *all, size_t count, const frame *provenance, const char *command, const char *folder,
                      bool real_data, sgf_error *error)
{
  char *text = NULL, *path = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a page");
  put_page(out, all, count, provenance, command, real_data);
  sgf_status status = SGF_OK;
  if (fclose(out) != 0 || asprintf(&path, "%s/%s.html", folder, real_data ? "real-data" : "index") < 0) {
    path = NULL;
    status = sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a page");
  }
  if (status == SGF_OK) status = sgf_write_text(path, text, error);
  free(path);
  free(text);
  return status;
}
