"""The config swapped back and forth 1,000 times under load, in one process.

Between two Artemis brokers and between two on memory: 0 lost, 0 twice, in
order; resident memory, descriptors and threads flat: the medians of the moves
from 10 to 30 % and from 80 to 100 % of the run.
"""

import _move
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tests/acceptance/",
           "tests/brokers/")

FLAT = 0.05  # of resident memory, beside 512 KiB of noise


def run(ctx):
    program = (ctx.build("release", "move_check") / "tests" / "acceptance"
               / "move_check")
    there = 10 if ctx.short else 500
    tune = "test" if ctx.short else "bench"
    artemis = [ctx.broker(f"artemis --max-delivery-attempts -1 --tune {tune}")
               for _ in range(2)]
    pairs = {
        "memory": ("memory://one/q", "memory://two/q"),
        "Artemis": (_move.place(artemis[0], "q"),
                    _move.place(artemis[1], "q")),
    }
    figures, notes = {}, []
    for name, (source, target) in pairs.items():
        ctx.say(f"{name}: {2 * there} moves")
        report = _move.check(ctx, program, name, source, target, there,
                             "--quiet-period", "0.2")
        first, last = report["at_first"], report["at_the_end"]
        figures[name] = (
            f"{report['moves']} moves, {report['sent']} sent, "
            f"{report['lost']} lost, {report['twice']} twice, "
            f"{report['out_of_order']} out of order; "
            f"{first['rss_kib']:.0f} KiB early, {last['rss_kib']:.0f} late; "
            f"{first['descriptors']:.0f} and {last['descriptors']:.0f} "
            f"descriptors; {first['threads']:.0f} and {last['threads']:.0f} "
            "threads")
        ctx.say(f"{name}: {figures[name]}")
        notes += _move.faults_of(name, report)
        if last["rss_kib"] > first["rss_kib"] * (1 + FLAT) + 512:
            notes.append(f"{name}: resident memory grew")
        if (last["descriptors"] > first["descriptors"]
                or last["threads"] > first["threads"]):
            notes.append(f"{name}: descriptors or threads are left")
        if report["moves"] != 2 * there - 1:
            notes.append(f"{name}: {report['moves']} moves ended")
    return accept.Result(not notes, figures, notes)
