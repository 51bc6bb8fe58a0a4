"""Measures what we promise to be fast; prints a table and writes bench/results.json.

Every module bench_*.py beside this one holds functions marked with `@benchmark(...)`. Each returns
what ours took and what the floor took, measured in the same run on the same machine, so that the
ratio means something where seconds do not.

    python bench/run.py                 all of them
    python bench/run.py cli/version     those whose name begins so
    python bench/run.py --rounds 1 operator/100x4    quickly, to see whether it works
"""

import argparse
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Run the benchmarks that were asked for; return 1 where one missed its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("prefix", nargs="*", help="run those whose name begins so")
    parser.add_argument("--output", type=Path, default=FOLDER / "results.json")
    parser.add_argument("--rounds", type=int, default=5, help="of what takes seconds a round")
    parser.add_argument("--other", default="", help="an operator's command line, beside ours")
    parser.add_argument(
        "--every-version", action="store_true", help="have API servers know all of MPIJob's"
    )
    asked = parser.parse_args()

    # Told to end, it takes down what it has brought up, as at its end.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.path.insert(0, str(FOLDER))
    for path in sorted(FOLDER.glob("bench_*.py")):
        import_module(path.stem)
    from measure import BENCHMARKS, SETTINGS, UNTIL_DONE, NotHere

    SETTINGS.rounds, SETTINGS.other = asked.rounds, asked.other
    SETTINGS.every_version = asked.every_version
    chosen = [
        benchmark
        for benchmark in BENCHMARKS
        if not asked.prefix or benchmark.name.startswith(tuple(asked.prefix))
    ]
    if not chosen:
        print(f"no benchmark begins so; there are: {', '.join(b.name for b in BENCHMARKS)}")
        return 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; each beside its floor")
    print(f"{'name':32} {'ours':>10} {'floor':>10} {'ratio':>7}  unit   limit")
    results, missed = [], []
    with UNTIL_DONE:
        for benchmark in chosen:
            try:
                result = benchmark.run()
            except NotHere as lacking:
                print(f"{benchmark.name:32} not measured: {lacking}", flush=True)
                continue
            results.append(result)
            kept = benchmark.keeps(result)
            missed += [] if kept else [benchmark.name]
            print(
                f"{result['name']:32} {result['ours']:10.3f} {result['floor']:10.3f}"
                f" {result['ratio']:7.2f}  {result['unit']:6} {benchmark.limit}"
                f"{'' if kept else '  MISSED'}",
                flush=True,
            )
            # What is measured already is kept, however the rest ends.
            asked.output.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
