import sys
from pathlib import Path

import pytest

from cortex_entrypoints.bench.measurements import Usage
from cortex_entrypoints.bench.program_target import ProgramTarget
from cortex_entrypoints.bench.target import Sampling, TargetError

SAMPLING = Sampling(max_tokens=96, temperature=0.7, top_p=1.0)
COUNTING = """
import json, sys
print(json.dumps({"name": "counter", "details": {"version": 3}}), flush=True)
for line in sys.stdin:
    burst = json.loads(line)
    answer = {"texts_s": [0.5, 1.0], "ended_s": 2.0, "prompt_tokens": 80, "completion_tokens": burst["max_tokens"]}
    print(json.dumps({"answers": [answer | {"finish_reason": "length"} for _ in burst["prompts"]]}), flush=True)
"""
DYING = 'import json; print(json.dumps({"name": "dying"}), flush=True); raise SystemExit'
ODD = 'import json; print(json.dumps({"name": "odd"}), flush=True); input(); print("{}")'


def program(tmp_path: Path, code: str) -> str:
    file = tmp_path / "program.py"
    file.write_text(code)
    return f"{sys.executable} {file}"


async def test_a_program_is_asked_and_believed(tmp_path: Path) -> None:
    told: list[None] = []
    async with ProgramTarget(program(tmp_path, COUNTING), timeout_s=20) as target:
        assert target.facts.name == "counter"
        assert target.facts.details["version"] == "3"
        for clients in (2, 3):
            answers = await target.answer_all(["a"] * clients, SAMPLING, on_answer=lambda: told.append(None))
            assert len(answers) == clients
    assert len(told) == 5
    assert answers[0].usage == Usage(prompt_tokens=80, completion_tokens=96)
    assert (answers[0].sent_s, answers[0].texts_s, answers[0].ended_s) == (0, (0.5, 1.0), 2.0)


@pytest.mark.parametrize(("code", "complaint"), [(DYING, "ended"), (ODD, "cannot be understood")])
async def test_a_program_that_breaks_off_is_named(tmp_path: Path, code: str, complaint: str) -> None:
    async with ProgramTarget(program(tmp_path, code), timeout_s=20) as target:
        with pytest.raises(TargetError, match=rf"program\.py.*{complaint}"):
            await target.answer_all(["a"], SAMPLING, on_answer=lambda: None)


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("print('hello')", "something else than JSON"),
        ("print('[]')", "a JSON object"),
        ("print('{}')", "does not say its name"),
        ("import time; time.sleep(60)", r"said nothing for 0\.5 s"),
    ],
)
async def test_a_program_that_does_not_say_what_it_is_is_refused(tmp_path: Path, code: str, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint):
        async with ProgramTarget(program(tmp_path, code), timeout_s=0.5 if "sleep" in code else 20):
            pass


@pytest.mark.parametrize("command", ["no-such-program", "'unclosed"])
async def test_a_command_that_cannot_be_started_is_refused(command: str) -> None:
    with pytest.raises(TargetError, match="cannot be started"):
        async with ProgramTarget(command, timeout_s=20):
            pass
