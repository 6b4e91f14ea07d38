"""Keeps the logs of agent runs in a SQLite file."""

import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from cortex_adapters.sqlite.database import SqliteDatabase
from cortex_adapters.sqlite.record_json import decode_event, encode_event
from cortex_domain.agent_run_events import AgentRunRecord, AgentRunStatus, AgentRunSummary
from cortex_domain.errors import AgentRunBusyError, AgentRunConflictError, AgentRunNotFoundError
from cortex_domain.ports import AgentRunStore
from cortex_domain.ports.agent_run_store import DEFAULT_PAGE

_MIGRATIONS: Final = (
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        agent TEXT NOT NULL,
        task TEXT NOT NULL,
        status TEXT NOT NULL,
        parent_run_id TEXT,
        created_s REAL NOT NULL,
        updated_s REAL NOT NULL,
        last_sequence INTEGER NOT NULL
    );
    CREATE INDEX runs_by_owner ON runs (owner, number);
    CREATE INDEX runs_by_status ON runs (status, number);
    CREATE TABLE records (
        run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
        sequence INTEGER NOT NULL,
        at_s REAL NOT NULL,
        event BLOB NOT NULL,
        PRIMARY KEY (run, sequence)
    ) WITHOUT ROWID
    """,
)
_SUMMARY: Final = "run_id, owner, agent, task, status, parent_run_id, created_s, updated_s, last_sequence"

_LAST_SEQUENCE: Final = "SELECT max(sequence) FROM records JOIN runs ON run = number WHERE run_id = ?"


class SqliteAgentRunStore(AgentRunStore):
    """Keeps every run until it is deleted; what was appended survives the end of the program and of the power.

    Args:
        path: The file; it is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._database = SqliteDatabase(path, migrations=_MIGRATIONS)
        self._claimed: set[str] = set()

    async def close(self) -> None:
        """Closes the file; await it once, after everything else."""
        await self._database.close()

    async def append(self, summary: AgentRunSummary, records: Sequence[AgentRunRecord], /) -> None:  # noqa: D102
        rows = [(record.sequence, record.at_s, encode_event(record.event)) for record in records]
        await self._database.run(lambda connection: _append(connection, summary, rows))

    async def read(  # noqa: D102
        self, run_id: str, /, *, owner: str | None, after: int = 0, limit: int | None = None
    ) -> Sequence[AgentRunRecord]:
        rows = await self._database.run(lambda connection: _read(connection, run_id, owner, after, limit))
        return tuple(
            AgentRunRecord(sequence=sequence, at_s=at_s, event=decode_event(event)) for sequence, at_s, event in rows
        )

    async def get_summary(self, run_id: str, /, *, owner: str | None) -> AgentRunSummary:  # noqa: D102
        return await self._database.run(lambda connection: _summary(_find(connection, run_id, owner)))

    async def list_runs(  # noqa: D102
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Sequence[AgentRunSummary]:
        wanted = None if statuses is None else [status.value for status in statuses]
        return await self._database.run(lambda connection: _list(connection, owner, wanted, before, limit))

    def claim(self, run_id: str, /) -> AbstractAsyncContextManager[None]:  # noqa: D102
        return self._claiming(run_id)

    async def delete(self, run_id: str, /, *, owner: str | None) -> None:  # noqa: D102
        if run_id in self._claimed:
            await self.get_summary(run_id, owner=owner)
            raise AgentRunBusyError(run_id=run_id)
        await self._database.run(lambda connection: _delete(connection, run_id, owner))

    @asynccontextmanager
    async def _claiming(self, run_id: str) -> AsyncIterator[None]:
        """Claims within this process; no other one has the file."""
        await self.get_summary(run_id, owner=None)
        if run_id in self._claimed:
            raise AgentRunBusyError(run_id=run_id)
        self._claimed.add(run_id)
        try:
            yield
        finally:
            self._claimed.discard(run_id)


def _append(connection: sqlite3.Connection, summary: AgentRunSummary, rows: Sequence[tuple[int, float, bytes]]) -> None:
    [last], first = connection.execute(_LAST_SEQUENCE, [summary.run_id]).fetchone(), rows[0][0]
    if last is None and first != 1:
        raise AgentRunNotFoundError(run_id=summary.run_id)
    if last is not None and last != first - 1:
        raise AgentRunConflictError(run_id=summary.run_id)
    connection.execute(
        f"""INSERT INTO runs ({_SUMMARY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (run_id) DO UPDATE SET
            status = excluded.status, updated_s = excluded.updated_s, last_sequence = excluded.last_sequence""",  # noqa: S608
        _columns(summary),
    )
    [number] = connection.execute("SELECT number FROM runs WHERE run_id = ?", [summary.run_id]).fetchone()
    connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", [(number, *row) for row in rows])


def _read(connection: sqlite3.Connection, run_id: str, owner: str | None, after: int, limit: int | None) -> list[Any]:
    number = _find(connection, run_id, owner)[0]
    return connection.execute(
        "SELECT sequence, at_s, event FROM records WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        [number, after, -1 if limit is None else limit],
    ).fetchall()


def _list(
    connection: sqlite3.Connection, owner: str | None, statuses: list[str] | None, before: str | None, limit: int
) -> Sequence[AgentRunSummary]:
    conditions = ["1"]
    values: list[Any] = []
    if owner is not None:
        conditions.append("owner = ?")
        values.append(owner)
    if statuses is not None:
        conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += statuses
    if before is not None:
        conditions.append("number < ?")
        values.append(_find(connection, before, owner)[0])
    rows = connection.execute(
        f"SELECT number, {_SUMMARY} FROM runs WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?",  # noqa: S608
        [*values, limit],
    )
    return tuple(_summary(row) for row in rows)


def _delete(connection: sqlite3.Connection, run_id: str, owner: str | None) -> None:
    connection.execute("DELETE FROM runs WHERE number = ?", [_find(connection, run_id, owner)[0]])


def _find(connection: sqlite3.Connection, run_id: str, owner: str | None) -> Any:  # noqa: ANN401 - a row
    row = connection.execute(
        f"SELECT number, {_SUMMARY} FROM runs WHERE run_id = ? AND owner = coalesce(?, owner)",  # noqa: S608
        [run_id, owner],
    ).fetchone()
    if row is None:
        raise AgentRunNotFoundError(run_id=run_id)
    return row


def _columns(summary: AgentRunSummary) -> list[Any]:
    return [
        summary.run_id,
        summary.owner,
        summary.agent,
        summary.task,
        summary.status.value,
        summary.parent_run_id,
        summary.created_s,
        summary.updated_s,
        summary.last_sequence,
    ]


def _summary(row: Any) -> AgentRunSummary:  # noqa: ANN401 - a row
    _, run_id, owner, agent, task, status, parent_run_id, created_s, updated_s, last_sequence = row
    return AgentRunSummary(
        run_id=run_id,
        owner=owner,
        agent=agent,
        task=task,
        status=AgentRunStatus(status),
        parent_run_id=parent_run_id,
        created_s=created_s,
        updated_s=updated_s,
        last_sequence=last_sequence,
    )
