#!/usr/bin/env python3
"""Speed and accuracy of sgflow's Lyapunov and Stein solvers beside others, on the same matrices in the same run.

    make bench && ../bench/run.py [--quick] [--rounds N] [--repeats N] [--sizes 1000,2000] [--threads 1,2] [--append] ...

Run it in the build folder. Peers that are not installed are left out with a line: SciPy (for /usr/bin/python3 or the
interpreter that runs this), Octave with its control package, SLICOT's SB03MD (compiled here from slicot.c), and what
LAPACK alone needs, without any check. Each round runs every solver, one after the other, the two fast ones three times;
the tables show medians and their ratios to sgflow's. Writes lyapunov.csv (--output; --append adds to it), prints the
tables as Markdown. A run of everything takes an hour.
"""

import argparse
import csv
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.abspath("bench/lyapunov")
LIMIT = 1800  # seconds for one solution


def run(command, threads=1):
    environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"more than {LIMIT} s")


def last_line(text):
    lines = [line for line in text.splitlines() if line]
    return lines[-1] if lines else ""


# ---------------------------------------------------------------------- peers


def find_scipy():
    for python in (sys.executable, "/usr/bin/python3"):
        if run([python, "-c", "import scipy.linalg"]).returncode == 0:
            return [python, os.path.join(HERE, "peers.py")]
    return None


def find_octave():
    octave = shutil.which("octave-cli")
    if octave is None or run([octave, "--eval", "pkg load control; lyap(1, 1);"]).returncode != 0:
        return None
    return [octave, "--no-gui", "--quiet", os.path.join(HERE, "octave.m")]


def find_slicot(folder):
    program = os.path.join(folder, "slicot")
    sources = [os.path.join(HERE, name) for name in ("slicot.c", "systems.c")]
    libraries = ["-lslicot", "-llapack", "-lblas", "-lm"]
    built = run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", program, *sources, *libraries])
    return [program, "solve"] if built.returncode == 0 else None


def find_peers(folder):
    peers = {"sgflow": [OURS, "solve", "sgflow"], "LAPACK": [OURS, "solve", "lapack"]}
    for name, command in (("SLICOT", find_slicot(folder)), ("SciPy", find_scipy()), ("Octave", find_octave())):
        if command is None:
            print(f"{name}: not installed, left out", file=sys.stderr)
        else:
            peers[name] = command
    return peers


def versions(peers):
    found = {}
    if "SciPy" in peers:
        code = "import scipy, numpy; print(scipy.__version__ + ', NumPy ' + numpy.__version__)"
        found["SciPy"] = run([peers["SciPy"][0], "-c", code]).stdout.strip()
    if "Octave" in peers:
        code = "pkg load control; p = pkg('describe', 'control'); printf('%s, control %s', version, p{1}.version)"
        found["Octave"] = last_line(run([peers["Octave"][0], "--eval", code]).stdout)
    for name, package in (("SLICOT", "libslicot0"), ("BLAS", "libopenblas0-pthread"), ("LAPACK", "liblapack3")):
        answer = run(["dpkg-query", "-W", "-f=${Version}", package]) if shutil.which("dpkg-query") else None
        if answer is not None and answer.returncode == 0:
            found[name] = f"{package} {answer.stdout.strip()}"
    return found


def machine():
    model = "unknown"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
            names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
        model = names[0] if names else model
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}; load when it began {load}"


# --------------------------------------------------------------- measurements


def judge(systems, answer):
    judged = run([OURS, "judge", systems, answer])
    if judged.returncode != 0:
        return math.nan, math.nan
    error, residual = judged.stdout.split()
    return float(error), float(residual)


def measure(command, systems, folder, threads):
    answer = os.path.join(folder, "answer")
    if os.path.exists(answer):
        os.remove(answer)
    done = run([*command, systems, answer], threads)
    parts = last_line(done.stdout).split("\t")
    if len(parts) != 3:
        return {"seconds": math.nan, "cpu": math.nan, "remark": last_line(done.stderr) or f"exit {done.returncode}"}
    error, residual = judge(systems, answer)
    times = {"seconds": float(parts[0]), "cpu": float(parts[1])}
    return {**times, "remark": parts[2], "error": error, "residual": residual}


