"""AMQP beside Proton C++: >= 5x bare, >= 8x with 3 properties; brokers 1/4.

Over loopback, window 1000, 100-byte bodies, send and receive with settling
through the public interface, in throughput and in CPU of both ends. At Artemis
and RabbitMQ: user CPU a message of the client at most a quarter of the Proton
program's. Ratios are medians over the pairs. What the adapter costs without the
core is reported beside it.
"""

import accept
import bench
from suites import amqp

TIMES = {"0 properties": 5.0, "3 properties": 8.0}
USER_CPU = 0.25


def run(ctx):
    pairs = bench.SHORT_PAIRS
    report = amqp.measure(ctx, pairs)
    bench.keep("amqp", report)
    figures, faults = {}, []
    for c in report.comparisons:
        who = f"{c.name}, {c.ours.name}"
        figures[f"{who}: throughput"] = str(c.rates())
        if "loopback" in c.name:
            less = 1 / c.cpu().median
            figures[f"{who}: CPU"] = f"{less:.2f}x less"
            times = TIMES[c.name.split(", ")[2]]
            if c.ours.name != "tieline":
                continue
            if c.rates().median < times:
                faults.append(f"{c.name}: {c.rates().median:.2f}x the "
                              f"throughput, below {times}x")
            if less < times:
                faults.append(f"{c.name}: {less:.2f}x less CPU, below "
                              f"{times}x")
        else:
            user = c.cpu("user_seconds")
            figures[f"{who}: user CPU a message"] = str(user)
            figures[f"{who}: CPU a message"] = str(c.cpu())
            if user.median > USER_CPU:
                faults.append(f"{c.name}: {user.median:.2f}x the user CPU, "
                              f"above {USER_CPU}x")
    return accept.Result(not faults, figures, faults)
