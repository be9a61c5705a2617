#!/bin/sh
# Bad input, bad outputs and interruption: every failure has its exit code, says why on stderr, and leaves older
# outputs as they were. Environment: SGFLOW, the program; FIXTURES, the program make_fixtures.
#
# The tables: name | exit codes, comma between | regular expression for the first line of stderr | arguments
#   - Arguments are those of sgflow; to its commands -o and --report at older good files are added.
#   - Arguments may begin with one of the functions of "ways to run".
#   - A "+" behind the codes: an older output may be replaced, but only by a complete one.
#   - Codes 0, 1 and 2 are results: stderr is empty, stdout is not, the outputs are new and complete, and where there is no
#     number stdout and report say so: neither has a nan.
set -u
set -f # brackets in the arguments are no patterns
LC_ALL=C
export LC_ALL

absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
SGFLOW=$(absolute "${SGFLOW:?path of the program sgflow}")
FIXTURES=$(absolute "${FIXTURES:?path of the program make_fixtures}")
. "$(dirname "$0")/shell.sh"
mounted=
leave() {
  cd /
  [ -z "$mounted" ] || umount "$mounted"
  chmod -R u+w "$folder"
  rm -rf "$folder"
}
cd "$folder" || exit 1
TMPDIR=$folder
export TMPDIR

# ---------------------------------------------------------------- ways to run

full_stdout() { "$@" >/dev/full; }
closed_stdout() { "$@" >&-; }
interrupted() { timeout -s INT --preserve-status 2 "$@"; }
terminated() { timeout -s TERM --preserve-status 2 "$@"; }
# Writing beyond 4 KiB fails with EFBIG, as on a full disk.
small_files() { (trap '' XFSZ && ulimit -f 8 && exec "$@"); }
small_memory() { (ulimit -v 2000000 && exec "$@"); }

# -------------------------------------------------------------------- one row

complain() { problems="$problems
    $1"; }

intact() { # older file, its copy, what it is
  cmp -s "$1" "$2" && return
  case $codes/$3 in
  *+/output) "$FIXTURES" --check "$1" || complain "the older output is lost, the new one is not complete" ;;
  *+/report) grep -q '</html>' "$1" || complain "the older report is lost, the new one is not complete" ;;
  *) complain "the older $3 is not intact" ;;
  esac
}

check_failure() {
  grep -v '^sgflow: warning: ' stderr | head -n 1 >line
  grep -q '^sgflow: ' line || complain "stderr does not begin with 'sgflow: '"
  grep -Eq -e "$regex" line || complain "stderr does not match /$regex/"
  [ ! -s stdout ] || complain "stdout is not empty"
  intact old/out.h5 good/out.h5 output
  intact old/out.html good/out.html report
}

check_result() {
  [ ! -s stderr ] || complain "stderr is not empty"
  [ -s stdout ] || complain "stdout is empty"
  ! grep -Ewq 'nan|inf' stdout || complain "stdout has a number that is none: $(grep -Ewm 1 'nan|inf' stdout)"
  ! sed '/<svg/,/<\/svg>/d; /<pre>/,/<\/pre>/d' old/out.html | grep -Ewq 'nan|inf' ||
    complain "the report has a number that is none"
  "$FIXTURES" --check old/out.h5 && ! cmp -s old/out.h5 good/out.h5 || complain "the output is not written"
}

row() { # name, codes, regex, arguments
  name=$1 codes=$2 regex=$3 how=timeout problems=
  shift 3
  case ${1-} in
  full_stdout | closed_stdout | interrupted | terminated | small_files | small_memory)
    how=$1
    shift
    ;;
  esac
  case ${1-} in
  verify | compare) command=$1; shift; set -- "$command" -o old/out.h5 --report old/out.html "$@" ;;
  predict | simulate) command=$1; shift; set -- "$command" -o old/out.h5 "$@" ;;
  esac
  rm -f old/out.h5.checkpoint old/out.h5.checkpoint.old old/out.h5.checkpoint.lock
  cp good/out.h5 good/out.html old/
  case $how in
  timeout) timeout 20 "$SGFLOW" "$@" ;;
  *) "$how" "$SGFLOW" "$@" ;;
  esac >stdout 2>stderr </dev/null
  code=$?
  case ,${codes%+}, in *,$code,*) ;; *) complain "exit code $code, expected $codes" ;; esac
  case $codes in [012]) check_result ;; *) check_failure ;; esac
  left=$(find "$folder" -name '*.part-*')
  if [ -n "$left" ]; then
    complain "left behind: $left"
    find "$folder" -name '*.part-*' -exec rm -f {} +
  fi
  [ -z "$device" ] || [ -c /dev/full ] || complain "/dev/full is no device any more"
  if [ -z "$problems" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s: sgflow %s%s\n' "$name" "$*" "$problems"
    sed 's/^/    stderr: /' stderr | head -n 3
  fi
}

skip() { echo "skipped: $1: $2"; }

table() { # rows on stdin
  sed -e 's/ *| */|/g' -e '/^ *#/d' -e '/^ *$/d' >rows
  while IFS='|' read -r name codes regex arguments; do
    eval "row \"\$name\" \"\$codes\" \"\$regex\" $arguments"
  done <rows
}

# -------------------------------------------------------------------- configs

config() { cat >"$1.yaml"; }

config good <<'END'
data: {source: file, file: good.h5}
network:
  widths: [4, 2]
training:
  learning_rate: 0.05
  batch_size: 10
simulation: {replicas: 8, burn_in: 1, window: 5}
END
config gaussian <<'END'
data:
  source: gaussian
  samples: 40
  label_noise: 0.5
network:
  widths: [4, 2]
training:
  learning_rate: 0.05
  batch_size: 10
simulation: {replicas: 8, burn_in: 1, window: 5}
END
config long <<'END'
data: {source: file, file: good.h5}
network: {widths: [4, 2]}
training: {learning_rate: 0.001, batch_size: 10}
simulation: {replicas: 1000, burn_in: 10000, window: 10000}
END
config no_widths <<'END'
training: {batch_size: 10}
END
config unknown_section <<'END'
network: {widths: [4, 2]}
trainer: {batch_size: 10}
END
config unknown_key <<'END'
network: {widths: [4, 2]}
training:
  batch_size: 10
  learning_rat: 0.1
