"""RabbitMQ with its AMQP 1.0 plugin, from the Debian package."""

import base64
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess

from . import amqp_client
from .errors import BrokerError

VERSIONS = ("installed",)
START_SECONDS = 90
_HOME = pathlib.Path("/usr/lib/rabbitmq/lib")

# Below "forbidden." nobody may declare, read or write.
_ALLOWED = r"^(?!forbidden\.).*"

# Erlang's schedulers spin when idle unless told not to.
_ERLANG = {"test": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
           "bench": "+sbwt none +sbwtdcpu none +sbwtdio none"}


def _policy(text):
    """NAME=PATTERN:JSON."""
    name, _, rest = text.partition("=")
    at = rest.find(":{")
    if not name or at < 1:
        raise ValueError(text)
    return {"vhost": "/", "name": name, "pattern": rest[:at],
            "apply-to": "queues", "priority": 1,
            "definition": json.loads(rest[at + 1:])}


def _queue(text):
    """NAME or NAME:TYPE."""
    name, _, kind = text.partition(":")
    if not name or kind not in ("", "classic", "quorum", "stream"):
        raise ValueError(text)
    return {"name": name, "vhost": "/", "durable": True, "auto_delete": False,
            "arguments": {"x-queue-type": kind or "classic"}}


def add_options(parser):
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0])
    parser.add_argument("--queue", type=_queue, action="append", default=[],
                        metavar="NAME[:TYPE]", help="declare a durable queue "
                        "(classic, quorum or stream)")
    parser.add_argument("--policy", type=_policy, action="append", default=[],
                        metavar="NAME=PATTERN:JSON", help="a policy for the "
                        "queues whose names match")
    parser.add_argument("--dead-letter", action="store_true",
                        help="send what any queue rejects or expires to the "
                        "queue DLQ")
    parser.add_argument("--management", action="store_true",
                        help="run the HTTP API too (slower to start)")


def port_names(options):
    return (["plain", "distribution", "epmd"] +
            (["tls"] if options["tls"] else []) +
            (["management"] if options["management"] else []))


def _password_hash(password):
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return base64.b64encode(salt + digest).decode()


def _definitions(instance):
    options = instance.options
    queues, policies = list(options["queue"]), list(options["policy"])
    if options["dead_letter"]:
        queues.append(_queue("DLQ"))
        policies.append({
            "vhost": "/", "name": "dead-letter", "pattern": "^(?!DLQ$)",
            "apply-to": "queues", "priority": 0, "definition": {
                "dead-letter-exchange": "",
                "dead-letter-routing-key": "DLQ"}})
    # EXTERNAL takes the user's name from the client certificate; guest is who
    # anonymous clients are.
    passwords = {instance.user: instance.password(), "guest": "guest"}
    return {
        "vhosts": [{"name": "/"}],
        "users": [{"name": name, "password_hash": _password_hash(password),
                   "hashing_algorithm": "rabbit_password_hashing_sha256",
                   "tags": ["administrator"]}
                  for name, password in passwords.items()],
        "permissions": [{"user": name, "vhost": "/", "configure": _ALLOWED,
                         "write": _ALLOWED, "read": _ALLOWED}
                        for name in passwords],
        "policies": policies,
        "queues": queues,
    }


def configure(instance):
    options, ports = instance.options, instance.ports
    directory = instance.directory
    definitions = directory / "definitions.json"
    definitions.touch(mode=0o600)
    definitions.write_text(json.dumps(_definitions(instance)),
                           encoding="utf-8")
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{ports['plain']}",
        "load_definitions": definitions,
        "log.console": "true",
        "log.console.level": "warning",
        "log.file": "false",
        "amqp1_0.default_user": "guest",
        "disk_free_limit.absolute": "10MB",
        "vm_memory_high_watermark.absolute": "1GB",
        "loopback_users": "none",
    }
    plugins = ["rabbitmq_amqp1_0"]
    if options["tls"]:
        plugins.append("rabbitmq_auth_mechanism_ssl")
        pki = directory / "tls"
        served = options["server_certificate"]
        settings.update({
            "listeners.ssl.1": f"127.0.0.1:{ports['tls']}",
            "ssl_options.cacertfile": pki / "ca.pem",
            "ssl_options.certfile": pki / f"{served}.pem",
            "ssl_options.keyfile": pki / f"{served}.key",
            "ssl_options.verify": "verify_peer",
            "ssl_options.fail_if_no_peer_cert": "false",
            "ssl_cert_login_from": "common_name",
            "auth_mechanisms.1": "PLAIN",
            "auth_mechanisms.2": "AMQPLAIN",
            "auth_mechanisms.3": "EXTERNAL",
        })
    if options["management"]:
        plugins.append("rabbitmq_management")
        settings["management.tcp.ip"] = "127.0.0.1"
        settings["management.tcp.port"] = ports["management"]
    settings.update(options["set"])
    (directory / "rabbitmq.conf").write_text(
        "".join(f"{key} = {value}\n" for key, value in settings.items()),
        encoding="utf-8")
    (directory / "enabled_plugins").write_text(
        f"[{','.join(plugins)}].\n", encoding="utf-8")


def fetch(version):
    """Finds the installed server's start script."""
    found = sorted(_HOME.glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found or not shutil.which("epmd"):
        raise BrokerError(
            "rabbitmq-server is not installed: run scripts/install")
    del version
    return found[-1]


def environment(instance):
    """What the server and its rabbitmqctl need to find this node."""
    directory, ports = instance.directory, instance.ports
    return {
        **os.environ,
        "HOME": str(directory),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(instance.data),
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
            _ERLANG[instance.options["tune"]] +
            " -kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # The start script then replaces itself by the server, so that the
        # PID that was started is the server's.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def command(instance):
    # The port mapper runs in the server's process group and ends with it.
    script = f"epmd & exec {shlex.quote(str(fetch(instance.version)))}"
    return ["/bin/sh", "-c", script], environment(instance)


def is_ready(instance):
    return amqp_client.is_ready(instance.ports["plain"])


def describe(instance):
    ports = instance.ports
    urls = {"plain": f"amqp://127.0.0.1:{ports['plain']}"}
    if "tls" in ports:
        urls["tls"] = f"amqps://localhost:{ports['tls']}"
        urls["mtls"] = urls["tls"]
    if "management" in ports:
        urls["management"] = f"http://127.0.0.1:{ports['management']}"
    return {"urls": urls, "dead_letter_queue":
            "DLQ" if instance.options["dead_letter"] else None}


def depth(instance, queue):
    """How many messages the queue holds, those being delivered included."""
    control = fetch(instance.version).parent / "rabbitmqctl"
    done = subprocess.run(
        [control, "--quiet", "list_queues", "name", "messages",
         "--formatter=json"], env=environment(instance),
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerError(f"rabbitmqctl failed: {done.stderr.strip()[:200]}")
    for row in json.loads(done.stdout):
        if row["name"] == queue:
            return row["messages"]
    raise BrokerError(f"{instance.name} has no queue {queue}")
