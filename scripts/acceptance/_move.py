"""What the lines that move queues share: move_check between two places."""

import json
import subprocess


def check(ctx, program, name, source, target, moves, *more):
    """Runs move_check; its report."""
    state = ctx.temp / f"{name}.state"
    argv = [program, "--from", source, "--to", target, "--moves", moves,
            "--state", state, *more]
    done = ctx.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{name}: move_check exited with {done.returncode} "
                           f"and said nothing; see {ctx.log}")
    return json.loads(lines[-1])


def faults_of(name, report, marked_allowed=False):
    """What the report has that it must not have."""
    faults = []
    for what in ("lost", "twice", "out_of_order", "failed"):
        if report[what]:
            faults.append(f"{name}: {report[what]} {what.replace('_', ' ')}")
    if report["out_of_order_marked"] and not marked_allowed:
        faults.append(f"{name}: {report['out_of_order_marked']} out of order, "
                      "marked")
    if report["fault"]:
        faults.append(f"{name}: {report['fault']}")
    return faults


def place(broker, entity, *params):
    """The URL of an entity at a broker that the context started."""
    query = "?" + "&".join(params) if params else ""
    return f"{broker['urls']['plain']}/{entity}{query}"