END
config unclosed <<'END'
network: {widths: [4, 2]
training: {batch_size: 10}
END
config tabs <<'END'
network:
	widths: [4, 2]
END
config indent <<'END'
network:
  widths: [4, 2]
 training:
   batch_size: 10
END
config list <<'END'
- network
- training
END
config scalar <<'END'
widths
END
config scalar_section <<'END'
network: {widths: [4, 2]}
training: 5
END
config list_section <<'END'
network: {widths: [4, 2]}
training: [0.1, 10]
END
config list_value <<'END'
network: {widths: [4, 2]}
training:
  learning_rate: [0.1]
END
config scalar_widths <<'END'
network:
  widths: 4
END
config nested_widths <<'END'
network:
  widths: [[4, 2]]
END
config twice_key <<'END'
network: {widths: [4, 2]}
training:
  batch_size: 10
  batch_size: 20
END
config twice_section <<'END'
network: {widths: [4, 2]}
training: {batch_size: 10}
training: {learning_rate: 0.1}
END
config alias <<'END'
network: {widths: &w [4, 2]}
data: {input_spectrum: *w}
END
config two_documents <<'END'
network: {widths: [4, 2]}
---
network: {widths: [5, 2]}
END
config no_file <<'END'
data: {source: file}
network: {widths: [4, 2]}
END
config unrelaxed <<'END'
data: {source: file, file: good.h5}
network: {widths: [4, 2], weights: weights.h5, relax: false}
END
: >empty.yaml
echo '# nothing but this' >comment.yaml
printf 'network:\000 {widths: [4, 2]}\n' >zero_byte.yaml
printf 'network: {widths: [4, 2]} # \377\376\n' >not_utf8.yaml
head -c 2000000 /dev/zero | tr '\0' '#' >large.yaml
mkdir folder.yaml

# ------------------------------------------------------------- the older files

"$FIXTURES" . || { echo "make_fixtures failed"; exit 1; }
mkdir old good folder.h5
cp good.h5 spare.h5
cp good.yaml spare.yaml
device=
[ ! -c /dev/full ] || device=/dev/full
"$SGFLOW" verify good.yaml -o good/out.h5 --report good/out.html >stdout 2>stderr
case $? in
[012]) ;;
*)
  echo "the good config fails:"
  cat stderr
  exit 1
  ;;
esac

# ------------------------------------------------ the fixtures are good fixtures

table <<'END'
good data                  | 2  | - | verify good.yaml
prediction                 | 0  | - | predict good.yaml
simulation                 | 0  | - | simulate good.yaml
Gaussian data              | 2  | - | verify gaussian.yaml
weights relaxed            | 0  | - | predict good.yaml --set network.weights=weights.h5
recorded runs              | 1  | - | compare good.yaml --trajectory trajectory.h5
recorded run               | 1  | - | compare good.yaml --trajectory trajectory_one_run.h5
END

# ---------------------------------- where something of the theory is not defined

table <<'END'
closure, its slow modes    | 2  | - | verify good.yaml --set theory.equation=closure
epochs, their slow modes   | 2  | - | verify good.yaml --set training.sampling=epoch
one mode, no exponent      | 2  | - | verify good.yaml --set data.source=gaussian --set data.samples=40 --set network.widths=[1,1]
widths of 1                | 2  | - | verify gaussian.yaml --set network.widths=[1,1,1] --set training.learning_rate=0.01
widths of 1, epochs        | 2  | - | verify gaussian.yaml --set network.widths=[1,1,1] --set training.sampling=epoch --set training.learning_rate=0.01
widths of 1, weight decay  | 2  | - | verify gaussian.yaml --set network.widths=[1,1,1] --set training.weight_decay=0.05
widths of 1, window-pca    | 2  | - | verify gaussian.yaml --set network.widths=[1,1,1] --set simulation.protocol=window-pca --set training.learning_rate=0.01
a bottleneck, epochs       | 2  | - | verify gaussian.yaml --set network.widths=[4,1,2] --set training.sampling=epoch --set training.learning_rate=0.01
nothing but the symmetry   | 0  | - | predict gaussian.yaml --set network.widths=[1,1,1] --set theory.equation=closure --set training.learning_rate=0.01
END

# -------------------------------------------------------------------- use

table <<'END'
no command                 | 64 | command                       |
unknown command            | 64 | 'prophesy'                    | prophesy good.yaml
option for a command       | 64 | '-o'                          | -o out.h5
no config                  | 64 | config                        | verify
two configs                | 64 | 'gaussian.yaml'               | verify good.yaml gaussian.yaml
unknown option             | 64 | --frobnicate                  | verify good.yaml --frobnicate
unknown short option       | 64 | 'z'                           | verify good.yaml -z
option without its value   | 64 | 'o'                           | predict good.yaml -o
--set without its value    | 64 | --set                         | predict good.yaml --set
flag with a value          | 64 | --json                        | predict good.yaml --json=yes
report of predict          | 64 | --report                      | predict good.yaml --report r.html
trajectory of a predict    | 64 | --trajectory                  | predict good.yaml --trajectory new.h5
trajectory with checkpoint | 64 | --trajectory                  | verify good.yaml --trajectory new.h5 --checkpoint new.checkpoint
no trajectory              | 64 | --trajectory                  | compare good.yaml
threads 0                  | 64 | --threads.*'0'                | verify good.yaml --threads 0
threads -1                 | 64 | --threads.*'-1'               | verify good.yaml --threads=-1
threads 2000               | 64 | --threads.*'2000'             | verify good.yaml --threads 2000
threads not a number       | 64 | --threads.*'two'              | verify good.yaml --threads two
END

# -------------------------------------------------------------------- config

table <<'END'
config missing             | 66 | nosuch.yaml                   | verify nosuch.yaml
config is a folder         | 66 | folder.yaml                   | verify folder.yaml
config empty               | 65 | network.widths                | verify empty.yaml
config only a comment      | 65 | network.widths                | verify comment.yaml
config is HDF5             | 65 | good.h5                       | verify good.h5
config with a zero byte    | 65 | zero_byte.yaml                | verify zero_byte.yaml
config not UTF-8           | 65 | not_utf8.yaml                 | verify not_utf8.yaml
config too large           | 65 | large.yaml                    | verify large.yaml
widths missing             | 65 | network.widths                | verify no_widths.yaml
bracket not closed         | 65 | unclosed.yaml                 | verify unclosed.yaml
tabs                       | 65 | tabs.yaml:2: broken YAML | verify tabs.yaml
wrong indent               | 65 | indent.yaml:3: broken YAML | verify indent.yaml
a list for the whole       | 65 | list.yaml                     | verify list.yaml
a scalar for the whole     | 65 | scalar.yaml                   | verify scalar.yaml
a scalar for a section     | 65 | scalar_section.yaml:2.*training | verify scalar_section.yaml
a list for a section       | 65 | list_section.yaml:2.*training | verify list_section.yaml
a list for a number        | 65 | list_value.yaml:3.*learning_rate | verify list_value.yaml
a scalar for widths        | 65 | scalar_widths.yaml:2.*widths  | verify scalar_widths.yaml
lists in widths            | 65 | nested_widths.yaml:2.*widths  | verify nested_widths.yaml
unknown section            | 65 | unknown_section.yaml:2.*'trainer' | verify unknown_section.yaml
unknown key                | 65 | unknown_key.yaml:4.*'learning_rat'.*training | verify unknown_key.yaml
key given twice            | 65 | twice_key.yaml:4.*batch_size  | verify twice_key.yaml
section given twice        | 65 | twice_section.yaml:3.*training | verify twice_section.yaml
alias                      | 65 | alias.yaml                    | verify alias.yaml
two documents              | 65 | two_documents.yaml            | verify two_documents.yaml
source file without a file | 65 | data.file                     | verify no_file.yaml
END

