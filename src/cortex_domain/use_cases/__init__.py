"""What Cortex does, one verb a file. A use case is built once with its ports and called like a function."""

from cortex_domain.use_cases.cancel_agent_run import CancelAgentRun
from cortex_domain.use_cases.chat_with_tools import ChatWithTools
from cortex_domain.use_cases.count_prompt import CountPrompt
from cortex_domain.use_cases.decide_approval import DecideApproval
from cortex_domain.use_cases.delete_model import DeleteModel
from cortex_domain.use_cases.describe_model import DescribeModel
from cortex_domain.use_cases.execute_tools import ExecuteTools
from cortex_domain.use_cases.generate_text import GenerateText
from cortex_domain.use_cases.get_agent_run import GetAgentRun
from cortex_domain.use_cases.list_models import ListModels
from cortex_domain.use_cases.load_model import LoadModel
from cortex_domain.use_cases.make_room import MakeRoom
from cortex_domain.use_cases.pull_model import PullModel
from cortex_domain.use_cases.resume_generation import ResumeGeneration
from cortex_domain.use_cases.run_agent import RunAgent
from cortex_domain.use_cases.start_agent_run import StartAgentRun
from cortex_domain.use_cases.take_model_turn import TakeModelTurn
from cortex_domain.use_cases.unload_idle_models import UnloadIdleModels
from cortex_domain.use_cases.unload_model import UnloadModel
from cortex_domain.use_cases.use_tool import UseTool

__all__ = [
    "CancelAgentRun",
    "ChatWithTools",
    "CountPrompt",
    "DecideApproval",
    "DeleteModel",
    "DescribeModel",
    "ExecuteTools",
    "GenerateText",
    "GetAgentRun",
    "ListModels",
    "LoadModel",
    "MakeRoom",
    "PullModel",
    "ResumeGeneration",
    "RunAgent",
    "StartAgentRun",
    "TakeModelTurn",
    "UnloadIdleModels",
    "UnloadModel",
    "UseTool",
]
