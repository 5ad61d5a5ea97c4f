"""`trainer` and `python -m trainer`."""

import os
import sys

# Read by OpenBLAS when numpy is imported, as in listener/__main__.py: the log-mel's small matrices gain
# nothing from a second thread, and beside another program on two cores they took 70 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Run the command line and exit with its code."""
    from trainer.cli import run  # noqa: PLC0415 - imports numpy, see above

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
