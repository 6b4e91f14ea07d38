"""Every error that Cortex raises on purpose, by who can act on it.

CortexError
├── RequestRefusedError             the caller can mend the request
│   ├── InvalidRequestError
│   ├── UnsupportedCapabilityError
│   ├── ContextWindowExceededError
│   ├── GenerationNotFoundError
│   ├── ResponseNotFoundError
│   ├── ResponseItemNotFoundError
│   ├── ToolNotFoundError
│   ├── ToolDeniedError
│   ├── InvalidToolArgumentsError
│   ├── AgentNotFoundError
│   ├── AgentReadOnlyError
│   ├── InvalidAgentError
│   ├── AgentRunNotFoundError
│   ├── AgentRunConflictError
│   ├── AgentRunBusyError
│   ├── ApprovalNotPendingError
│   ├── MemoryExceededError
│   ├── ModelNotFoundError
│   ├── ModelNotDownloadedError
│   ├── ModelAccessDeniedError
│   ├── ModelInUseError
│   ├── ModelLoadedOtherwiseError
│   ├── LoadOptionRefusedError
│   └── InvalidModelError
├── ResourceUnavailableError        the same request may succeed later
│   ├── GeneratorBusyError
│   │   └── MemoryPressureError
│   ├── GeneratorFailedError
│   ├── DeadlineExceededError
│   ├── ModelNotLoadedError
│   ├── ShuttingDownError
│   ├── InsufficientMemoryError
│   ├── InsufficientStorageError
│   ├── ModelDownloadError
│   ├── CodeExecutorUnavailableError
│   └── StorageError
├── ToolFailedError                 a tool could not do what was asked; a model may try otherwise
│   ├── PageFetchError
│   ├── WebSearchError
│   └── WorkspaceFileError
└── ContractViolationError          an adapter broke its port: a bug

Facts are attributes, the message says what to do, and nothing here knows about HTTP. Cancellation is not an error.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class CortexError(Exception):
    """Base of every deliberate error.

    Attributes:
        code: Stable identifier in snake_case, the same on every wire and in logs.
        message: One or two sentences for the person who can act.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestRefusedError(CortexError):
    """The request cannot be served as it stands; repeating it unchanged gives the same answer."""

    code = "request_refused"


class InvalidRequestError(RequestRefusedError):
    """A value of the request breaks a stated rule.

    Attributes:
        parameter: Dotted path of the value in the request, or None when the request as a whole is wrong.
    """

    code = "invalid_request"

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class UnsupportedCapabilityError(RequestRefusedError):
    """The request needs something that the model or the adapter does not have.

    Attributes:
        capability: Value of the missing `Capability`.
        model_id: The model that was asked.
        parameter: Dotted path of the value in the request that needs the capability.
    """

    code = "unsupported_capability"

    def __init__(self, *, capability: str, model_id: str, parameter: str) -> None:
        super().__init__(
            f"The model {model_id!r} does not support '{capability}', which {parameter!r} needs. "
            "Leave it out, or choose a model whose capabilities list it."
        )
        self.capability = str(capability)
        self.model_id = model_id
        self.parameter = parameter


class ContextWindowExceededError(RequestRefusedError):
    """The prompt, or the prompt and the tokens asked for, do not fit the model's context window.

    Attributes:
        prompt_tokens: Length of the prompt, in tokens.
        max_tokens: The answer length asked for, in tokens, or None when the request left it open.
        context_window: Tokens that prompt and answer may have together.
    """

    code = "context_window_exceeded"

    def __init__(self, *, prompt_tokens: int, max_tokens: int | None, context_window: int) -> None:
        asked = "" if max_tokens is None else f" and max_tokens asks for {max_tokens} more"
        super().__init__(
            f"The prompt has {prompt_tokens} tokens{asked}, but the context window holds {context_window}. "
            "Shorten the messages or lower max_tokens."
        )
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.context_window = context_window