two_lines='seed=1
x: 2'
table <<'END'
--set without =            | 65,64 | --set training.momentum.*KEY=VALUE  | verify good.yaml --set training.momentum
--set without a key        | 65,64 | --set =5.*KEY=VALUE                 | verify good.yaml --set =5
--set empty                | 65,64 | --set .*KEY=VALUE                   | verify good.yaml --set ''
--set of an unknown key    | 65,64 | --set training.rate=1.*unknown.*'rate'    | verify good.yaml --set training.rate=1
--set in an unknown section | 65,64 | --set trainer.rate=1.*'trainer'    | verify good.yaml --set trainer.rate=1
--set without the section  | 65,64 | --set learning_rate=1.*'learning_rate' | verify good.yaml --set learning_rate=1
--set of a section         | 65,64 | --set training=1.*training          | verify good.yaml --set training=1
--set too deep             | 65,64 | --set training.momentum.x=1         | verify good.yaml --set training.momentum.x=1
--set of broken YAML       | 65,64 | --set network.widths=.4,2           | verify good.yaml --set 'network.widths=[4,2'
--set of two lines         | 65,64 | --set seed=1                        | verify good.yaml --set "$two_lines"
--set without a value      | 65,64 | learning_rate.*''                   | verify good.yaml --set training.learning_rate=
END

# ----------------------------------------------------------- values, key by key

bad_values() { # config, key, values
  config=$1 key=$2
  shift 2
  for value; do
    echo "$key '$value' | 65 | $key.* '?$value | verify $config.yaml --set '$key=$value'"
  done
}

{
  bad_values gaussian data.source files 1 ''
  bad_values gaussian data.samples 0 -1 2.5 nan inf many 99999999999999999999 -1e3
  bad_values gaussian data.teacher teach
  bad_values gaussian data.label_noise -1 nan inf loud
  bad_values gaussian data.input_power_law nan inf -inf steep 100000
  bad_values gaussian data.teacher_rank 0 -1 1.5 nan
  bad_values good data.file ''
  bad_values good network.init_scale -1 nan inf wide
  bad_values good network.relax 2 maybe
  bad_values good network.start middle 1
  bad_values good training.learning_rate 0 -0.1 nan inf fast 0.1x
  bad_values good training.batch_size 0 -1 2.5 nan few
  bad_values good training.sampling sometimes
  bad_values good training.momentum -0.1 1 nan inf
  bad_values good training.weight_decay -0.1 nan inf
  bad_values good theory.noise loud
  bad_values good theory.equation none
  bad_values good theory.rank_tolerance 0 -1 1 nan inf
  bad_values good simulation.dynamics newton
  bad_values good simulation.replicas 0 -1 2.5 nan
  bad_values good simulation.burn_in -1 nan inf
  bad_values good simulation.window 0 -1 nan inf
  bad_values good verify.tolerance 0 -1 nan inf
  bad_values good verify.level 0 -1 nan 0.5 1
  bad_values good seed -1 1.5 nan 18446744073709551616
} | table

# ---------------------------------------------- values that do not fit together

