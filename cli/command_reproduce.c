/* sgflow reproduce: the tables and figures of the paper's claims. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../reproduce/catalogue.h"
#include "../reproduce/reproduction.h"
#include "job.h"
#include "progress.h"

enum { EXIT_USAGE = 64, EXIT_CHECKPOINT = 75 };

static const char DEFAULT_FOLDER[] = "reproduction";

static void tell(const char *line)
{
  if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K%s", line);
}

static bool stop(void) { return progress_signal() != 0; }

static int check_tables(const options *asked)
{
  char names[400];
  for (size_t i = 0; i < asked->table_count; i++) {
    bool known = false;
    for (size_t k = 0; k < CATALOGUE_SIZE; k++) known = known || catalogue_matches(k, asked->tables[i]);
    if (known) continue;
    catalogue_names(names, sizeof names);
    fprintf(stderr, "sgflow: reproduce: '%.40s' is no table, there are %s\n", asked->tables[i], names);
    return EXIT_USAGE;
  }
  return 0;
}

static void print_table(const reproduction *of)
{
  printf("%-14s %6s %9s %13s  %s\n", "table", "agree", "disagree", "inconclusive", "claim");
  for (size_t k = 0; k < CATALOGUE_SIZE; k++) {
    const made *one = &of->all[k];
    if (!reproduction_wants(of, k)) continue;
    printf("%-14s %6zu %9zu %13zu  %s\n", one->of->id, one->agree, one->disagree, one->inconclusive, one->of->title);
  }
  printf("\n%zu problems solved now, %zu were up to date\nreport: %s/index.html, %s/real-data.html\n", of->run.done,
         of->run.kept, of->run.folder, of->run.folder);
}

static int finish(const reproduction *of, sgf_status status, const sgf_error *error)
{
  tell("");
  if (status == SGF_OK) print_table(of);
  if (status == SGF_OK && !of->drawn)
    fputs("sgflow: gnuplot is absent or failed: the pages are without figures\n", stderr);
  if (status == SGF_ERROR_INTERRUPTED) {
    fprintf(stderr, "sgflow: stopped: %zu problems are kept in %s, the same command goes on from there\n",
            of->run.done + of->run.kept, of->run.folder);
    return EXIT_CHECKPOINT;
  }
  if (status != SGF_OK) fprintf(stderr, "sgflow: %s\n", error->message);
  if (fflush(stdout) != 0) return job_exit_status(SGF_ERROR_WRITE);
  return job_exit_status(status);
}

static int run(const options *asked)
{
  int usage = check_tables(asked);
  if (usage != 0) return usage;
  char *text = options_text(&command_reproduce, asked);
  sgf_error error = {SGF_ERROR_MEMORY, "out of memory"};
  reproduction work = {.run = {.folder = asked->folder != NULL ? asked->folder : DEFAULT_FOLDER,
                               .size = asked->quick ? SCALE_QUICK : SCALE_FULL,
                               .threads = asked->threads,
                               .again = asked->overwrite,
                               .tell = tell,
                               .stop = stop},
                       .ids = asked->tables,
                       .id_count = asked->table_count,
                       .overwrite = asked->overwrite,
                       .command = text};
  progress_wait_for_stages(true);
  int code = finish(&work, text != NULL ? reproduce(&work, &error) : SGF_ERROR_MEMORY, &error);
  reproduction_free(&work);
  free(text);
  return code;
}

const command command_reproduce = {
    "reproduce",
    ACCEPTS_TABLES | ACCEPTS_THREADS,
    "the tables and figures of the paper's claims",
    "Make the tables of the claims of arXiv:2311.14120 (T1 to T8), from theory and from SGD: each as CSV and as a "
    "figure, "
    "index.html with all of them, real-data.html with real data sets. Without a name all are made. What is up to "
    "date is not "
    "made again, and a run that was stopped goes on where it was.",
    NULL,
    "0\tmade, whatever the verdicts are\n" STATUS_USAGE "65\ta problem that failed\n" STATUS_OUTPUT
    "75\tstopped; what was done is kept\n",
    "DIR/index.html\tclaims, figures, numbers and verdicts\n"
    "DIR/TABLE.csv\tnumbers of a table, means over data sets and starts; TABLE.svg and TABLE.pdf are its figure\n"
    "DIR/data\tthe numbers of every problem\n",
    "sgflow reproduce --quick\tall tables, of small problems, in minutes\n"
    "sgflow reproduce T5 T6 --out results\ttwo of them, of the full size\n",
    "verify",
    run};
