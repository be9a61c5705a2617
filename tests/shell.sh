# What the test scripts share: a folder of their own that is removed at the end, counts of what passed and failed with a line
# for each failure, and the closing line. To be sourced: . "$(dirname "$0")/shell.sh"
# A script may set before: limit, the seconds that a command of expect may take (120; 0: no limit). Outputs of that command
# are in $folder/out and $folder/err; most scripts go into the folder. A script that has more to undo than the folder
# defines leave again.
folder=$(mktemp -d) || exit 1
leave() {
  chmod -R u+w "$folder"
  rm -rf "$folder"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

report() { # description, status (0 passes)
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $1"
  fi
}

expect() { # exit code, description, command...
  code=$1
  what=$2
  shift 2
  timeout "${limit:-120}" "$@" >"$folder/out" 2>"$folder/err"
  got=$?
  [ "$got" -eq "$code" ] || { echo "exit $got, not $code:"; cat "$folder/err"; }
  report "$what" $((got != code))
}

has() { # description, pattern, file
  grep -qE -e "$2" "$3"
  report "$1" $?
}

same() { # description, two outputs
  "$FIXTURES" --same "$2" "$3"
  report "$1" $?
}

conclude() { # the last command of a script
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
