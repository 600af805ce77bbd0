"""A queue moves between real brokers under load: 0 lost, 0 twice, in order.

2,000 messages/s of 500 keys, sent and handled by one process, while the queue
goes from one broker to another and back: 50 moves each way for each pair. With
RabbitMQ as the one that is left nothing proves that it is empty, so what is
marked late may be out of order there; it is counted. A pause is the longest
time that a message given to the sender during a move took to be accepted. The
brokers are just started: 20 moves each way go before those that are timed, and
their longest pause is told apart.
"""

import _move
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tests/acceptance/",
           "tests/brokers/")

KAFKA = ("group=move", "create=true", "partitions=4", "ordered=key")
PAUSE_MS = 50


def run(ctx):
    program = (ctx.build("release", "move_check") / "tests" / "acceptance"
               / "move_check")
    moves, warm = (2, 0) if ctx.short else (50, 20)
    tune = "test" if ctx.short else "bench"
    kafka = [ctx.broker(f"kafka --tune {tune}") for _ in range(2)]
    artemis = [ctx.broker(f"artemis --max-delivery-attempts -1 --tune {tune}")
               for _ in range(2)]
    rabbit = ctx.broker("rabbitmq")
    pairs = {
        "Kafka -> Kafka": (_move.place(kafka[0], "kk", *KAFKA),
                           _move.place(kafka[1], "kk", *KAFKA)),
        "Artemis -> Artemis": (_move.place(artemis[0], "aa"),
                               _move.place(artemis[1], "aa")),
        "Artemis -> Kafka": (_move.place(artemis[0], "ak"),
                             _move.place(kafka[0], "ak", *KAFKA)),
        "Kafka -> memory": (_move.place(kafka[0], "km", *KAFKA),
                            "memory://move/km"),
        "RabbitMQ -> Artemis": (_move.place(rabbit, "ra"),
                                _move.place(artemis[0], "ra")),
    }
    figures, notes = {}, []
    for name, (source, target) in pairs.items():
        ctx.say(f"{name}: {moves} moves each way")
        report = _move.check(ctx, program, name.replace(" ", ""), source,
                             target, moves, "--warm", warm)
        pause = report["pause_ms"]
        figures[name] = (
            f"{report['moves']} moves, {report['sent']} sent, "
            f"{report['lost']} lost, {report['twice']} twice, "
            f"{report['out_of_order']} out of order"
            f" ({report['out_of_order_marked']} marked), pause p50 "
            f"{pause['p50']:.1f} p99 {pause['p99']:.1f} max {pause['max']:.1f} "
            f"ms ({report['cold_pause_ms']:.0f} cold); {report['in_flight']} in flight at switches, "
            f"{report['in_doubt']} in doubt; proofs {report['proofs']}")
        ctx.say(f"{name}: {figures[name]}")
        notes += _move.faults_of(name, report, name.startswith("RabbitMQ"))
        if report["moves"] != 2 * moves - 1:
            notes.append(f"{name}: {report['moves']} moves ended")
        if pause["p99"] > PAUSE_MS and not ctx.short:
            notes.append(f"{name}: p99 of the pause is {pause['p99']:.1f} ms, "
                         f"at most {PAUSE_MS} are allowed")
    return accept.Result(not notes, figures, notes)
