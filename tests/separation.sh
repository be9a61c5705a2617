#!/bin/sh
# The simulator knows the data, the weights and the sampler, and nothing of the theory: its files may include only the
# headers listed here. The two halves meet in verify/compare.c alone. Also: files under 120 columns of plain code, every
# function of at most 60 lines.
srcdir=${srcdir:-.}
passed=0
failed=0

check() { # description, output that must be empty
  if [ -z "$2" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n%s\n' "$1" "$2"
  fi
}

allowed='sgflow|status|memory|random|problem|network|dataset|sampler|sgd|ensemble|simulation|hdf5_file|version|certificate|kernels|kernel_text|engine|ranks|workers|checkpoint|state_file|recording|trajectory_file|output|followed'
for file in kernels.c kernels.h kernel_text.h kernels_portable.c kernels_avx2.c kernels_avx512.c sampler.c sampler.h \
  engine.c engine.h sgd.c sgd.h simulation.c simulation.h recording.c recording.h followed.c followed.h output.h ensemble.c ensemble.h ranks.c ranks.h workers.c workers.h trajectory.c; do
  check "verify/$file includes the theory" \
    "$(grep -nE '^#include "' "$srcdir/verify/$file" | grep -vE "\"(\.\./(theory|io)/)?($allowed)\.h\"")"
done

# ... nor through the headers that it may include
for file in problem.h certificate.h network.h dataset.h random.h memory.h status.h; do
  check "theory/$file includes the theory" \
    "$(grep -nE '^#include "' "$srcdir/theory/$file" | grep -vE "\"($allowed)\.h\"")"
done

check "nothing of verify/ or cli/ is included by theory/, solver/ or io/" \
  "$(grep -nE '#include "(\.\./)?(verify|cli)/' "$srcdir"/theory/*.[ch] "$srcdir"/solver/*.[ch] "$srcdir"/io/*.[ch])"
check "the program, but for the tables of \`reproduce\`, uses the public header alone" \
  "$(grep -nE '#include "\.\./' "$srcdir"/cli/*.[ch] | grep -v '"\.\./reproduce/')"
check "the library does not print" \
  "$(grep -nE '(^|[^a-z_])(printf|puts|putchar|perror|exit|abort) *\(|stderr|stdout' "$srcdir"/theory/*.c "$srcdir"/solver/*.c "$srcdir"/io/*.c \
     "$srcdir"/verify/*.c)"
check "functions of more than 60 lines" \
  "$(awk 'FNR == 1 { start = 0 } /^\{/ { start = FNR } /^\}/ { if (start && FNR - start > 60) print FILENAME ":" start; start = 0 }' \
     "$srcdir"/theory/*.c "$srcdir"/solver/*.c "$srcdir"/io/*.c "$srcdir"/verify/*.c "$srcdir"/cli/*.c \
     "$srcdir"/reproduce/*.c)"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
