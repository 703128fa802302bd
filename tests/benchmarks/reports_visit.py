"""`python -m tests.benchmarks.reports_visit PORT SESSION CUSTOMER SECONDS PATH…`: somebody who looks at reports in the portal.

Asks for one page of the customer's reports after the other, for so long, and rests between two as a person does; a table is
read as it comes, and left where the time is over. Prints how many octets came.
"""

import http.client
import sys
import time
from contextlib import suppress
from itertools import cycle

_REST = 0.25


def main() -> None:
    """Look, and print how much was seen."""
    port, session, customer, seconds, *paths = sys.argv[1:]
    end, octets = time.monotonic() + float(seconds), 0
    for path in cycle(paths):
        if (left := end - time.monotonic()) <= 0:
            break
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=left)
        with suppress(TimeoutError):
            connection.request("GET", f"/portal/c/{customer}/reports{path}", headers={"Cookie": f"portal={session}"})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise RuntimeError(f"{path}: {answer.status} {answer.headers.get('Location', '')}")
            while time.monotonic() < end and (piece := answer.read1(1 << 16)):
                octets += len(piece)
        connection.close()
        time.sleep(_REST)
    print(octets)


if __name__ == "__main__":
    main()
