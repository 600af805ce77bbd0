"""Relaying between real brokers: 0 lost, order per key, every field the same.

`tieline relay` from Artemis through Kafka to a second Artemis, 1,000,000
messages with keys, every kind of body and field, and properties of every type;
the same through RabbitMQ with 100,000. The far end makes each message anew from
its number and compares all of it; order, but for what has a deliver-at or a
priority, by which brokers reorder. The full form writes the table of what came
through into docs/guide/message-mapping.md.
"""

import time

import _relay
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tools/", "tests/acceptance/",
           "tests/brokers/")

KEYS = 1000
PAGE = "docs/guide/message-mapping.md"
BEGIN = "<!-- made by scripts/accept relay-million: do not edit -->\n"
END = "<!-- end of the made table -->\n"


def chain(ctx, programs, name, count, stops):
    """Relays through the stops (URLs); returns verify's report."""
    ctx.say(f"{name}: {count} messages")
    relays = [programs.relay(source, target)
              for source, target in zip(stops[:-1], stops[1:])]
    start = time.monotonic()
    verify = programs.verify(stops[-1], count, KEYS, 120)
    produce = programs.produce(stops[0], count, KEYS)
    _relay.finish(produce, f"{name}: produce")
    sent = time.monotonic() - start
    report = _relay.report_of(verify)
    report["seconds"] = time.monotonic() - start
    report["sent_seconds"] = sent
    report["stopped"] = [_relay.stop(relay) for relay in relays]
    return report


def run(ctx):
    through_kafka, through_rabbit = (20_000, 5_000) if ctx.short else (
        1_000_000, 100_000)
    programs = _relay.Programs(ctx)
    tune = "test" if ctx.short else "bench"
    artemis = f"artemis --max-delivery-attempts -1 --tune {tune}"
    first, second = ctx.broker(artemis), ctx.broker(artemis)
    kafka = ctx.broker(f"kafka --tune {tune}")
    rabbit = ctx.broker("rabbitmq")
    reports = {
        "Kafka": chain(ctx, programs, "through Kafka", through_kafka, [
            _relay.url(first, "million"),
            _relay.url(kafka, "million", "group=relay", "create=true",
                       "partitions=4"),
            _relay.url(second, "million")]),
        "RabbitMQ": chain(ctx, programs, "through RabbitMQ", through_rabbit, [
            _relay.url(first, "rabbit"), _relay.url(rabbit, "rabbit"),
            _relay.url(second, "rabbit")]),
    }
    if not ctx.short:
        write_table(ctx.root / PAGE, reports)
    return judge(reports)


def judge(reports):
    figures, notes, ok = {}, [], True
    for name, r in reports.items():
        figures[f"through {name}"] = (
            f"{r['expected']} sent, {r['lost']} lost, {r['duplicates']} "
            f"duplicates, {r['out_of_order']} out of order, {r['different']} "
            f"different, {r['expected'] / r['seconds']:.0f} msg/s")
        notes += [f"through {name}: {fault}" for fault in r["faults"]]
        ok = ok and r["ok"] and not any(r["stopped"])
        if any(r["stopped"]):
            notes.append(f"through {name}: the relays' exit codes are "
                         f"{r['stopped']}")
    return accept.Result(ok, figures, notes)


def cell(counts):
    if counts is None:
        return "-"
    bad = counts["lost"] + counts["changed"]
    if bad == 0:
        return f"same ({counts['compared']})"
    return (f"{counts['lost']} lost, {counts['changed']} changed of "
            f"{counts['compared']}")


def write_table(page, reports):
    """Puts what each field and type became between the page's marks."""
    names = sorted({name for r in reports.values() for name in r["fields"]})
    lines = ["| what | " + " | ".join(f"through {n}" for n in reports) + " |",
             "|---|" + "---|" * len(reports)]
    for name in names:
        cells = [cell(r["fields"].get(name)) for r in reports.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END
                    + after)
