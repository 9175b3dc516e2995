"""The files of a folder or of an archive, with no way out of it: no links, no climbing paths, no bombs."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from landmass.data import idx
from landmass.data.limits import LARGEST_GROWTH, check_size
from landmass.errors import DataError


def files_of(path: Path) -> tuple[dict[str, idx.Read], Callable[[], None]]:
    """The files of a folder, of an archive, or one alone; and what to do when they are read.

    Args:
        path: where they lie.

    Raises:
        DataError: a file lies outside, or an archive is no archive, or would be too large.
    """
    if not path.is_file():
        return _folder(path)
    return _archive(path) if path.suffix.lower() == ".zip" else ({path.name: path.read_bytes}, lambda: None)


def _folder(path: Path) -> tuple[dict[str, idx.Read], Callable[[], None]]:
    """The files below a folder, by their place in it; hidden ones are left out."""
    if not path.is_dir():
        raise DataError(f"there is no folder {path}; check its name")
    files: dict[str, idx.Read] = {}
    top = path.resolve()
    for file in sorted(path.rglob("*")):
        place = file.relative_to(path)
        if any(part.startswith(".") for part in place.parts):
            continue
        if file.is_symlink() and not file.resolve().is_relative_to(top):
            raise DataError(f"{file} is a link out of the folder, to {file.resolve()}; put the file itself there")
        if file.is_file():
            files[place.as_posix()] = file.read_bytes
    return files, lambda: None


def _archive(path: Path) -> tuple[dict[str, idx.Read], Callable[[], None]]:
    """The files of a ZIP archive, by their place in it; nothing is unpacked to the disk."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} is not a readable ZIP archive: {error}; make it anew") from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    unpacked = sum(member.file_size for member in members)
    check_size(str(path), unpacked)
    if unpacked > LARGEST_GROWTH * max(path.stat().st_size, 1):
        raise DataError(f"{path} would grow from {path.stat().st_size:,} to {unpacked:,} bytes; it looks like a bomb")
    files: dict[str, idx.Read] = {}
    for member in members:
        place = PurePosixPath(member.filename)
        if place.is_absolute() or ".." in place.parts or "\\" in member.filename:
            raise DataError(f"{path} holds {member.filename!r}, a place outside of itself; make the archive anew")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path} holds a link, {member.filename!r}; put the file itself there")
        if not any(part.startswith((".", "__MACOSX")) for part in place.parts):
            files[member.filename] = lambda member=member: archive.read(member)
    return files, archive.close
