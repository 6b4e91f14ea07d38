"""Opens what is below a directory that is held open, and nothing else.

Checking a path and then opening it leaves a moment in which somebody swaps one of its directories for a link. So no
path is ever checked: its names are resolved by opening, from a descriptor that was opened when the workspace was, and a
link anywhere on the way makes that fail. Names come from `cortex_domain.workspace_paths` and are never `..`.
"""

import ctypes
import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

Opener = Callable[[int, Sequence[str], int], int]
"""Opens the names one below the other, from the directory of the descriptor on; returns a new descriptor."""

_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | _FLAGS
FILE_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | _FLAGS
"""Without O_NONBLOCK the opening of a pipe waits for whoever writes to it."""

_SYS_OPENAT2: Final = 437  # on every architecture of Linux
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_ATTEMPTS: Final = 128
"""The kernel answers EAGAIN when a directory on the way was renamed meanwhile, and asks for another try."""


class _OpenHow(ctypes.Structure):
    """`struct open_how` of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def choose_opener(directory_fd: int, /) -> Opener:
    """Chooses openat2 where the kernel has it and lets it be used (Linux 5.6 on), otherwise the walk."""
    try:
        os.close(open_at_once(directory_fd, (), DIRECTORY_FLAGS))
    except (OSError, AttributeError):
        return open_by_walk
    return open_at_once


def open_at_once(directory_fd: int, names: Sequence[str], flags: int, /) -> int:
    """Opens by one call of openat2, which resolves all names beneath the directory and follows no link."""
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
    path = os.fsencode("/".join(names) or ".")
    for _ in range(_ATTEMPTS):
        fd: int = _libc().syscall(_SYS_OPENAT2, directory_fd, path, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    failure = ctypes.get_errno()
    raise OSError(failure, os.strerror(failure))


def open_by_walk(directory_fd: int, names: Sequence[str], flags: int, /) -> int:
    """Opens one name after the other, each in the directory before it; works on every POSIX system."""
    *directories, last = names or (".",)
    current = os.dup(directory_fd)
    try:
        for name in directories:
            below = os.open(name, DIRECTORY_FLAGS, dir_fd=current)
            os.close(current)
            current = below
        return os.open(last, flags, dir_fd=current)
    finally:
        os.close(current)


def open_or_create_directories(directory_fd: int, names: Sequence[str], /) -> int:
    """Opens a directory, and creates it and those above it where there is nothing yet."""
    current = os.dup(directory_fd)
    try:
        for name in names:
            below = _open_or_create(current, name)
            os.close(current)
            current = below
        return os.dup(current)
    finally:
        os.close(current)


def _open_or_create(directory_fd: int, name: str) -> int:
    try:
        return os.open(name, DIRECTORY_FLAGS, dir_fd=directory_fd)
    except FileNotFoundError:
        with suppress(FileExistsError):  # somebody else created it meanwhile
            os.mkdir(name, dir_fd=directory_fd)
        return os.open(name, DIRECTORY_FLAGS, dir_fd=directory_fd)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
