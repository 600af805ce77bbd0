"""The store crashed 10,000 times: 0 acknowledged records lost, 0 corrupt files.

kill -9 of a process at work on the real disk, which another process then looks
at; power cuts on a disk (a SQLite VFS) that drops or tears what was not synced;
injected write and fsync errors; a full disk, simulated and a real small tmpfs
(as root), trimmed while it is full. Bytes flipped at many offsets are cases of
store_test. A file that is damaged and not said to be would fail the check of
its contents, and so count as lost.
"""

import json
import os
import pathlib

import accept

DEPENDS = ("lib/store/", "lib/base/", "tests/store/")

# Lives on the simulated disk have four crashes each.
PER_LIFE = 4
FULL = {"kill": 2_000, "power": 1_200, "error": 500, "full": 300}
SHORT = {"kill": 40, "power": 60, "error": 40, "full": 30}
CASES = "a flipped byte is reported\\, or has hurt nothing"


def said(done, name, faults):
    """The report of a run; what is wrong with it goes to `faults`."""
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        faults.append(f"{name}: exit code {done.returncode}: "
                      f"{(done.stdout + done.stderr)[-500:]}")
    return json.loads(lines[-1]) if lines else {}


def tmpfs(ctx, program, faults):
    """Fills and trims a store on a small tmpfs; what came of it."""
    if os.geteuid() != 0:
        return "left out: mounting a tmpfs needs root"
    folder = ctx.temp / "small"
    folder.mkdir()
    ctx.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder])
    ctx.defer(ctx.run, ["umount", "-l", folder])
    done = ctx.run([program, "fill", folder / "s.db", "--batches",
                    500 if ctx.short else 20_000],
                   check=False, capture_output=True, text=True)
    report = said(done, "tmpfs", faults)
    if not report.get("full"):
        faults.append("tmpfs: it was never full")
    return (f"full {report.get('full')} times, trimmed each time, "
            f"{report.get('acknowledged')} batches acknowledged, all there "
            f"at {report.get('looks')} looks")


def run(ctx):
    counts = SHORT if ctx.short else FULL
    folder = ctx.build("release", "store_crash", "store_test")
    program = folder / "tests" / "store" / "store_crash"
    figures, faults, crashes, lost = {}, [], 0, 0
    disk = pathlib.Path(ctx.root) / "build" / "accept"
    for kind, count in counts.items():
        if kind == "kill":
            argv = [program, "kill", "--folder", disk]
        else:
            argv = [program, "disk", "--kind", kind]
        ctx.say(f"{kind}: {count} {'kills' if kind == 'kill' else 'lives'}")
        done = ctx.run([*argv, "--count", count], check=False,
                       capture_output=True, text=True)
        report = said(done, kind, faults)
        crashes += report.get("crashes", 0)
        lost += report.get("lost", 1)
        text = f"{report.get('crashes')} crashes, {report.get('lost')} lost"
        if kind == "kill":
            text += f", {report.get('at_work')} of them at work"
        if "errors" in report:
            text += f", {report['errors']} batches answered with an error"
        if kind == "full":
            text += f", {report.get('refused_trims')} trims refused"
        figures[kind] = (f"{text}, {report.get('acknowledged')} batches "
                         "acknowledged")
    ctx.say("tmpfs")
    figures["tmpfs"] = tmpfs(ctx, program, faults)
    ctx.say("flipped bytes")
    flips = ctx.run([folder / "tests" / "store" / "store_test", CASES],
                    check=False)
    figures["flipped bytes"] = ("0 unreported" if flips.returncode == 0
                                else f"exit code {flips.returncode}")
    if flips.returncode != 0:
        faults.append(f"flipped bytes: see {ctx.log}")
    expected = counts["kill"] + PER_LIFE * (sum(counts.values()) -
                                            counts["kill"])
    if crashes < expected:
        faults.append(f"{crashes} crashes of {expected}")
    figures["crashes"] = crashes
    figures["acknowledged records lost"] = lost
    return accept.Result(not faults and lost == 0, figures, faults)
