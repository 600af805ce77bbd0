"""Fourth backend: a file-backed queue, written from include/tieline/driver/ and
the suite alone, has <= 300 lines and passes the suite's applicable part.
"""

import accept
import paths

LINES = 300
BACKEND = "file"


def lines_of_example():
    folder = paths.ROOT / "examples" / "file_queue"
    return sum(len(path.read_text().splitlines())
               for path in sorted(folder.iterdir())
               if path.suffix in (".h", ".cc"))


def run(ctx):
    import conformance  # its neighbour, which knows where results are
    lines = lines_of_example()
    ctx.test("--filter", "file_queue_conformance_test$")
    cases = [case for case in conformance.cases_of_last_run()
             if case["name"].startswith(BACKEND + ": ")]
    count = {outcome: sum(case["outcome"] == outcome for case in cases)
             for outcome in ("passed", "failed", "skipped")}
    ok = lines <= LINES and count["passed"] > 60 and count["failed"] == 0
    return accept.Result(ok, {
        "lines": f"{lines} (at most {LINES})",
        "behaviours": f"{count['passed']} passed, {count['failed']} failed, "
                      f"{count['skipped']} not applicable",
    }, [f"not applicable: {case['name']}: {case['detail']}"
        for case in cases if case["outcome"] == "skipped"])
