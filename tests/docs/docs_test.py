"""Runs every fenced code block of README.md and docs/guide/*.md.

What a block's info string says decides what is done with it:

    bash                run, in a folder of the page's own, with `tieline` in
                        PATH and the brokers' URLs in the environment
    bash in-source      run in the source tree
    yaml                checked by `tieline config check`
    yaml file=NAME      also kept as NAME for the page's later blocks
    cpp                 compiled
    cpp body            compiled as the body of a function
    cpp run             compiled, linked with every backend, and run
    json, ndjson        parsed
    text, console       shown only, and not a case
    ... no-run REASON   not run: counted as skipped, with the reason

The blocks of a page run in their order, and share the page's folder.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_test  # noqa: E402

ROOT = python_test.ROOT
BUILD = python_test.build_dir()
SHOWN = {"text", "console", "mermaid"}
SECONDS = 120
BODY = """\
#include "tieline/bus.h"
#include "tieline/config.h"
#include "tieline/message.h"
{headers}
{includes}
namespace {{
[[maybe_unused]] int Body() {{
{body}
return 0;
}}
}}  // namespace
"""


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    words: list
    reason: str | None  # why it is not run; None when it is
    text: str


def pages():
    return [page for page in
            [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
            if page.exists()]


def blocks(page):
    """The fenced blocks of a page, also those inside lists."""
    found, fence, info, begin, lines = [], None, "", 0, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        mark = re.match(r"^(\s*)(```+|~~~+)\s*(.*)$", line)
        if fence is None:
            if mark:
                fence, info = (mark[1], mark[2]), mark[3].strip()
                begin, lines = number, []
        elif mark and mark[2].startswith(fence[1]) and not mark[3]:
            head, _, reason = info.partition("no-run")
            words = head.split()
            found.append(Block(page, begin, words[0] if words else "",
                               words[1:], reason.strip()
                               if "no-run" in info else None,
                               "\n".join(lines) + "\n"))
            fence = None
        else:
            lines.append(line.removeprefix(fence[0]))
    return found


def run(argv, folder, **options):
    """Runs a program; fails with its output when it fails."""
    done = subprocess.run([str(word) for word in argv], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=SECONDS,
                          errors="replace", **options)
    if done.returncode:
        raise AssertionError(f"exit code {done.returncode}\n"
                             f"{done.stdout[-3000:]}")


def environment():
    return {**os.environ,
            "PATH": f"{BUILD / 'tools'}:{os.environ['PATH']}",
            "TIELINE_SOURCE": str(ROOT)}


def adapters():
    """The backends that the build under test has."""
    return [name for name in ("memory", "kafka", "amqp")
            if list((BUILD / "adapters" / name).glob("libtieline_*"))]


def run_bash(block, folder):
    where = ROOT if "in-source" in block.words else folder
    run(["bash", "-euo", "pipefail", "-c", block.text], where,
        env=environment())


def check_yaml(block, folder):
    name = next((w.removeprefix("file=") for w in block.words
                 if w.startswith("file=")), f"line-{block.line}.yaml")
    path = folder / name
    path.write_text(block.text)
    run(["tieline", "config", "check", path], folder, env=environment())


def compile_cpp(block, folder):
    source = folder / f"line-{block.line}.cc"
    text = block.text
    if "body" in block.words:
        includes = re.findall(r"^#include.*$", text, re.M)
        headers = [f'#include "tieline/{name}.h"' for name in adapters()]
        text = BODY.format(headers="\n".join(headers),
                           includes="\n".join(includes),
                           body=re.sub(r"^#include.*$", "", text, flags=re.M))
    source.write_text(text)
    words = [os.environ.get("TIELINE_CXX", "g++"), "-std=c++20",
             f"-I{ROOT / 'include'}",
             *(f"-I{ROOT / 'adapters' / a / 'include'}" for a in adapters())]
    if "run" not in block.words:
        run([*words, "-fsyntax-only", source], folder)
        return
    prefix = folder / "installed"
    if not prefix.exists():
        run(["cmake", "--install", BUILD, "--prefix", prefix], folder)
    places = ":".join(str(p) for p in prefix.glob("lib*/**/pkgconfig"))
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs",
         *(f"tieline-{a}" for a in adapters())],
        env={**os.environ, "PKG_CONFIG_PATH": places}, text=True,
        capture_output=True, check=True).stdout.split()
    program = source.with_suffix("")
    run([words[0], "-std=c++20", source, *flags, "-o", program], folder)
    run([program], folder, env=environment())


def parse_json(block, _):
    if block.language == "ndjson":
        for line in block.text.splitlines():
            json.loads(line)
    else:
        json.loads(block.text)


WAYS = {"bash": run_bash, "sh": run_bash, "yaml": check_yaml,
        "cpp": compile_cpp, "c++": compile_cpp, "json": parse_json,
        "ndjson": parse_json}


class Pages(unittest.TestCase):

    folders = {}

    @classmethod
    def tearDownClass(cls):
        for folder in cls.folders.values():
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self, page):
        if page not in self.folders:
            self.folders[page] = pathlib.Path(
                tempfile.mkdtemp(prefix="tieline-docs-"))
        return self.folders[page]

    def test_000_there_is_a_readme(self):
        """README.md has blocks that run"""
        self.assertTrue([b for b in blocks(ROOT / "README.md")
                         if b.language in WAYS and b.reason is None])

    def test_001_promises_name_what_shows_them(self):
        """what docs/guide/moving.md says is shown by a test is"""
        text = " ".join((ROOT / "docs/guide/moving.md").read_text().split())
        cases = re.findall(r'`(\w+_test)` "([^"]+)"', text)
        targets = re.findall(r"`scripts/accept ([\w-]+)`", text)
        self.assertGreater(len(cases), 5)
        self.assertGreater(len(targets), 5)
        for program, case in cases:
            with self.subTest(case=case):
                found = [path for path in (ROOT / "tests").rglob(
                    f"{program}.cc") if f'"{case}"' in path.read_text()]
                self.assertTrue(found, f"no {program} has this case")
        for target in targets:
            with self.subTest(target=target):
                module = target.replace("-", "_") + ".py"
                self.assertTrue(
                    (ROOT / "scripts/acceptance" / module).is_file(), module)

    def check(self, block):
        if block.reason is not None:
            self.assertTrue(block.reason, "no-run needs a reason")
            self.skipTest(block.reason)
        self.assertIn(block.language, WAYS, "unknown kind of block: say text, "
                      "or one that is run")
        WAYS[block.language](block, self.folder(block.page))


def add_cases():
    """One case for each block, named by its place; they run in order."""
    for number, page in enumerate(pages()):
        for block in blocks(page):
            if block.language in SHOWN:
                continue
            place = f"{page.relative_to(ROOT)}:{block.line}"

            def case(self, block=block):
                self.check(block)

            case.__doc__ = f"{place}: {block.language or 'no language'}"
            setattr(Pages, f"test_{number:03}_{block.line:05}", case)


add_cases()

if __name__ == "__main__":
    python_test.main()
