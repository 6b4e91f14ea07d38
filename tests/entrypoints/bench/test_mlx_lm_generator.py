import sys
from pathlib import Path

import pytest

from cortex_entrypoints.bench.program_target import ProgramTarget
from cortex_entrypoints.bench.target import Sampling

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "mlx_lm_generator.py"


@pytest.mark.real_model
async def test_mlx_lm_answers_bursts_one_after_the_other(tmp_path: Path) -> None:
    from tests.adapters.mlx.tiny_model import write_tiny_model

    write_tiny_model(tmp_path)
    prompts = ["a", "bb", "ccc"]
    async with ProgramTarget(f"{sys.executable} {SCRIPT} {tmp_path}", timeout_s=120) as target:
        assert target.facts.details["device"] in {"cpu", "gpu"}
        for length in (4, 8):
            sampling = Sampling(max_tokens=length, temperature=0.7, top_p=1.0)
            answers = await target.answer_all(prompts, sampling, on_answer=lambda: None)
            usages = [answer.usage for answer in answers if answer.usage is not None]
            assert [usage.prompt_tokens for usage in usages] == [6, 7, 8]  # "u:" + prompt + line end + "a:", in bytes
            for answer in answers:
                assert len(answer.texts_s) == answer.completion_tokens <= length
                assert 0 < answer.texts_s[0] <= answer.texts_s[-1] == answer.ended_s
                # A drawn end of the text counts as a token, so that a stop may come with the last one allowed.
                assert answer.finish_reason in ({"length", "stop"} if answer.completion_tokens == length else {"stop"})
