"""`make audit`: looks up known vulnerabilities of the locked versions, with pip-audit. Needs the network.

The exit status is 0 if none is known, 1 if some are, and 2 if the lookup failed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = "requirements/all.txt"


def main() -> int:
    """Prints the vulnerabilities, or one sentence that says why there was no answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--disable-pip", "--strict"]
    done = subprocess.run(  # the command is fixed, nothing of it comes from outside
        [*command, "--progress-spinner", "off"], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    found = "Found " in done.stderr and "known vulnerabilit" in done.stderr
    if done.returncode == 0 or found:
        print(*lines, sep="\n", file=sys.stderr)
        return int(found)
    reason = lines[-1].removeprefix("ERROR:pip_audit._cli:") if lines else "pip-audit said nothing"
    failed = f"The versions of {LOCK} were not looked up, because pypi.org did not answer as expected."
    print(f"{failed} {reason[:500]}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
