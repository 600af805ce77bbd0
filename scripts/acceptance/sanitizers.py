"""Sanitizers: no report, under ASan+UBSan, and under TSan without Kafka."""

import accept

NOT_IN_CI = "the stages asan and tsan are this run"
# Tests of texts, or of programs built apart.
APART = "^(tree_test|package_test|docs_test|brokers_self_test)$"


def run(ctx):
    figures, notes = {}, []
    ok = True
    for preset in ("asan", "tsan"):
        words = ["--preset", preset, "--exclude", APART]
        if ctx.short:
            words.append("--fast")
        ctx.say(f"{preset}: building and running")
        code, tally = ctx.test(*words)
        figures[preset] = str(tally)
        ok = ok and code == 0 and tally is not None and tally.passed > 0
    rules = [line for line in
             (ctx.root / "tests" / "tsan.supp").read_text().splitlines()
             if line and not line.startswith("#")]
    figures["tsan suppressions"] = len(rules)
    notes += [f"suppressed: {rule}" for rule in rules]
    return accept.Result(ok, figures, notes)
