"""Free TCP ports on the loopback address."""

import random
import socket

# Below the range from which the kernel takes ports for outgoing connections,
# so that a broker finds its ports free again when it is restarted.
_LOWEST, _HIGHEST = 15000, 31999


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose(count, taken):
    """Distinct free ports that are not among those taken by instances that
    are known but may not listen at the moment."""
    chosen = []
    while len(chosen) < count:
        port = random.randint(_LOWEST, _HIGHEST)
        if port not in taken and port not in chosen and is_free(port):
            chosen.append(port)
    return chosen
