"""Who may include whom, how long headers may be, and what no text may say."""

import functools
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_test  # noqa: E402

ROOT = python_test.ROOT
QUOTED = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
ANGLED = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.M)
ADAPTERS = ("memory", "kafka", "amqp")
PUBLIC_HEADER_LINES = 250
DRIVER_HEADERS_LINES = 300
# Values that a delivery is made of.
DRIVER_VALUES = "include/tieline/driver/types.h"

# lib/policy is made of values: none of what reaches a clock, a thread, a
# socket, a file or a log.
IMPURE = {
    "chrono", "ctime", "time.h", "thread", "mutex", "shared_mutex",
    "condition_variable", "future", "semaphore", "latch", "barrier",
    "stop_token", "fstream", "iostream", "ostream", "istream", "filesystem",
    "cstdio", "stdio.h", "random", "csignal", "signal.h",
}
# Abseil's time.h has Now() beside its value types; a call to it is found by
# name.
ABSL_VALUES = ("absl/status/", "absl/strings/", "absl/time/time.h",
               "absl/types/", "absl/container/", "absl/base/attributes.h",
               "absl/base/macros.h", "absl/numeric/", "absl/hash/",
               "absl/algorithm/")


@functools.lru_cache(maxsize=None)
def tree():
    """The files of the project, relative to its root, that exist."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.splitlines()
            if (ROOT / name).is_file()]


@functools.lru_cache(maxsize=None)
def text(name):
    return (ROOT / name).read_text(errors="replace")


def sources(*prefixes):
    return [name for name in tree()
            if name.endswith((".h", ".cc")) and name.startswith(prefixes)]


def without_comments(source):
    """The source without comments; strings and lines stay as they are."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern,
                  lambda m: m[0] if m[0][0] in "\"'" else
                  "\n" * m[0].count("\n"), source, flags=re.S)


def code_lines(name):
    return sum(1 for line in without_comments(text(name)).splitlines()
               if line.strip())


def room(name):
    """lib/policy/x.cc -> lib; adapters/kafka/x.cc -> adapters/kafka."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "adapters" else parts[0]


def target(name, include):
    """The project's file that an include of this file means, or None."""
    own = (ROOT / name).parent / include
    if own.is_file():
        return str(own.relative_to(ROOT))
    if (ROOT / include).is_file():
        return include
    for folder in ["include"] + [f"adapters/{a}/include" for a in ADAPTERS]:
        if (ROOT / folder / include).is_file():
            return f"{folder}/{include}"
    return None


