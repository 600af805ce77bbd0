"""Jar files and compiled classes, kept outside the tree and shared.

The cache is $TIELINE_CACHE, else ${XDG_CACHE_HOME:-~/.cache}/tieline. Every
entry is named by a hash of what it is made from, is made under a lock, and
appears complete or not at all.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from .errors import BrokerError

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


def root():
    chosen = os.environ.get("TIELINE_CACHE")
    if not chosen:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        chosen = os.path.join(os.path.expanduser(base), "tieline")
    path = pathlib.Path(chosen) / "brokers"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path):
    """Holds an exclusive lock on a file, waiting for it."""
    with open(path, "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def entry(name, sources, make):
    """The directory name-HASH of the cache, where HASH is of the sources'
    contents; make(directory) fills it if it is not there yet."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(pathlib.Path(source).read_bytes())
    path = root() / f"{name}-{digest.hexdigest()[:12]}"
    if path.is_dir():
        return path
    with locked(root() / ".lock"):
        if not path.is_dir():
            fresh = pathlib.Path(
                tempfile.mkdtemp(prefix=f".{name}-", dir=root()))
            try:
                make(fresh)
                fresh.chmod(0o755)
                fresh.rename(path)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return path


def _run(argv, what):
    if not shutil.which(argv[0]):
        raise BrokerError(f"{argv[0]} is not installed: run scripts/install")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        why = next((line for line in lines if "ERROR" in line or
                    "error:" in line), lines[-1] if lines else "no output")
        raise BrokerError(f"{what} failed: {why}")


def jars(name, pom):
    """The jar files that a pom names, in a fixed order."""

    def download(directory):
        # Maven writes beside the pom: give it a copy of its own.
        copy = shutil.copy(pom, directory / "pom.xml")
        _run(["mvn", "-B", "-q", "-f", copy, f"{_PLUGIN}:copy-dependencies",
              f"-DoutputDirectory={directory}/lib", "-DincludeScope=runtime"],
             f"the download of {name}'s jar files by Maven")

    return sorted(entry(name, [pom], download).glob("lib/*.jar"))


def classes(name, source, classpath, pom):
    """The directory with the classes of one Java source file."""

    def compile_source(directory):
        _run(["javac", "-cp", classpath, "-d", str(directory), str(source)],
             f"compiling {source.name}")

    return entry(f"{name}-classes", [source, pom], compile_source)