class GenerationNotFoundError(RequestRefusedError):
    """No generation of this id can be gone on with: it never was, is too long ago, or was given up.

    Attributes:
        generation_id: The id.
    """

    code = "generation_not_found"

    def __init__(self, *, generation_id: str) -> None:
        super().__init__(
            f"There is no generation {generation_id!r}, or no longer: they are kept for a while only. Ask anew."
        )
        self.generation_id = generation_id


class ResponseNotFoundError(RequestRefusedError):
    """No response of this id is stored: it never was, was deleted, or had to make room.

    Attributes:
        response_id: The id.
    """

    code = "response_not_found"

    def __init__(self, *, response_id: str) -> None:
        super().__init__(
            f"There is no stored response {response_id!r}, or no longer: how many are kept is bounded. "
            "Send the conversation itself."
        )
        self.response_id = response_id


class ResponseItemNotFoundError(RequestRefusedError):
    """No stored response holds an item of this id.

    Attributes:
        item_id: The id.
    """

    code = "response_item_not_found"

    def __init__(self, *, item_id: str) -> None:
        super().__init__(f"No stored response holds an item {item_id!r}, or no longer. Send the item itself.")
        self.item_id = item_id


class ToolNotFoundError(RequestRefusedError):
    """There is no tool of this name, or it is switched off.

    Attributes:
        name: The name.
        nearest: Names of tools that resemble it, best first; may be empty.
    """

    code = "tool_not_found"

    def __init__(self, *, name: str, nearest: Sequence[str] = ()) -> None:
        hint = f"Did you mean {', '.join(nearest)}?" if nearest else "Ask for the list of tools."
        super().__init__(f"There is no tool {name[:140]!r}, or it is switched off. {hint}")
        self.name = name
        self.nearest = tuple(nearest)


class ToolDeniedError(RequestRefusedError):
    """The policy does not let this tool be used.

    Attributes:
        name: The tool.
    """

    code = "tool_denied"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"The policy denies the use of the tool {name!r}. Whoever runs Cortex can change that.")
        self.name = name


class InvalidToolArgumentsError(RequestRefusedError):
    """The arguments of a tool are not what its parameters say.

    Attributes:
        name: The tool.
    """

    code = "invalid_arguments"

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class AgentNotFoundError(RequestRefusedError):
    """There is no agent of this name.

    Attributes:
        name: The name.
    """

    code = "agent_not_found"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"There is no agent {name[:140]!r}. Ask for the list of agents.")
        self.name = name


class AgentReadOnlyError(RequestRefusedError):
    """The agent is built in or comes from a file, and can be changed there only.

    Attributes:
        name: The agent.
    """

    code = "agent_read_only"

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"The agent {name[:140]!r} is built in or comes from a file, which wins. Choose another name, or change "
            "that file."
        )
        self.name = name


class InvalidAgentError(RequestRefusedError):
    """What defines an agent is wrong.

    Attributes:
        name: The agent.
        source: Where its definition is.
        reason: What is wrong with it, as a sentence without its full stop.
    """

    code = "invalid_agent"

    def __init__(self, *, name: str, source: str, reason: str) -> None:
        super().__init__(f"The agent {name!r} cannot be used. {source}: {reason}.")
        self.name = name
        self.source = source
        self.reason = reason


class AgentRunNotFoundError(RequestRefusedError):
    """There is no agent run of this id, or none of whoever asks.

    Attributes:
        run_id: The id.
    """

    code = "agent_run_not_found"

    def __init__(self, *, run_id: str) -> None:
        super().__init__(f"There is no agent run {run_id[:140]!r}. Ask for the list of runs.")
        self.run_id = run_id


class AgentRunConflictError(RequestRefusedError):
    """The log of an agent run went on otherwise than whoever wanted to add to it knew.

    Attributes:
        run_id: The run.
    """

    code = "agent_run_conflict"

    def __init__(self, *, run_id: str) -> None:
        super().__init__(f"The agent run {run_id!r} went on meanwhile. Read what is new, then decide again.")
        self.run_id = run_id