def interleaved(case, peers, systems, folder, threads, rounds, repeats):
    """Medians of every peer's seconds; error and residual of its last answer."""
    seen = {name: [] for name in peers}
    often = [name for name in ("sgflow", "LAPACK") if name in peers] * (repeats - 1)
    for _ in range(rounds):
        for name in [*often, *peers]:
            seen[name].append(measure(peers[name], systems, folder, threads))
    medians = {name: {key: statistics.median(one[key] for one in all_of_it) for key in ("seconds", "cpu")}
               for name, all_of_it in seen.items()}
    rows = []
    for name, all_of_it in seen.items():
        row = {**case, "threads": threads, "runs": len(all_of_it), "solver": name, **medians[name]}
        row["ratio"] = row["seconds"] / medians["sgflow"]["seconds"]
        row["cpu_ratio"] = row["cpu"] / medians["sgflow"]["cpu"] if medians["sgflow"]["cpu"] > 0 else math.nan
        row.update({key: all_of_it[-1].get(key, math.nan) for key in ("error", "residual", "remark")})
        rows.append(row)
    return rows


def make(kind, count, n, folder):
    systems = os.path.join(folder, f"{kind}-{count}-{n}.systems")
    made = run([OURS, "make", kind, str(count), str(n), systems], os.cpu_count())
    if made.returncode != 0:
        sys.exit(f"run.py: {OURS} make {kind} {count} {n}: {made.stderr.strip() or 'failed'}; `make bench` builds it")
    return systems


def large_systems(options, peers, folder):
    rows = []
    for n in options.sizes:
        for kind in options.drifts:
            systems = make(kind, 1, n, folder)
            able = {name: command for name, command in peers.items() if name != "LAPACK" or kind != "stein"}
            for threads in options.threads:
                case = {"table": "large", "system": kind, "count": 1, "n": n}
                rows += interleaved(case, able, systems, folder, threads, options.rounds, options.repeats)
                print_progress(rows[-len(able):])
            os.remove(systems)
    return rows


def small_systems(options, peers, folder):
    rows = []
    several = {"sgflow": [OURS, "solve", "many"], "sgflow one by one": peers["sgflow"]}
    several.update({name: command for name, command in peers.items() if name != "sgflow"})
    for n in (2, 4, 10, 20, 30):
        for kind in ("symmetric", "general"):
            count = 300 if options.quick else 20000 // n
            systems = make(kind, count, n, folder)
            for threads in options.threads:
                case = {"table": "small", "system": kind, "count": count, "n": n}
                found = interleaved(case, several, systems, folder, threads, options.rounds, options.repeats)
                for row in found:
                    row["seconds"] /= count
                    row["cpu"] /= count
                rows += found
                print_progress(found)
    return rows


def collections(peers, folder):
    """CTLEX and DTLEX: errors against the solution in quadruple precision."""
    if "SLICOT" not in peers:
        return []
    rows = []
    names = run([peers["SLICOT"][0], "collection", folder]).stdout.split()
    chosen = {name: peers[name] for name in ("sgflow", "SLICOT", "SciPy") if name in peers}
    chosen["sgflow"] = [OURS, "solve", "regular"]  # no example is singular, which SLICOT takes for granted too
    for name in names:
        systems = os.path.join(folder, name + ".systems")
        if run([OURS, "quadruple", systems]).returncode != 0:
            continue
        size = name.partition("-n")[2].partition("-")[0]
        case = {"table": "collections", "system": name, "count": 1, "n": size}
        rows += interleaved(case, chosen, systems, folder, 1, 1, 1)
    return rows


# --------------------------------------------------------------------- output

COLUMNS = ("table", "system", "n", "count", "threads", "runs", "solver", "seconds", "ratio", "cpu", "cpu_ratio",
           "error", "residual")


def short(value, digits=3):
    return "" if isinstance(value, float) and math.isnan(value) else f"{value:.{digits}g}"


def print_progress(rows):
    for row in rows:
        print(f"{row['system']} {row['n']} {row['threads']} {row['solver']}: {short(row['seconds'])} s, ratio "
              f"{short(row['ratio'])}, CPU {short(row['cpu'])} s, ratio {short(row['cpu_ratio'])}, error "
              f"{short(row['error'])}", file=sys.stderr)


