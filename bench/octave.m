% Octave's lyap and dlyap (package control) on systems from files, see systems.h:
% octave-cli octave.m SYSTEMS ANSWER prints seconds (wall, CPU) and Octave's remark.
pkg load control
paths = argv();
file = fopen(paths{1});
numbers = fread(file, Inf, "double");
fclose(file);
count = numbers(1);
n = numbers(2);
discrete = numbers(3);
matrices = reshape(numbers(5:end), n, n, [], count);
X = nan(n, n, count);
lastwarn("");
warning("off", "all");
remark = "";
begun = cputime();
tic;
for k = 1:count
  A = matrices(:, :, 1, k)';
  Q = matrices(:, :, 2, k);
  try
    if discrete
      X(:, :, k) = dlyap(A, Q);
    else
      X(:, :, k) = lyap(A, -Q);
    end
  catch problem
    remark = problem.message;
  end
end
seconds = toc;
cpu = cputime() - begun;
if isempty(remark)
  remark = lastwarn();
end
file = fopen(paths{2}, "w");
fwrite(file, X, "double");
fclose(file);
printf("%.9f\t%.9f\t%s\n", seconds, cpu, strjoin(strsplit(remark), " "));
