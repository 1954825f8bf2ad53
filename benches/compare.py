#!/usr/bin/env python3
"""Measures Headwater against the limits of the machine, in turns in one run, and prints a Markdown table.

Usage: python3 benches/compare.py [--seconds S] [--rounds N] [--concurrency C] [--directory DIR] [--only NAME,...]
Needs cargo and Python 3 alone. Data goes into a temporary directory (under --directory, which should be on the disk
that is to be measured) and is removed at the end. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEY = "compare-root-key-0123456789"
START_SECONDS = 60


def build():
    """Builds both binaries and gives the directory they are in."""
    command = ["cargo", "build", "--release", "--locked", "-p", "headwater", "-p", "headwater-limit"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release"


@contextmanager
def listening(command):
    """Runs a server on port 0 and gives its base URL."""
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        for line in process.stdout:
            if line.startswith("listening on "):
                yield line.split()[-1]
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not listen")
        else:
            raise SystemExit(f"{command[0]} ended before it listened")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Comparison:
    """What is run, and how long."""

    def __init__(self, options, binaries, directory):
        self.options = options
        self.headwater = binaries / "headwater"
        self.limit = binaries / "headwater-limit"
        self.directory = directory
        self.runs = 0

    def bench(self, url, workload, *more):
        """One run of the load generator; gives its JSON."""
        command = [self.headwater, "bench", workload, "--url", url, "--key", KEY, "--json"]
        command += ["--seconds", self.options.seconds, *more]
        if "--concurrency" not in more:
            command += ["--concurrency", self.options.concurrency]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{workload}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def served(self, *before_and_workload):
        """A run on a fresh Headwater; workloads before the last prepare it."""
        self.runs += 1
        data = self.directory / f"data-{self.runs}"
        command = [self.headwater, "serve", "--data", data, "--listen", "127.0.0.1:0", "--root-key", KEY]
        result = None
        with listening(command) as url:
            for workload in before_and_workload:
                result = self.bench(url, *workload)
        return result

    def bare(self, workload, *limit):
        """A run of the same load on a limit."""
        with listening([self.limit, *limit]) as url:
            return self.bench(url, workload, "--path", "/")

    def measured(self, *limit):
        """A limit that measures itself."""
        command = [self.limit, *limit, "--directory", self.directory, "--seconds", self.options.seconds]
        done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def comparisons(self):
        """Each with a name, the limit, Headwater's run, and the aim as a ratio or a rate."""
        synced = ("synced", "--directory", self.directory)
        yield "create", "echo", lambda: self.bare("create", "echo"), lambda: self.served(["create"]), 0.5
        yield "create-synced", "synced", lambda: self.bare("create", *synced), lambda: self.served(["create"]), 0.75
        yield "bulk", None, None, lambda: self.served(["bulk"]), 150_000
        yield "read", "answer", lambda: self.bare("read", "answer"), lambda: self.served(["read"]), 0.7
        yield "query", "answer", lambda: self.bare("read", "answer"), lambda: self.served(["query"]), None
        yield "catchup", None, None, lambda: self.served(["bulk"], ["catchup"]), 300_000
        yield "fanout", None, None, lambda: self.served(["fanout", "--concurrency", "1000"]), 400_000
        yield "append", "append", lambda: self.measured("append"), None, None
        yield "point-read", "point-read", lambda: self.measured("point-read"), None, None


def row(name, limit, limit_rates, own_rates, aim):
    """One line of the table, by medians."""
    limit_rate = statistics.median(limit_rates) if limit_rates else None
    own_rate = statistics.median(own_rates) if own_rates else None
    ratio = own_rate / limit_rate if own_rate and limit_rate else None

    def show(value):
        return f"{value:,.0f}" if value else "-"

    aim_text = "-" if aim is None else (f"{aim:.2f}" if aim <= 1 else f"{aim:,.0f}/s")
    ratio_text = f"{ratio:.2f}" if ratio else "-"
    spread = "-"
    if own_rates and len(own_rates) > 1:
        spread = f"±{(max(own_rates) - min(own_rates)) / 2 / own_rate:.0%}"
    return f"| {name} | {limit or '-'} | {show(limit_rate)} | {show(own_rate)} | {spread} | {ratio_text} | {aim_text} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--only", default="", help="names of comparisons, with commas")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    binaries = build()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    print(f"{time.strftime('%Y-%m-%d')}, commit {commit}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
          f"{options.concurrency} in flight, {options.rounds} rounds of {options.seconds} s in turns, medians\n")
    print("| work | limit | limit/s | headwater/s | spread | ratio | aim |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        comparison = Comparison(options, binaries, Path(directory))
        for name, limit, bare, own, aim in comparison.comparisons():
            if only and name not in only:
                continue
            limit_rates, own_rates = [], []
            for _ in range(options.rounds):
                if bare:
                    limit_rates.append(bare()["rate_per_second"])
                if own:
                    own_rates.append(own()["rate_per_second"])
            print(row(name, limit, limit_rates, own_rates, aim), flush=True)


if __name__ == "__main__":
    sys.exit(main())
