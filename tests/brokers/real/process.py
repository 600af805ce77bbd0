"""Process groups that outlive the command that started them."""

import os
import select
import signal
import subprocess


def start(argv, env, cwd, log_path):
    """Starts argv as the leader of a new session, its output appended to
    log_path. Returns its PID."""
    with open(log_path, "ab") as log, open(os.devnull, "rb") as null:
        return subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=null, stdout=log, stderr=log,
            start_new_session=True).pid


def _stat(pid):
    """The fields of /proc/PID/stat after the command's name, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def birth(pid):
    """When the process started, in the kernel's ticks. With the PID it names
    a process for ever, although PIDs are used again."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def alive(pid, born):
    """True if the process that was born then still runs (a zombie does not)."""
    fields = _stat(pid)
    return bool(fields) and int(fields[19]) == born and fields[0] not in "ZX"


def state(pid):
    """The kernel's letter for what the process does (T: stopped), or None."""
    fields = _stat(pid)
    return fields[0] if fields else None


def members(group):
    """PIDs of a process group, without zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields and int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry))
    return found


def signal_group(group, number):
    """Signals every member of the group; a group that is gone is fine."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def rss_kib(group):
    """Resident memory of a process group in KiB."""
    total = 0
    for pid in members(group):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                for line in status:
                    if line.startswith("VmRSS:"):
                        total += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def end_group(group, pid, born, deadline):
    """Asks the leader to end and waits; kills what is left of the group."""
    if alive(pid, born):
        signal_group(group, signal.SIGCONT)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass  # It ended by itself a moment ago, which is what we want.
        deadline.wait_for(lambda: not alive(pid, born))
    kill_group(group, pid, born, deadline)


def kill_group(group, pid, born, deadline):
    """SIGKILL for the whole group, and a wait until the leader is gone."""
    if alive(pid, born) or members(group):
        signal_group(group, signal.SIGKILL)
    deadline.wait_for(lambda: not alive(pid, born) and not members(group))


def wait_for_end(pid):
    """Blocks until a process, not necessarily a child, has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([handle], [], [])
    finally:
        os.close(handle)
