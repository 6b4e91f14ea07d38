"""Use case: tell how long a chat's prompt is."""

from dataclasses import replace

from cortex_domain.generation import GenerationRequest
from cortex_domain.model_residency import ModelResidency
from cortex_domain.ports import PromptCounter
from cortex_domain.use_cases.describe_model import DescribeModel
from cortex_domain.use_cases.load_model import LoadModel


class CountPrompt:
    """Resolves the model, loads it on first use, because only then its tokenizer is here, and counts."""

    def __init__(
        self,
        *,
        describe_model: DescribeModel,
        load_model: LoadModel,
        residency: ModelResidency,
        counter: PromptCounter,
    ) -> None:
        self._describe_model = describe_model
        self._load_model = load_model
        self._residency = residency
        self._counter = counter

    async def __call__(self, request: GenerationRequest, /) -> int:
        """Returns the tokens that the request's prompt has, whether or not they fit the context window.

        Raises:
            RequestRefusedError: The request or its model must change.
            ResourceUnavailableError: The same request may succeed later.
        """
        descriptor = await self._describe_model.while_loaded(request.model)
        descriptor.require_capabilities(request.needs)
        with self._residency.using(descriptor.id, keep_alive_s=request.keep_alive_s):
            await self._load_model(descriptor.id)
            return await self._counter.count_prompt(replace(request, model=descriptor.id))
