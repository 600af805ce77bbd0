""".ci/run: the stages that a change must pass, one after the other."""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import brokers
import paths
import results

LOGS = paths.ROOT / "build" / "ci"
FUZZ_SECONDS = int(os.environ.get("TIELINE_FUZZ_SECONDS", "60"))
TAIL_LINES = 40
# How programs of a stage name what failed: once more at the end, where the
# last lines of a run are all that is kept of it.
FAILED = re.compile(r"^\s*(FAILED: .*|.*: error: .*)$", re.M)
MAX_NAMED = 30
# Programs that a sanitizer's run adds nothing to: they test texts, or run
# programs built apart.
NOT_SANITIZED = "^(tree_test|package_test|docs_test|brokers_self_test)$"


class Stage:
    """One stage: its log, its cases."""

    def __init__(self, name):
        self.name = name
        self.path = LOGS / f"{name}.log"
        self.tally = results.Tally()
        self.failures = []

    def run(self, argv, env=None):
        """Runs a program into the log; returns (exit code, its output)."""
        argv = [str(word) for word in argv]
        with self.path.open("ab") as log:
            log.write(f"$ {' '.join(argv)}\n".encode())
            log.flush()
            begin = log.tell()
            code = subprocess.run(argv, cwd=paths.ROOT, stdout=log,
                                  stderr=subprocess.STDOUT,
                                  env={**os.environ, **(env or {})}).returncode
        with self.path.open("rb") as log:
            log.seek(begin)
            return code, log.read().decode(errors="replace")

    def case(self, name, passed):
        self.tally.add("passed" if passed else "failed")
        if not passed:
            self.failures.append(name)

    def counted(self, name, argv, env=None):
        """Runs a program whose last line is a tally, and adds that."""
        code, output = self.run(argv, env)
        said = results.parse_tally(output)
        if said is None:
            self.case(name, False)
            return
        for outcome in ("passed", "failed", "skipped"):
            self.tally.add(outcome, getattr(said, outcome))
        if said.failed or code:
            self.failures.append(name)
        if code and not said.failed:
            self.tally.add("failed")

    def named_failures(self):
        if not self.failures:
            return []
        log = self.path.read_text(errors="replace")
        named = dict.fromkeys(self.failures)
        named.update(dict.fromkeys(FAILED.findall(log)))
        return list(named)[:MAX_NAMED]


def style(stage, _):
    code, _ = stage.run(["scripts/format", "--check"])
    stage.case("scripts/format --check", code == 0)


def lint(stage, _):
    code, _ = stage.run(["scripts/lint"])
    stage.case("scripts/lint", code == 0)


def test(stage, environment):
    stage.counted("scripts/test", ["scripts/test"], environment)


def simulate(stage, _):
    code, _ = stage.run(["scripts/accept", "--short", "--no-keep", "sim"])
    stage.case("scripts/accept --short sim", code == 0)


def sanitize(preset):
    def run(stage, environment):
        stage.counted(preset, ["scripts/test", "--preset", preset, "--fast",
                               "--exclude", NOT_SANITIZED], environment)
    return run


def fuzz(stage, _):
    """Builds the fuzz targets, and runs each for its time, from its corpus."""
    build = paths.build_dir("fuzz")
    for step in (["cmake", "--preset", "fuzz"],
                 ["cmake", "--build", build, "--target", "fuzzers"]):
        code, _ = stage.run(step)
        if code:
            stage.case("build of the fuzz targets", False)
            return
    sources = paths.ROOT / "tests" / "fuzz"
    targets = sorted(path.stem for path in sources.glob("*.cc"))

    def one(name):
        program = build / "tests" / "fuzz" / f"fuzz_{name}"
        found = LOGS / "fuzz" / name
        found.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"fuzz-{name}.log"
        with log.open("wb") as out:
            code = subprocess.run(
                [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=20",
                 "-rss_limit_mb=2048", "-print_final_stats=1",
                 f"-artifact_prefix={found}/crash-", found,
                 sources / "corpus" / name],
                stdout=out, stderr=subprocess.STDOUT).returncode
        return name, code, log.read_text(errors="replace")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, code, output in pool.map(one, targets):
            ran = re.search(r"number_of_executed_units:\s*(\d+)", output)
            with stage.path.open("a") as log:
                log.write(f"{name}: exit code {code}, "
                          f"{ran[1] if ran else 'no'} inputs\n")
                if code:
                    log.write(output[-4000:])
            stage.case(f"fuzz {name}", code == 0 and ran is not None)
    if not targets:
        stage.case("there is a fuzz target", False)


def accept(stage, environment):
    stage.counted("scripts/accept --all --short",
                  ["scripts/accept", "--all", "--short", "--no-keep"],
                  environment)


def bench(stage, _):
    """The short form of each suite: that it measures, not what."""
    code, listed = stage.run(["scripts/bench", "--list"])
    names = [line.split()[0] for line in listed.splitlines()]
    stage.case("scripts/bench --list", code == 0 and bool(names))
    for name in names:
        report = paths.ROOT / "build" / "bench" / f"{name}.json"
        report.unlink(missing_ok=True)
        code, _ = stage.run(["scripts/bench", "--short", name])
        stage.case(f"scripts/bench --short {name}",
                   code == 0 and report.exists())


# These use real brokers, started once for all of them.
WITH_BROKERS = {"test", "asan", "tsan", "accept"}
STAGES = {"style": style, "lint": lint, "test": test, "sim": simulate,
          "asan": sanitize("asan"), "tsan": sanitize("tsan"), "fuzz": fuzz,
          "accept": accept, "bench": bench}

# The others are run by name: `style` is a part of `lint`, and the rest take
# longer than a change may wait.
DEFAULT = ["lint", "test", "sim", "asan", "tsan", "fuzz"]


def run_stage(name, environment):
    stage = Stage(name)
    stage.path.unlink(missing_ok=True)
    print(f"ci: {name} ...", flush=True)
    start = time.monotonic()
    STAGES[name](stage, environment)
    seconds = time.monotonic() - start
    print(f"ci: {name}: {stage.tally} in {seconds:.0f} s", flush=True)
    if stage.failures:
        print(f"ci: {name} FAILED: {', '.join(stage.failures)}; "
              f"the end of {stage.path.relative_to(paths.ROOT)}:")
        lines = stage.path.read_text(errors="replace").splitlines()
        for line in lines[-TAIL_LINES:]:
            print(f"    {line}")
    sys.stdout.flush()
    return stage


def main():
    # Ends by an exception, so that the brokers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog=".ci/run")
    parser.add_argument("stages", nargs="*", metavar="STAGE",
                        help=f"of {', '.join(STAGES)}; "
                        f"default: {', '.join(DEFAULT)}")
    chosen = parser.parse_args().stages or DEFAULT
    for name in chosen:
        if name not in STAGES:
            parser.error(f"no stage is named {name}")
    pathlib.Path(LOGS).mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    total = results.Tally()
    stages = []
    with contextlib.ExitStack() as stack:
        environment = {}
        if WITH_BROKERS & set(chosen):
            environment = stack.enter_context(brokers.for_tests())
        for name in chosen:
            stage = run_stage(name, environment)
            stages.append(stage)
            for outcome in ("passed", "failed", "skipped"):
                total.add(outcome, getattr(stage.tally, outcome))
    for stage in stages:
        for what in stage.named_failures():
            print(f"ci: {stage.name}: {what}")
    print(f"ci: {time.monotonic() - start:.0f} s in all")
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