class AgentRunBusyError(RequestRefusedError):
    """Somebody works on the agent run already.

    Attributes:
        run_id: The run.
    """

    code = "agent_run_busy"

    def __init__(self, *, run_id: str) -> None:
        super().__init__(f"The agent run {run_id!r} is being worked on. Follow its events, or cancel it first.")
        self.run_id = run_id


class ApprovalNotPendingError(RequestRefusedError):
    """Nobody has to decide on this call: it is not of this run, was decided, or the run is over.

    Attributes:
        run_id: The run.
        call_id: The call.
    """

    code = "approval_not_pending"

    def __init__(self, *, run_id: str, call_id: str) -> None:
        super().__init__(f"The call {call_id[:140]!r} of the agent run {run_id!r} waits for no decision. Read the run.")
        self.run_id = run_id
        self.call_id = call_id


class MemoryExceededError(RequestRefusedError):
    """The request needs more memory than there could ever be for it beside its model.

    Attributes:
        model_id: The model that was asked.
        required_bytes: Memory that prompt and answer would take while it runs, in bytes.
        available_bytes: Memory that there is beside the model at best, in bytes.
    """

    code = "memory_exceeded"

    def __init__(self, *, model_id: str, required_bytes: int, available_bytes: int) -> None:
        super().__init__(
            f"The prompt and the longest answer would take {required_bytes} bytes of memory, and there are "
            f"{available_bytes} beside {model_id!r}. Shorten the messages or lower max_tokens."
        )
        self.model_id = model_id
        self.required_bytes = required_bytes
        self.available_bytes = available_bytes


class ModelNotFoundError(RequestRefusedError):
    """No store knows a model of this name.

    Attributes:
        model_id: The name that was asked for.
        nearest: Known names that resemble it, best first; may be empty.
    """

    code = "model_not_found"

    def __init__(self, *, model_id: str, nearest: Sequence[str] = ()) -> None:
        hint = f" Did you mean {', '.join(nearest)}?" if nearest else " List the models to see what there is."
        super().__init__(f"There is no model named {model_id!r}.{hint}")
        self.model_id = model_id
        self.nearest = tuple(nearest)


class ModelNotDownloadedError(RequestRefusedError):
    """The model is known but its files are not here.

    Attributes:
        model_id: The model whose files are missing.
    """

    code = "model_not_downloaded"

    def __init__(self, *, model_id: str) -> None:
        super().__init__(f"The model {model_id!r} is not downloaded. Pull it first, then ask again.")
        self.model_id = model_id


class ModelAccessDeniedError(RequestRefusedError):
    """The hub does not let this account read the model.

    Attributes:
        model_id: The model that was asked for.
    """

    code = "model_access_denied"

    def __init__(self, *, model_id: str) -> None:
        super().__init__(
            f"The hub refuses access to {model_id!r}. Accept its licence on the hub and set HF_TOKEN, "
            "or choose another model."
        )
        self.model_id = model_id


class ModelInUseError(RequestRefusedError):
    """The operation needs a model that nobody uses.

    Attributes:
        model_id: The model in use.
    """

    code = "model_in_use"

    def __init__(self, *, model_id: str) -> None:
        super().__init__(f"The model {model_id!r} is loaded. Unload it first.")
        self.model_id = model_id


class ModelLoadedOtherwiseError(RequestRefusedError):
    """The model is in memory already, loaded with other options than those asked for.

    Attributes:
        model_id: The model.
        options: Names of the options that differ.
    """

    code = "model_loaded_otherwise"

    def __init__(self, *, model_id: str, options: Sequence[str]) -> None:
        super().__init__(
            f"The model {model_id!r} is loaded with another {' and '.join(options)}. "
            "Unload it first, or take it as it is by loading it without options."
        )
        self.model_id = model_id
        self.options = tuple(options)


