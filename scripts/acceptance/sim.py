"""The simulation: 300,000 seeds, 200,000 an hour on 2 CPUs: 0 violations.

Each seed decides a workload of at least 200 messages, a schedule and at least
five faults around at least one move of a queue (tests/sim); the engine is the
real one, the brokers are simulated. It is run in parts, and a run that broke
off goes on with the part that it had come to, as long as no source changed.
The short form runs 20,000 seeds in the developer's build, some minutes at a rate
that it does not look at.
"""

import json
import subprocess
import sys

import accept

DEPENDS = ("include/", "lib/", "tests/sim/", "tests/store/")

PART = 50_000
PARTS = 6
SHORT = 20_000
JOBS = 2
LEAST = {"messages": 200, "faults": 5, "moves": 1}
RATE = 200_000  # seeds an hour


def run_part(ctx, program, first, seeds):
    """Runs `seeds` seeds from `first` on; what came of them."""
    runs = ctx.spawn([program, "--from", first, "--seeds", seeds,
                      "--jobs", JOBS],
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = runs.communicate()
    part = {"seeds": 0, "failed": 0, "messages": 0, "faults": 0, "moves": 0,
            "virtual_seconds": 0, "seconds": 0.0,
            "violations": err.strip().splitlines()[:20]}
    least = {}
    for line in out.splitlines():
        job = json.loads(line)
        part["seconds"] = max(part["seconds"], job["seconds"])
        for name in LEAST:
            of_job = job[f"least_{name}"]
            least[name] = min(least.get(name, of_job), of_job)
        for name in ("seeds", "failed", "messages", "faults", "moves",
                     "virtual_seconds"):
            part[name] += job[name]
    part["least"] = least
    part["ok"] = (runs.returncode == 0 and part["seeds"] == seeds and
                  not part["failed"] and not part["violations"])
    return part


def run_parts(ctx, program):
    """All parts, those left out that an earlier run with this tree ended."""
    key = accept.key("sim", sys.modules[__name__])
    path = ctx.log.with_name("sim-parts.json")
    kept = json.loads(path.read_text()) if path.exists() else {}
    parts = kept["parts"] if kept.get("key") == key else []
    for number in range(len(parts), PARTS):
        ctx.say(f"part {number + 1} of {PARTS}: {PART:,} seeds")
        part = run_part(ctx, program, 1 + number * PART, PART)
        parts.append(part)
        if not part["ok"]:
            break
        path.write_text(json.dumps({"key": key, "parts": parts}))
    return parts


def run(ctx):
    preset = "dev" if ctx.short else "release"
    program = ctx.build(preset, "sim") / "tests" / "sim" / "sim"
    if ctx.short:
        ctx.say(f"{SHORT:,} seeds")
        parts = [run_part(ctx, program, 1, SHORT)]
    else:
        parts = run_parts(ctx, program)
    total = {name: sum(part[name] for part in parts)
             for name in ("seeds", "failed", "messages", "faults", "moves",
                          "virtual_seconds", "seconds")}
    least = {name: min((part["least"].get(name, 0) for part in parts))
             for name in LEAST}
    rate = total["seeds"] / max(total["seconds"], 0.001) * 3600
    figures = {
        "seeds": f"{total['seeds']:,}",
        "failed": total["failed"],
        "messages": f"{total['messages']:,}",
        "faults": f"{total['faults']:,}",
        "moves": f"{total['moves']:,}",
        "virtual time": f"{total['virtual_seconds'] / 3600:,.0f} hours",
        "seeds an hour": f"{rate:,.0f}",
        "least in a seed": ", ".join(f"{count} {name}"
                                     for name, count in least.items()),
    }
    notes = [line for part in parts for line in part["violations"]]
    for name, count in LEAST.items():
        if least[name] < count:
            notes.append(f"a seed has {least[name]} {name}, not {count}")
    wanted = SHORT if ctx.short else PART * PARTS
    if total["seeds"] != wanted:
        notes.append(f"{wanted:,} seeds were to be run")
    if not ctx.short and rate < RATE:
        notes.append(f"{RATE:,} seeds an hour were to be run")
    ok = all(part["ok"] for part in parts) and not notes
    return accept.Result(ok, figures, notes[:20])
