"""A program that swaps two names in a directory as fast as it can, until its standard input ends.

    python swapping_process.py DIRECTORY NAME OTHER_NAME

It writes how often it did.
"""

import ctypes
import os
import select
import sys

_RENAME_EXCHANGE = 2
_SWAPS_BETWEEN_LOOKS = 200


def main() -> None:
    directory, name, other = (os.fsencode(argument) for argument in sys.argv[1:])
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    swaps = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_SWAPS_BETWEEN_LOOKS):
            if exchange(fd, name, fd, other, _RENAME_EXCHANGE) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        swaps += _SWAPS_BETWEEN_LOOKS
    print(swaps)  # noqa: T201 - whoever started this reads it


if __name__ == "__main__":
    main()
