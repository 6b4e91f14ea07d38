"""A worker process may die at any moment: readers get the text that they would have got anyway."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import tests
from cortex_adapters.mlx import process_link
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_messages import EngineReady
from cortex_adapters.mlx.engine_monitor import MlxEngineMonitor
from cortex_adapters.mlx.frames import encode_frame
from cortex_adapters.mlx.grammars import grammar_of
from cortex_adapters.mlx.open_job import OpenJob
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_domain.errors import (
    GeneratorFailedError,
    InvalidModelError,
    ModelNotLoadedError,
    ShuttingDownError,
)
from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import TextDelta
from cortex_domain.generation import FinishReason, SamplingParameters, TokenUsage
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from cortex_domain.output_constraints import RegexOutput
from cortex_entrypoints.observation.log_lines import JsonLines
from tests.adapters.mlx.engine_jobs import GREEDY, begin, run, submit
from tests.adapters.mlx.lora_files import write_lora_weights
from tests.adapters.mlx.tiny_model import END_OF_ANSWER, TINY_MODEL
from tests.adapters.mlx.treacherous_worker import (
    ABORTING_MODEL,
    ABORTS_AT_TOKEN_8,
    ABORTS_WHEN_ADMITTED,
    PRINTS,
    RAISES_AT_TOKEN_8,
    RAISES_WHEN_ADMITTED,
)

KILLS = int(os.environ.get("CORTEX_KILLS", "12"))
OTHER_MODEL = ModelId("tests/other")
TREACHEROUS_WORKER = (sys.executable, str(Path(__file__).with_name("treacherous_worker.py")))
PARENT_OF_A_WORKER = Path(__file__).with_name("parent_of_a_worker.py")


def _endless(**sampling: Any) -> SamplingParameters:
    """Sampling that never draws the end token, so that all answers are as long as they may be."""
    return SamplingParameters(logit_bias={END_OF_ANSWER: -100.0}, **sampling)


BATCH: Sequence[tuple[str, SamplingParameters]] = (
    ("short", _endless(temperature=0)),
    ("longer " * 12, _endless(temperature=0)),
    ("seeded", _endless(temperature=1.2, top_p=1, seed=5)),
    ("penalised", _endless(temperature=0.9, seed=6, frequency_penalty=1.0, presence_penalty=0.5)),
)


@dataclass(frozen=True)
class Answer:
    text: str
    finish_reason: FinishReason
    usage: TokenUsage


class Reader:
    """Reads one job, holds its events to their rules, and counts them."""

    def __init__(self, open_job: OpenJob) -> None:
        self.open_job = open_job
        self.deltas = 0
        self._arrived = asyncio.Event()
        self.answer = asyncio.ensure_future(self._read())

    async def next_delta(self) -> None:
        """Waits for text that has not come yet, or for the end."""
        seen = self.deltas
        while self.deltas == seen and not self.answer.done():
            self._arrived.clear()
            arriving = asyncio.ensure_future(self._arrived.wait())
            await asyncio.wait([arriving, self.answer], return_when=asyncio.FIRST_COMPLETED)
            arriving.cancel()

    async def _read(self) -> Answer:
        rules = GenerationRules()
        async for event in (await begin(self.open_job)).stream:
            rules.accept(event)
            self.deltas += isinstance(event, TextDelta)
            self._arrived.set()
        rules.close()
        assert rules.finished is not None
        # A new engine reuses what it has computed, not what another one had.
        usage = replace(rules.finished.usage, cached_prompt_tokens=0, cache_miss=None)
        return Answer(rules.choices[0].text, rules.finished.finish_reason, usage)


class Killable:
    """A host whose worker can be killed."""

    def __init__(self, worker: Sequence[str] | None = None) -> None:
        self.link = ProcessLink() if worker is None else ProcessLink(worker)
        self.host = EngineHost(self.link)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.link.pid is not None
        os.kill(self.link.pid, number)

    async def memory_bytes(self) -> int:
        """What models and caches take, read when the engine has nothing to do."""
        await self.host.unload(ModelId("tests/nothing"))
        return self.host.memory_use.active_bytes

    async def death(self) -> None:
        """Waits until the host knows that its worker has died."""
        while self.host.failure is None:
            await asyncio.sleep(0.001)

    def read(self, text: str, sampling: SamplingParameters = GREEDY, **options: Any) -> Reader:
        return Reader(submit(self.host, text, sampling=sampling, **options))

    def read_batch(self, *, max_tokens: int) -> list[Reader]:
        return [self.read(text, sampling, max_tokens=max_tokens) for text, sampling in BATCH]

    async def undisturbed(self, *, max_tokens: int) -> list[Answer]:
        return await _answers(self.read_batch(max_tokens=max_tokens))


async def _answers(readers: Sequence[Reader]) -> list[Answer]:
    return list(await asyncio.gather(*(reader.answer for reader in readers)))


@pytest.fixture(scope="module")
async def long_lived() -> AsyncIterator[Killable]:
    killable = Killable()
    await killable.host.start()
    yield killable
    await killable.host.stop()


@pytest.fixture(scope="module")
async def long_lived_traitor() -> AsyncIterator[Killable]:
    killable = Killable(TREACHEROUS_WORKER)
    await killable.host.start()
    yield killable
    await killable.host.stop()


@pytest.fixture
async def killable(long_lived: Killable, tiny_files: ModelFiles) -> AsyncIterator[Killable]:
    await long_lived.host.load(tiny_files)
    yield long_lived
    await _unload_all(long_lived.host)


@pytest.fixture
async def traitor(long_lived_traitor: Killable, tiny_files: ModelFiles) -> AsyncIterator[Killable]:
    await long_lived_traitor.host.load(tiny_files)
    yield long_lived_traitor
    await _unload_all(long_lived_traitor.host)


async def _unload_all(host: EngineHost) -> None:
    for model in host.models:
        await host.unload(model.id)


async def _while_queued(_readers: Sequence[Reader]) -> None:
    pass


async def _before_they_are_read(readers: Sequence[Reader]) -> None:
    await asyncio.wait([reader.open_job.accepted for reader in readers], return_when=asyncio.FIRST_COMPLETED)


async def _while_they_are_read(readers: Sequence[Reader]) -> None:
    await asyncio.wait([reader.open_job.accepted for reader in readers])


async def _while_they_are_answered(readers: Sequence[Reader]) -> None:
    await asyncio.gather(*(reader.next_delta() for reader in readers))


async def test_what_an_answer_is_held_to_outlives_its_engine(killable: Killable) -> None:
    grammar = grammar_of(RegexOutput(pattern="([a-z]{1,5} ){20}[0-9]{12}"))
    sampling = SamplingParameters(temperature=1, top_p=1, seed=2)
    expected = await run(killable.host, max_tokens=200, sampling=sampling, grammar=grammar)
    open_job = await begin(submit(killable.host, max_tokens=200, sampling=sampling, grammar=grammar))
    text = ""
    async for event in open_job.stream:
        if isinstance(event, TextDelta):
            if not text:
                killable.kill()
            text += event.text
    assert text == expected.text
    assert re.fullmatch("([a-z]{1,5} ){20}[0-9]{12}", text)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGKILL, _while_queued),
        (signal.SIGKILL, _before_they_are_read),
        (signal.SIGKILL, _while_they_are_read),
        (signal.SIGKILL, _while_they_are_answered),
        (signal.SIGSEGV, _before_they_are_read),
        (signal.SIGSEGV, _while_they_are_answered),
        (signal.SIGABRT, _while_they_are_read),
        (signal.SIGABRT, _while_they_are_answered),
    ],
)
async def test_every_stream_goes_on_with_the_text_that_it_would_have_had(
    killable: Killable, number: signal.Signals, moment: Callable[[Sequence[Reader]], Any]
) -> None:
    expected = await killable.undisturbed(max_tokens=100)
    assert all(answer.usage.completion_tokens == 100 for answer in expected)
    restarts, memory_bytes = killable.host.restarts, await killable.memory_bytes()
    readers = killable.read_batch(max_tokens=100)
    await moment(readers)
    killable.kill(number)
    await killable.death()
    assert str(int(number)) in str(killable.host.failure)
    assert killable.host.memory_use.active_bytes == 0
    assert await _answers(readers) == expected
    assert killable.host.restarts == restarts + 1
    assert killable.host.failure is None
    assert [model.id for model in killable.host.models] == [TINY_MODEL]
    assert (killable.host.active_jobs, killable.host.waiting_jobs) == (0, 0)
    assert await killable.memory_bytes() <= 2 * memory_bytes
    assert MlxEngineMonitor(host=killable.host).status().failure is None


async def test_many_deaths_in_a_row_change_nothing(killable: Killable) -> None:
    """Each kill waits until every stream has moved: a job that eight engines leave without a token is refused."""
    expected = await killable.undisturbed(max_tokens=400)
    restarts, kills = killable.host.restarts, 0
    while kills < KILLS:
        readers = killable.read_batch(max_tokens=400)
        await asyncio.gather(*(reader.next_delta() for reader in readers))
        while kills < KILLS and not all(reader.answer.done() for reader in readers):
            killable.kill()
            kills += 1
            await killable.death()
            await asyncio.gather(*(reader.next_delta() for reader in readers))
        assert await _answers(readers) == expected
    assert killable.host.restarts == restarts + KILLS
    assert killable.host.failure is None


async def test_what_is_asked_while_the_worker_is_down_is_done_when_it_is_back(
    killable: Killable, tiny_files: ModelFiles
) -> None:
    expected = await run(killable.host)
    killable.kill()
    await killable.death()
    other = replace(tiny_files, model_id=OTHER_MODEL)
    answer, loaded = await asyncio.gather(run(killable.host), killable.host.load(other))
    assert answer.text == expected.text
    assert loaded.id == OTHER_MODEL
    assert (await run(killable.host, model_id=OTHER_MODEL)).text == expected.text
    killable.kill()
    await killable.death()
    await killable.host.unload(OTHER_MODEL)
    with pytest.raises(ModelNotLoadedError):
        await run(killable.host, model_id=OTHER_MODEL)
    assert [model.id for model in killable.host.models] == [TINY_MODEL]


async def test_a_death_during_a_load_starts_the_load_again(killable: Killable, tiny_files: ModelFiles) -> None:
    expected = await run(killable.host)
    loading = asyncio.ensure_future(killable.host.load(replace(tiny_files, model_id=OTHER_MODEL)))
    await asyncio.sleep(0)
    killable.kill()
    assert (await loading).id == OTHER_MODEL
    assert [model.id for model in killable.host.models] == [TINY_MODEL, OTHER_MODEL]
    assert (await run(killable.host, model_id=OTHER_MODEL)).text == expected.text


async def test_a_death_while_models_are_loaded_again_starts_that_again(killable: Killable) -> None:
    expected = await killable.undisturbed(max_tokens=50)
    readers = killable.read_batch(max_tokens=50)
    await readers[0].next_delta()
    for _ in range(2):
        first = killable.link.pid
        killable.kill()
        while killable.link.pid in (None, first):
            await asyncio.sleep(0.001)
    assert await _answers(readers) == expected


async def test_a_job_can_be_cancelled_while_the_worker_is_down(killable: Killable) -> None:
    expected = await killable.undisturbed(max_tokens=60)
    leaver, *stayers = killable.read_batch(max_tokens=60)
    await asyncio.gather(*(reader.next_delta() for reader in [leaver, *stayers]))
    killable.kill()
    await killable.death()
    leaver.answer.cancel()
    killable.host.cancel(leaver.open_job.job.id)
    assert await _answers(stayers) == expected[1:]
    assert (killable.host.active_jobs, killable.host.waiting_jobs) == (0, 0)


async def test_a_model_whose_files_are_gone_ends_its_jobs_alone(
    killable: Killable, tiny_files: ModelFiles, tmp_path: Path
) -> None:
    directory = tmp_path / "vanishing"
    shutil.copytree(tiny_files.directory, directory)
    vanishing = replace(tiny_files, model_id=ModelId("tests/vanishing"), directory=directory)
    await _unload_all(killable.host)
    await killable.host.load(vanishing)  # first, so that the other one is loaded again after it was lost
    await killable.host.load(tiny_files)
    expected = await killable.undisturbed(max_tokens=60)
    lost = killable.read("lost", BATCH[0][1], max_tokens=400, model_id=vanishing.model_id)
    readers = killable.read_batch(max_tokens=60)
    await asyncio.gather(*(reader.next_delta() for reader in [lost, *readers]))
    shutil.rmtree(directory)
    killable.kill()
    with pytest.raises(GeneratorFailedError, match=r"tests/vanishing.* could not be loaded again"):
        await lost.answer
    assert await _answers(readers) == expected
    assert "tests/vanishing" in str(killable.host.failure)
    assert [model.id for model in killable.host.models] == [TINY_MODEL]
    with pytest.raises(InvalidModelError):
        await killable.host.load(vanishing)
    shutil.copytree(tiny_files.directory, directory)
    await killable.host.load(vanishing)
    assert killable.host.failure is None


async def test_a_worker_that_died_comes_back_with_the_same_load_options(
    killable: Killable, tiny_files: ModelFiles, tmp_path: Path
) -> None:
    plain = await killable.undisturbed(max_tokens=60)
    await _unload_all(killable.host)
    options = LoadOptions(lora_weights=write_lora_weights(tmp_path, tiny_files, strength=0.1))
    await killable.host.load(tiny_files, options)
    expected = await killable.undisturbed(max_tokens=60)
    assert expected != plain
    readers = killable.read_batch(max_tokens=60)
    await readers[0].next_delta()
    killable.kill()
    assert await _answers(readers) == expected
    assert [model.options for model in killable.host.models] == [options]


async def test_an_answer_that_a_draft_model_guesses_survives_every_kill(
    killable: Killable, tiny_files: ModelFiles
) -> None:
    sampling, kills = SamplingParameters(temperature=1.2, top_k=5, seed=5), 0
    expected = await killable.read("short", sampling, max_tokens=400).answer
    assert expected.usage.completion_tokens > 100
    await _unload_all(killable.host)
    await killable.host.load(tiny_files, LoadOptions(draft_model=tiny_files))
    while kills < KILLS // 2:
        reader = killable.read("short", sampling, max_tokens=400)
        await reader.next_delta()
        while kills < KILLS // 2 and not reader.answer.done():
            killable.kill()
            kills += 1
            await killable.death()
            await reader.next_delta()
        assert await reader.answer == expected


@pytest.mark.parametrize("mark", [ABORTS_WHEN_ADMITTED, ABORTS_AT_TOKEN_8])
async def test_a_request_that_workers_die_of_is_refused_alone(traitor: Killable, mark: str) -> None:
    expected = await traitor.undisturbed(max_tokens=150)
    restarts = traitor.host.restarts
    readers = traitor.read_batch(max_tokens=150)
    await readers[0].next_delta()
    deadly = traitor.read(mark, BATCH[0][1])
    late = traitor.read_batch(max_tokens=150)
    with pytest.raises(GeneratorFailedError, match="each time it worked on this request"):
        await deadly.answer
    assert await _answers([*readers, *late]) == expected * 2
    assert traitor.host.failure is None
    assert traitor.host.restarts - restarts <= 3


async def test_requests_that_come_while_suspects_are_tried_do_not_burden_them(traitor: Killable) -> None:
    expected = await traitor.undisturbed(max_tokens=30)
    deadly = [traitor.read(ABORTS_WHEN_ADMITTED)]
    readers = traitor.read_batch(max_tokens=30)
    await traitor.death()
    deadly += [traitor.read(ABORTS_WHEN_ADMITTED) for _ in range(2)]
    readers += traitor.read_batch(max_tokens=30)
    ends = await asyncio.gather(*(reader.answer for reader in deadly), return_exceptions=True)
    assert all(isinstance(end, GeneratorFailedError) for end in ends)
    assert await _answers(readers) == expected * 2


async def test_a_load_that_workers_die_of_is_refused_alone(traitor: Killable, tiny_files: ModelFiles) -> None:
    expected = await traitor.undisturbed(max_tokens=50)
    readers = traitor.read_batch(max_tokens=50)
    deadly = asyncio.ensure_future(traitor.host.load(replace(tiny_files, model_id=ModelId(ABORTING_MODEL))))
    harmless = asyncio.ensure_future(traitor.host.load(replace(tiny_files, model_id=OTHER_MODEL)))
    with pytest.raises(InvalidModelError, match="signal 6"):
        await deadly
    assert (await harmless).id == OTHER_MODEL
    assert await _answers(readers) == expected
    assert [model.id for model in traitor.host.models] == [TINY_MODEL, OTHER_MODEL]


async def test_what_is_printed_in_the_worker_disturbs_no_frame(traitor: Killable) -> None:
    restarts = traitor.host.restarts
    answer = await run(traitor.host, PRINTS)
    assert answer.usage.completion_tokens
    assert (await run(traitor.host, PRINTS)).text == answer.text
    assert traitor.host.restarts == restarts


@pytest.mark.parametrize("mark", [RAISES_WHEN_ADMITTED, RAISES_AT_TOKEN_8])
async def test_what_the_worker_logs_is_in_the_parents_log_and_quotes_nobody(
    traitor: Killable, mark: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-9f2c"
    with pytest.raises(GeneratorFailedError) as caught:
        await run(traitor.host, f"{canary} {mark}")
    assert canary not in str(caught.value)
    told = [record for record in caplog.records if "ValueError" in record.getMessage()]
    assert told
    assert all("treacherous_worker.py" in record.getMessage() for record in told)
    lines = JsonLines(shows_messages=False), JsonLines(shows_messages=True)
    silent, frank = ("".join(map(line.format, caplog.records)) for line in lines)
    assert canary not in silent
    assert canary in frank
    assert canary not in "".join(capfd.readouterr())


@pytest.mark.parametrize("asked_to_stop", [signal.SIGINT, signal.SIGTERM])
async def test_what_a_terminal_or_a_service_manager_asks_is_left_to_the_parent(
    killable: Killable, asked_to_stop: signal.Signals
) -> None:
    pid, expected = killable.link.pid, await run(killable.host)
    killable.kill(asked_to_stop)
    assert (await run(killable.host)).text == expected.text
    assert killable.link.pid == pid


@pytest.mark.parametrize("worker", [(sys.executable, "-c", "raise SystemExit(3)"), ("/nonexistent/worker",)])
async def test_a_worker_that_cannot_start_is_reported(worker: Sequence[str]) -> None:
    host = EngineHost(ProcessLink(worker))
    with pytest.raises(GeneratorFailedError, match=r"exited with code 3|cannot be started"):
        await host.start()
    assert "so did every new one" in str(host.failure)
    with pytest.raises(GeneratorFailedError):
        submit(host)
    await host.stop()


async def test_a_worker_that_speaks_nonsense_is_killed() -> None:
    speak = "import sys, time; sys.stdout.buffer.write(bytes([0, 0, 0, 1, 193])); sys.stdout.flush(); time.sleep(600)"
    before, host = _children(), EngineHost(ProcessLink((sys.executable, "-c", speak)))
    with pytest.raises(GeneratorFailedError, match="signal 9"):
        await host.start()
    await host.stop()
    assert _children() == before


async def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = encode_frame(EngineReady()).hex()
    deaf = f"import os, time; os.write(1, bytes.fromhex({ready!r})); time.sleep(600)"
    monkeypatch.setattr(process_link, "STOPPING_PATIENCE_S", 0.05)
    before, host = _children(), EngineHost(ProcessLink((sys.executable, "-c", deaf)))
    await host.start()
    assert _children() > before
    await host.stop()
    assert _children() == before


@pytest.mark.parametrize("turns", [0, 2, 20])
async def test_stopping_while_a_worker_is_started_again_leaves_none_behind(tiny_files: ModelFiles, turns: int) -> None:
    before = _children()
    killable = Killable()
    await killable.host.start()
    await killable.host.load(tiny_files)
    open_job = await begin(submit(killable.host, max_tokens=400))
    killable.kill()
    await killable.death()
    for _ in range(turns):
        await asyncio.sleep(0)
    loading = asyncio.ensure_future(killable.host.load(replace(tiny_files, model_id=OTHER_MODEL)))
    await asyncio.sleep(0)
    await killable.host.stop()
    with pytest.raises(ShuttingDownError):
        await loading
    with pytest.raises(ShuttingDownError):
        while True:
            await anext(open_job.stream)
    assert _children() == before


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_worker_whose_parent_is_killed_ends(tiny_files: ModelFiles, *, is_busy: bool) -> None:
    arguments = [str(tiny_files.directory)] if is_busy else []
    root = Path(next(iter(tests.__path__))).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, str(PARENT_OF_A_WORKER), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _await_end_of(worker)


def test_a_program_that_stops_its_host_ends_without_warnings(tiny_files: ModelFiles) -> None:
    program = (
        "import asyncio, sys\n"
        "from cortex_adapters.mlx.engine_host import EngineHost\n"
        "from cortex_adapters.mlx.process_link import ProcessLink\n"
        "async def main():\n"
        "    host = EngineHost(ProcessLink())\n"
        "    await host.start()\n"
        "    await host.stop()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=100)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


async def test_the_last_unload_ends_the_worker_and_the_next_load_finds_a_new_one(tiny_files: ModelFiles) -> None:
    killable = Killable()
    await killable.host.start()
    first = killable.link.pid
    await killable.host.unload(TINY_MODEL)
    assert killable.link.pid == first
    await killable.host.load(tiny_files)
    await killable.host.load(replace(tiny_files, model_id=OTHER_MODEL))
    expected = await run(killable.host)
    await killable.host.unload(OTHER_MODEL)
    assert killable.link.pid == first
    assert first is not None
    await killable.host.unload(TINY_MODEL)
    assert not psutil.pid_exists(first)
    assert killable.host.memory_use.active_bytes == 0
    await killable.host.load(tiny_files)
    assert (await run(killable.host)).text == expected.text
    assert killable.link.pid != first
    assert (killable.host.restarts, killable.host.failure) == (0, None)
    await killable.host.stop()


async def test_what_is_asked_while_a_worker_retires_is_done_by_the_next_one(tiny_files: ModelFiles) -> None:
    killable = Killable()
    await killable.host.start()
    await killable.host.load(tiny_files)
    expected = await run(killable.host)
    _, loaded = await asyncio.gather(killable.host.unload(TINY_MODEL), killable.host.load(tiny_files))
    assert loaded.id == TINY_MODEL
    assert (await run(killable.host)).text == expected.text
    unloading = asyncio.ensure_future(killable.host.unload(TINY_MODEL))
    while killable.host.memory_use.active_bytes:
        await asyncio.sleep(0)
    await killable.host.load(tiny_files)
    await unloading
    assert (await run(killable.host)).text == expected.text
    assert killable.host.restarts == 0
    await killable.host.stop()


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def _await_end_of(process: psutil.Process) -> None:
    """Waits up to a minute; a zombie that nobody has collected yet has ended too."""
    for _ in range(600):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return
        psutil.wait_procs([process], timeout=0.1)
    raise AssertionError(f"{process} lives on")
