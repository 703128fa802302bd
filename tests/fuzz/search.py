"""The coverage-guided search for a mail or a conversation that raises, hangs or breaks a rule of `hostile` or `conversations`.

`python -m tests.fuzz.search mails|conversations`, then libFuzzer's arguments: `-max_total_time=600 -timeout=2`, or
`-seed=1 -runs=20000`, which plays the same inputs each time; a folder for the corpus it grows. It starts from the
`seeds` of these modules. Needs atheris; ends at once and says so without it.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path


def main():
    try:
        import atheris  # type: ignore[import-untyped]  # ships no types
    except ImportError:
        print("atheris is not installed: no search", file=sys.stderr)
        return 2
    what, *given = sys.argv[1:] or ["mails"]
    with atheris.instrument_imports(include=["mta", "gateway", "addressbook", "sms", "scramp"]):
        target = import_module({"mails": "tests.fuzz.hostile", "conversations": "tests.fuzz.conversations"}[what])
    arguments = [sys.argv[0], *(given or ["-max_total_time=600", "-timeout=2"])]
    limits = ["-max_len=20000", "-len_control=0", "-rss_limit_mb=2048", "-print_final_stats=1"]
    with tempfile.TemporaryDirectory() as grown, tempfile.TemporaryDirectory() as made:
        folders = [] if any(not argument.startswith("-") for argument in given) else [grown]
        for number, octets in enumerate(target.seeds()):
            (Path(made) / str(number)).write_bytes(octets)
        atheris.Setup([*arguments, *limits, *folders, made], target.take)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
