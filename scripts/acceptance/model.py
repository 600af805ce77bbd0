"""Every small configuration of a move, in every order of steps: 0 violations.

Two processes, two re-plans, a crash, a late copy, three messages: the whole
reachable space of each configuration (tests/model/scenarios.cc), every state
kept whole. The short form goes through smaller ones.
"""

import json
import subprocess

import accept

DEPENDS = ("lib/base/", "lib/policy/", "tests/model/")


def run(ctx):
    program = (ctx.build("release", "move_model") / "tests" / "model"
               / "move_model")
    search = ctx.spawn([program, "short" if ctx.short else "full"],
                       stdout=subprocess.PIPE, text=True)
    figures, ok = {}, True
    for line in search.stdout:
        one = json.loads(line)
        verdict = one["violation"] or (
            "0 violations" if one["complete"] else "not complete")
        ok = ok and one["complete"] and not one["violation"]
        figures[one["name"]] = (
            f"{one['states']:,} states, {one['transitions']:,} transitions, "
            f"depth {one['depth']}: {verdict}; {one['seconds']} s, "
            f"{one['mib']} MiB")
        ctx.say(f"{one['name']}: {figures[one['name']]}")
    ok = search.wait() == 0 and ok and bool(figures)
    return accept.Result(ok, figures, [] if ok else [f"see {ctx.log}"])
