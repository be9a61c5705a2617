/* One run of `sgflow reproduce`: studies completed, tables, figures and pages written. */
#include "reproduction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../cli/lock.h"
#include "../theory/status.h"
#include "catalogue.h"

static const double LEVEL = 1e-3; /* of all tests of an exhibit together */
static const char *const SCALE_NAMES[SCALES] = {"quick", "full"};

void reproduction_free(reproduction *of)
{
  for (size_t k = 0; of->all != NULL && k < CATALOGUE_SIZE; k++) frame_free(&of->all[k].table);
  free(of->all);
  of->all = NULL;
}

bool reproduction_wants(const reproduction *of, size_t k)
{
  for (size_t i = 0; i < of->id_count; i++)
    if (catalogue_matches(k, of->ids[i])) return true;
  return of->id_count == 0;
}

static sgf_status in_folder(const reproduction *of, const char *name, char **path, sgf_error *error)
{
  if (asprintf(path, "%s/%s", of->run.folder, name) >= 0) return SGF_OK;
  *path = NULL;
  return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a path");
}

static sgf_status write_frame(const reproduction *of, const frame *what, const char *name, sgf_error *error)
{
  char *path;
  sgf_status status = in_folder(of, name, &path, error);
  if (status == SGF_OK) status = frame_write(what, path, error);
  free(path);
  return status;
}

/* -------------------------------------------------------------------- the folder */

static sgf_status make_folder(const char *path, sgf_error *error)
{
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created: %s", path, strerror(errno));
}

/* Hours of a full run must not be lost to a quick one. */
static sgf_status check_scale(const reproduction *of, sgf_error *error)
{
  char *path;
  frame found;
  sgf_status status = in_folder(of, "provenance.csv", &path, error);
  if (status == SGF_OK && !of->overwrite && frame_read(path, &found, NULL) == SGF_OK) {
    for (size_t r = 0; r < found.rows; r++)
      if (strcmp(frame_text(&found, r, "what"), "scale") == 0 &&
          strcmp(frame_text(&found, r, "value"), SCALE_NAMES[of->run.size]) != 0)
        status = sgf_fail(error, SGF_ERROR_CREATE,
                          "%s: holds tables of the %s scale; another --out is expected, or --overwrite",
                          of->run.folder, frame_text(&found, r, "value"));
    frame_free(&found);
  }
  free(path);
  return status;
}

static sgf_status open_folder(const reproduction *of, run_lock *lock, sgf_error *error)
{
  char *path = NULL;
  bool busy;
  sgf_status status;
  SGF_TRY(make_folder(of->run.folder, error));
  SGF_TRY(in_folder(of, "data", &path, error));
  SGF_TRY(make_folder(path, error));
  SGF_TRY(lock_take(path, lock, &busy, error));
  if (busy) status = sgf_fail(error, SGF_ERROR_CREATE, "%s: another process makes tables there", of->run.folder);
  if (status == SGF_OK) status = check_scale(of, error);
done:
  free(path);
  return status;
}

/* ------------------------------------------------------------------ what is written */

static sgf_status put_pair(frame *to, const char *what, const char *value, sgf_error *error)
{
  sgf_status status = frame_add_row(to, error);
  if (status == SGF_OK) status = frame_set_text(to, to->rows - 1, "what", what, error);
  return status == SGF_OK ? frame_set_text(to, to->rows - 1, "value", value, error) : status;
}

static sgf_status write_provenance(const reproduction *of, frame *made_here, sgf_error *error)
{
  static const char *const columns[] = {"what", "value", NULL};
  char text[600], host[80] = "", *line, *rest = NULL;
  time_t now = time(NULL);
  struct tm calendar;
  sgf_status status;
  SGF_TRY(frame_create(columns, made_here, error));
  SGF_TRY(put_pair(made_here, "command", of->command, error));
  SGF_TRY(put_pair(made_here, "version", sgf_version(), error));
  SGF_TRY(put_pair(made_here, "scale", SCALE_NAMES[of->run.size], error));
  strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&now, &calendar));
  SGF_TRY(put_pair(made_here, "date", text, error));
  gethostname(host, sizeof host - 1);
  SGF_TRY(put_pair(made_here, "host", host, error));
  sgf_libraries(text, sizeof text);
  for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
    SGF_TRY(put_pair(made_here, "library", line, error));
  SGF_TRY(write_frame(of, made_here, "provenance.csv", error));
done:
  return status;
}

