"""Apache Kafka: one node that is broker and controller (KRaft)."""

import base64
import os
import pathlib
import uuid

from . import cache, java, kafka_wire

VERSIONS = ("4.3.1", "3.9.2")
START_SECONDS = 60
_HERE = pathlib.Path(__file__).parent.parent / "kafka"

# Settings for a broker that is alone, starts quickly and answers at once.
_FIXED = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "min.insync.replicas": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 100,
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "controlled.shutdown.enable": "false",
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    "log.cleaner.threads": 1,
}
_MECHANISMS = {"plain": ["PLAIN"],
               "scram": ["SCRAM-SHA-256", "SCRAM-SHA-512"],
               "all": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]}
_MODULES = "org.apache.kafka.common.security"


def add_options(parser):
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0])
    parser.add_argument("--sasl", choices=sorted(_MECHANISMS),
                        help="add a listener with SASL (and one over TLS, "
                        "with --tls)")
    parser.add_argument("--partitions", type=int, default=4, metavar="N",
                        help="of topics that are created when first used")
    parser.add_argument("--auto-create", choices=("on", "off"), default="on",
                        help="create topics when first used")
    parser.add_argument("--proxied", type=int, default=0, metavar="N",
                        help="add N listeners that are announced under the "
                        "port of a proxy that the test runs itself")


def port_names(options):
    names = ["plain", "controller"]
    if options["tls"]:
        names += ["tls", "mtls"]
    if options["sasl"]:
        names += ["sasl"] + (["sasl_tls"] if options["tls"] else [])
    for number in range(options["proxied"]):
        names += [f"proxied_{number}", f"proxy_{number}"]
    return names


_PROTOCOLS = {"plain": "PLAINTEXT", "controller": "PLAINTEXT", "tls": "SSL",
              "mtls": "SSL", "sasl": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL"}


def _listeners(ports):
    """Listener settings; names of listeners have no underscore in Kafka."""
    bound, announced, protocols = [], [], []
    for role, port in ports.items():
        if role.startswith("proxy_"):
            continue
        name = role.replace("_", "").upper()
        secure = "tls" in role
        host = "localhost" if secure else "127.0.0.1"
        bound.append(f"{name}://127.0.0.1:{port}")
        protocols.append(f"{name}:{_PROTOCOLS.get(role, 'PLAINTEXT')}")
        if role != "controller":
            public = ports.get(role.replace("proxied_", "proxy_"), port)
            announced.append(f"{name}://{host}:{public}")
    return {"listeners": ",".join(bound),
            "advertised.listeners": ",".join(announced),
            "listener.security.protocol.map": ",".join(protocols)}


def _tls(instance):
    pki = instance.directory / "tls"
    served = instance.options["server_certificate"]
    return {"ssl.keystore.type": "PEM",
            "ssl.keystore.location": pki / f"{served}.bundle.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": pki / "ca.pem",
            "listener.name.mtls.ssl.client.auth": "required"}


def _sasl(instance):
    mechanisms = _MECHANISMS[instance.options["sasl"]]
    user, password = instance.user, instance.password()
    plain = (f'{_MODULES}.plain.PlainLoginModule required '
             f'user_{user}="{password}";')
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    # Without SASL everybody is ANONYMOUS and may do anything.
    settings = {
        "sasl.enabled.mechanisms": ",".join(mechanisms),
        "authorizer.class.name":
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:ANONYMOUS"}
    for listener in ("sasl", "sasltls"):
        if listener == "sasltls" and not instance.options["tls"]:
            continue
        for mechanism in mechanisms:
            settings[f"listener.name.{listener}.{mechanism.lower()}."
                     "sasl.jaas.config"] = (
                         plain if mechanism == "PLAIN" else scram)
    credentials = [f"{mechanism}=[name={user},password={password}]"
                   for mechanism in mechanisms if mechanism != "PLAIN"]
    return settings, credentials


def configure(instance):
    options, ports = instance.options, instance.ports
    settings = dict(_FIXED)
    settings["controller.quorum.voters"] = f"1@127.0.0.1:{ports['controller']}"
    settings["log.dirs"] = instance.data
    settings["num.partitions"] = options["partitions"]
    settings["auto.create.topics.enable"] = (
        "true" if options["auto_create"] == "on" else "false")
    if options["tune"] == "test":
        settings["num.network.threads"] = 1
        settings["num.io.threads"] = 2
    settings.update(_listeners(ports))
    credentials = []
    if options["tls"]:
        settings.update(_tls(instance))
    if options["sasl"]:
        sasl, credentials = _sasl(instance)
        settings.update(sasl)
    settings.update(options["set"])
    java.properties(instance.directory / "broker.properties", settings)
    scram = instance.directory / "scram"
    scram.touch(mode=0o600)
    scram.write_text("".join(line + "\n" for line in credentials),
                     encoding="utf-8")


def fetch(version):
    """Fills the cache: the class path of a version."""
    pom = _HERE / f"pom-{version}.xml"
    jars = cache.jars(f"kafka-{version}", pom)
    classpath = os.pathsep.join(map(str, jars))
    return [cache.classes(f"kafka-{version}", _HERE / "KafkaBroker.java",
                          classpath, pom), *jars]


def command(instance):
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().strip("=")
    return java.command(
        instance.options["tune"], fetch(instance.version), "KafkaBroker",
        [str(instance.directory / "broker.properties"), cluster.replace(
            "-", "A"), str(instance.directory / "scram")]), dict(os.environ)


def is_ready(instance):
    return kafka_wire.is_ready(instance.ports["plain"])


def complete(instance, deadline):
    """What can be set up only once the broker runs."""
    if instance.options["sasl"]:
        kafka_wire.deny_topics(instance.ports["plain"], instance.user,
                               "forbidden.", deadline)


def describe(instance):
    ports = instance.ports
    urls = {role: f"kafka://{'localhost' if 'tls' in role else '127.0.0.1'}"
            f":{ports[role]}"
            for role in ("plain", "tls", "mtls", "sasl", "sasl_tls")
            if role in ports}
    proxied = [{"listen": ports[f"proxy_{n}"], "upstream":
                ports[f"proxied_{n}"],
                "url": f"kafka://127.0.0.1:{ports[f'proxy_{n}']}"}
               for n in range(instance.options["proxied"])]
    mechanisms = _MECHANISMS.get(instance.options["sasl"], [])
    return {"urls": urls, "proxied": proxied, "mechanisms": mechanisms}