def write_csv(path, heading, rows, append):
    with open(path, "a" if append else "w", newline="", encoding="utf-8") as file:
        for line in heading:
            file.write(f"# {line}\n")
        writer = csv.writer(file, lineterminator="\n")
        if not append:
            writer.writerow((*COLUMNS, "remark"))
        for row in rows:
            numbers = [row.get(name, "") for name in COLUMNS]
            texts = [short(value, 4) if isinstance(value, float) else value for value in numbers]
            writer.writerow((*texts, row["remark"]))


def both_ratios(row):
    """Of wall clock, and of CPU time for one thread: the better measure on a machine that does other work."""
    if row is None or math.isnan(row["ratio"]):
        return ""
    return short(row["ratio"]) + (f" ({short(row['cpu_ratio'])})" if row["threads"] == 1 else "")


def print_times(rows, table, unit, scale):
    chosen = [row for row in rows if row["table"] == table]
    solvers = list(dict.fromkeys(row["solver"] for row in chosen))
    others = " | ".join(f"{name} / sgflow" for name in solvers[1:])
    print(f"\n| drift | n | threads | {solvers[0]}, {unit} | {others} |\n|" + "---|" * (len(solvers) + 3))
    for key in dict.fromkeys((row["system"], row["n"], row["threads"]) for row in chosen):
        of = {row["solver"]: row for row in chosen if (row["system"], row["n"], row["threads"]) == key}
        ratios = " | ".join(both_ratios(of.get(name)) for name in solvers[1:])
        print(f"| {key[0]} | {key[1]} | {key[2]} | {short(of['sgflow']['seconds'] * scale)} | {ratios} |")


def print_accuracy(rows):
    print("\n| drift | n | solver | error | residual | remark |\n|---|---|---|---|---|---|")
    threads = max((row["threads"] for row in rows), default=1)
    for row in rows:
        if row["table"] == "large" and row["threads"] == threads:
            print(f"| {row['system']} | {row['n']} | {row['solver']} | {short(row['error'], 2)} | "
                  f"{short(row['residual'], 2)} | {row['remark']} |")


def print_collections(rows):
    """By collection and example: how often sgflow's error is the smaller, and what it refuses."""
    chosen = [row for row in rows if row["table"] == "collections"]
    print("\n| example | systems | solved | largest error / SLICOT's | median | SLICOT's error where refused |")
    print("|---" * 6 + "|")
    for example in dict.fromkeys(row["system"].partition("-n")[0] for row in chosen):
        ratios, refused, systems = [], [], 0
        for name in dict.fromkeys(row["system"] for row in chosen if row["system"].startswith(example + "-n")):
            of = {row["solver"]: row for row in chosen if row["system"] == name}
            ours, slicot = of["sgflow"]["error"], of["SLICOT"]["error"]
            systems += 1
            if math.isnan(ours):
                refused.append(slicot)
            else:
                ratios.append(max(ours, 2e-16) / max(slicot, 2e-16))
        interval = f"{short(min(refused), 2)} to {short(max(refused), 2)}" if refused else ""
        print(f"| {example} | {systems} | {len(ratios)} | {short(max(ratios))} | {short(statistics.median(ratios))} | "
              f"{interval} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes and one round, to see that all works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="runs of sgflow and LAPACK in a round")
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1000, 2000])
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--tables", default="collections,small,large")
    parser.add_argument("--drifts", type=lambda text: text.split(","), help="of the large systems",
                        default=["symmetric", "half", "general", "half-general", "stein"])
    parser.add_argument("--without", type=lambda text: text.split(","), default=[], help="solvers to leave out")
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--output", default="lyapunov.csv")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.repeats, options.sizes = 1, 1, [100]
    with tempfile.TemporaryDirectory() as folder:
        peers = {name: command for name, command in find_peers(folder).items() if name not in options.without}
        heading = [machine()] + [f"{name} {text}" for name, text in versions(peers).items()]
        rows = []
        if "collections" in options.tables:
            rows += collections(peers, folder)
        if "small" in options.tables:
            rows += small_systems(options, peers, folder)
        if "large" in options.tables:
            rows += large_systems(options, peers, folder)
    write_csv(options.output, heading, rows, options.append)
    print("\n".join(heading))
    if "large" in options.tables:
        print_times(rows, "large", "s", 1.0)
        print_accuracy(rows)
    if "small" in options.tables:
        print_times(rows, "small", "us a system", 1e6)
    if any(row["table"] == "collections" for row in rows):
        print_collections(rows)


main()
