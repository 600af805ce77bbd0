"""One running broker: its folder, its processes, its description.

Each instance has a folder with all its state; instance.json in it is the
record from which every later command works. The registry is a folder of
instances (or of links to them), one registry for each checkout of the
project, so that two checkouts on a machine do not see each other's brokers.
"""

import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import sys
import tempfile

from . import (artemis, cache, certificates, kafka, ports, process,
               rabbitmq)
from .deadline import Deadline
from .errors import BrokerError

KINDS = {"kafka": kafka, "artemis": artemis, "rabbitmq": rabbitmq}
_STOP_SECONDS = 20
_HERE = pathlib.Path(__file__).resolve().parent.parent


def _all_registries():
    return pathlib.Path(tempfile.gettempdir(),
                        f"tieline-brokers-{os.getuid()}")


def registry():
    chosen = os.environ.get("TIELINE_BROKERS_DIR")
    if not chosen:
        checkout = hashlib.sha256(str(_HERE).encode()).hexdigest()[:8]
        chosen = _all_registries() / checkout
    path = pathlib.Path(chosen)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _taken_ports():
    """Ports of all known instances, of other checkouts' too."""
    taken = set()
    folders = {registry(), *_all_registries().glob("*/")}
    for folder in folders:
        for record in folder.glob("*/instance.json"):
            try:
                taken.update(json.loads(record.read_bytes())["ports"].values())
            except (OSError, ValueError):
                continue  # Being written or removed: its ports are in use.
    return taken


class Instance:
    """A broker that was started and not yet stopped; it may be dead."""

    def __init__(self, record):
        self.record = record
        self.kind = KINDS[record["kind"]]
        self.name = record["name"]
        self.version = record["version"]
        self.directory = pathlib.Path(record["dir"])
        self.data = pathlib.Path(record["data"])
        self.ports = record["ports"]
        self.options = record["options"]
        self.user = record["user"]
        self.log = self.directory / "log"

    def password(self):
        path = pathlib.Path(self.record["password_file"])
        return path.read_text(encoding="utf-8").rstrip("\n")

    def save(self):
        path = self.directory / "instance.json"
        fresh = self.directory / ".instance.json"
        fresh.write_text(json.dumps(self.record), encoding="utf-8")
        fresh.rename(path)

    def alive(self):
        return process.alive(self.record["pid"], self.record["born"])

    def condition(self):
        if not self.alive():
            return "dead"
        return "paused" if process.state(self.record["pid"]) == "T" \
            else "running"

    def describe(self):
        """What a test needs to know, as printed by start."""
        record = self.record
        shown = {key: record[key] for key in (
            "kind", "name", "version", "pid", "dir", "data", "user",
            "password_file", "ports")}
        shown["log"] = str(self.log)
        shown["description"] = str(self.directory / "description.json")
        shown.update(self.kind.describe(self))
        if self.options["tls"]:
            shown["tls"] = certificates.describe(self.directory / "tls")
        return shown

    def launch(self):
        """Starts the process and waits until the broker serves."""
        argv, env = self.kind.command(self)
        busy = [port for role, port in self.ports.items()
                if not role.startswith("proxy_") and not ports.is_free(port)]
        if busy:
            raise BrokerError(f"{self.name}: port {busy[0]} is taken; stop "
                              "what listens there or choose another")
        pid = process.start(argv, env, self.directory, self.log)
        self.record["pid"], self.record["born"] = pid, process.birth(pid)
        self.save()
        deadline = Deadline(self.kind.START_SECONDS)
        self.wait_ready(deadline)
        if hasattr(self.kind, "complete"):
            self.kind.complete(self, deadline)
        (self.directory / "description.json").write_text(
            json.dumps(self.describe()), encoding="utf-8")

    def wait_ready(self, deadline):
        state = deadline.wait_for(
            lambda: "ready" if self.alive() and self.kind.is_ready(self)
            else "dead" if not self.alive() else None)
        if state == "ready":
            return
        raise BrokerError(
            f"{self.name} " + ("ended" if state == "dead" else
                               "was not ready in time") +
            f"; its log says: {self._complaint()}")

    def _complaint(self):
        """The lines of the log that tell most, as one."""
        text = self.log.read_text(errors="replace")[-20000:]
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
        first = next((index for index, line in enumerate(lines) if re.search(
            r"Exception|ERROR|\[error\]|[Ff]ailed", line)), len(lines) - 3)
        told = [line.strip() for line in lines[max(0, first):][:4]]
        return " | ".join(filter(None, told))[:600] or "nothing"

    def end(self):
        """Ends the processes gracefully, by force after a while."""
        pid = self.record["pid"]
        if pid:
            process.end_group(pid, pid, self.record["born"],
                              Deadline(_STOP_SECONDS))

    def kill(self):
        pid = self.record["pid"]
        if pid:
            process.kill_group(pid, pid, self.record["born"],
                               Deadline(_STOP_SECONDS))

    def signal(self, number, wanted):
        """Sends a signal to the group, and waits for its effect."""
        pid = self.record["pid"]
        if not self.alive():
            raise BrokerError(f"{self.name} is dead; restart it")
        process.signal_group(pid, number)
        if not Deadline(_STOP_SECONDS).wait_for(
                lambda: self.condition() == wanted):
            raise BrokerError(f"{self.name} is not {wanted}")

    def pause(self):
        self.signal(signal.SIGSTOP, "paused")

    def proceed(self):
        self.signal(signal.SIGCONT, "running")

    def restart(self):
        self.end()
        self.launch()

    def stop(self, keep=False, now=False):
        """Ends everything, at once if asked, and forgets the instance. Its
        folder goes, unless it is to be kept; data kept elsewhere stays."""
        if now:
            self.kill()
        else:
            self.end()
        watcher = self.record.get("watcher")
        if watcher and watcher["pid"] != os.getpid() and \
                process.alive(watcher["pid"], watcher["born"]):
            os.kill(watcher["pid"], signal.SIGTERM)
        link = registry() / self.name
        if link.is_symlink():
            link.unlink()
        if keep:
            (self.directory / "instance.json").unlink()
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def die_with(self, pid):
        """Has the instance stopped when another process ends."""
        script = _HERE / "broker"
        watcher = process.start(
            [sys.executable, str(script), "watch", self.name, str(pid)],
            dict(os.environ, TIELINE_BROKERS_DIR=str(registry())),
            "/", self.directory / "watcher.log")
        self.record["watcher"] = {"pid": watcher,
                                  "born": process.birth(watcher)}
        self.save()


