"""Wrong turns on purpose in the code of moves: 60 or more, every one is found.

Each mutant (tests/sim/mutants.cc) is one wrong turn, chosen while the program
runs; the simulation goes on until a seed has a violation, 20,000 seeds at most.
The short form looks for a handful that are found soon.
"""

import json
import subprocess

import accept

DEPENDS = ("include/", "lib/", "tests/sim/", "tests/store/")

SEEDS = 20_000
LEAST = 60
HANDFUL = (1, 7, 18, 31, 43, 55, 65, 100)
JOBS = 2


def look_for(ctx, program, *arguments):
    """What came of each mutant, in the order in which they were found."""
    run = ctx.spawn([program, "--seeds", SEEDS, "--jobs", JOBS, *arguments],
                    stdout=subprocess.PIPE, text=True)
    each = []
    for line in run.stdout:
        each.append(json.loads(line))
        ctx.say(line.strip())
    return each, run.wait() == 0


def run(ctx):
    program = (ctx.build("release", "sim_mutants") / "tests" / "sim"
               / "sim_mutants")
    each, ok = [], True
    if ctx.short:
        for number in HANDFUL:
            one, found = look_for(ctx, program, "--only", number)
            each += one
            ok = ok and found
        wanted = len(HANDFUL)
    else:
        each, ok = look_for(ctx, program)
        wanted = LEAST
    found = [one for one in each if one["found"]]
    missed = [f"{one['mutant']}: {one['what']}"
              for one in each if not one["found"]]
    slowest = max(found, key=lambda one: one.get("seeds", 0), default=None)
    figures = {
        "mutants": len(each),
        "found": len(found),
        "by a crash": sum("signal" in one for one in found),
        "within": f"{slowest['seeds']:,} seeds" if slowest else "none",
    }
    return accept.Result(ok and not missed and len(found) >= wanted, figures,
                         missed)
