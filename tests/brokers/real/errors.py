"""The one exception that the command line shows as a one-line error."""


class BrokerError(Exception):
    """Says what went wrong and what to do about it, in one line."""
