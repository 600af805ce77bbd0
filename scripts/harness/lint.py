"""scripts/lint: the format, and clang-tidy over what is not known to be clean.

A source counts as clean when clang-tidy found nothing in exactly these bytes:
the source, the project's headers that it includes (directly or not), the
flags, .clang-tidy, the tool's version and its plugin. Only clean results are
remembered.

A plugin keeps the checks to the project's own code, and what most sources
include of libraries is precompiled: a tenth of the time, the same findings.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import paths

TOOL = "clang-tidy-14"
COMPILER = "clang++-14"
LLVM_INCLUDE = "/usr/lib/llvm-14/include"
PARTS = pathlib.Path(__file__).resolve().parent / "tidy"
# Of these one precompiled header has one value, and so all sources have it.
ALIKE = ["-fPIC", "-DFMT_SHARED"]
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)


def tracked_sources():
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard",
         "*.cc"],
        cwd=paths.ROOT, capture_output=True, text=True, check=True)
    return {str(paths.ROOT / name) for name in listing.stdout.splitlines()}


def compile_commands():
    """The compile commands of our sources, one a source."""
    subprocess.run(["cmake", "--preset", "tidy"], cwd=paths.ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    database = paths.build_dir("tidy") / "compile_commands.json"
    ours = tracked_sources()
    found = {}
    for entry in json.loads(database.read_text()):
        if entry["file"] in ours:
            found.setdefault(entry["file"], entry)
    return list(found.values())


@functools.lru_cache(maxsize=None)
def read(path):
    """The bytes of a file of the project, or None when there is none."""
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return None


@functools.lru_cache(maxsize=None)
def includes(path):
    return [name.decode() for name in INCLUDE.findall(read(path) or b"")]


def closure(source, include_dirs):
    """The source and the project's headers it reaches, sorted."""
    seen = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in includes(path):
            for folder in [os.path.dirname(path), *include_dirs]:
                candidate = os.path.normpath(os.path.join(folder, name))
                if read(candidate) is not None:
                    waiting.append(candidate)
                    break
    return sorted(seen)


def flags(entry):
    """The compiler's flags of a source: its command without the compiler, the
    source and what is written."""
    words = iter(shlex.split(entry["command"])[1:])
    kept = []
    for word in words:
        if word == "-o":
            next(words)
        elif word not in ("-c", entry["file"]):
            kept.append(word)
    return kept + ALIKE


class Tidy:
    """clang-tidy with its plugin and the precompiled header."""

    def __init__(self, entry):
        version = subprocess.run([TOOL, "--version"], capture_output=True,
                                 text=True, check=True).stdout
        self.identity = version.encode() + b"".join(
            part.read_bytes() for part in sorted(PARTS.iterdir()))
        out = paths.build_dir("tidy")
        self._plugin = out / "own_code.so"
        self._libraries = out / "libraries.pch"
        subprocess.run(
            [COMPILER, "-std=c++17", "-O1", "-fPIC", "-shared", "-fno-rtti",
             "-isystem", LLVM_INCLUDE, PARTS / "own_code.cc", "-o",
             self._plugin], check=True)
        common = [f for f in flags(entry)
                  if not f.startswith(("-I", "-D")) or f in ALIKE]
        subprocess.run(
            [COMPILER, *common, "-x", "c++-header", PARTS / "libraries.h",
             "-o", self._libraries], check=True)

    def check(self, entry):
        """What clang-tidy says of one source; empty when it is clean."""
        # Catch2 gives a source that configures it more than the others see.
        own = b"#define CATCH_CONFIG" in read(entry["file"])
        done = subprocess.run(
            [TOOL, "--load", self._plugin, "--checks=tieline-own-code",
             "--quiet", entry["file"], "--",
             *([] if own else ["-include-pch", self._libraries]),
             *flags(entry)],
            cwd=paths.ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return ""
        text = done.stdout
        if " error: " not in text and " warning: " not in text:
            text += done.stderr
        return text.replace(str(paths.ROOT) + "/", "")


def fingerprint(entry, identity):
    words = shlex.split(entry["command"])
    root = str(paths.ROOT)
    dirs = [w[2:] for w in words if w.startswith("-I" + root)]
    digest = hashlib.sha256(identity)
    digest.update(b"\0".join(
        w.replace(root, "").encode() for w in words
        if w.startswith(("-std", "-D", "-I", "-W", "-isystem"))))
    for config in sorted(paths.ROOT.glob("**/.clang-tidy")):
        if "build" not in config.relative_to(paths.ROOT).parts:
            digest.update(config.read_bytes())
    for path in closure(entry["file"], dirs):
        digest.update(path.replace(root, "").encode() + b"\0")
        digest.update(read(path))
    return digest.hexdigest()


def run_tidy(jobs, everything):
    cache = paths.cache_dir("tidy")
    waiting = []
    entries = compile_commands()
    tidy = Tidy(entries[0])
    for entry in entries:
        mark = cache / fingerprint(entry, tidy.identity)
        if everything or not mark.exists():
            waiting.append((entry, mark))
    # Long ones first, so that no worker is left alone with one at the end.
    waiting.sort(key=lambda w: -os.path.getsize(w[0]["file"]))
    print(f"lint: clang-tidy: {len(entries) - len(waiting)} sources known to "
          f"be clean, {len(waiting)} to check", flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(tidy.check, e): (e, m) for e, m in waiting}
        for done in concurrent.futures.as_completed(running):
            entry, mark = running[done]
            said = done.result()
            if said:
                bad += 1
                print(said.rstrip(), flush=True)
            else:
                mark.touch()
    return bad, len(entries)


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/lint", description="Checks format and clang-tidy.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--all", action="store_true",
                        help="check every source, remembered or not")
    options = parser.parse_args()
    start = time.monotonic()
    formatted = subprocess.run(
        [paths.ROOT / "scripts" / "format", "--check"]).returncode
    bad, total = run_tidy(options.jobs, options.all)
    print(f"lint: {total} sources, {bad} with findings, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if formatted or bad else 0


if __name__ == "__main__":
    sys.exit(main())
