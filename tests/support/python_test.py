"""Runs unittest cases as a test program that scripts/test can count.

A test program is a script that ends with

    if __name__ == "__main__":
        python_test.main()

Given by ctest (tieline_python_test): TIELINE_BUILD_DIR, TIELINE_TEST_NAME.
With TIELINE_TEST_RESULTS set to a folder, the results go there as JSON. A case
that cannot be run here says so with skipTest(reason), and is counted so.
"""

import json
import os
import pathlib
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_dir():
    """The build tree under test."""
    return pathlib.Path(os.environ.get("TIELINE_BUILD_DIR",
                                       ROOT / "build" / "dev"))


def built_without(backend):
    """Whether the build leaves a backend out, as TSan's does with Kafka."""
    cache = (build_dir() / "CMakeCache.txt").read_text()
    return f"TIELINE_{backend.upper()}:STRING=OFF" in cache.splitlines()


def wait_until(condition, seconds, what):
    """Polls until condition() is true, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class _Results(unittest.TextTestResult):
    """Remembers every case; a subtest that fails counts for its case."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = {}

    def stopTest(self, test):
        self.cases.setdefault(self._name(test), {"outcome": "passed"})
        super().stopTest(test)

    @staticmethod
    def _name(test):
        return test.shortDescription() or test.id().split(".", 1)[-1]

    def _put(self, test, outcome, detail):
        case = self.cases.setdefault(self._name(test), {"outcome": outcome})
        case["outcome"] = outcome
        case["detail"] = case.get("detail", "") + detail

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._put(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._put(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._put(test, "failed", f"{subtest}\n" +
                      self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._put(test, "skipped", reason)


def write_results(cases):
    """Writes {case: {outcome, detail}} where scripts/test looks for it."""
    folder = os.environ.get("TIELINE_TEST_RESULTS")
    if not folder:
        return
    name = os.environ.get("TIELINE_TEST_NAME") or pathlib.Path(sys.argv[0]).stem
    path = pathlib.Path(folder) / f"{name}-{os.getpid()}.json"
    path.write_text(json.dumps({"program": name, "cases": cases}, indent=1))


def main():
    program = unittest.main(
        exit=False, verbosity=2,
        testRunner=unittest.TextTestRunner(verbosity=2, resultclass=_Results))
    write_results(program.result.cases)
    sys.exit(0 if program.result.wasSuccessful() else 1)
