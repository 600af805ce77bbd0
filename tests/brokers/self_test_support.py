"""What the tests of the brokers share: a registry of their own, starting."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

# The registry of these tests alone; other brokers of the run are not seen.
REGISTRY = tempfile.mkdtemp(prefix="tieline-self-test-")
ENVIRONMENT = dict(os.environ, TIELINE_BROKERS_DIR=REGISTRY)


def clean_up():
    broker("stop-all")
    shutil.rmtree(REGISTRY, ignore_errors=True)


def broker(*arguments, fails=False):
    """Runs the command; returns its output, or its error if it must fail."""
    done = subprocess.run(
        [sys.executable, "-B", HERE / "broker", *map(str, arguments)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if fails != (done.returncode != 0):
        raise AssertionError(f"{arguments}: {done.stdout} {done.stderr}")
    return done.stderr if fails else done.stdout


@contextlib.contextmanager
def started(*arguments):
    """A running broker's description; it ends with the block."""
    begin = time.monotonic()
    shown = json.loads(broker("start", *arguments, "--die-with", os.getpid()))
    seconds = time.monotonic() - begin
    row = row_of(shown["name"])
    print(f"  {' '.join(map(str, arguments))}: ready in {seconds:.1f} s, "
          f"{row['rss_kib'] // 1024} MiB", file=sys.stderr)
    try:
        yield shown
    finally:
        broker("stop", "--now", shown["name"])


def row_of(name):
    rows = json.loads(broker("list", "--json"))
    return next((row for row in rows if row["name"] == name), None)


def password(shown):
    return pathlib.Path(shown["password_file"]).read_text().strip()


@contextlib.contextmanager
def proxy(to, listen=0):
    """A function that sends commands to a proxy process."""
    with subprocess.Popen(
            [sys.executable, "-B", HERE / "proxy.py", "--to", str(to),
             "--listen", str(listen)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True) as process:
        port = json.loads(process.stdout.readline())["port"]

        def tell(command):
            process.stdin.write(command + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().split(maxsplit=1)
            if answer[0] != "ok":
                raise AssertionError(answer)
            return json.loads(answer[1]) if answer[1:] else None

        tell.port = port
        try:
            yield tell
        finally:
            process.stdin.close()