static sgf_status write_cases(const reproduction *of, sgf_error *error)
{
  static const char *const columns[] = {"study", "case", "replicates", "config", NULL};
  char *config = NULL;
  frame cases;
  sgf_status status;
  SGF_TRY(frame_create(columns, &cases, error));
  for (size_t k = 0; k < CATALOGUE_SIZE; k++) {
    const study *one = CATALOGUE[k]->of;
    if (k > 0 && one == CATALOGUE[k - 1]->of) continue;
    for (size_t c = 0; c < one->case_count; c++) {
      if ((one->cases[c].scales & (1u << of->run.size)) == 0) continue;
      SGF_TRY(frame_add_row(&cases, error));
      SGF_TRY(frame_set_text(&cases, cases.rows - 1, "study", one->name, error));
      SGF_TRY(frame_set_text(&cases, cases.rows - 1, "case", one->cases[c].name, error));
      SGF_TRY(
          frame_set_number(&cases, cases.rows - 1, "replicates", (double)one->replicates[of->run.size], 6, error));
      if (asprintf(&config, "%s %s", one->config[of->run.size], one->cases[c].config) < 0) config = NULL;
      SGF_TRY(frame_set_text(&cases, cases.rows - 1, "config", config != NULL ? config : "", error));
      free(config);
      config = NULL;
    }
  }
  SGF_TRY(write_frame(of, &cases, "cases.csv", error));
done:
  free(config);
  frame_free(&cases);
  return status;
}

static sgf_status write_summary(const reproduction *of, sgf_error *error)
{
  static const char *const columns[] = {"table", "agree", "disagree", "inconclusive", "cases", NULL};
  frame summary;
  sgf_status status;
  SGF_TRY(frame_create(columns, &summary, error));
  for (size_t k = 0; k < CATALOGUE_SIZE; k++) {
    const made *one = &of->all[k];
    if (!one->complete) continue;
    SGF_TRY(frame_add_row(&summary, error));
    SGF_TRY(frame_set_text(&summary, summary.rows - 1, "table", one->of->id, error));
    SGF_TRY(frame_set_number(&summary, summary.rows - 1, "agree", (double)one->agree, 6, error));
    SGF_TRY(frame_set_number(&summary, summary.rows - 1, "disagree", (double)one->disagree, 6, error));
    SGF_TRY(frame_set_number(&summary, summary.rows - 1, "inconclusive", (double)one->inconclusive, 6, error));
    SGF_TRY(frame_set_number(&summary, summary.rows - 1, "cases",
                             (double)(one->agree + one->disagree + one->inconclusive), 6, error));
  }
  SGF_TRY(write_frame(of, &summary, "summary.csv", error));
done:
  frame_free(&summary);
  return status;
}

/* What an older run, or one of the other scale, left of an exhibit that is not there now. */
static sgf_status remove_exhibit(const reproduction *of, const exhibit *gone, sgf_error *error)
{
  static const char *const endings[] = {"csv", "svg", "pdf"};
  for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
    char name[60], *path;
    snprintf(name, sizeof name, "%s.%s", gone->id, endings[k]);
    sgf_status status = in_folder(of, name, &path, error);
    if (status != SGF_OK) return status;
    unlink(path);
    free(path);
  }
  return SGF_OK;
}

/* Table and figure of what is complete. */
static sgf_status make_exhibit(reproduction *of, size_t k, sgf_error *error)
{
  made *one = &of->all[k];
  frame frames[MOST_STREAMS];
  char name[40];
  sgf_status status;
  one->of = CATALOGUE[k];
  SGF_TRY(study_read(one->of->of, &of->run, frames, &one->complete, error));
  if (!one->complete) {
    status = remove_exhibit(of, one->of, error);
    goto done;
  }
  SGF_TRY(exhibit_tabulate(one->of, frames, of->run.size, LEVEL, &one->table, error));
  made_count(one);
  snprintf(name, sizeof name, "%s.csv", one->of->id);
  SGF_TRY(write_frame(of, &one->table, name, error));
  SGF_TRY(exhibit_draw(one->of, frames, &one->table, of->run.folder, &one->drawn, error));
  of->drawn = of->drawn && (one->drawn || one->of->panel_count == 0);
done:
  study_free(frames);
  return status;
}

static sgf_status complete_studies(reproduction *of, sgf_error *error)
{
  frame frames[MOST_STREAMS] = {{0}};
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < CATALOGUE_SIZE && status == SGF_OK; k++) {
    bool again = false; /* several exhibits may share a study */
    for (size_t i = 0; i < k; i++)
      again = again || (reproduction_wants(of, i) && CATALOGUE[i]->of == CATALOGUE[k]->of);
    if (again || !reproduction_wants(of, k)) continue;
    status = study_complete(CATALOGUE[k]->of, &of->run, frames, error);
    study_free(frames);
  }
  return status;
}

sgf_status reproduce(reproduction *of, sgf_error *error)
{
  run_lock lock = {0};
  frame provenance = {0};
  sgf_status status;
  of->drawn = true;
  of->all = calloc(CATALOGUE_SIZE, sizeof *of->all);
  if (of->all == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for tables");
  SGF_TRY(open_folder(of, &lock, error));
  SGF_TRY(complete_studies(of, error));
  for (size_t k = 0; k < CATALOGUE_SIZE; k++) SGF_TRY(make_exhibit(of, k, error));
  SGF_TRY(write_provenance(of, &provenance, error));
  SGF_TRY(write_cases(of, error));
  SGF_TRY(write_summary(of, error));
  SGF_TRY(page_write(of->all, CATALOGUE_SIZE, &provenance, of->command, of->run.folder, false, error));
  SGF_TRY(page_write(of->all, CATALOGUE_SIZE, &provenance, of->command, of->run.folder, true, error));
done:
  lock_release(&lock);
  frame_free(&provenance);
  return status;
}