table <<'END'
widths with a 0            | 65 | network.widths.* 0             | verify good.yaml --set network.widths=[0,2]
widths ending in 0         | 65 | network.widths.* 0             | verify good.yaml --set network.widths=[4,0]
widths negative            | 65 | network.widths.*'-4'           | verify good.yaml --set network.widths=[-4,2]
widths not whole           | 65 | network.widths.*'4.5'          | verify good.yaml --set network.widths=[4.5,2]
widths NaN                 | 65 | network.widths.*'nan'          | verify good.yaml --set network.widths=[nan,2]
widths of text             | 65 | network.widths.*'four'         | verify good.yaml --set network.widths=[four,2]
widths beyond 2^64         | 65 | network.widths.*'99999999999999999999' | verify good.yaml --set network.widths=[99999999999999999999,2]
widths empty               | 65 | network.widths                 | verify good.yaml --set network.widths=[]
widths of one entry        | 65 | network.widths                 | verify good.yaml --set network.widths=[4]
widths 10^9 against a file | 65 | network.widths.*2000000000     | verify good.yaml --set network.widths=[1000000000,2]
widths of 10^9 both        | 65 | network.widths.*1000000000     | verify gaussian.yaml --set network.widths=[1000000000,1000000000]
size that overflows        | 65 | network.widths.*2000000000     | verify gaussian.yaml --set network.widths=[1000000000,2] --set data.samples=1000000000000
batch larger than P        | 65 | training.batch_size.*61.*60    | verify good.yaml --set training.batch_size=61
epoch, S does not divide P | 65 | training.batch_size.*7.*60     | verify good.yaml --set training.batch_size=7 --set training.sampling=epoch
samples against the file   | 65 | data.samples.*59.*60           | verify good.yaml --set data.samples=59
samples fewer than inputs  | 65 | singular.*rank 3 of 4          | verify gaussian.yaml --set data.samples=3 --set training.batch_size=1
spectrum and power law     | 65 | input_spectrum.*input_power_law | verify gaussian.yaml --set data.input_spectrum=[1.0] --set data.input_power_law=1.0
spectrum with a zero       | 65 | data.input_spectrum.* 0        | verify gaussian.yaml --set data.input_spectrum=[1,0]
spectrum negative          | 65 | data.input_spectrum.* -2       | verify gaussian.yaml --set data.input_spectrum=[1,-2]
spectrum NaN               | 65 | data.input_spectrum.* 'nan'    | verify gaussian.yaml --set data.input_spectrum=[nan]
spectrum infinite          | 65 | data.input_spectrum.* inf      | verify gaussian.yaml --set data.input_spectrum=[inf]
spectrum of text           | 65 | data.input_spectrum.* 'flat'   | verify gaussian.yaml --set data.input_spectrum=[flat]
spectrum too long          | 65 | data.input_spectrum.*5.*4      | verify gaussian.yaml --set data.input_spectrum=[1,1,1,1,1]
spectrum a scalar          | 65 | input_spectrum                 | verify gaussian.yaml --set data.input_spectrum=1
teacher rank too large     | 65 | data.teacher_rank.*3.*2        | verify gaussian.yaml --set data.teacher=low-rank --set data.teacher_rank=3
rate beyond the limit      | 65 | training.learning_rate.*50.*limit [0-9] | verify good.yaml --set training.learning_rate=50
rate beyond, predict       | 65 | training.learning_rate.*50.*limit [0-9] | predict good.yaml --set training.learning_rate=50
rate beyond, simulate      | 65 | training.learning_rate.*50.*limit [0-9] | simulate good.yaml --set training.learning_rate=50
rate beyond, forced        | 65 | diverge.*step [0-9]+.*learning rate 50.*limit [0-9] | verify good.yaml --force --set training.learning_rate=50 --set simulation.window=5000
rate beyond, forced, alone | 65 | diverge.*step [0-9]+.*learning rate 50.*limit [0-9] | simulate good.yaml --force --set training.learning_rate=50 --set simulation.window=5000
2 replicas                 | 65 | simulation.replicas.*2         | verify good.yaml --set simulation.replicas=2
1 replica                  | 65 | simulation.replicas.*1         | verify good.yaml --set simulation.replicas=1
window of too many steps   | 65 | simulation.window.*1e\+300     | verify good.yaml --set simulation.window=1e300
burn-in of too many steps  | 65 | simulation.burn_in.*1e\+300    | verify good.yaml --set simulation.burn_in=1e300
whole batch, no noise      | 65 | nothing fluctuates             | verify good.yaml --set training.batch_size=60 --set training.sampling=without-replacement
steps lost to round-off    | 65 | training.learning_rate is 1e-20: a step of SGD has the length [0-9.]+e-2[01] | verify good.yaml --set training.learning_rate=1e-20 --set simulation.burn_in=1e-19 --set simulation.window=1e-18
squares underflow          | 65 | trace of the covariance is [0-9.]+e-19[0-9]: its square | verify good.yaml --set training.weight_decay=1e99 --set training.learning_rate=1e-99 --set simulation.burn_in=1e-98 --set simulation.window=1e-97
weight decay overflows     | 65 | training.[a-z_]+ is        | verify good.yaml --set training.weight_decay=1e308
momentum with exact        | 65 | training.momentum is 0.9 .*exact | verify good.yaml --set training.momentum=0.9 --set theory.equation=exact
momentum with langevin     | 65 | langevin.*training.momentum is 0.9 | verify good.yaml --set training.momentum=0.9 --set theory.equation=continuum --set simulation.dynamics=langevin
langevin                   | 65 | simulation.dynamics.*langevin.*continuum | verify good.yaml --set simulation.dynamics=langevin
closure, epochs, momentum  | 65 | closure.*training.sampling epoch and training.momentum 0.5 | verify good.yaml --set theory.equation=closure --set training.sampling=epoch --set training.momentum=0.5
closure, epochs, too many  | 65 | closure.*training.sampling epoch.*numbers are to be kept | predict good.yaml --set theory.equation=closure --set training.sampling=epoch --set data.source=gaussian --set network.widths=[8,8,8] --set data.samples=600
closure, epochs of a batch | 65 | closure.*training.sampling epoch: an epoch of 1 batches | predict good.yaml --set theory.equation=closure --set training.sampling=epoch --set training.batch_size=60
closure, population        | 65 | closure.*theory.noise population | predict good.yaml --set theory.equation=closure --set theory.noise=population
closure, window-pca        | 65 | closure.*window-pca            | verify good.yaml --set theory.equation=closure --set simulation.protocol=window-pca
saddle with weight decay   | 65 | eigenvalue -0.[0-9]* of its largest: a saddle .*weight-decay | verify good.yaml --set network.widths=[4,3,2] --set training.weight_decay=0.1 --set network.init_scale=0
weight decay, not relaxed  | 65 | network.relax is false         | verify good.yaml --set network.widths=[4,3,2] --set training.weight_decay=0.1 --set network.relax=false
window-pca, weight decay   | 65 | window-pca.*training.weight_decay 0.1 | verify good.yaml --set network.widths=[4,3,2] --set training.weight_decay=0.1 --set theory.equation=discrete --set simulation.protocol=window-pca
weights shrunk to zero     | 65 | nothing fluctuates             | verify good.yaml --set network.widths=[4,3,2] --set training.weight_decay=9
the saddle at the origin   | 65 | loss 1.8033999 is above .*saddle | verify good.yaml --set network.widths=[4,3,2] --set network.init_scale=0
the origin, three layers   | 65 | loss 1.8033999 is above .*saddle | verify good.yaml --set network.widths=[4,3,3,2] --set network.init_scale=0
the origin, not relaxed    | 65 | loss 1.8033999 is above .*saddle | verify good.yaml --set network.widths=[4,3,2] --set network.init_scale=0 --set network.relax=false
balanced, one layer        | 65 | network.start is balanced .*no hidden layer | verify good.yaml --set network.start=balanced
balanced, not relaxed      | 65 | network.start is noise-balanced and network.relax | verify good.yaml --set network.widths=[4,3,2] --set theory.equation=discrete --set network.start=noise-balanced --set network.relax=false
balanced, weight decay     | 65 | network.start is balanced and training.weight_decay 0.1 | verify good.yaml --set network.widths=[4,3,2] --set theory.equation=discrete --set network.start=balanced --set training.weight_decay=0.1
noise balance, no noise    | 65 | network.start is noise-balanced .*there is no noise | predict gaussian.yaml --set network.widths=[4,3,2] --set theory.equation=discrete --set network.start=noise-balanced --set data.label_noise=0
weights of another depth   | 65 | weights.h5.* W1 .*shape        | verify good.yaml --set network.widths=[4,3,2] --set network.weights=weights.h5
flatness factor too small  | 65 | theory.flatness_factor is 1:   | predict good.yaml --set theory.flatness_factor=1
flatness factor infinite   | 65 | theory.flatness_factor is inf  | predict good.yaml --set theory.flatness_factor=inf
protocol unknown           | 65 | simulation.protocol.*'pca'     | verify good.yaml --set simulation.protocol=pca
window-pca of epochs       | 65 | simulation.protocol is window-pca.*epoch | verify good.yaml --set simulation.protocol=window-pca --set training.sampling=epoch
uncoupled is not a flag    | 65 | simulation.uncoupled.*'maybe'  | verify good.yaml --set simulation.uncoupled=maybe
two layers, exact          | 65 | theory.equation.*exact.*2 layers | verify good.yaml --set network.widths=[4,3,2] --set theory.equation=exact
window-pca, multiplicative | 65 | window-pca.*multiplicative | verify good.yaml --set simulation.protocol=window-pca --set theory.equation=multiplicative
epoch with multiplicative  | 65 | theory.equation.*multiplicative.*epoch | verify good.yaml --set training.sampling=epoch --set theory.equation=multiplicative
epoch with exact           | 65 | theory.equation.*exact.*epoch  | verify good.yaml --set training.sampling=epoch --set theory.equation=exact
epoch with continuum       | 65 | theory.equation.*continuum.*epoch | verify good.yaml --set training.sampling=epoch --set theory.equation=continuum
END

if small_memory "$SGFLOW" --version >stdout 2>&1; then
  table <<'END'
no memory for the data     | 65 | network.widths.*2000000000      | small_memory verify gaussian.yaml --set network.widths=[1000000000,2]
no memory for the samples  | 65,70 | 1000000000 .*[GM]iB      | small_memory verify gaussian.yaml --set data.samples=1000000000
more steps than countable  | 65 | replicas is 1000000000000000: with | verify good.yaml --set simulation.replicas=1000000000000000
too many replicas          | 65,70 | replicas.*4000000000000000000  | small_memory verify good.yaml --set simulation.replicas=4000000000000000000
END
else
  skip "no memory" "the program does not start in little memory (sanitizers need much)"
