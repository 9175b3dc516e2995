"""Check the files that git keeps: no Python file over 400 lines, no download address in a lock."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES = 400
LOCKS = ("requirements/*.txt", "tools/pyright/package-lock.json")


def kept_files() -> list[Path]:
    """Return every file that is committed, or would be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in sorted(filter(None, listing.split("\0"))) if (path := ROOT / name).is_file()]


def faults(path: Path) -> list[str]:
    """Return what is wrong with one file."""
    text, name = path.read_text(errors="replace"), path.relative_to(ROOT)
    length = text.count("\n")
    found = [f"{name}: {length} lines, at most {LINES}"] if path.suffix == ".py" and length > LINES else []
    locked = any(name.match(lock) for lock in LOCKS)
    if locked and any(mark in text for mark in ('"resolved"', "--index-url", "--find-links", " @ http")):
        found.append(f"{name}: holds download addresses")
    return found


def main() -> int:
    """Print every fault and return the exit status."""
    found = [fault for path in kept_files() for fault in faults(path)]
    print("\n".join(found) or "Files: none too long, no address in a lock.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
