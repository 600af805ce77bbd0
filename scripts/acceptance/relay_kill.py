"""Relaying with relays killed and brokers disturbed: 0 lost, order per key.

The chain of relay-million, with kill -9 of both relays 2 s after each start's
first relayed message (static members, unlimited attempts on Artemis), and each
broker stopped, continued (SIGSTOP, SIGCONT) and restarted in turn. Order counts
by the first arrival of each id; duplicates are counted by id.
"""

import time

import _relay
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tools/", "tests/acceptance/",
           "tests/brokers/")

KEYS = 1000
PAUSE = 3.0  # how long a broker stands still


def disturb(ctx, broker, verify):
    """Stops, continues and restarts one broker, with time between to relay."""
    for act, undo in (("pause", "continue"), ("kill", "restart")):
        if verify.poll() is not None:
            raise RuntimeError("the run was over before every broker was "
                               "disturbed: lower the rate")
        ctx.say(f"{act} {broker['name']}")
        ctx.broker_do(act, broker["name"])
        time.sleep(PAUSE)
        ctx.broker_do(undo, broker["name"])
        time.sleep(PAUSE)


def chain(ctx, programs, name, count, rate, stops, brokers):
    ctx.say(f"{name}: {count} messages, {rate} a second")
    verify = programs.verify(stops[-1], count, KEYS, 120)
    victims = [_relay.Victim(programs, source, target)
               for source, target in zip(stops[:-1], stops[1:])]
    produce = programs.produce(stops[0], count, KEYS, "--rate", rate)
    time.sleep(PAUSE)
    for broker in brokers:
        disturb(ctx, broker, verify)
    _relay.finish(produce, f"{name}: produce")
    ctx.say(f"{name}: all sent; the relays are let live")
    for victim in victims:
        victim.leave()
    report = _relay.report_of(verify)
    report["kills"] = [victim.kills for victim in victims]
    report["stopped"] = [victim.stop() for victim in victims]
    return report


def run(ctx):
    count, rate = (20_000, 250) if ctx.short else (1_000_000, 5_000)
    rabbits = 5_000 if ctx.short else 100_000
    programs = _relay.Programs(ctx)
    tune = "test" if ctx.short else "bench"
    artemis = f"artemis --max-delivery-attempts -1 --tune {tune}"
    first, second = ctx.broker(artemis), ctx.broker(artemis)
    kafka = ctx.broker(f"kafka --tune {tune}")
    rabbit = ctx.broker("rabbitmq")
    reports = {
        "Kafka": chain(ctx, programs, "through Kafka", count, rate, [
            _relay.url(first, "kill"),
            _relay.url(kafka, "kill", "group=relay", "member=relay-1",
                       "create=true", "partitions=4"),
            _relay.url(second, "kill")], [first, kafka, second]),
        "RabbitMQ": chain(ctx, programs, "through RabbitMQ", rabbits, rate, [
            _relay.url(first, "rabbit"), _relay.url(rabbit, "rabbit"),
            _relay.url(second, "rabbit")], [rabbit]),
    }
    return judge(reports)


def judge(reports):
    figures, notes, ok = {}, [], True
    for name, r in reports.items():
        figures[f"through {name}"] = (
            f"{r['expected']} sent, {r['lost']} lost, {r['duplicates']} "
            f"duplicates, {r['out_of_order']} out of order, {r['different']} "
            f"different, {sum(r['kills'])} kills")
        notes += [f"through {name}: {fault}" for fault in r["faults"]]
        ok = ok and r["ok"] and min(r["kills"]) > 0 and not any(r["stopped"])
    return accept.Result(ok, figures, notes)