class LoadOptionRefusedError(RequestRefusedError):
    """The model cannot be loaded in this way.

    Attributes:
        model_id: The model.
        parameter: The option that does not fit it.
        reason: Why, as a sentence without its full stop.
    """

    code = "load_option_refused"

    def __init__(self, *, model_id: str, parameter: str, reason: str) -> None:
        super().__init__(f"The model {model_id!r} cannot be loaded with this {parameter}: {reason}.")
        self.model_id = model_id
        self.parameter = parameter
        self.reason = reason


class InvalidModelError(RequestRefusedError):
    """The model's files are not a complete, unaltered model that this adapter can run.

    Attributes:
        model_id: The model.
        reason: What is wrong with the files, as a sentence without its full stop.
    """

    code = "invalid_model"

    def __init__(self, *, model_id: str, reason: str) -> None:
        super().__init__(f"The model {model_id!r} cannot be used: {reason}.")
        self.model_id = model_id
        self.reason = reason


class UnavailableReason(StrEnum):
    """Why Cortex takes nothing more for now.

    QUEUE_FULL: as many requests wait as may. MEMORY_PRESSURE: there is not the memory for more. DRAINING: it finishes
    what it has and stops.
    """

    QUEUE_FULL = "queue_full"
    MEMORY_PRESSURE = "memory_pressure"
    DRAINING = "draining"


class ResourceUnavailableError(CortexError):
    """Something that Cortex needs is missing now; the same request may succeed later.

    Attributes:
        reason: Why Cortex takes nothing more for now; None when that is not the case.
        retry_after_s: Seconds after which trying again makes sense, or None when nobody can tell.
    """

    code = "resource_unavailable"
    reason: UnavailableReason | None = None

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


MEMORY_RETRY_AFTER_S = 5.0
"""Seconds; a guess, because nobody can tell when others give their memory back."""


