#!/usr/bin/env python3
"""Writes cli/layout.ld anew: which functions stand together in the program, since one step, or a look at what waits, needs them.

    cargo build --release && cli/layout.py target/release/runbook

Needs `valgrind` and `nm`. A function is named without the hash of its build, so the list holds until functions are renamed, and one that is
missing from it is linked where it would have been.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

PROCEDURE = """
apiVersion: runbook/v1
kind: Runbook
name: layout
version: 1.0.0
title: One step, and a question
steps:
  - id: step
    exec: ["true"]
    effect: read
  - approve: {question: Go on?}
"""
COMMANDS = [["exec", "layout.yaml", "--yes"], ["decisions"]]
# Of one source there may be many functions, one for each type. Where those that ran are less than this part of their bytes, the others
# would stand between what is needed.
LEAST = 1 / 4
PAGE = 4096


def executed(program, folder, arguments):
    """The names of the functions that ran."""
    subprocess.run(
        ["valgrind", "--tool=callgrind", "--compress-strings=no", "--demangle=no", "--callgrind-out-file=out", program, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "RUNBOOK_STATE_DIR": str(folder / "state")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return set(re.findall(r"^c?fn=([^\s']+)", (folder / "out").read_text(), re.MULTILINE))


def pattern(name):
    """What of a name stays from one build to the next."""
    name = re.sub(r"\.llvm\.\d+$", "", name)
    if mangled := re.fullmatch(r"(_ZN.*17h)[0-9a-f]{16}E(\.\w+)*", name):
        return mangled[1] + "*"
    if name.startswith("_R"):
        return re.sub(r"Cs[0-9A-Za-z]+_(?=\d)", "Cs*_", name) + "*"
    return name


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        (folder / "layout.yaml").write_text(PROCEDURE)
        ran = set().union(*(executed(program, folder, arguments) for arguments in COMMANDS))

    needed, all_of_it = collections.Counter(), collections.Counter()
    symbols = subprocess.run(["nm", "--defined-only", "--print-size", program], capture_output=True, text=True, check=True).stdout
    for size, name in re.findall(r"^\w+ (\w+) [tTwW] (\S+)$", symbols, re.MULTILINE):
        all_of_it[pattern(name)] += int(size, 16)
        if name in ran:
            needed[pattern(name)] += int(size, 16)
    kept = sorted(p for p in needed if needed[p] >= LEAST * all_of_it[p] or all_of_it[p] <= PAGE)

    lines = ["/* Written by layout.py, which says what for. */", "SECTIONS {", "  .text.early : {"]
    lines += [f"    *(.text.{p})" for p in kept]
    lines += ["  }", "} INSERT BEFORE .text;", ""]
    pathlib.Path(__file__).with_name("layout.ld").write_text("\n".join(lines))
    print(f"{len(kept)} names; {sum(needed.values())} bytes ran, {sum(all_of_it[p] for p in kept)} stand together")


main()