def find(name):
    path = registry() / name / "instance.json"
    try:
        return Instance(json.loads(path.read_bytes()))
    except FileNotFoundError:
        known = ", ".join(each.name for each in everyone()) or "none"
        raise BrokerError(
            f"no broker is named {name}; known here: {known}") from None


def everyone():
    found = []
    for path in sorted(registry().glob("*/instance.json")):
        try:
            found.append(Instance(json.loads(path.read_bytes())))
        except (OSError, ValueError):
            continue  # Stopped while we looked.
    return found


def _write_password(directory, given):
    if given:
        path = pathlib.Path(given).resolve()
        if not path.is_file():
            raise BrokerError(f"there is no password file {path}")
        return str(path)
    path = directory / "password"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(12) + "\n", encoding="utf-8")
    return str(path)


def _reserve(kind, options):
    """Makes the folder and the record of a new instance, with its ports."""
    module = KINDS[kind]
    taken = _taken_ports()
    names = module.port_names(options)
    numbers = ports.choose(len(names), taken)
    chosen = dict(zip(names, numbers))
    if options["port"]:
        if options["port"] in taken or not ports.is_free(options["port"]):
            raise BrokerError(f"port {options['port']} is taken; stop what "
                              "listens there or choose another")
        chosen["plain"] = options["port"]
    name = options["name"]
    if name and (registry() / name).exists():
        raise BrokerError(f"there is a broker named {name}; stop it first")
    number = 1
    while not name:
        candidate = f"{kind}-{number}"
        if not os.path.lexists(registry() / candidate):
            name = candidate
        number += 1
    directory = registry() / name
    if options["dir"]:
        directory = pathlib.Path(options["dir"]).resolve()
        if directory.exists() and any(directory.iterdir()):
            raise BrokerError(f"{directory} is not empty")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (registry() / name).symlink_to(directory)
    else:
        directory.mkdir(mode=0o700)
    data = pathlib.Path(options["data"] or directory / "data").resolve()
    data.mkdir(parents=True, exist_ok=True)
    instance = Instance({
        "kind": kind, "name": name, "version": options["version"],
        "pid": 0, "born": 0, "dir": str(directory), "data": str(data),
        "ports": chosen, "options": options, "user": options["user"],
        "password_file": _write_password(directory,
                                         options["password_file"])})
    instance.save()
    return instance


def start(kind, options):
    """Starts a broker and returns it, ready; leaves nothing behind if that
    fails."""
    KINDS[kind].fetch(options["version"])
    root = _all_registries()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with cache.locked(root / ".lock"):
        instance = _reserve(kind, options)
    try:
        if options["die_with"]:
            instance.die_with(options["die_with"])
        if options["tls"]:
            certificates.make(instance.directory / "tls", instance.user)
        instance.kind.configure(instance)
        instance.launch()
    except BaseException:
        instance.stop(now=True)
        raise
    return instance
