"""The command line: `landmass`."""

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words after `landmass`; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 a fit or a check failed, 2 wrong usage or bad data, 130 interrupted.
    """
    try:
        from landmass.cli.app import run

        code = run(argv)
    except KeyboardInterrupt:
        code = 130
    if code == 130 and argv is None:
        # An orderly end would wait for the work that JAX was interrupted in, at times for ever.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
