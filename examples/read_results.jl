# Print what `sgflow verify CONFIG -o out.h5` found, in Julia with HDF5.jl.
#
#     julia -e 'import Pkg; Pkg.add("HDF5")'     (once)
#     julia read_results.jl out.h5
#
# HDF5 has the shapes of NumPy, and the last index runs fastest. In Julia the first one does: what is (P, N_0) in the
# file is N_0 x P here, and W_l, (N_l, N_{l-1}) in the file, is W_l transposed. permutedims(A, ndims(A):-1:1) turns an
# array of any rank back; symmetric matrices such as the covariance are what they are.
#
# Not run by the tests: Debian 12 has no Julia.
using HDF5
using LinearAlgebra
using Printf

as_in_file(A) = permutedims(A, ndims(A):-1:1)

function print_results(path)
    h5open(path, "r") do file
        haskey(file, "comparison") || error("$path: no group comparison: not the output of sgflow verify or compare")
        println("command   ", read_attribute(file, "command"))
        println("verdict   ", read_attribute(file["comparison"], "verdict"))
        X = read(file["data/X"])
        println("X         ", size(X), " in Julia, ", size(as_in_file(X)), " as in the file: samples are rows")
        for name in keys(file["network"])
            println(name, "        ", size(as_in_file(read(file["network"][name]))))
        end
        @printf("\n%-27s %12s %12s %9s %10s\n", "quantity", "predicted", "measured", "s.e.", "deviation")
        for name in keys(file["comparison"])
            quantity = file["comparison"][name]
            predicted, measured, standard_error, deviation =
                (read(quantity[key]) for key in ("predicted", "measured", "standard_error", "deviation"))
            @printf("%-27s %12.6g %12.6g %9.2g %+9.2f%%  %s\n", name, predicted, measured, standard_error,
                    100 * deviation, read(quantity["verdict"]))
        end
        Sigma = read(file["theory/covariance"])
        @printf("\ncovariance %d x %d, trace %.6g\n", size(Sigma, 1), size(Sigma, 2), tr(Sigma))
        if haskey(file, "simulation/covariance")
            @printf("|measured - predicted| / |predicted| = %.3g\n",
                    norm(read(file["simulation/covariance"]) - Sigma) / norm(Sigma))
        end
    end
end

length(ARGS) == 1 || error("usage: julia read_results.jl out.h5")
print_results(ARGS[1])