fi

# -------------------------------------------------------------------- data

table <<'END'
file missing               | 66 | nosuch.h5                      | verify good.yaml --set data.file=nosuch.h5
file is a folder           | 66,65 | folder.h5                   | verify good.yaml --set data.file=folder.h5
file is a device           | 66,65 | /dev/null                   | verify good.yaml --set data.file=/dev/null
not HDF5                   | 65 | not_hdf5.h5.*HDF5              | verify good.yaml --set data.file=not_hdf5.h5
empty file                 | 65 | empty.h5.*HDF5                 | verify good.yaml --set data.file=empty.h5
truncated                  | 65 | truncated.h5.*truncated.*2500  | verify good.yaml --set data.file=truncated.h5
damaged                    | 65 | damaged.h5                     | verify good.yaml --set data.file=damaged.h5
checksum wrong             | 65 | checksum.h5.* X .*damaged      | verify good.yaml --set data.file=checksum.h5
X missing                  | 65 | missing_X.h5.* X .*missing     | verify good.yaml --set data.file=missing_X.h5
Y missing                  | 65 | missing_Y.h5.* Y .*missing     | verify good.yaml --set data.file=missing_Y.h5
X is a group               | 65 | group_X.h5.* X | verify good.yaml --set data.file=group_X.h5
X of rank 1                | 65 | rank_X.h5.* X .* 1             | verify good.yaml --set data.file=rank_X.h5
X of rank 6                | 65 | rank6_X.h5.* X .* 6            | verify good.yaml --set data.file=rank6_X.h5
Y of rank 3                | 65 | rank_Y.h5.* Y .* 3             | verify good.yaml --set data.file=rank_Y.h5
X of wrong shape           | 65 | shape_X.h5.* X .*60, 3.*4      | verify good.yaml --set data.file=shape_X.h5
X transposed               | 65 | transposed_X.h5.* X .*4, 60.*4 | verify good.yaml --set data.file=transposed_X.h5
Y of wrong shape           | 65 | shape_Y.h5.* Y .*60, 3.*2      | verify good.yaml --set data.file=shape_Y.h5
X without rows             | 65 | no_rows.h5.* X .*0, 4          | verify good.yaml --set data.file=no_rows.h5
X and Y of different P     | 65 | samples_differ.h5.*60.*59      | verify good.yaml --set data.file=samples_differ.h5
NaN in X                   | 65 | X.17, 2. is -?nan              | verify good.yaml --set data.file=nan_X.h5
Inf in Y                   | 65 | Y.31, 1. is inf                | verify good.yaml --set data.file=inf_Y.h5
X too large to square      | 65 | overflow_X.h5: X has the root mean square 6.45497e\+198 | verify good.yaml --set data.file=overflow_X.h5
X too small to square      | 65 | tiny_X.h5: X has the root mean square [0-9.]+e-8[01] | verify good.yaml --set data.file=tiny_X.h5 --set training.momentum=0.5
Y too large to square      | 65 | data: Y has the root mean square [0-9.]+e\+80: | verify gaussian.yaml --set data.label_noise=1e80
constant column            | 65 | column 1 of X .*constant.*1.5  | verify good.yaml --set data.file=constant_column.h5
constant column, forced    | 2  | -                              | verify good.yaml --set data.file=constant_column.h5 --force
zero column                | 65 | column 1 of X .*0              | verify good.yaml --set data.file=zero_column.h5
zero column, forced        | 65 | column 1 of X .*0              | verify good.yaml --set data.file=zero_column.h5 --force
P < N_0                    | 65 | singular.*rank 3 of 4.*3 samples | verify good.yaml --set data.file=few_samples.h5 --set training.batch_size=1
P < N_0, weight decay      | 0  | -                              | predict good.yaml --set data.file=few_samples.h5 --set training.batch_size=1 --set training.weight_decay=0.1
X of strings               | 65 | string_X.h5.* X .*numeric      | verify good.yaml --set data.file=string_X.h5
X of claimed size          | 65 | huge_X.h5.* X .*4398046511104  | verify good.yaml --set data.file=huge_X.h5
END

# ------------------------------------------------------- weights, trajectories

table <<'END'
weights missing            | 66 | nosuch.h5                      | verify good.yaml --set network.weights=nosuch.h5
weights not HDF5           | 65 | not_hdf5.h5                    | verify good.yaml --set network.weights=not_hdf5.h5
weights without W1         | 65 | weights_missing.h5.* W1 .*missing | verify good.yaml --set network.weights=weights_missing.h5
weights of wrong shape     | 65 | weights_shape.h5.* W1 .*4, 2.*2, 4 | verify good.yaml --set network.weights=weights_shape.h5
weights of wrong rank      | 65 | weights_rank.h5.* W1 .* 1      | verify good.yaml --set network.weights=weights_rank.h5
weights with a NaN         | 65 | weights_nan.h5.* 3 .*nan       | verify good.yaml --set network.weights=weights_nan.h5
weights not at the minimum | 65 | network.relax.*gradient.*[0-9] | verify unrelaxed.yaml
relax: false, no weights   | 65 | network.relax                  | verify good.yaml --set network.relax=false
trajectory missing         | 66 | nosuch.h5                      | compare good.yaml --trajectory nosuch.h5
trajectory a folder        | 66,65 | folder.h5                   | compare good.yaml --trajectory folder.h5
trajectory not HDF5        | 65 | not_hdf5.h5                    | compare good.yaml --trajectory not_hdf5.h5
trajectory truncated       | 65 | truncated.h5                   | compare good.yaml --trajectory truncated.h5
windows without a stride   | 65 | trajectory.h5: weights has no attribute stride | compare good.yaml --trajectory trajectory.h5 --set simulation.protocol=window-pca --set theory.equation=discrete
trajectory without its set | 65 | trajectory_missing.h5.*weights.*missing | compare good.yaml --trajectory trajectory_missing.h5
trajectory of wrong n      | 65 | trajectory_n.h5.*16, 50, 7.* 8 | compare good.yaml --trajectory trajectory_n.h5
trajectory of rank 1       | 65 | trajectory_rank1.h5.* 1        | compare good.yaml --trajectory trajectory_rank1.h5
trajectory of rank 4       | 65 | trajectory_rank4.h5.* 4        | compare good.yaml --trajectory trajectory_rank4.h5
trajectory with a NaN      | 65 | trajectory_nan.h5.*3, 20, 5.*nan | compare good.yaml --trajectory trajectory_nan.h5
trajectory that overflows  | 65 | trajectory_overflow.h5.*3, 20, 5.*1e\+200 | compare good.yaml --trajectory trajectory_overflow.h5
stride NaN                 | 65 | attribute stride of weights is nan | compare good.yaml --trajectory trajectory_stride_nan.h5
stride 0                   | 65 | attribute stride of weights is 0: | compare good.yaml --trajectory trajectory_stride_0.h5
stride negative            | 65 | attribute stride of weights is -2: | compare good.yaml --trajectory trajectory_stride_negative.h5
stride 1e300               | 65 | attribute stride of weights is 1e\+300: | compare good.yaml --trajectory trajectory_stride_huge.h5
trajectory too short       | 65 | trajectory_short.h5.* 10 .*96  | compare good.yaml --trajectory trajectory_short.h5
trajectory of 1 snapshot   | 65 | trajectory_one_snapshot.h5.* 1 | compare good.yaml --trajectory trajectory_one_snapshot.h5
trajectory of 2 runs       | 65 | trajectory_two_runs.h5.* 2     | compare good.yaml --trajectory trajectory_two_runs.h5
trajectory of claimed size | 65 | trajectory_huge.h5.*weights    | compare good.yaml --trajectory trajectory_huge.h5
END

