"""What goes to the terminal: results to stdout, everything else to stderr."""

import contextlib
import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches


def tell(message: str) -> None:
    """Say something in one line on stderr.

    Args:
        message: one or more sentences; line breaks become spaces.
    """
    print(" ".join(message.split()), file=sys.stderr, flush=True)


def tell_lines(text: str) -> None:
    """Show lines on stderr as they are, such as a table's.

    Args:
        text: the lines.
    """
    print(text, file=sys.stderr, flush=True)


def write_out(content: bytes) -> None:
    """Write a lot to stdout; a reader that has had enough (`| head`) is no error.

    Args:
        content: the bytes.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when Python ends.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the known word that was probably meant, if any.

    Args:
        word: what was found.
        known: what could have been.
    """
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
