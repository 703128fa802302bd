"""The coverage-guided search for a mail that raises, hangs or leaks a control character: `python -m tests.fuzz.search`.

Arguments are libFuzzer's: `-max_total_time=600 -timeout=2`, or `-seed=1 -runs=20000`, which plays the same inputs each
time; a folder for the corpus it grows. It starts from tests/corpus. Needs atheris; ends at once and says so without it.
"""

import sys
import tempfile
from pathlib import Path

from tests.fuzz import hostile

SEEDS = Path(__file__).parent.parent / "corpus" / "mails"


def main():
    try:
        import atheris  # type: ignore[import-untyped]  # ships no types
    except ImportError:
        print("atheris is not installed: no search", file=sys.stderr)
        return 2
    atheris.instrument_all()
    arguments = [sys.argv[0], *(sys.argv[1:] or ["-max_total_time=600", "-timeout=2"])]
    limits = ["-max_len=20000", "-len_control=0", "-rss_limit_mb=2048", "-print_final_stats=1"]
    with tempfile.TemporaryDirectory() as grown:
        folders = [] if any(not argument.startswith("-") for argument in arguments[1:]) else [grown]
        atheris.Setup([*arguments, *limits, *folders, str(SEEDS)], hostile.take)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
