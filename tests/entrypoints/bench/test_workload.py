from itertools import takewhile

from cortex_entrypoints.bench.workload import Prefix, RoundPlan, Workload

WORKLOAD = Workload(seed=7, prefix_tokens=100, prompt_tokens=80)


def plan(prefix: Prefix, *, clients: int = 8, repeat: int = 1) -> RoundPlan:
    return RoundPlan(clients=clients, prefix=prefix, repeat=repeat)


def shared_words(prompts: list[str]) -> int:
    columns = zip(*(prompt.split() for prompt in prompts), strict=False)
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, columns))


def test_cold_prompts_have_no_beginning_in_common() -> None:
    cold = [*WORKLOAD.prompts(plan(Prefix.COLD)), *WORKLOAD.prompts(plan(Prefix.COLD, repeat=2)), WORKLOAD.probe()]
    assert shared_words(cold) == 0
    assert len(set(cold)) == 17


def test_warm_prompts_share_their_prefix_in_all_repeats_and_nothing_else() -> None:
    warm = [*WORKLOAD.prompts(plan(Prefix.WARM, repeat=0)), *WORKLOAD.prompts(plan(Prefix.WARM))]
    assert shared_words(warm) == 100
    assert len(set(warm)) == 16


def test_warm_and_cold_prompts_are_equally_long() -> None:
    (warm,), (cold,) = (WORKLOAD.prompts(plan(prefix, clients=1)) for prefix in (Prefix.WARM, Prefix.COLD))
    assert len(warm.split()) == len(cold.split())


def test_the_same_seed_makes_the_same_prompts() -> None:
    again, other = (Workload(seed=seed, prefix_tokens=100, prompt_tokens=80) for seed in (7, 8))
    assert again.prompts(plan(Prefix.COLD)) == WORKLOAD.prompts(plan(Prefix.COLD))
    assert other.prompts(plan(Prefix.COLD)) != WORKLOAD.prompts(plan(Prefix.COLD))


def test_what_a_template_adds_is_left_out_of_the_words() -> None:
    counted = len(WORKLOAD.probe().split()) + 30  # the task and a template of 30 tokens
    (prompt,) = WORKLOAD.fitted(counted).prompts(plan(Prefix.COLD, clients=1))
    assert len(prompt.split()) + 30 == 180


def test_a_template_longer_than_the_prompt_leaves_one_word() -> None:
    (prompt,) = WORKLOAD.fitted(10_000).prompts(plan(Prefix.COLD, clients=1))
    assert len(prompt.split()) > 101
