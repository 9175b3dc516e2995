"""Check that the locks in requirements/ meet pyproject.toml, hold a hash for every pin, and name no host."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")

Pins = dict[str, set[str]]


def read_pins(text: str) -> Pins:
    """Return the locked versions of each package; markers can give one package several."""
    pins: Pins = {}
    for line in text.splitlines():
        if found := PIN.match(line):
            pins.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return pins


def faults_of_form(name: str, text: str) -> list[str]:
    """Return what a lock says that it must not say, or leaves out."""
    entries = re.split(r"(?m)^(?=\S)", text)[1:]
    faults = [f"{name}: {entry.split()[0]} is no pin" for entry in entries if not PIN.match(entry)]
    faults += [f"{name}: {entry.split()[0]} has no hash" for entry in entries if "--hash=sha256:" not in entry]
    return faults + ([f"{name}: holds an address"] if "://" in text else [])


def faults_of_pins(name: str, pins: Pins, required: list[str]) -> list[str]:
    """Return the requirements that a lock does not meet."""
    faults = []
    for requirement in map(Requirement, required):
        versions = pins.get(canonicalize_name(requirement.name), set())
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            faults.append(f"{name}: {requirement} is asked for, locked is {', '.join(versions) or 'nothing'}")
    return faults


def main() -> int:
    """Print every fault and return the exit status."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    run = project["project"]["dependencies"] + groups["build"]
    locks = {"uv.txt": groups["installer"], "run.txt": run, "dev.txt": run + groups["dev"]}

    faults, pins = [], {}
    for name, required in locks.items():
        text = (ROOT / "requirements" / name).read_text()
        pins[name] = read_pins(text)
        faults += faults_of_form(name, text) + faults_of_pins(name, pins[name], required)
    faults += [
        f"run.txt: {package} is not locked as in dev.txt"
        for package, versions in pins["run.txt"].items()
        if pins["dev.txt"].get(package) != versions
    ]
    print("\n".join([*faults, "Run 'make lock'."]) if faults else "Locks: in step with pyproject.toml.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