class Tree(unittest.TestCase):

    def refuse(self, faults):
        if faults:
            self.fail("\n".join(faults))

    def check_includes(self, files, allowed):
        """allowed(file, target) says whether an include may stand."""
        self.refuse([
            f"{name} includes {include}" for name in files
            for include in QUOTED.findall(text(name))
            if (found := target(name, include)) and not allowed(name, found)
        ])

    def test_public_headers(self):
        """public headers include of the driver's only its plain values"""
        self.check_includes(
            [n for n in sources("include/tieline/")
             if not n.startswith("include/tieline/driver/")],
            lambda name, found: found == DRIVER_VALUES
            or found.startswith("include/tieline/")
            and not found.startswith("include/tieline/driver/"))

    def test_driver_headers(self):
        """driver headers include only public and driver headers"""
        self.check_includes(sources("include/tieline/driver/"),
                            lambda _, found: found.startswith("include/"))

    def test_adapter_public_headers(self):
        """an adapter's public header includes only public headers"""
        self.check_includes(
            [n for n in sources("adapters/")
             if re.match(r"adapters/\w+/include/", n)],
            lambda name, found: found.startswith("include/tieline/")
            or found.startswith(room(name) + "/include/"))

    def test_driver_users(self):
        """driver headers are for lib, adapters, tests and the fourth backend"""
        users = ("include/tieline/", "lib/", "adapters/", "tests/",
                 "benchmarks/", "examples/file_queue")
        self.check_includes(
            [n for n in sources("") if not n.startswith(users)],
            lambda _, found: not found.startswith("include/tieline/driver/"))

    def test_core(self):
        """lib includes nothing of an adapter, a tool or a test"""
        self.check_includes(
            sources("lib/"),
            lambda _, found: found.startswith(("include/", "lib/")))

    def test_core_names_no_adapter(self):
        """lib never names an adapter's namespace"""
        names = re.compile(r"\b(?:%s)::" % "|".join(ADAPTERS))
        self.refuse([
            f"{name}: {found[0]}" for name in sources("lib/", "include/")
            if (found := names.search(without_comments(text(name))))
        ])

    def test_adapters(self):
        """adapters include of lib only lib/base, and never each other"""
        self.check_includes(
            sources("adapters/"),
            lambda name, found: found.startswith(
                ("include/", "lib/base/", room(name) + "/"))
            or (room(name) == "adapters/conformance" and
                found.startswith("tests/support/")))

    def test_base(self):
        """lib/base includes only itself and public headers"""
        self.check_includes(
            sources("lib/base/"),
            lambda _, found: found.startswith(("include/", "lib/base/")))

    def test_control(self):
        """lib/control includes only itself, lib/base and public headers"""
        self.assertTrue(sources("lib/control/"))
        self.check_includes(
            sources("lib/control/"),
            lambda _, found: found.startswith(("lib/base/", "lib/control/"))
            or found.startswith("include/tieline/")
            and not found.startswith("include/tieline/driver/"))

    def test_config_and_store(self):
        """lib/config and lib/store know nothing of each other, nor of what
        runs on them; the store reads messages as drivers do"""
        for folder, drivers in (("lib/config/", True), ("lib/store/", False)):
            self.check_includes(
                sources(folder),
                lambda _, found, folder=folder, drivers=drivers:
                found.startswith(("lib/base/", folder, "include/tieline/"))
                and (drivers
                     or found == "include/tieline/driver/message_access.h"
                     or not found.startswith("include/tieline/driver/")))

    def test_policy_is_pure(self):
        """lib/policy is made of values: no clock, thread, socket, file, log"""
        faults = []
        for name in sources("lib/policy/"):
            for include in ANGLED.findall(text(name)):
                if (include in IMPURE or include.startswith(("sys/", "boost/"))
                        or include.endswith(".h") and "/" not in include):
                    faults.append(f"{name} includes <{include}>")
            for include in QUOTED.findall(text(name)):
                found = target(name, include)
                if found is None and not include.startswith(ABSL_VALUES):
                    faults.append(f"{name} includes {include}")
                if found and not found.startswith(
                        ("lib/base/", "lib/policy/", "include/tieline/")):
                    faults.append(f"{name} includes {include}")
            if re.search(r"absl::Now\(|::now\(", without_comments(text(name))):
                faults.append(f"{name} reads a clock")
        self.refuse(faults)

    def test_examples(self):
        """examples use the public headers alone, the file backend apart"""
        self.check_includes(
            [n for n in sources("examples/")],
            lambda name, found: found.startswith(("include/", "examples/"))
            or "/include/" in found
            or (name.startswith("examples/file_queue")
                and found.startswith("adapters/conformance/")))

    def test_driver_header_length(self):
        """the driver headers have at most 300 lines without comments"""
        lengths = {n: code_lines(n)
                   for n in sources("include/tieline/driver/")}
        self.assertTrue(lengths)
        self.assertLessEqual(sum(lengths.values()), DRIVER_HEADERS_LINES,
                             lengths)

    def test_public_header_length(self):
        """public headers have at most 250 lines"""
        self.refuse([
            f"{name}: {lines} lines" for name in sources("include/tieline/")
            if (lines := text(name).count("\n")) > PUBLIC_HEADER_LINES
        ])

    def test_include_guards(self):
        """every header has the guard that its path asks for"""
        faults = []
        for name in tree():
            if not name.endswith(".h"):
                continue
            path = name.split("include/", 1)[-1] if "include/" in name else name
            if not path.startswith("tieline/"):
                path = "tieline/" + path
            guard = re.sub(r"\W", "_", path).upper() + "_"
            if f"#ifndef {guard}\n#define {guard}\n" not in text(name):
                faults.append(f"{name}: expected {guard}")
        self.refuse(faults)


