% Print what `sgflow verify CONFIG -o out.h5` found, in GNU Octave.
%
%     octave-cli read_results.m out.h5
%
% HDF5 has the shapes of NumPy, and the last index runs fastest. In Octave the first one does: what is (P, N_0) in the
% file is N_0 x P here, and W_l, (N_l, N_{l-1}) in the file, is W_l transposed. permute() turns an array of any rank
% back, for a matrix it is the transpose; symmetric matrices such as the covariance are what they are.
1;

function A = as_in_file (A)
  A = permute (A, ndims (A):-1:1);
end

arguments = argv ();
if (numel (arguments) != 1)
  error ("usage: octave-cli read_results.m out.h5");
end
results = load ("-hdf5", arguments{1});
if (! isfield (results, "comparison"))
  error ("%s: no group comparison: not the output of sgflow verify or compare", arguments{1});
end

X = as_in_file (results.data.X);
printf ("X         %d x %d in Octave, (%d, %d) as in the file: samples are rows\n", size (results.data.X), size (X));
layers = numel (fieldnames (results.network));
for l = 1:layers
  W = as_in_file (results.network.(sprintf ("W%d", l)));
  printf ("W%d        %d x %d\n", l, size (W));
end

printf ("\n%-27s %12s %12s %9s %10s\n", "quantity", "predicted", "measured", "s.e.", "deviation");
for [quantity, name] = results.comparison
  printf ("%-27s %12.6g %12.6g %9.2g %+9.2f%%  %s\n", name, quantity.predicted, quantity.measured, ...
          quantity.standard_error, 100 * quantity.deviation, quantity.verdict);
end

Sigma = results.theory.covariance;
printf ("\ncovariance %d x %d, trace %.6g, asymmetry %g\n", size (Sigma), trace (Sigma), norm (Sigma - Sigma'));
if (isfield (results.simulation, "covariance"))
  printf ("|measured - predicted| / |predicted| = %.3g\n", ...
          norm (results.simulation.covariance - Sigma, "fro") / norm (Sigma, "fro"));
end
