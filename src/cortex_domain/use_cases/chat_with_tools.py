"""Use case: continue a chat by an answer for which the model may use Cortex's own tools.

The model answers in rounds. What it asks for in one is done, and told to it before the next, until it asks for nothing
more. To whoever reads, all rounds are one answer: one `started`, one `done`, and between them the uses of tools too.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, Self

from cortex_domain.errors import InvalidRequestError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.ports import Clock, ToolProvider
from cortex_domain.tool_chat import ToolChat
from cortex_domain.tool_execution import ToolDescriptor, ToolEvent, ToolFinished
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, ToolPolicy, permission_of
from cortex_domain.tools import ToolChoice
from cortex_domain.use_cases.execute_tools import ExecuteTools

MAX_TOOL_ROUNDS: Final = 10
"""Rounds that may use tools; in the one after them the model is given none, so that there is an answer."""

NOTHING_TO_OFFER: Final = "No tool of this server may be used without asking a person, so the model was given none."

ToolChatEvent = GenerationEvent | ToolEvent
GenerateRound = Callable[[GenerationRequest], AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]]
"""The use case `GenerateText`, or something around it that keeps its promises."""


class ChatWithTools:
    """Offers the model every tool that the policy allows, and does what it asks for.

    Nobody can be asked in a chat. So tools for which a person has to be asked are not offered, and a call that has to
    be asked for because the model has read what strangers wrote is not made: the model is told so and goes on.

    Args:
        generate_text: Makes a round.
        provider: Offers the tools.
        execute_tools: Uses them.
        policy: That of whoever runs Cortex.
        clock: Counts the time of a request that has a `timeout_s`.
    """

    def __init__(
        self,
        *,
        generate_text: GenerateRound,
        provider: ToolProvider,
        execute_tools: ExecuteTools,
        policy: ToolPolicy,
        clock: Clock,
    ) -> None:
        self._generate_text = generate_text
        self._provider = provider
        self._execute_tools = execute_tools
        self._policy = policy
        self._clock = clock

    def over(self, generate_text: GenerateRound, /) -> Self:
        """Builds the same over something else that makes the rounds."""
        return type(self)(
            generate_text=generate_text,
            provider=self._provider,
            execute_tools=self._execute_tools,
            policy=self._policy,
            clock=self._clock,
        )

    def __call__(
        self, request: GenerationRequest, /, *, tool_choice: ToolChoice = ToolChoice()
    ) -> AbstractAsyncContextManager[AsyncIterator[ToolChatEvent]]:
        """Answers a chat.

        `usage` of the last event adds up all rounds, `timings` are those of the first, `index` of a tool call counts
        through all of them. Leaving the block ends everything, a tool that works too.

        Args:
            request: The chat, without tools.
            tool_choice: Whether the first round uses tools, and which; later ones are free to.

        Raises:
            InvalidRequestError: On entering; the request has tools, is a bare prompt, wants several answers, or has a
                choice that the tools do not allow.
            RequestRefusedError: On entering or iterating; the request or its model must change.
            ResourceUnavailableError: On entering or iterating; the same request may succeed later.
        """
        return self._chat(request, tool_choice)

    @asynccontextmanager
    async def _chat(
        self, request: GenerationRequest, tool_choice: ToolChoice
    ) -> AsyncIterator[AsyncIterator[ToolChatEvent]]:
        _require_plain(request)
        until_s = None if request.timeout_s is None else self._clock.monotonic_s() + request.timeout_s
        tools = tuple(tool.definition for tool in await self._allowed_tools())
        chat = ToolChat(
            replace(request, tools=tools),
            first_choice=tool_choice,
            warnings=() if tools else (NOTHING_TO_OFFER,),
            max_rounds=MAX_TOOL_ROUNDS,
        )
        async with AsyncExitStack() as current_round:
            first = await current_round.enter_async_context(
                self._generate_text(chat.request(timeout_s=request.timeout_s))
            )
            async with aclosing(self._rounds(chat, first, current_round, until_s)) as events:
                yield events

    async def _allowed_tools(self) -> Sequence[ToolDescriptor]:
        return [
            tool
            for tool in await self._provider.list_tools()
            if permission_of(tool, [self._policy], after_untrusted=False) is ToolPermission.ALLOW
        ]

    async def _rounds(
        self,
        chat: ToolChat,
        events: AsyncIterator[GenerationEvent],
        current_round: AsyncExitStack,
        until_s: float | None,
    ) -> AsyncGenerator[ToolChatEvent, None]:
        while True:
            async for event in events:
                for told in chat.follow(event):
                    yield told
            await current_round.aclose()
            if not chat.wants_tools:
                yield chat.finished()
                return
            async with aclosing(self._use_tools(chat, ToolTerms(policies=(self._policy,), deadline_s=until_s))) as uses:
                async for use in uses:
                    yield use
            timeout_s = None if until_s is None else until_s - self._clock.monotonic_s()
            if timeout_s is not None and timeout_s <= 0:
                yield chat.out_of_time()
                return
            events = await current_round.enter_async_context(self._generate_text(chat.request(timeout_s=timeout_s)))

    async def _use_tools(self, chat: ToolChat, terms: ToolTerms) -> AsyncGenerator[ToolEvent, None]:
        calls, results = chat.calls()
        for failed in results:
            yield failed
        terms = replace(terms, after_untrusted=chat.has_read_untrusted, owner=chat.owner)
        async with self._execute_tools(calls, terms) as events:
            async for event in events:
                if isinstance(event, ToolFinished):
                    results.append(event)
                yield event
        chat.take(results)


def _require_plain(request: GenerationRequest) -> None:
    if request.prompt is not None:
        raise InvalidRequestError("A prompt has no place for tools. Send messages.", parameter="prompt")
    if request.tools:
        raise InvalidRequestError("A chat uses its caller's tools or the server's, not both.", parameter="tools")
    if request.n > 1:
        raise InvalidRequestError("A chat that uses the server's tools has one answer.", parameter="n")
