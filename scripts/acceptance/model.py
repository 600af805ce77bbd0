"""Every small configuration of a move, in every order of steps: 0 violations.

Two processes, two re-plans, a crash, a late copy, three messages: the whole
reachable space of each configuration (tests/model/scenarios.cc), every state
kept whole. The short form goes through smaller ones.
"""

import json

import accept

DEPENDS = ("lib/base/", "lib/policy/", "tests/model/")


def run(ctx):
    program = (ctx.build("release", "move_model") / "tests" / "model"
               / "move_model")
    done = ctx.run([program, "short" if ctx.short else "full"], check=False,
                   capture_output=True, text=True)
    figures, ok = {}, done.returncode == 0
    for line in done.stdout.splitlines():
        one = json.loads(line)
        verdict = one["violation"] or (
            "0 violations" if one["complete"] else "not complete")
        ok = ok and one["complete"] and not one["violation"]
        figures[one["name"]] = (
            f"{one['states']} states, {one['transitions']} transitions, "
            f"depth {one['depth']}: {verdict}; {one['seconds']} s, "
            f"{one['mib']} MiB")
        ctx.say(f"{one['name']}: {figures[one['name']]}")
    return accept.Result(ok and bool(figures), figures,
                         done.stderr.splitlines())