class GeneratorBusyError(ResourceUnavailableError):
    """The text generator has as many requests as it can take.

    Attributes:
        reason: What there is too little of: `QUEUE_FULL` or `MEMORY_PRESSURE`.
    """

    code = "generator_busy"

    def __init__(
        self,
        message: str,
        *,
        reason: UnavailableReason = UnavailableReason.QUEUE_FULL,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.reason = reason


class MemoryPressureError(GeneratorBusyError):
    """The request needs more memory than is free now, even when those that run have ended.

    Attributes:
        model_id: The model that was asked.
        required_bytes: Memory that prompt and answer would take while it runs, in bytes.
        available_bytes: Memory that would be free for it, in bytes.
    """

    code = "memory_pressure"

    def __init__(self, *, model_id: str, required_bytes: int, available_bytes: int) -> None:
        super().__init__(
            f"The prompt and the longest answer would take {required_bytes} bytes of memory, and {available_bytes} "
            "are free. Unload other models, shorten the request, or try again later.",
            reason=UnavailableReason.MEMORY_PRESSURE,
            retry_after_s=MEMORY_RETRY_AFTER_S,
        )
        self.model_id = model_id
        self.required_bytes = required_bytes
        self.available_bytes = available_bytes


class GeneratorFailedError(ResourceUnavailableError):
    """The text generator failed on its side while it worked on the request."""

    code = "generator_failed"


class DeadlineExceededError(ResourceUnavailableError):
    """The time that a request gave was over before the request could be accepted."""

    code = "deadline_exceeded"

    def __init__(self) -> None:
        super().__init__(
            "The timeout_s of this request passed before work on it could begin. Allow more time, or ask again later."
        )


class ModelNotLoadedError(ResourceUnavailableError):
    """The model was not, or no longer, in memory when the text generator was asked.

    Attributes:
        model_id: The model.
    """

    code = "model_not_loaded"

    def __init__(self, *, model_id: str) -> None:
        super().__init__(f"The model {model_id!r} is not loaded. Load it, then ask again.", retry_after_s=1.0)
        self.model_id = model_id


class ShuttingDownError(ResourceUnavailableError):
    """Cortex is finishing what it has and takes nothing new."""

    code = "shutting_down"
    reason = UnavailableReason.DRAINING


class InsufficientMemoryError(ResourceUnavailableError):
    """Loading would need more memory than there is.

    Attributes:
        model_id: The model to load.
        required_bytes: Memory that it needs, in bytes.
        available_bytes: Memory that is free, in bytes.
    """

    code = "insufficient_memory"
    reason = UnavailableReason.MEMORY_PRESSURE

    def __init__(self, *, model_id: str, required_bytes: int, available_bytes: int) -> None:
        super().__init__(
            f"Loading {model_id!r} needs about {required_bytes} bytes of memory and {available_bytes} are available. "
            "Unload another model or choose a smaller one."
        )
        self.model_id = model_id
        self.required_bytes = required_bytes
        self.available_bytes = available_bytes


class InsufficientStorageError(ResourceUnavailableError):
    """A download would not fit on the disk.

    Attributes:
        model_id: The model to download.
        required_bytes: Bytes still to be written.
        available_bytes: Bytes that the disk has free for them.
    """

    code = "insufficient_storage"

    def __init__(self, *, model_id: str, required_bytes: int, available_bytes: int) -> None:
        super().__init__(
            f"Downloading {model_id!r} needs {required_bytes} bytes and the disk has {available_bytes} free. "
            "Delete a model or move MODEL_CACHE_DIR to a larger disk."
        )
        self.model_id = model_id
        self.required_bytes = required_bytes
        self.available_bytes = available_bytes


class ModelDownloadError(ResourceUnavailableError):
    """The hub could not be reached, answered with a failure, or broke off.

    Attributes:
        model_id: The model being downloaded.
    """

    code = "model_download_failed"

    def __init__(self, message: str, *, model_id: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.model_id = model_id


class CodeExecutorUnavailableError(ResourceUnavailableError):
    """What would confine code is missing here, so that no code is run."""

    code = "code_executor_unavailable"


class StorageError(ResourceUnavailableError):
    """Reading or writing local files failed."""

    code = "storage_failed"


class ToolFailedError(CortexError):
    """A tool could not do what was asked. The message is for the model, which may try otherwise.

    Attributes:
        reason: Stable identifier in snake_case of what went wrong; a tool may have its own.
        is_transient: Whether the same use may succeed a moment later.
    """

    code = "tool_failed"

    def __init__(self, message: str, *, reason: str = "tool_failed", is_transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_transient = is_transient


class WebFailure(StrEnum):
    """Why something of the web cannot be had.

    INVALID_URL: the address cannot be one of a public page, as it is written. ADDRESS_REFUSED: it leads to this machine
    or its networks. HOST_NOT_FOUND: no machine has this name. UNREACHABLE: the other side does not take the connection,
    or breaks it off. TIMEOUT: it takes too long. HTTP_STATUS: it answers with an error. RATE_LIMITED: it was asked too
    often. KEY_REFUSED: it does not accept the key. TOO_MANY_REDIRECTS, TOO_LARGE, UNSUPPORTED_CONTENT: what there is
    cannot be read here. BAD_ANSWER: the answer breaks the protocol. PAUSED: it failed too often and is left alone.
    """

    INVALID_URL = "invalid_url"
    ADDRESS_REFUSED = "address_refused"
    HOST_NOT_FOUND = "host_not_found"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    HTTP_STATUS = "http_status"
    RATE_LIMITED = "rate_limited"
    KEY_REFUSED = "key_refused"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_LARGE = "too_large"
    UNSUPPORTED_CONTENT = "unsupported_content"
    BAD_ANSWER = "bad_answer"
    PAUSED = "paused"


_PASSING_FAILURES = (WebFailure.UNREACHABLE, WebFailure.TIMEOUT)


class PageFetchError(ToolFailedError):
    """A page cannot be fetched, or must not be.

    Attributes:
        url: The address that could not be fetched; after a redirect another than was asked for.
        reason: Why.
        status: What the server answered; None when it did not come to that.
        retry_after_s: Seconds after which the server wants to be asked again; None when it did not say.
    """

    code = "page_fetch_failed"
    reason: WebFailure

    def __init__(
        self,
        message: str,
        *,
        url: str,
        reason: WebFailure,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        is_transient = reason in _PASSING_FAILURES or (status is not None and status >= 500)
        super().__init__(message, reason=reason, is_transient=is_transient)
        self.url = url
        self.status = status
        self.retry_after_s = retry_after_s


class WebSearchError(ToolFailedError):
    """The web could not be searched.

    Attributes:
        provider: The search service; for several, their names separated by commas.
        reason: Why; for several, why the last of them failed.
        retry_after_s: Seconds after which trying again makes sense; None when nobody can tell.
    """

    code = "web_search_failed"
    reason: WebFailure

    def __init__(self, message: str, *, provider: str, reason: WebFailure, retry_after_s: float | None = None) -> None:
        super().__init__(message, reason=reason, is_transient=reason in _PASSING_FAILURES)
        self.provider = provider
        self.retry_after_s = retry_after_s


class WorkspaceFault(StrEnum):
    """Why a file of the workspace was not listed, read, written, edited or searched.

    OUTSIDE: the path leads out of the workspace. INVALID_PATH: nothing can have this path. NOT_FOUND: there is nothing.
    IS_DIRECTORY, NOT_A_DIRECTORY: the other one was needed. NOT_A_FILE: a device, a pipe or a socket. SYMLINK: links
    are not followed. PROTECTED: files of a version control system are not written. PERMISSION_DENIED: the system does
    not let Cortex. NOT_TEXT: the file is not UTF-8 text. TOO_LARGE: more than may be read, written or searched.
    INVALID_RANGE: there are no such lines. TEXT_NOT_FOUND, TEXT_NOT_UNIQUE: the text to be replaced is nowhere, or in
    several places. NOTHING_TO_CHANGE: the text to be replaced is empty, or the same as the new one. INVALID_PATTERN:
    the pattern or glob cannot be searched for. CHANGED_MEANWHILE: somebody else changed the file at the same time.
    """

    OUTSIDE = "outside_workspace"
    INVALID_PATH = "invalid_path"
    NOT_FOUND = "file_not_found"
    IS_DIRECTORY = "is_directory"
    NOT_A_DIRECTORY = "not_a_directory"
    NOT_A_FILE = "not_a_file"
    SYMLINK = "symlink_refused"
    PROTECTED = "protected"
    PERMISSION_DENIED = "permission_denied"
    NOT_TEXT = "not_text"
    TOO_LARGE = "too_large"
    INVALID_RANGE = "invalid_range"
    TEXT_NOT_FOUND = "text_not_found"
    TEXT_NOT_UNIQUE = "text_not_unique"
    NOTHING_TO_CHANGE = "nothing_to_change"
    INVALID_PATTERN = "invalid_pattern"
    CHANGED_MEANWHILE = "changed_meanwhile"


class WorkspaceFileError(ToolFailedError):
    """The workspace did not do what was asked with one of its files.

    Attributes:
        path: The path that was asked for.
        reason: Why.
        nearest: Paths that may have been meant, best first.
        lines: Numbers of the lines that the message speaks of, the first being 1.
    """

    code = "workspace_file_failed"
    reason: WorkspaceFault

    def __init__(
        self,
        message: str,
        *,
        path: str,
        reason: WorkspaceFault,
        nearest: Sequence[str] = (),
        lines: Sequence[int] = (),
    ) -> None:
        super().__init__(message, reason=reason, is_transient=reason is WorkspaceFault.CHANGED_MEANWHILE)
        self.path = path
        self.nearest = tuple(nearest)
        self.lines = tuple(lines)


class ContractViolationError(CortexError):
    """An adapter did what its port forbids. Log it with its traceback: it is a bug, not a condition."""

    code = "contract_violation"
