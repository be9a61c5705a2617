#!/bin/sh
# The tutorial, run as printed: its files saved, its commands in order, with the exit status that a marker names (0 without). SGFLOW is
# the program, SOURCE the folder of the sources. Without numpy and h5py for python3 there is nothing to run.
. "$(dirname "$0")/shell.sh"
python=""
for candidate in python3 /usr/bin/python3; do
  if [ -z "$python" ] && "$candidate" -c 'import numpy, h5py' 2>/dev/null; then python=$candidate; fi
done
if [ -z "$python" ]; then
  echo "SKIP the tutorial needs numpy and h5py for python3"
  conclude
  exit
fi

mkdir "$folder/bin" "$folder/steps"
for name in sgflow="$SGFLOW" python3="$(command -v "$python")"; do # not links: either may be a script that looks at its path
  printf '#!/bin/sh\nexec "%s" "$@"\n' "${name#*=}" >"$folder/bin/${name%%=*}"
done
chmod +x "$folder/bin/"*
export PATH="$folder/bin:$PATH"

# A file for each marked block, numbered in order: NN.file.NAME or NN.run, the statuses in NN.status.
awk -v out="$folder/steps" '
  /^<!-- file: / { kind = "file." $3 }
  /^<!-- run/ { kind = "run"; statuses = $0; gsub(/[^0-9 ]/, "", statuses); if (statuses ~ /^ *$/) statuses = "0" }
  /^```/ && inside { inside = 0; kind = ""; close(path); next }
  /^```/ && kind != "" {
    inside = 1
    path = sprintf("%s/%02d.%s", out, ++step, kind)
    if (kind == "run") print statuses > sprintf("%s/%02d.status", out, step)
    next
  }
  inside { print > path }
' "$SOURCE/docs/tutorial.md"

work=$folder
for step in "$folder"/steps/*; do
  case $step in
  *.file.*) cp "$step" "$work/${step##*.file.}" ;;
  *.run)
    while IFS= read -r line; do
      case $line in
      "mkdir mine && cd mine")
        mkdir "$work/mine"
        work=$work/mine
        continue
        ;;
      esac
      (cd "$work" && timeout 300 sh -c "$line") >"$folder/out" 2>"$folder/err"
      got=$?
      accepted=1
      for code in $(cat "${step%.run}.status"); do [ "$got" -ne "$code" ] || accepted=0; done
      [ "$accepted" -eq 0 ] || { echo "exit $got:"; cat "$folder/err"; }
      report "$line" "$accepted"
    done <"$step"
    ;;
  esac
done
report "all commands were run" $((passed + failed < 8))
has "the scan has its points" "" "$work/scan.csv"
conclude
