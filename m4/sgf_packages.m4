# Libraries, each with the Debian package that brings it. Everything that is missing is collected and named at once.

sgf_missing=""

# SGF_MISSING(WHAT, DEBIAN-PACKAGE): remember it.
AC_DEFUN([SGF_MISSING], [
  sgf_missing="$sgf_missing
  $1: Debian package $2"
])

# SGF_PACKAGE(VARIABLE, PKG-CONFIG-CONDITION, DEBIAN-PACKAGE): sets VARIABLE_CFLAGS and VARIABLE_LIBS.
AC_DEFUN([SGF_PACKAGE], [
  PKG_CHECK_MODULES([$1], [$2], [], [SGF_MISSING([$2], [$3])])
])

# SGF_GSL: GSL without the CBLAS of its own, which is slow and would come before the one that SGF_BLAS finds.
AC_DEFUN([SGF_GSL], [
  SGF_PACKAGE([GSL], [gsl >= 2.7], [libgsl-dev])
  GSL_LIBS=`AS_ECHO(["$GSL_LIBS"]) | sed 's/-lgslcblas//'`
])

# SGF_HEADER(HEADER, NAME, DEBIAN-PACKAGE): a library of headers alone.
AC_DEFUN([SGF_HEADER], [
  AC_CHECK_HEADER([$1], [], [SGF_MISSING([$2], [$3])])
])

# SGF_BLAS: LAPACKE and a CBLAS, whichever libblas the system's alternatives choose. --with-blas=LIBS overrides.
AC_DEFUN([SGF_BLAS], [
  AC_ARG_WITH([blas], [AS_HELP_STRING([--with-blas=LIBS], [how to link LAPACKE and a CBLAS (-llapacke -llapack -lblas)])],
    [BLAS_LIBS=$withval], [BLAS_LIBS="-llapacke -llapack -lblas"])
  AC_CHECK_HEADER([lapacke.h], [], [SGF_MISSING([LAPACKE (lapacke.h)], [liblapacke-dev])])
  AC_CHECK_HEADER([cblas.h], [], [SGF_MISSING([CBLAS (cblas.h)], [libopenblas-dev])])
  sgf_saved_libs=$LIBS
  LIBS="$BLAS_LIBS $LIBS"
  AC_CACHE_CHECK([whether LAPACKE and CBLAS link with $BLAS_LIBS], [sgf_cv_blas_links],
    [AC_LINK_IFELSE([AC_LANG_PROGRAM([[char LAPACKE_dsyevd (void); char cblas_dgemm (void);]],
                                     [[return LAPACKE_dsyevd () + cblas_dgemm ();]])],
       [sgf_cv_blas_links=yes], [sgf_cv_blas_links=no])])
  LIBS=$sgf_saved_libs
  AS_IF([test "$sgf_cv_blas_links" = no], [SGF_MISSING([LAPACKE and CBLAS ($BLAS_LIBS)], [liblapacke-dev and libopenblas-dev])])
  AC_SUBST([BLAS_LIBS])
])

# SGF_SUITESPARSE: SPQR and CHOLMOD; Debian 12 has no .pc file for them.
AC_DEFUN([SGF_SUITESPARSE], [
  SUITESPARSE_CFLAGS=""
  SUITESPARSE_LIBS="-lspqr -lcholmod"
  sgf_saved_cppflags=$CPPFLAGS
  sgf_found=no
  for sgf_folder in "" "-I/usr/include/suitesparse" "-I/usr/local/include/suitesparse"; do
    CPPFLAGS="$sgf_saved_cppflags $sgf_folder"
    AS_UNSET([ac_cv_header_SuiteSparseQR_C_h])
    AS_IF([test $sgf_found = no], [AC_CHECK_HEADER([SuiteSparseQR_C.h], [sgf_found=yes; SUITESPARSE_CFLAGS=$sgf_folder])])
  done
  CPPFLAGS=$sgf_saved_cppflags
  sgf_saved_libs=$LIBS
  LIBS="$SUITESPARSE_LIBS $LIBS"
  AC_CACHE_CHECK([whether SPQR links with $SUITESPARSE_LIBS], [sgf_cv_spqr_links],
    [AC_LINK_IFELSE([AC_LANG_PROGRAM([[char SuiteSparseQR_C_backslash_default (void);]],
                                     [[return SuiteSparseQR_C_backslash_default ();]])],
       [sgf_cv_spqr_links=yes], [sgf_cv_spqr_links=no])])
  LIBS=$sgf_saved_libs
  AS_IF([test $sgf_found = no || test "$sgf_cv_spqr_links" = no], [SGF_MISSING([SuiteSparse (SPQR)], [libsuitesparse-dev])])
  AC_SUBST([SUITESPARSE_CFLAGS])
  AC_SUBST([SUITESPARSE_LIBS])
])

# SGF_REPORT_MISSING: stop if anything was missing, naming all of it.
AC_DEFUN([SGF_REPORT_MISSING], [
  AS_IF([test -n "$sgf_missing"], [AC_MSG_ERROR([these are missing:$sgf_missing
Install them with: apt-get install PACKAGE...])])
])

# SGF_MPI: with --with-mpi, Open MPI by pkg-config, or the MPI that mpicc wraps. Sets MPI_CFLAGS, MPI_LIBS and MPIRUN; its
# headers are the system's, so that they raise no warnings of ours.
AC_DEFUN([SGF_MPI], [
  AC_ARG_WITH([mpi], [AS_HELP_STRING([--with-mpi], [simulations in many processes, on many machines, by MPI])],
    [], [with_mpi=no])
  AM_CONDITIONAL([WITH_MPI], [test "x$with_mpi" != xno])
  AS_IF([test "x$with_mpi" != xno], [
    PKG_CHECK_MODULES([MPI], [ompi-c], [], [
      AC_CHECK_PROG([MPICC], [mpicc], [mpicc])
      AS_IF([test -n "$MPICC"],
        [MPI_CFLAGS=`$MPICC --showme:compile 2>/dev/null`; MPI_LIBS=`$MPICC --showme:link 2>/dev/null`])])
    MPI_CFLAGS="-DSGF_WITH_MPI `AS_ECHO(["$MPI_CFLAGS"]) | sed 's/-I/-isystem /g'`"
    AC_PATH_PROG([MPIRUN], [mpirun])
    sgf_saved_cflags=$CFLAGS
    sgf_saved_libs=$LIBS
    CFLAGS="$CFLAGS $MPI_CFLAGS"
    LIBS="$MPI_LIBS $LIBS"
    AC_CACHE_CHECK([whether MPI links with $MPI_LIBS], [sgf_cv_mpi_links],
      [AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>]], [[return MPI_Finalize();]])],
         [sgf_cv_mpi_links=yes], [sgf_cv_mpi_links=no])])
    CFLAGS=$sgf_saved_cflags
    LIBS=$sgf_saved_libs
    AS_IF([test "$sgf_cv_mpi_links" = no || test -z "$MPIRUN"],
      [SGF_MISSING([MPI (--with-mpi)], [libopenmpi-dev and openmpi-bin])])
  ])
  AC_SUBST([MPI_CFLAGS])
  AC_SUBST([MPI_LIBS])
])
