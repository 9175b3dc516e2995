"""Check the files that git keeps: no Python file over 400 lines, no package registry's host in any file."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES = 400
# Each host is written in two halves, so that this file passes too.
REGISTRIES = [
    (r"pypi", "org"),
    (r"pythonhosted", "org"),
    (r"npmjs", "(org|com)"),
    (r"yarnpkg", "com"),
    (r"(deb|security|ftp\.\w+)\.debian", "org"),
    (r"(archive|security)\.ubuntu", "com"),
]
HOST = re.compile("|".join(rf"\b{host}\.{domain}\b" for host, domain in REGISTRIES))


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
    if path.name == "package-lock.json" and '"resolved"' in text:
        found.append(f"{name}: holds download addresses")
    return found + [f"{name}: names the package registry {host[0]}" for host in HOST.finditer(text)]


def main() -> int:
    """Print every fault and return the exit status."""
    found = [fault for path in kept_files() for fault in faults(path)]
    print("\n".join(found) or "Files: none too long, no registry named.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
