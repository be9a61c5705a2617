# Choices of the person who builds: sanitizers, coverage. Sets SGF_CFLAGS (the project's own flags) and SGF_LDFLAGS.

AC_DEFUN([SGF_OPTIONS], [
  SGF_CFLAGS="-std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -fvisibility=hidden -ffp-contract=off -fno-math-errno"
  SGF_LDFLAGS=""
  dnl clang warns about loops that it may but cannot vectorize, which at -O0 and -O1 is all of them
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef __clang__
#error another compiler
#endif
]], [])], [SGF_CFLAGS="$SGF_CFLAGS -Wno-pass-failed"])
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [make warnings errors])],
    [AS_IF([test "x$enableval" != xno], [SGF_CFLAGS="$SGF_CFLAGS -Werror"])])
  AC_ARG_ENABLE([sanitize],
    [AS_HELP_STRING([--enable-sanitize@<:@=LIST@:>@], [build with sanitizers (address,undefined)])],
    [AS_CASE(["$enableval"], [no], [sanitizers=], [yes], [sanitizers=address,undefined], [sanitizers=$enableval])
     AS_IF([test -n "$sanitizers"],
       [SGF_CFLAGS="$SGF_CFLAGS -fsanitize=$sanitizers -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
        SGF_LDFLAGS="$SGF_LDFLAGS -fsanitize=$sanitizers"])])
  AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage], [build for gcov and lcov])],
    [AS_IF([test "x$enableval" != xno],
       [SGF_CFLAGS="$SGF_CFLAGS --coverage -O0"
        SGF_LDFLAGS="$SGF_LDFLAGS --coverage"])])
  AC_ARG_WITH([bash-completion-dir],
    [AS_HELP_STRING([--with-bash-completion-dir=DIR], [where the completion goes (DATADIR/bash-completion/completions)])],
    [bashcompletiondir=$withval], [bashcompletiondir='${datadir}/bash-completion/completions'])
  AC_SUBST([bashcompletiondir])
  AC_ARG_ENABLE([fuzzing],
    [AS_HELP_STRING([--enable-fuzzing], [fuzz targets with libFuzzer and sanitizers (needs CC=clang)])],
    [AS_IF([test "x$enableval" != xno],
       [SGF_CFLAGS="$SGF_CFLAGS -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
        SGF_LDFLAGS="$SGF_LDFLAGS -fsanitize=fuzzer-no-link,address,undefined"])], [enable_fuzzing=no])
  AM_CONDITIONAL([WITH_FUZZING], [test "x$enable_fuzzing" != xno])
  AC_SUBST([SGF_CFLAGS])
  AC_SUBST([SGF_LDFLAGS])
])
