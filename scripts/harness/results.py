"""What the test programs said, case by case.

A test program leaves Catch2 XML or JSON (tests/support/python_test.py) in the
results folder; one that leaves nothing counts as one case, by its exit code.
"""

import dataclasses
import json
import pathlib
import re
import xml.etree.ElementTree as ElementTree

NOT_APPLICABLE = "not applicable: "
PLACES = ("Expression", "Failure", "Exception", "FatalErrorCondition")
DETAIL_CHARACTERS = 4000


@dataclasses.dataclass
class Case:
    program: str
    name: str
    outcome: str  # passed, failed, skipped
    detail: str = ""


class Tally:
    """Counts of cases, printed the one way that everything prints them."""

    def __init__(self, cases=()):
        self.passed = self.failed = self.skipped = 0
        for case in cases:
            self.add(case.outcome)

    def add(self, outcome, count=1):
        setattr(self, outcome, getattr(self, outcome) + count)

    def __str__(self):
        return (f"{self.passed} passed, {self.failed} failed, "
                f"{self.skipped} skipped")


def parse_tally(text):
    """The tally that ends a program's output, or None."""
    for line in reversed(text.strip().splitlines()):
        found = re.fullmatch(
            r"(\d+) passed, (\d+) failed, (\d+) skipped", line.strip())
        if found:
            tally = Tally()
            tally.passed, tally.failed, tally.skipped = map(
                int, found.groups())
            return tally
    return None


def _catch_failure(element):
    lines = []
    for place in element.iter():
        if place.tag in PLACES and place.get("success") != "true":
            where = f"{place.get('filename')}:{place.get('line')}"
            said = " ".join("".join(place.itertext()).split())
            lines.append(f"{where}: {place.get('type') or place.tag}: {said}")
        elif place.tag in ("Info", "Warning"):
            lines.append("  " + " ".join((place.text or "").split()))
    return "\n".join(lines)[:DETAIL_CHARACTERS] or "no assertion was made"


def _catch_cases(program, path):
    """Reads a file of Catch2's XML reporter, also one that breaks off."""
    parser = ElementTree.XMLPullParser(events=("end",))
    cases = []
    whole = False
    try:
        parser.feed(path.read_bytes())
        parser.close()
        whole = True
    except ElementTree.ParseError:
        whole = False
    try:
        for _, element in parser.read_events():
            if element.tag != "TestCase":
                continue
            result = element.find("OverallResult")
            reason = next((w.text.strip() for w in element.iter("Warning")
                           if w.text and w.text.strip().startswith(
                               NOT_APPLICABLE)), None)
            if result is None or result.get("success") != "true":
                cases.append(Case(program, element.get("name"), "failed",
                                  _catch_failure(element)))
            elif reason is not None:
                cases.append(Case(program, element.get("name"), "skipped",
                                  " ".join(reason.split())))
            else:
                cases.append(Case(program, element.get("name"), "passed"))
    except ElementTree.ParseError:
        whole = False
    return cases, whole


def _json_cases(program, path):
    said = json.loads(path.read_text())
    return [Case(program, name, case["outcome"], case.get("detail", ""))
            for name, case in said["cases"].items()], True


def _program_cases(program, folder):
    cases, whole, files = [], True, 0
    for path in sorted(folder.iterdir()):
        if not re.fullmatch(re.escape(program) + r"-\d+\.(xml|json)",
                            path.name):
            continue
        read = _catch_cases if path.suffix == ".xml" else _json_cases
        found, complete = read(program, path)
        files += 1
        cases += found
        whole = whole and complete
    return cases, whole, files


def collect(folder, ctest_junit):
    """All cases of a ctest run, and the seconds that each program took."""
    folder = pathlib.Path(folder)
    cases, seconds = [], {}
    for test in ElementTree.parse(ctest_junit).getroot().iter("testcase"):
        program = test.get("name")
        seconds[program] = float(test.get("time") or 0)
        status = test.get("status")
        output = (test.findtext("system-out") or "").strip()
        if status == "disabled":
            cases.append(Case(program, program, "skipped", "disabled"))
            continue
        if status == "notrun":
            why = test.find("skipped")
            reason = why.get("message") if why is not None else "not run"
            outcome = ("skipped" if "SKIP_" in (reason or "") else "failed")
            cases.append(Case(program, program, outcome,
                              f"{reason}\n{output}"[-DETAIL_CHARACTERS:]))
            continue
        found, whole, files = _program_cases(program, folder)
        cases += found
        said_failed = any(c.outcome == "failed" for c in found)
        if files == 0:
            cases.append(Case(program, program,
                              "passed" if status == "run" else "failed",
                              "" if status == "run"
                              else output[-DETAIL_CHARACTERS:]))
        elif (status != "run" and not said_failed) or not whole:
            why = test.find("failure")
            message = why.get("message") if why is not None else ""
            cases.append(Case(
                program, f"{program} runs to its end", "failed",
                f"{message}\n{output}"[-DETAIL_CHARACTERS:]))
    return cases, seconds