# ------------------------------------------------------------------ equations

cp system.h5 kept.h5
table <<'END'
equation, no file          | 64 | lyapunov: a file               | lyapunov
equation, wrong option     | 64 | --rnak                         | lyapunov system.h5 --rnak-tolerance 1e-9
equation, wrong method     | 64 | 'shcur': auto, symmetric       | lyapunov system.h5 --method shcur
equation, tolerance        | 64 | --rank-tolerance is '2'        | lyapunov system.h5 --rank-tolerance 2
equation, tolerance word   | 64 | --rank-tolerance is 'tiny'     | lyapunov system.h5 --rank-tolerance tiny
equation, a config's option | 64 | --set                         | lyapunov system.h5 --set seed=1
equation, Q twice          | 64 | 'B.mtx' and 'Q.mtx'            | lyapunov A.mtx Q.mtx --factor B.mtx
equation missing           | 66 | nosuch.h5                      | lyapunov nosuch.h5
equation is a folder       | 66 | folder.h5                      | lyapunov folder.h5
equation not HDF5          | 65 | not_hdf5.h5.*HDF5              | lyapunov not_hdf5.h5
equation truncated         | 65 | truncated.h5                   | lyapunov truncated.h5
equation is a config       | 65 | good.yaml.*HDF5                | lyapunov good.yaml
no A                       | 65 | A is missing, the file has a   | lyapunov system_no_A.h5
no Q                       | 65 | Q .or B.* missing, the file has A | lyapunov system_no_Q.h5
Q and B                    | 65 | datasets Q and B               | lyapunov system_both.h5
A of rank 1                | 65 | A has 1 dimensions             | lyapunov system_A_rank.h5
A not square               | 65 | A has shape .3, 2.             | lyapunov system_A_shape.h5
A of claimed size          | 65 | A claims                       | lyapunov system_A_huge.h5
Q of wrong shape           | 65 | Q has shape .2, 3., .3, 3.     | lyapunov system_Q_shape.h5
B of wrong shape           | 65 | B has shape .2, 3., .3, 3.     | lyapunov system_B_shape.h5
NaN in A                   | 65 | nan.h5: A: element .1, 2. is nan | lyapunov system_nan.h5
Inf in Q                   | 65 | inf.h5: Q: element .1, 1. is inf | lyapunov system_inf.h5
Q not symmetric            | 65 | Q: not symmetric               | lyapunov system_asymmetric.h5
X overflows                | 65 | overflow.h5: X: overflow        | lyapunov system_overflow.h5
A unstable                 | 65 | the eigenvalue -0.5 must       | lyapunov system_unstable.h5
A unstable, discrete       | 65 | the eigenvalue                 | lyapunov system.h5 --discrete
null space driven          | 65 | drives the 1 quantities        | lyapunov system_driven.h5
rank ambiguous             | 65 | ambiguous.h5: A: rank . of 3 is ambiguous.*rank tolerance | lyapunov system_ambiguous.h5
method for a sparse A      | 65 | method kronecker is for a sparse | lyapunov system.h5 --method kronecker
method for a symmetric A   | 65 | method symmetric: A is not     | lyapunov system.h5 --method symmetric
method for a factor        | 65 | low-rank needs Q as a factor   | lyapunov system_csc.h5 --method low-rank
sparse, another format     | 65 | 'coo': csc or csr              | lyapunov system_coo.h5
sparse, row outside        | 65 | entry 4 is in row 3 of 3       | lyapunov system_index.h5
sparse by rows, outside    | 65 | A: entry 4 is in column 7 of 3 | lyapunov system_rows.h5
sparse, lengths differ     | 65 | indptr that end with 6         | lyapunov system_indptr.h5
sparse, no shape           | 65 | no attribute shape             | lyapunov system_no_shape.h5
sparse, another shape      | 65 | do not fit its shape           | lyapunov system_sparse_shape.h5
X0 missing                 | 65 | X0 is missing, the file has A, Q, note | lyapunov system.h5 --initial system.h5
X0 no file                 | 66 | nosuch.h5                      | lyapunov system.h5 --initial nosuch.h5
X0 of wrong shape          | 65 | X0 has shape .2, 2.            | lyapunov system.h5 --initial small.mtx
Matrix Market, A alone     | 65 | A.mtx: .*second file           | lyapunov A.mtx
Matrix Market, Q missing   | 66 | nosuch.mtx                     | lyapunov A.mtx nosuch.mtx
Matrix Market, a bad line  | 65 | bad.mtx, line 3.*'1 4 1'       | lyapunov bad.mtx Q.mtx
Matrix Market, Q too small | 65 | small.mtx: Q has shape .2, 2.  | lyapunov A.mtx small.mtx
Matrix Market, B too small | 65 | wide.mtx: B has shape .2, 3., .3, 3. | lyapunov A.mtx --factor wide.mtx
Matrix Market, not square  | 65 | wide.mtx: A has shape .2, 3.   | lyapunov wide.mtx Q.mtx
Matrix Market, Q is HDF5   | 65 | system.h5: not a Matrix Market | lyapunov A.mtx system.h5
HDF5 and a second file     | 65 | 'Q.mtx' is too much            | lyapunov system.h5 Q.mtx
solution over its equation | 73 | system.h5.*is an input .without -o | lyapunov system.h5 -o system.h5
solution over a matrix     | 73 | A.mtx.*is an input             | lyapunov A.mtx Q.mtx -o A.mtx
solution's folder missing  | 73 | nosuch/x.h5                    | lyapunov system.h5 -o nosuch/x.h5
solution too large         | 73,74 | system.h5.*cannot be written | small_files lyapunov system.h5
END
if cmp -s system.h5 kept.h5; then passed=$((passed + 1)); else
  failed=$((failed + 1))
  echo "FAILED: a refused equation's file is not intact"
fi
if [ "$(id -u)" -ne 0 ]; then
  chmod a-w system.h5
  table <<'END'
equation read-only         | 73 | system.h5: X cannot be written into it.*-o | lyapunov system.h5
END
  chmod u+w system.h5
fi

# -------------------------------------------------------------- hostile files

