"""scripts/accept: runs what shows that a target is met, and keeps the result.

Each target is a module in scripts/acceptance/, named as the target with _ for
-, whose docstring begins with one line, "what: target", and which defines

    run(ctx) -> accept.Result     see Context for what ctx offers
    DEPENDS = ("lib/", ...)       optional: the paths it depends on; default:
                                  all sources, build files and scripts
    NOT_IN_CI = "reason"          optional: left out of --all --short

Results are kept in docs/results/NAME.json, the full and the short form apart,
each with a key: a hash over what it depends on. A result is current while its
key is the tree's.
"""

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import importlib
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import brokers
import paths
import results as test_results

MODULES = paths.ROOT / "scripts" / "acceptance"
RESULTS = paths.ROOT / "docs" / "results"
# Never a part of what a result depends on.
APART = ("docs/", "README.md", "CHANGELOG.md", "LICENSE")
ALWAYS = ("CMakeLists.txt", "CMakePresets.json", "cmake/", "scripts/harness/")


@dataclasses.dataclass
class Result:
    """What a run showed. `figures` maps a name to a number or short text."""
    ok: bool
    figures: dict
    notes: list = dataclasses.field(default_factory=list)


class Context:
    """What a run may use. All that it starts is stopped when it ends.

    short   run the reduced form
    temp    a folder of its own, removed at the end
    log     where the output of programs goes
    """

    def __init__(self, name, short, stack):
        self.name = name
        self.short = short
        self.temp = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix=f"tieline-{name}-")))
        folder = paths.ROOT / "build" / "accept"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}{'-short' if short else ''}.log"
        self._log_file = stack.enter_context(self.log.open("wb"))
        self._stack = stack
        self._start = time.monotonic()

    @property
    def root(self):
        return paths.ROOT

    def say(self, text):
        """Prints progress, with the seconds since the start."""
        print(f"[{self.name} {time.monotonic() - self._start:6.1f}] {text}",
              flush=True)

    def run(self, argv, check=True, timeout=None, **options):
        """Runs a program, its output to the log unless it is captured."""
        argv = [str(word) for word in argv]
        self._log_file.write(f"\n$ {' '.join(argv)}\n".encode())
        self._log_file.flush()
        options.setdefault("cwd", paths.ROOT)
        if not options.get("capture_output"):
            options.setdefault("stdout", self._log_file)
            options.setdefault("stderr", subprocess.STDOUT)
        done = subprocess.run(argv, timeout=timeout, **options)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit code "
                               f"{done.returncode}; see {self.log}")
        return done

    def spawn(self, argv, **options):
        """Starts a program; it is killed at the end if it still runs."""
        options.setdefault("stdout", self._log_file)
        options.setdefault("stderr", subprocess.STDOUT)
        process = subprocess.Popen([str(word) for word in argv],
                                   cwd=paths.ROOT, **options)
        self._stack.callback(_end, process)
        return process

    def build(self, preset="release", *targets):
        """Builds the targets (default: all); returns the build folder."""
        folder = paths.build_dir(preset)
        self.say(f"building {preset} {' '.join(targets)}".rstrip())
        self.run(["cmake", "--preset", preset])
        self.run(["cmake", "--build", folder, "-j", os.cpu_count(),
                  *(["--target", *targets] if targets else [])])
        return folder

    def tieline(self, preset="release"):
        """Builds the command; returns its path."""
        return self.build(preset, "tieline_cli") / "tools" / "tieline"

    def broker(self, line):
        """Starts a broker ("kafka --tls"); returns its description."""
        started = brokers.start(line)
        self._stack.callback(brokers.call, "stop", started["name"])
        self.say(f"{started['name']} serves")
        return started

    def broker_do(self, *arguments):
        """tests/brokers/broker with these arguments (kill, pause, ...)."""
        return brokers.call(*arguments)

    def test(self, *arguments):
        """Runs scripts/test; returns (exit code, tally or None)."""
        done = subprocess.run(
            [paths.ROOT / "scripts" / "test", *arguments], cwd=paths.ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._log_file.write(done.stdout.encode())
        self._log_file.flush()
        return done.returncode, test_results.parse_tally(done.stdout)

    def defer(self, call, *arguments):
        """Calls this at the end, whatever happens."""
        self._stack.callback(call, *arguments)


def _end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


def names():
    return sorted(path.stem.replace("_", "-")
                  for path in MODULES.glob("*.py") if path.stem[0] != "_")


def load(name):
    sys.path.insert(0, str(MODULES))
    return importlib.import_module(name.replace("-", "_"))


def headline(name):
    """The first line of the module's docstring, without importing it."""
    path = MODULES / f"{name.replace('-', '_')}.py"
    first = path.read_text().split('"""', 2)[1].strip().splitlines()[0]
    return first.rstrip(".")


def key(name, module):
    """A hash over the files that a result of this name depends on."""
    own = f"scripts/acceptance/{name.replace('-', '_')}.py"
    depends = getattr(module, "DEPENDS", None)
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=paths.ROOT, capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    for path in sorted(set(listing.stdout.splitlines())):
        if path.startswith(APART):
            continue
        if path.startswith("scripts/acceptance/"):
            if path != own and not path.startswith("scripts/acceptance/_"):
                continue
        elif depends is not None and not path.startswith(
                (*ALWAYS, *depends)):
            continue
        file = paths.ROOT / path
        if file.is_file():
            digest.update(path.encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def machine():
    model = "unknown"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f"{os.cpu_count()} x {model}, {memory / 2**30:.0f} GiB, "
            f"Linux {platform.release()}")


def form(short):
    return "short" if short else "full"


def kept(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def is_current(name, short):
    """True when a kept result met its target and nothing changed since."""
    entry = kept(name).get(form(short))
    return bool(entry and entry["ok"] and
                entry["key"] == key(name, load(name)))


def save(name, short, entry):
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    everything = {**kept(name), form(short): entry}
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
    fresh.rename(path)


def run_one(name, short, keep):
    """Runs one target, prints its figures and verdict; True when it is met."""
    module = load(name)
    before = key(name, module)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        ctx = Context(name, short, stack)
        try:
            result = module.run(ctx)
        except Exception as error:  # A run that breaks off is not met.
            traceback.print_exc()
            result = Result(False, {}, [f"broke off: {error}"])
    seconds = round(time.monotonic() - start, 1)
    if keep:
        save(name, short, {
            "ok": result.ok, "figures": result.figures,
            "notes": list(result.notes), "seconds": seconds, "key": before,
            "machine": machine(), "when": datetime.datetime.now(
                datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")})
    for note in result.notes:
        print(f"note: {note}")
    for figure, value in result.figures.items():
        print(f"{figure}: {show(value)}")
    print(f"{name} ({form(short)}): {'met' if result.ok else 'NOT MET'} "
          f"in {seconds:.0f} s", flush=True)
    return result.ok


def run_all(short, keep):
    """Runs every target whose kept result is not current."""
    tally = test_results.Tally()
    for name in names():
        reason = getattr(load(name), "NOT_IN_CI", None)
        if short and reason:
            print(f"skipped: {name}: {reason}")
            tally.add("skipped")
        elif keep and is_current(name, short):
            print(f"{name} ({form(short)}): met, as kept")
            tally.add("passed")
        else:
            tally.add("passed" if run_one(name, short, keep) else "failed")
    print(tally, flush=True)
    return tally.failed == 0


def show(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)


def report():
    """Prints every target and its kept result as a Markdown table."""
    print("| name | what: target | form | met | figures | when |")
    print("|---|---|---|---|---|---|")
    for name in names():
        entries = kept(name)
        if not entries:
            print(f"| `{name}` | {headline(name)} | | not run | | |")
        for which in ("full", "short"):
            if which not in entries or (which == "short" and
                                        "full" in entries):
                continue
            entry = entries[which]
            met = "yes" if entry["ok"] else "**no**"
            if entry["key"] != key(name, load(name)):
                met += " (sources changed since)"
            figures = "; ".join(f"{k} {show(v)}"
                                for k, v in entry["figures"].items())
            print(f"| `{name}` | {headline(name)} | {which} | {met} | "
                  f"{figures} | {entry['when']}, {entry['seconds']:.0f} s |")


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/accept", description="Runs what shows that a target is "
        "met. Exit code 0: it is.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--all", action="store_true", help="run every target "
                        "whose kept result is not current")
    parser.add_argument("--short", action="store_true",
                        help="the reduced form, as CI runs it")
    parser.add_argument("--no-keep", action="store_true",
                        help="leave the kept results alone")
    parser.add_argument("--report", action="store_true",
                        help="print the kept results as a Markdown table")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no target is named {unknown[0]}; --list names them")
    if not (options.names or options.list or options.all or options.report):
        parser.error("name a target, or --list, --all or --report")
    return options


def main():
    # The modules say `import accept`, and mean this one.
    sys.modules.setdefault("accept", sys.modules[__name__])
    # Ends by an exception, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    if options.list:
        for name in names():
            print(f"{name:16} {headline(name)}")
        return 0
    if options.report:
        report()
        return 0
    subprocess.run([paths.ROOT / "scripts" / "install"], check=True,
                   stdout=sys.stderr)
    keep = not options.no_keep
    if options.all:
        return 0 if run_all(options.short, keep) else 1
    return 0 if all([run_one(name, options.short, keep)
                     for name in options.names]) else 1
