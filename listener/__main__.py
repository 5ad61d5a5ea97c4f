"""`listener` and `python -m listener`."""

import os
import sys

# OpenBLAS reads this when numpy is imported. On matrices of 48 x 257 a second thread gains nothing and
# spins while it waits: one source cost 182 instead of 9 core-ms per second of audio.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Run the command line and exit with its code."""
    from listener.cli import run_command  # noqa: PLC0415 - imports numpy, see above

    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
