"""`listener` and `python -m listener`."""

from __future__ import annotations

import os
import sys

# Read by OpenBLAS when numpy is imported. A second thread gains nothing on matrices of 48 x 257 and
# waits for its next one in a busy loop: one source cost 182 instead of 9 core-ms a second of audio.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Run the command line and exit with its code."""
    from listener.cli import run_command  # noqa: PLC0415 - imports numpy, see above

    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
