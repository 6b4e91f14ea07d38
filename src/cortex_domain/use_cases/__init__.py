"""What Cortex does, one verb a file. A use case is built once with its ports and called like a function."""

from cortex_domain.use_cases.count_prompt import CountPrompt
from cortex_domain.use_cases.delete_model import DeleteModel
from cortex_domain.use_cases.describe_model import DescribeModel
from cortex_domain.use_cases.execute_tools import ExecuteTools
from cortex_domain.use_cases.generate_text import GenerateText
from cortex_domain.use_cases.list_models import ListModels
from cortex_domain.use_cases.load_model import LoadModel
from cortex_domain.use_cases.make_room import MakeRoom
from cortex_domain.use_cases.pull_model import PullModel
from cortex_domain.use_cases.resume_generation import ResumeGeneration
from cortex_domain.use_cases.unload_idle_models import UnloadIdleModels
from cortex_domain.use_cases.unload_model import UnloadModel
from cortex_domain.use_cases.use_tool import UseTool

__all__ = [
    "CountPrompt",
    "DeleteModel",
    "DescribeModel",
    "ExecuteTools",
    "GenerateText",
    "ListModels",
    "LoadModel",
    "MakeRoom",
    "PullModel",
    "ResumeGeneration",
    "UnloadIdleModels",
    "UnloadModel",
    "UseTool",
]
