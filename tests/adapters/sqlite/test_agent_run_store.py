"""Agent runs in a SQLite file: the contract, and what a file can do to them."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cortex_adapters.sqlite import SqliteAgentRunStore
from cortex_adapters.sqlite.database import SqliteDatabase
from cortex_adapters.sqlite.record_json import decode_event, encode_event
from cortex_contracts.agent_run_examples import EVERY_EVENT
from cortex_contracts.agent_run_store import AgentRunStoreContract, AgentRunStoreHarness
from cortex_domain.agent_run_events import AgentRunEvent, AgentRunRecord, AgentRunResumed, AgentRunStarted
from cortex_domain.agent_run_fold import fold
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import StorageError

STARTED = AgentRunStarted(run_id="run_1", owner="me", agent=AgentDefinition(name="mole"), task="Dig.")
BEGUN = AgentRunRecord(sequence=1, at_s=5.0, event=STARTED)


class TestSqliteAgentRunStore(AgentRunStoreContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[AgentRunStoreHarness]:
        async with opened(tmp_path / "below" / "runs.sqlite") as store:
            yield AgentRunStoreHarness(store=store)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteAgentRunStore]:
    store = SqliteAgentRunStore(path)
    try:
        yield store
    finally:
        await store.close()


async def begin(store: SqliteAgentRunStore) -> None:
    await store.append(fold([BEGUN]).summary, [BEGUN])


async def test_runs_outlive_the_store(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with opened(path) as store:
        await begin(store)
    async with opened(path) as store:
        assert list(await store.read("run_1", owner="me")) == [BEGUN]
        assert [run.run_id for run in await store.list_runs(owner="me")] == ["run_1"]


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: event.type)
def test_events_are_json_and_back(event: AgentRunEvent) -> None:
    assert decode_event(encode_event(event)) == event


def test_an_event_that_nobody_knows_is_refused() -> None:
    with pytest.raises(StorageError, match="cannot read"):
        decode_event(b'{"type": "run_teleported"}')


async def test_a_file_has_one_user_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with opened(path) as store:
        await begin(store)
        async with opened(path) as other:
            with pytest.raises(StorageError, match="another Cortex works with this file"):
                await other.read("run_1", owner="me")
        assert (await store.get_summary("run_1", owner="me")).last_sequence == 1
    async with opened(path) as store:
        assert (await store.get_summary("run_1", owner="me")).last_sequence == 1


@pytest.mark.parametrize("damage", [b"no database at all" * 300, b"SQLite format 3\0" + b"\xff" * 8000])
async def test_a_damaged_file_says_so(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_bytes(damage)
    async with opened(path) as store:
        with pytest.raises(StorageError, match=r"is damaged|cannot be read"):
            await begin(store)


async def test_a_page_that_was_overwritten_says_so(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with opened(path) as store:
        await begin(store)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xab" * (len(content) - 4096)
    path.write_bytes(content)
    async with opened(path) as store:
        with pytest.raises(StorageError, match="is damaged"):
            await store.read("run_1", owner="me")


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    async with opened(path) as store:
        with pytest.raises(StorageError, match="another program"):
            await begin(store)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with opened(path) as store:
        await begin(store)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    async with opened(path) as store:
        with pytest.raises(StorageError, match="newer version"):
            await begin(store)


async def test_a_file_of_an_older_version_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old = SqliteDatabase(path, migrations=["CREATE TABLE a (b TEXT)"])
    await old.run(lambda connection: connection.execute("INSERT INTO a VALUES ('kept')"))
    await old.close()
    new = SqliteDatabase(
        path, migrations=["CREATE TABLE a (b TEXT)", "ALTER TABLE a ADD COLUMN c TEXT; CREATE TABLE d (e)"]
    )
    rows = await new.run(lambda connection: connection.execute("SELECT b, c FROM a").fetchall())
    await new.close()
    assert rows == [("kept", None)]


async def test_a_full_disk_loses_nothing_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with opened(path) as store:
        await begin(store)
        state = fold([BEGUN])
        await store._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 30"))
        large = AgentRunRecord(sequence=2, at_s=6.0, event=replace(STARTED, task="dig " * 100_000))
        with pytest.raises(StorageError, match="disk is full"):
            await store.append(state.summary, [large])
        await store._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000"))
        await store.append(state.summary, [AgentRunRecord(sequence=2, at_s=6.0, event=AgentRunResumed())])
        assert [record.sequence for record in await store.read("run_1", owner="me")] == [1, 2]


async def test_a_directory_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with opened(tmp_path / "file" / "runs.sqlite") as store:
        with pytest.raises(StorageError, match="cannot be opened"):
            await begin(store)


def test_a_process_that_was_killed_leaves_the_file_free(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal, sys, pathlib\n"
        "from tests.adapters.sqlite.test_agent_run_store import SqliteAgentRunStore, begin\n"
        "asyncio.run(begin(SqliteAgentRunStore(pathlib.Path(sys.argv[1]))))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "runs.sqlite"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, str(path)], check=False, capture_output=True)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
