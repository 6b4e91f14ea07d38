"""One SQLite file, one connection, one thread.

SQLite before 3.51.3 can damage a file in WAL mode that several connections write to
(https://sqlite.org/wal.html#walresetbug), and Python ships whatever the system has. With one connection, which locks
the file for itself as long as it is open, that cannot happen; and no other process writes between two of our
transactions. The system frees the lock of a process that was killed.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from cortex_domain.errors import StorageError

ResultT = TypeVar("ResultT")
Work = Callable[[sqlite3.Connection], ResultT]

_APPLICATION_ID: Final = 0x43525458
"""`CRTX`: tells our files from those of other programs."""


class SqliteDatabase:
    """Opens the file on first use, and brings it to the newest schema.

    Args:
        path: The file; it and its directory are made when they are missing.
        migrations: SQL that brings a file from each version to the next, the first one from an empty file.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str]) -> None:
        self._path = path
        self._migrations = migrations
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Work[ResultT], /) -> ResultT:
        """Does work in one transaction: all of it is on disk when this returns, or nothing.

        Work that has begun ends, also when whoever waits for it is cancelled.

        Raises:
            StorageError: The file cannot be read or written, is damaged, or another process works with it.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def close(self) -> None:
        """Waits for what is being done and closes the file; await it once."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _transact(self, work: Work[ResultT]) -> ResultT:
        with self._translated_errors():
            connection = self._connection or self._open()
            with _transaction(connection):
                return work(connection)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
            with _transaction(connection):
                self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        [application_id] = connection.execute("PRAGMA application_id").fetchone()
        [version] = connection.execute("PRAGMA user_version").fetchone()
        is_empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
        if not is_empty and application_id != _APPLICATION_ID:
            raise StorageError(f"{self._path} is the file of another program. Name another one.")
        if version > len(self._migrations):
            raise StorageError(f"{self._path} was written by a newer version of Cortex. Use that one.")
        for statements in self._migrations[version:]:
            for statement in statements.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(self._migrations)}")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {_advice(error)}") from error
        except OSError as error:
            raise StorageError(f"{self._path} cannot be opened: {error.strerror or error}.") from error


def _prepare(connection: sqlite3.Connection) -> None:
    """Takes the file for this connection alone, and has each transaction wait until the disk has it."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _advice(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return "another Cortex works with this file. Stop that one, or name another DATA_DIR."
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"the file is damaged ({error}). Move it away, or put a copy in its place."
    if name.startswith("SQLITE_FULL"):
        return "the disk is full. Make room; nothing that was written before is lost."
    return f"it cannot be read or written: {error}."