# Other files are neither read nor written, whatever a file says; nothing hangs, nothing takes much memory. secret.h5 has all
# that would be found there: to follow would end in a result.
mkfifo pipe
ln -s circle.yaml circle.yaml
cp secret.h5 secret_kept.h5
table <<'END'
another file's X           | 65 | hostile_link.h5: X is a link to another file | verify good.yaml --set data.file=hostile_link.h5
a link to itself           | 65 | hostile_loop.h5: X is a link to nothing, to itself | verify good.yaml --set data.file=hostile_loop.h5
a link to nothing          | 65 | hostile_nothing.h5: X is a link to nothing | verify good.yaml --set data.file=hostile_nothing.h5
a link to another's link   | 65 | hostile_inside.h5: X is a link | verify good.yaml --set data.file=hostile_inside.h5
another file's W1          | 65 | hostile_weights.h5: W1 is a link to another | verify good.yaml --set network.weights=hostile_weights.h5
another file's weights     | 65 | hostile_trajectory.h5: weights is a link to another | compare good.yaml --trajectory hostile_trajectory.h5
another file's A           | 65 | hostile_system.h5: dataset A is missing | lyapunov hostile_system.h5
values in another file     | 65 | hostile_storage.h5: dataset X has its values in other | verify good.yaml --set data.file=hostile_storage.h5
virtual dataset            | 65 | hostile_virtual.h5: dataset X is a virtual | verify good.yaml --set data.file=hostile_virtual.h5
virtual dataset of itself  | 65 | hostile_own.h5: dataset X is a virtual | verify good.yaml --set data.file=hostile_own.h5
virtual trajectory         | 65 | hostile_virtual_runs.h5: dataset weights is a virtual | compare good.yaml --trajectory hostile_virtual_runs.h5
filter of a plugin         | 65 | hostile_filter.h5: dataset X is packed by a filter | verify good.yaml --set data.file=hostile_filter.h5
packed twice               | 65 | hostile_twice.h5: dataset X is packed by a filter.*twice | verify good.yaml --set data.file=hostile_twice.h5
a chunk of 2 GB            | 65 | hostile_bomb.h5: dataset X claims 4 values, in chunks of 2.68435e.08 | small_memory verify good.yaml --set data.file=hostile_bomb.h5
references for numbers     | 65 | hostile_references.h5: dataset X is not numeric | verify good.yaml --set data.file=hostile_references.h5
sequences for numbers      | 65 | hostile_sequences.h5: dataset X is not numeric | verify good.yaml --set data.file=hostile_sequences.h5
many formats               | 65 | the format of group A is '': csc or csr | lyapunov hostile_formats.h5
many texts for a format    | 65 | the format of group A is '': csc or csr | lyapunov hostile_texts.h5
a group in itself          | 65 | group A has no attribute shape | lyapunov hostile_recursive.h5
a name with escapes        | 65 | missing, the file has [?][[]2J[?]sgflow: agree$ | lyapunov hostile_name.h5
data from a pipe           | 66 | pipe: not a regular file       | verify good.yaml --set data.file=pipe
weights from a device      | 66 | /dev/zero: not a regular file  | verify good.yaml --set network.weights=/dev/zero
trajectory from a pipe     | 66 | pipe: not a regular file       | compare good.yaml --trajectory pipe
equation from a pipe       | 66 | pipe: not a regular file       | lyapunov pipe
second matrix from a pipe  | 66 | pipe: not a regular file       | lyapunov A.mtx pipe
initial from a pipe        | 66 | pipe: not a regular file       | lyapunov system.h5 --initial pipe
config from a device       | 65 | /dev/zero: not a YAML config   | verify /dev/zero
config in a circle         | 66 | circle.yaml: .*symbolic links  | verify circle.yaml
output to a pipe unread    | 73,74 | pipe: .*nobody reads        | verify good.yaml -o pipe
report to a pipe unread    | 73,74+ | pipe: .*nobody reads       | verify good.yaml --report pipe
END
cp hostile_solution.h5 solved.h5
"$SGFLOW" lyapunov solved.h5 >stdout 2>stderr && "$FIXTURES" --has solved.h5 X 8 1 && cmp -s secret.h5 secret_kept.h5
report "a solution over links to another file: $(cat stderr)" $?
mkdir real
ln -s real/linked.h5 link.h5
ln -s nosuch/dangling.h5 dangling.h5
cp weights.h5 real/linked.h5
"$SGFLOW" predict good.yaml -o link.h5 >stdout 2>stderr && [ -L link.h5 ] && ! cmp -s weights.h5 real/linked.h5 &&
  "$FIXTURES" --check real/linked.h5 && [ "$(ls real)" = linked.h5 ]
report "an output that is a link to a file: $(cat stderr)" $?
"$SGFLOW" predict good.yaml -o dangling.h5 >stdout 2>stderr && "$FIXTURES" --check dangling.h5 && ! [ -e nosuch ]
report "an output that is a link to nothing: $(cat stderr)" $?

# --------------------------------------------------------------------- sweeps

mkdir nosweep brokensweep
echo 'grid: 5' >brokensweep/sweep.yaml
table <<'END'
sweep without a grid       | 64 | sweep: --grid KEY=VALUE       | sweep good.yaml
sweep without a config     | 64 | sweep: a config file          | sweep --grid seed=1,2
sweep of two configs       | 64 | 'gaussian.yaml'               | sweep good.yaml gaussian.yaml --grid seed=1,2
sweep with an output       | 64 | 'o'                           | sweep good.yaml --grid seed=1,2 -o out.h5
grid without values        | 64 | --grid seed: KEY=VALUE        | sweep good.yaml --grid seed
grid of nothing            | 64 | --grid seed=: a value is empty | sweep good.yaml --grid seed=
grid with a hole           | 64 | seed=1,,2: a value is empty   | sweep good.yaml --grid seed=1,,2
grid with a comma too much | 64 | seed=1,: a value is empty     | sweep good.yaml --grid seed=1,
grid without a key         | 64 | --grid =1: KEY=VALUE          | sweep good.yaml --grid =1
grid, a value twice        | 64 | seed=1,2,1: a value is given twice | sweep good.yaml --grid seed=1,2,1
grid, a key twice          | 64 | seed=3: the key is given twice | sweep good.yaml --grid seed=1,2 --grid seed=3
grid and --set             | 64 | --set seed=4: seed is a key of the grid | sweep good.yaml --grid seed=1,2 --set seed=4
grid, open bracket         | 64 | network.widths=.4,2: a bracket | sweep good.yaml --grid network.widths=[4,2
grid, too many points      | 64 | more than 1000000             | sweep good.yaml --grid seed=$(seq -s, 1001) --grid training.batch_size=$(seq -s, 1000)
grid, unknown key          | 65 | --grid training.learning_rat=0.1: unknown key 'learning_rat' in training | sweep good.yaml --grid training.learning_rat=0.1
grid, unknown section      | 65 | --grid trainer.batch_size=4: unknown key 'trainer' | sweep good.yaml --grid trainer.batch_size=4 --count
grid, a bad value          | 65 | --grid training.learning_rate=fast: .*'fast': a number | sweep good.yaml --grid training.learning_rate=0.1,fast
grid, no list              | 65 | --grid network.widths=4: a list | sweep good.yaml --grid network.widths=4,2
index beyond the grid      | 64 | --index is 2: the grid has 2 points, 0 to 1 | sweep good.yaml --grid seed=1,2 --index 2
index negative             | 64 | --index is '-1'               | sweep good.yaml --grid seed=1,2 --index=-1
index no number            | 64 | --index is 'one'              | sweep good.yaml --grid seed=1,2 --index one
index empty                | 64 | --index is ''                 | sweep good.yaml --grid seed=1,2 --index ''
index overflows            | 64 | --index is '99999999999999999999' | sweep good.yaml --grid seed=1,2 --index 99999999999999999999
sweep, config missing      | 66 | nosuch.yaml                   | sweep nosuch.yaml --grid seed=1,2
sweep, config broken       | 65 | unknown_key.yaml:4: unknown key | sweep unknown_key.yaml --grid seed=1,2
sweep into a file          | 73 | good.h5: cannot be created    | sweep good.yaml --grid seed=1,2 --out good.h5
sweep below a file         | 73 | good.h5/points                | sweep good.yaml --grid seed=1,2 --out good.h5/points
sweep, folder missing      | 73 | nosuch/points                 | sweep good.yaml --grid seed=1,2 --out nosuch/points
sweep, folder no name      | 64 | --out is empty                | sweep good.yaml --grid seed=1,2 --out ''
sweep, another's folder    | 65 | brokensweep/sweep.yaml: damaged | sweep good.yaml --grid seed=1,2 --out brokensweep
merge without a folder     | 64 | merge: the folder of a sweep  | merge
merge of two folders       | 64 | one folder is expected, 'good' | merge old good
merge with --set           | 64 | --set                         | merge old --set seed=1
merge, folder missing      | 66 | nosuch                        | merge nosuch
merge, no sweep            | 65 | nosweep: not the folder of a sweep | merge nosweep
merge of a file            | 65 | good.h5: not the folder       | merge good.h5
merge, broken sweep        | 65 | brokensweep/sweep.yaml: damaged | merge brokensweep
END

# -------------------------------------------------------------------- outputs

table <<'END'
output folder missing      | 73 | nosuch/out.h5                  | verify good.yaml -o nosuch/out.h5
report folder missing      | 73 | nosuch/out.html                | verify good.yaml --report nosuch/out.html
output below a file        | 73 | good.h5/out.h5                 | verify good.yaml -o good.h5/out.h5
output is a folder         | 73 | folder.h5.*folder              | verify good.yaml -o folder.h5
report is a folder         | 73 | folder.h5.*folder              | verify good.yaml --report folder.h5
output without a name      | 64,73 | .                           | verify good.yaml -o ''
report without a name      | 64,73 | .                           | verify good.yaml --report ''
output and trajectory in one | 73 | .*out.h5: cannot be both    | simulate good.yaml --trajectory old/../old/out.h5
new ones by another way    | 73 | ./new.h5: cannot be both       | simulate good.yaml -o new.h5 --trajectory ./new.h5
output and report in one   | 64,65,73 | old/out.h5               | verify good.yaml --report old/out.h5
output is the data         | 64,65,73 | spare.h5                 | verify good.yaml --set data.file=spare.h5 -o spare.h5
output is the config       | 64,65,73 | spare.yaml               | verify spare.yaml -o spare.yaml
output too large           | 73,74 | out.h5.*cannot be written   | small_files predict good.yaml
END

if [ "$(id -u)" -ne 0 ]; then
  mkdir locked
  chmod a-w locked
  table <<'END'
output folder read-only    | 73 | locked/out.h5                  | verify good.yaml -o locked/out.h5
report folder read-only    | 73 | locked/out.html                | verify good.yaml --report locked/out.html
END
elif [ -d /sys/kernel ]; then
  table <<'END'
output folder read-only    | 73 | /sys/kernel/sgflow.h5          | verify good.yaml -o /sys/kernel/sgflow.h5
report folder read-only    | 73 | /sys/kernel/sgflow.html        | verify good.yaml --report /sys/kernel/sgflow.html
END
else
  skip "folder read-only" "root may write everywhere, and there is no /sys"
fi

if [ -n "$device" ]; then
  table <<'END'
output to /dev/full        | 73,74 | /dev/full                   | verify good.yaml -o /dev/full
report to /dev/full        | 73,74+ | /dev/full                  | verify good.yaml --report /dev/full
stdout to /dev/full        | 74+ | standard output                | full_stdout verify good.yaml
JSON to /dev/full          | 74+ | standard output                | full_stdout verify good.yaml --json
prediction to /dev/full    | 74+ | standard output                | full_stdout predict good.yaml
version to /dev/full       | 74 | standard output                | full_stdout --version
help to /dev/full          | 74 | standard output                | full_stdout --help
END
else
  skip "/dev/full" "there is none"
fi
table <<'END'
stdout closed              | 74+ | standard output                | closed_stdout verify good.yaml
END

mkdir small
if mount -t tmpfs -o size=64k none small 2>/dev/null; then
  mounted=$folder/small
  # An older output, a file that fills the rest.
  cp weights.h5 small/out.h5
  cp weights.h5 small/out.html
  cat /dev/zero >small/rest 2>/dev/null
  table <<'END'
disk full                  | 73,74 | small/out.h5                | verify good.yaml -o small/out.h5
disk full, prediction      | 73,74 | small/new.h5                | predict good.yaml -o small/new.h5
disk full, report          | 73,74+ | small/out.html             | verify good.yaml --report small/out.html
END
  # Some room: the failure comes in the middle of the file.
  truncate -s -16K small/rest
  table <<'END'
disk nearly full           | 73,74 | small/out.h5                | verify good.yaml -o small/out.h5
disk nearly full, prediction | 73,74 | small/new.h5              | predict good.yaml -o small/new.h5
disk nearly full, report   | 73,74+ | small/out.html             | verify good.yaml --report small/out.html
END
  for file in small/out.h5 small/out.html; do
    if cmp -s weights.h5 "$file"; then passed=$((passed + 1)); else
      failed=$((failed + 1))
      echo "FAILED: disk full: the older $file is not intact"
    fi
  done
  if [ -e small/new.h5 ]; then
    failed=$((failed + 1))
    echo "FAILED: disk full: a partial small/new.h5 is left"
  else passed=$((passed + 1)); fi
else
  skip "disk full" "no tmpfs can be mounted"
fi

# --------------------------------------------------------------- interruption

table <<'END'
SIGINT                     | 75 | stopped.*--resume              | interrupted verify long.yaml
SIGINT, simulate           | 75 | stopped.*--resume              | interrupted simulate long.yaml
SIGTERM                    | 75 | stopped.*--resume              | terminated verify long.yaml
END

conclude
