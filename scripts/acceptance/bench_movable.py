"""What it costs a send that its queue could be moved: at most 2 %.

Instructions (callgrind) of one send, by one call each and in batches of 100, on
the memory backend with order per key: of this build, with a state file (the
queue can be moved at any time) and without, and of the last commit in which no
queue could be moved, built beside it. The short form leaves that one out.
"""

import re
import shutil
import subprocess

import accept
import paths

DEPENDS = ("include/", "lib/", "adapters/memory/", "tests/acceptance/")

# The parent of "bus: the interface of moves".
BASE = "1236dd37"
WITHIN = 1.02
COUNT = 20_000
PROGRAM = "tests/acceptance/send_cost"
ADDED = """
add_executable(send_cost send_cost.cc)
target_include_directories(send_cost PRIVATE ${PROJECT_SOURCE_DIR})
target_include_directories(send_cost SYSTEM PRIVATE ${TIELINE_VALGRIND_INCLUDE})
target_link_libraries(send_cost PRIVATE tieline::tieline tieline::memory
  CLI11::CLI11 fmt::fmt tieline_flags)
"""


def build_base(ctx):
    """The same program on the library as it was before; its path."""
    tree = ctx.temp / "base"
    ctx.say(f"building {BASE}")
    ctx.run(["git", "-C", paths.ROOT, "worktree", "add", "--detach", tree,
             BASE])
    ctx.defer(subprocess.run, ["git", "-C", str(paths.ROOT), "worktree",
                               "remove", "--force", str(tree)])
    shutil.copy(paths.ROOT / f"{PROGRAM}.cc", tree / f"{PROGRAM}.cc")
    lists = tree / "tests" / "acceptance" / "CMakeLists.txt"
    lists.write_text(lists.read_text() + ADDED)
    ctx.run(["cmake", "--preset", "release"], cwd=tree)
    ctx.run(["cmake", "--build", "build/release", "--target", "send_cost"],
            cwd=tree)
    return tree / "build" / "release" / PROGRAM


def instructions(ctx, program, batch, *more):
    """Instructions a message, from callgrind's total."""
    out = ctx.temp / "callgrind.out"
    done = ctx.run(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                    "--fair-sched=yes", f"--callgrind-out-file={out}", program,
                    "--count", COUNT, "--batch", batch, *more],
                   capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise RuntimeError(f"callgrind says nothing: {done.stderr[-500:]}")
    return int(collected.group(1)) / COUNT


def run(ctx):
    program = ctx.build("release", "send_cost") / PROGRAM
    base = None if ctx.short else build_base(ctx)
    figures, notes = {}, []
    for words, batch in (("one a call", 1), ("batches of 100", 100)):
        plain = instructions(ctx, program, batch)
        movable = instructions(ctx, program, batch, "--state",
                               ctx.temp / f"{batch}.state")
        before = plain if base is None else instructions(ctx, base, batch)
        without = "" if base is None else f"{before:.0f} without moves, "
        figures[words] = (
            f"{without}{plain:.0f} instructions ({plain / before:.4f}x), "
            f"{movable:.0f} with a state file ({movable / before:.4f}x)")
        ctx.say(f"{words}: {figures[words]}")
        if max(plain, movable) > before * WITHIN:
            notes.append(f"{words}: more than {WITHIN}x")
    return accept.Result(not notes, figures, notes)
