"""Waiting for conditions, never for a fixed time."""

import time


class Deadline:
    """A point in time until which a wait may last."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    def passed(self):
        return self.left() == 0.0

    def wait_for(self, condition, poll_seconds=0.02):
        """Returns the first true value of condition(), or None when the
        deadline has passed."""
        while True:
            value = condition()
            if value:
                return value
            if self.passed():
                return None
            time.sleep(min(poll_seconds, self.left()))