class Text(unittest.TestCase):

    def search(self, pattern, files, ignore=None):
        found = []
        for name in files:
            for number, line in enumerate(text(name).splitlines(), 1):
                if re.search(pattern, line) and not (
                        ignore and re.search(ignore, line)):
                    found.append(f"{name}:{number}: {line.strip()[:100]}")
        self.assertEqual([], found, "\n" + "\n".join(found))

    def written(self):
        """What people wrote: not the corpora, results and this file."""
        return [n for n in tree()
                if "/corpus/" not in n and not n.startswith("docs/results/")
                and not n.endswith((".svg", ".png", ".pem", ".bin"))
                and n != "tests/lint/tree_test.py"]

    def test_no_machine_paths(self):
        """no text names a path of somebody's machine"""
        self.search(r"(?<![\w.$}])/(?:home|root|work|wt|Users)/", self.written())

    def test_no_leftovers(self):
        """nothing is left to do later, and nothing was left in by mistake"""
        self.search(r"\b(?:TODO|FIXME|XXX|HACK)\b", self.written())
        self.search(r"^(?:<<<<<<< |>>>>>>> |=======$)", self.written())

    def test_no_sleeps_in_tests(self):
        """tests wait for conditions, and do not sleep"""
        # tests/acceptance holds load generators, which keep to a rate.
        self.search(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|SleepFor)\b",
                    [n for n in sources("tests/", "adapters/")
                     if not n.startswith("tests/acceptance/")])

    def test_no_fixed_ports(self):
        """tests listen on ports that they are given"""
        self.search(r"htons\(\s*[1-9]|\b(?:bind|listen)\([^)]*\b[1-9]\d{3,4}\)",
                    [n for n in tree() if n.startswith("tests/")
                     and n.endswith((".cc", ".h", ".py"))])

    def test_no_empty_catch(self):
        """no exception is swallowed in silence"""
        faults = [n for n in sources("")
                  if re.search(r"catch\s*\([^)]*\)\s*\{\s*\}",
                               without_comments(text(n)))]
        self.assertEqual([], faults)

    def test_no_assertions_in_threads(self):
        """test assertions are made on the test's own thread alone"""
        # The test framework's assertions are not safe on two threads at once.
        began = re.compile(r"std::(?:j?thread\b[^;{]*\(|async\()[^;{]*\{")
        faults = []
        for name in sources("tests/"):
            source = without_comments(text(name))
            for found in began.finditer(source):
                depth, end = 1, found.end()
                while depth and end < len(source):
                    depth += {"{": 1, "}": -1}.get(source[end], 0)
                    end += 1
                if re.search(r"\b(?:CHECK|REQUIRE|FAIL|INFO|CAPTURE)\w*\(",
                             source[found.start():end]):
                    line = source.count("\n", 0, found.start()) + 1
                    faults.append(f"{name}:{line}")
        self.assertEqual([], faults)

    def test_ends_with_newline(self):
        """text files end with one newline and have no trailing blanks"""
        faults = [n for n in self.written()
                  if n.endswith((".h", ".cc", ".py", ".md", ".txt", ".cmake",
                                 ".sh", ".json"))
                  and (text(n) and not text(n).endswith("\n")
                       or re.search(r"[ \t]\n", text(n)))]
        self.assertEqual([], faults)


if __name__ == "__main__":
    python_test.main()
