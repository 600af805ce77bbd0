"""ActiveMQ Artemis, embedded in a small program of our own."""

import json
import os
import pathlib

from . import amqp_client, cache, java
from .errors import BrokerError

VERSIONS = ("2.55.0",)
START_SECONDS = 60
_HERE = pathlib.Path(__file__).parent.parent / "artemis"


def add_options(parser):
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0])
    parser.add_argument("--max-delivery-attempts", type=int, default=10,
                        metavar="N", help="then to DLQ; -1: no limit")
    parser.add_argument("--redelivery-delay-ms", type=int, default=0,
                        metavar="MS")
    parser.add_argument("--group-rebalance", action="store_true",
                        help="give message groups to new consumers too, with "
                        "dispatch paused meanwhile")
    parser.add_argument("--no-anonymous", action="store_true",
                        help="refuse clients that do not name a user")


def port_names(options):
    return ["plain"] + (["tls", "mtls"] if options["tls"] else [])


def _acceptor(port, **parameters):
    chosen = {"protocols": "AMQP", "saslMechanisms": "PLAIN,ANONYMOUS",
              "amqpCredits": 10000, "amqpLowCredits": 3000, **parameters}
    query = ";".join(f"{key}={value}" for key, value in chosen.items())
    return f"tcp://127.0.0.1:{port}?{query}"


def configure(instance):
    options, ports = instance.options, instance.ports
    pki = instance.directory / "tls"
    tls = {"sslEnabled": "true", "keyStoreType": "PEM", "keyStorePath":
           pki / f"{options['server_certificate']}.bundle.pem"}
    settings = {
        "name": instance.name,
        "data": instance.data,
        "user": instance.user,
        "password": instance.password(),
        "anonymous": "false" if options["no_anonymous"] else "true",
        "max.delivery.attempts": options["max_delivery_attempts"],
        "redelivery.delay.ms": options["redelivery_delay_ms"],
        "group.rebalance": str(options["group_rebalance"]).lower(),
        "acceptor.plain": _acceptor(ports["plain"]),
    }
    if options["tls"]:
        settings["acceptor.tls"] = _acceptor(ports["tls"], **tls)
        settings["acceptor.mtls"] = _acceptor(
            ports["mtls"], **tls, needClientAuth="true",
            trustStoreType="PEMCA", trustStorePath=pki / "ca.pem",
            saslMechanisms="EXTERNAL", securityDomain="certificate")
    settings.update(options["set"])
    java.properties(instance.directory / "broker.properties", settings)


def fetch(version):
    """Fills the cache: the class path of a version."""
    pom = _HERE / "pom.xml"
    jars = cache.jars(f"artemis-{version}", pom)
    classpath = os.pathsep.join(map(str, jars))
    return [cache.classes(f"artemis-{version}", _HERE / "ArtemisBroker.java",
                          classpath, pom), *jars]


def command(instance):
    return java.command(
        instance.options["tune"], fetch(instance.version), "ArtemisBroker",
        [str(instance.directory / "broker.properties")]), dict(os.environ)


def is_ready(instance):
    if instance.options["no_anonymous"]:
        return amqp_client.is_ready(instance.ports["plain"], instance.user,
                                    instance.password())
    return amqp_client.is_ready(instance.ports["plain"])


def describe(instance):
    ports = instance.ports
    urls = {"plain": f"amqp://127.0.0.1:{ports['plain']}"}
    for role in ("tls", "mtls"):
        if role in ports:
            urls[role] = f"amqps://localhost:{ports[role]}"
    return {"urls": urls, "dead_letter_queue": "DLQ",
            "expiry_queue": "ExpiryQueue",
            "management_address": "activemq.management"}


def depth(instance, queue):
    """How many messages the queue holds, those being delivered included."""
    with amqp_client.Client(instance.ports["plain"], instance.user,
                            instance.password()) as client:
        reply = client.ask("activemq.management", {
            "_AMQ_ResourceName": f"queue.{queue}",
            "_AMQ_Attribute": "messageCount"})
    try:
        return int(json.loads(reply)[0])
    except (ValueError, TypeError):
        raise BrokerError(f"{instance.name} has no queue {queue}") from None
