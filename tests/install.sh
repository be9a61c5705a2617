#!/bin/sh
# What make install puts where: the header, the library, its pkg-config file, pages, completion and examples; a C program is built
# with pkg-config against it and run; make uninstall leaves nothing. MAKE, CC and BUILD are the build's.
. "$(dirname "$0")/shell.sh"
command -v pkg-config >/dev/null || exit 77
unset MAKEFLAGS MFLAGS MAKELEVEL
variable() { # of the Makefile
  sed -n "s/^$1 = //p" "$BUILD/Makefile" | head -n 1
}
prefix=$(variable prefix)
place() { # of the Makefile, with what it refers to
  eval "prefix=\$prefix; exec_prefix=$(variable exec_prefix); datarootdir=$(variable datarootdir)
    PACKAGE_TARNAME=sgflow; docdir=$(variable docdir); libdir=$(variable libdir); echo $(variable "$1" | tr '()' '{}')"
}
root=$folder/root
limit=300
expect 0 "make install" "$MAKE" -C "$BUILD" -s install DESTDIR="$root"
lib=$root$(place libdir)
for file in "$lib/libsgflow.so" "$lib/pkgconfig/sgflow.pc" "$root$(place includedir)/sgflow.h" "$root$(place bindir)/sgflow" \
  "$root$(place docdir)/examples/two_layers.yaml" "$root$(place docdir)/README.md" "$root$(place docdir)/docs/solvers.md"; do
  [ -e "$file" ]
  report "${file#"$root"} is installed" $?
done
# Links of the pages, but for those to the web and within a page.
pages=$root$(place docdir)
for page in $(cd "$pages" && find . -name '*.md'); do
  grep -o '](\([^)#[:space:]]*\))' "$pages/$page" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*:' | while read -r link; do
    [ -e "$pages/$(dirname "$page")/$link" ] || echo "$page: $link"
  done
done >"$folder/dead"
[ ! -s "$folder/dead" ] || cat "$folder/dead"
[ ! -s "$folder/dead" ]
report "links of the pages lead to files that are installed" $?
if [ -f "$BUILD/cli/sgflow.1" ]; then
  for file in "$root$(place mandir)/man1/sgflow-verify.1" "$root$(place mandir)/man5/sgflow-config.5" \
    "$root$(place datadir)/bash-completion/completions/sgflow"; do
    [ -e "$file" ]
    report "${file#"$root"} is installed" $?
  done
fi

export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
expect 0 "pkg-config knows sgflow" pkg-config --cflags --libs sgflow
flags=$(cat "$folder/out")
has "with the library" '-lsgflow' "$folder/out"
expect 0 "its version is the program's" pkg-config --exact-version="$("$SGFLOW" --version | sed -n 's/^sgflow //p')" sgflow
expect 0 "pkg-config --static" pkg-config --static --libs sgflow
has "names the BLAS" '-llapack|-lblas|-lopenblas' "$folder/out"
# shellcheck disable=SC2086 # flags are words
expect 0 "a program in C is built" $CC -std=c99 -Wall -Werror -pedantic "$root$(place docdir)/examples/predict.c" -o "$folder/predict" $flags
LD_LIBRARY_PATH=$lib expect 0 "and runs" "$folder/predict"
has "it predicts" '^trace [0-9.e-]+, covariance .5, 5., ' "$folder/out"
has "and solves" '^X.0, 0. [0-9.]+, rank 2 of 3' "$folder/out"

expect 0 "make uninstall" "$MAKE" -C "$BUILD" -s uninstall DESTDIR="$root"
find "$root" ! -type d >"$folder/left"
[ ! -s "$folder/left" ] || cat "$folder/left"
[ ! -s "$folder/left" ]
report "nothing is left" $?
conclude
