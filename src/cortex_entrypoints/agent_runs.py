"""Agent runs at work: each in a task of its own, which no connection owns, and followed by whoever wants to.

A run belongs to its log, not to whoever started it. What is worked on here when Cortex stops goes on when it is started
again; what waits for a person takes no task.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, asynccontextmanager
from typing import Final

from cortex_domain.agent_run_events import (
    AgentRunFinished,
    AgentRunRecord,
    AgentRunStatus,
    AgentRunSummary,
    ApprovalGiven,
    ModelTurnStarted,
)
from cortex_domain.agent_run_log import Tell
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import (
    AgentRunBusyError,
    AgentRunNotFoundError,
    GeneratorBusyError,
    ResourceUnavailableError,
    ShuttingDownError,
)
from cortex_domain.ports import AgentRunStore
from cortex_domain.use_cases import CancelAgentRun, DecideApproval, GetAgentRun, RunAgent, StartAgentRun

logger = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 16
"""Runs that are worked on at the same time; others wait for their turn."""
MOST_WAITING: Final = 1000
"""Runs that are worked on or wait for their turn; more are refused."""
LONGEST_PAUSE_S: Final = 30.0
Watch = Callable[[AgentRunState], AbstractContextManager[Tell]]
"""Watches one time that a run is worked on, from entering to leaving."""
_FIRST_PAUSE_S: Final = 0.05
_PAGE: Final = 200


class AgentRuns:
    """Starts runs, works on them, and tells what happens in them.

    Attributes:
        finished_runs: How many runs ended here in each way, those of agents that were asked by others too.

    Args:
        store: Keeps the runs.
        run_agent: Works on one.
        start_agent_run: Begins one.
        decide_approval: Writes a decision down.
        cancel_agent_run: Ends one.
        get_agent_run: Tells how one is.
        watch: Takes a run that is about to be worked on, and what happens in it from then on; None watches nothing.
    """

    def __init__(
        self,
        *,
        store: AgentRunStore,
        run_agent: RunAgent,
        start_agent_run: StartAgentRun,
        decide_approval: DecideApproval,
        cancel_agent_run: CancelAgentRun,
        get_agent_run: GetAgentRun,
        watch: Watch | None = None,
    ) -> None:
        self._store = store
        self._run_agent = run_agent
        self._start_agent_run = start_agent_run
        self._decide_approval = decide_approval
        self._cancel_agent_run = cancel_agent_run
        self._get_agent_run = get_agent_run
        self._watch = watch
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: set[str] = set()
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.finished_runs: Counter[AgentRunStatus] = Counter()
        self._is_draining = False
        self._is_stopping = False

    @property
    def live_runs(self) -> int:
        """Runs that are worked on here, or wait for their turn."""
        return len(self._tasks)

    async def resume_all(self) -> None:
        """Goes on with all runs that were being worked on when Cortex ended: what a server does once it serves.

        Raises:
            StorageError: They cannot be read.
        """
        before = None
        while page := await self._store.list_runs(owner=None, statuses=[AgentRunStatus.RUNNING], before=before):
            for summary in page:
                self.wake(summary.run_id)
            before = page[-1].run_id

    async def drain(self, grace_s: float, /) -> None:
        """Begins nothing new, and lets each run come to where nothing is lost: before the model's next step.

        Args:
            grace_s: Seconds for that; what a run is at then is cut by `stop`.
        """
        self._is_draining = True
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=grace_s)
        self._tell_all_to_leave()

    async def stop(self) -> None:
        """Stops working, at once and whatever each run is at; await it once."""
        self._is_draining = True
        self._tell_all_to_leave()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def begin(self, agent: AgentDefinition, task: str, /, *, owner: str = "") -> AgentRunState:
        """Starts a run and begins to work on it.

        Raises:
            InvalidRequestError: There is no task, or it is too long.
            GeneratorBusyError: There are as many runs to be worked on as may.
            ShuttingDownError: Cortex stops.
            StorageError: It cannot be written down.
        """
        if self._is_draining:
            raise ShuttingDownError("Cortex is stopping and begins nothing new.")
        if self.live_runs >= MOST_WAITING:
            raise GeneratorBusyError(f"{MOST_WAITING} agent runs are at work already.", retry_after_s=LONGEST_PAUSE_S)
        state = await self._start_agent_run(agent, task, owner=owner)
        self.wake(state.started.run_id)
        return state

    async def list_runs(
        self,
        *,
        owner: str | None,
        statuses: Collection[AgentRunStatus] | None = None,
        before: str | None = None,
        limit: int,
    ) -> Sequence[AgentRunSummary]:
        """Lists runs, the one that was begun last first; see `AgentRunStore.list_runs`."""
        return await self._store.list_runs(owner=owner, statuses=statuses, before=before, limit=limit)

    def wake(self, run_id: str, /) -> None:
        """Has a run worked on, unless there is nothing to do; what is being worked on is looked at once more."""
        if self._is_draining:
            return
        self._woken.add(run_id)
        if run_id not in self._tasks:
            self._begin_work(run_id)

    async def decide(self, run_id: str, decision: ApprovalGiven, /, *, owner: str | None) -> AgentRunState:
        """Decides on a call, and has the run go on.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            ApprovalNotPendingError: The call waits for no decision.
            StorageError: It cannot be written down.
        """
        state = await self._decide_approval(run_id, decision, owner=owner, tell=self._tell)
        self.wake(run_id)
        return state

    async def cancel(self, run_id: str, /, *, owner: str | None) -> AgentRunState:
        """Ends a run and those of the agents that it asked; one that is over stays as it is.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be written down.
        """
        ended: list[str] = []

        def tell(told_id: str, record: AgentRunRecord) -> None:
            ended.append(told_id)
            self._tell(told_id, record)

        state = await self._cancel_agent_run(run_id, owner=owner, tell=tell)
        for ended_id in ended:
            if ended_id in self._tasks:
                self._tasks[ended_id].cancel()
        self._wake_parent(state)
        return state

    async def get(self, run_id: str, /, *, owner: str | None) -> AgentRunState:
        """Tells how a run is.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            StorageError: It cannot be read.
        """
        return await self._get_agent_run(run_id, owner=owner)

    def follow(
        self, run_id: str, /, *, owner: str | None, after: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[AgentRunRecord]]:
        """Tells the records of a run, those that are there and those to come, each once and in order, to its end.

        The iterator also ends when Cortex stops.

        Args:
            run_id: The run.
            owner: Whose it has to be; None takes any.
            after: Number of the last record that is not wanted; 0 wants all.

        Raises:
            AgentRunNotFoundError: On entering; there is no such run of this owner.
            StorageError: On entering or iterating; it cannot be read.
        """
        return self._follow(run_id, owner, after)

    async def until_settled(self, run_id: str, /, *, owner: str | None) -> AgentRunState:
        """Waits until a run is over or waits for a person, and tells how it is then.

        Raises:
            AgentRunNotFoundError: There is no such run of this owner.
            ShuttingDownError: Cortex stops; the run goes on when it is started again.
            StorageError: It cannot be read.
        """
        with _Listening(self._listeners, run_id) as news:
            while (await self._store.get_summary(run_id, owner=owner)).status is AgentRunStatus.RUNNING:
                if self._is_stopping:
                    raise ShuttingDownError("Cortex is stopping; the run goes on when it is started again.")
                await news.wait()
                news.clear()
        return await self.get(run_id, owner=owner)

    @asynccontextmanager
    async def _follow(self, run_id: str, owner: str | None, after: int) -> AsyncIterator[AsyncIterator[AgentRunRecord]]:
        await self._store.get_summary(run_id, owner=owner)
        async with aclosing(self._records(run_id, after)) as records:
            yield records

    async def _records(self, run_id: str, after: int) -> AsyncGenerator[AgentRunRecord, None]:
        with _Listening(self._listeners, run_id) as news:
            while True:
                news.clear()
                records = await self._store.read(run_id, owner=None, after=after, limit=_PAGE)
                for record in records:
                    yield record
                    after = record.sequence
                    if isinstance(record.event, AgentRunFinished):
                        return
                if not records and self._is_stopping:
                    return
                if not records:
                    await news.wait()

    def _begin_work(self, run_id: str) -> None:
        self._tasks[run_id] = asyncio.create_task(self._work_while_woken(run_id))
        self._tasks[run_id].add_done_callback(lambda _: self._end_work(run_id))

    def _end_work(self, run_id: str) -> None:
        """Forgets a task, also one that was cancelled before it began, and begins again if somebody woke the run."""
        del self._tasks[run_id]
        if run_id in self._woken and not self._is_draining:
            self._begin_work(run_id)

    async def _work_while_woken(self, run_id: str) -> None:
        """Works until nobody has woken the run again, and until the resources for it are there."""
        pause_s = _FIRST_PAUSE_S
        while run_id in self._woken:
            self._woken.discard(run_id)
            try:
                async with self._room:
                    self._wake_parent(await self._run(run_id))
            except (AgentRunBusyError, ResourceUnavailableError) as error:
                if isinstance(error, ShuttingDownError):
                    return
                self._log_pause(run_id, error)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                self._woken.add(run_id)
            except AgentRunNotFoundError:
                return  # somebody deleted it
            except Exception:
                logger.exception("the agent run %s failed", run_id)

    async def _run(self, run_id: str) -> AgentRunState:
        if self._watch is None:
            return await self._run_agent(run_id, tell=self._tell)
        with self._watch(await self.get(run_id, owner=None)) as watched:

            def tell(told_id: str, record: AgentRunRecord) -> None:
                watched(told_id, record)
                self._tell(told_id, record)

            return await self._run_agent(run_id, tell=tell)

    def _log_pause(self, run_id: str, error: AgentRunBusyError | ResourceUnavailableError) -> None:
        if isinstance(error, ResourceUnavailableError):
            logger.warning("the agent run %s pauses: %s", run_id, error.message)

    def _wake_parent(self, state: AgentRunState) -> None:
        parent_id = state.started.parent_run_id
        if state.finished is not None and parent_id is not None:
            self.wake(parent_id)

    def _tell_all_to_leave(self) -> None:
        self._is_stopping = True
        for listeners in self._listeners.values():
            for news in listeners:
                news.set()

    def _tell(self, run_id: str, record: AgentRunRecord) -> None:
        """Has listeners look into the store. A run that is told of a next step while Cortex stops does not take it."""
        if isinstance(record.event, AgentRunFinished):
            self.finished_runs[record.event.status] += 1
        for news in self._listeners.get(run_id, ()):
            news.set()
        if self._is_draining and isinstance(record.event, ModelTurnStarted):
            raise ShuttingDownError("Cortex is stopping; the run goes on when it is started again.")


class _Listening:
    """Is told of news of a run as long as the block lasts."""

    def __init__(self, listeners: defaultdict[str, set[asyncio.Event]], run_id: str) -> None:
        self._listeners = listeners
        self._run_id = run_id
        self._news = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        self._listeners[self._run_id].add(self._news)
        return self._news

    def __exit__(self, *_: object) -> None:
        listeners = self._listeners[self._run_id]
        listeners.discard(self._news)
        if not listeners:
            del self._listeners[self._run_id]
