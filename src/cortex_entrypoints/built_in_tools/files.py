"""Tools for the files of the workspace.

What a file holds, what it is called and which of its lines is near may be others' words, so these results are not
trusted: whoever sent the file might give the model orders. What a write returns holds nothing of that kind.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from cortex_adapters.python_functions import FunctionTool, tool
from cortex_domain.ports import Workspace
from cortex_domain.tool_execution import ToolContent, ToolEffect, ToolJson, ToolText
from cortex_domain.workspace_files import EditedFile, FileSearch, FileSearchResult, WorkspaceListing, WrittenFile

Line = Annotated[int, Field(ge=1)]


def file_tools(workspace: Workspace) -> Sequence[FunctionTool[..., Any]]:
    """Builds the tools over a workspace, those that read first."""
    return (
        _list_files(workspace),
        _read_file(workspace),
        _search_files(workspace),
        _write_file(workspace),
        _edit_file(workspace),
    )


def _list_files(workspace: Workspace) -> FunctionTool[..., Any]:
    @tool(effects=[ToolEffect.READS_LOCAL], is_idempotent=True, is_concurrent=True, is_trusted=False)
    async def list_files(
        path: str = ".", depth: Annotated[int, Field(ge=1, le=workspace.limits.depth)] = 1
    ) -> WorkspaceListing:
        """Lists the files and directories of the workspace. Names that begin with a dot are left out unless asked for.

        Args:
            path: Directory, from the workspace on, such as "data/2024"; "." is the workspace itself.
            depth: How many levels to go down; 1 lists the directory alone.
        """
        return await workspace.list_files(path, depth=depth)

    return list_files


def _read_file(workspace: Workspace) -> FunctionTool[..., Any]:
    @tool(effects=[ToolEffect.READS_LOCAL], is_idempotent=True, is_concurrent=True, is_trusted=False)
    async def read_file(path: str, start: Line = 1, end: Line | None = None) -> list[ToolContent]:
        """Reads a text file of the workspace, or some of its lines; tells how many there are and whether more follow.

        Args:
            path: File, from the workspace on, such as "data/prices.csv".
            start: First line to read; the first of the file is 1.
            end: Last line to read; without it, the rest of the file as far as it fits.
        """
        passage = asdict(await workspace.read_file(path, start=start, end=end))
        return [ToolText(text=passage.pop("text")), ToolJson(value=passage)]

    return read_file


def _search_files(workspace: Workspace) -> FunctionTool[..., Any]:
    @tool(effects=[ToolEffect.READS_LOCAL], is_idempotent=True, is_concurrent=True, is_trusted=False)
    async def search_files(pattern: str, path: str = ".", glob: str | None = None) -> FileSearchResult:
        r"""Finds lines in the text files of the workspace by a regular expression.

        Args:
            pattern: Regular expression in RE2's syntax, such as "(?i)total.*\d+"; no lookaround, no backreferences.
            path: Directory or file to search, from the workspace on.
            glob: Only files that this means, such as "*.py" or "src/**/*.{md,txt}".
        """
        return await workspace.search_files(FileSearch(pattern=pattern, path=path, glob=glob))

    return search_files


def _write_file(workspace: Workspace) -> FunctionTool[..., Any]:
    @tool(effects=[ToolEffect.WRITES_LOCAL])
    async def write_file(path: str, content: str) -> WrittenFile:
        """Writes a text file of the workspace, in place of what was there. Creates the directories that it needs.

        Args:
            path: File, from the workspace on, such as "reports/summary.md".
            content: The whole new text.
        """
        return await workspace.write_file(path, content)

    return write_file


def _edit_file(workspace: Workspace) -> FunctionTool[..., Any]:
    @tool(effects=[ToolEffect.READS_LOCAL, ToolEffect.WRITES_LOCAL], is_trusted=False)
    async def edit_file(path: str, old_text: str, new_text: str, replace_all: bool = False) -> EditedFile:  # noqa: FBT002
        """Replaces a passage in a text file of the workspace. Read the file first, and copy the passage exactly.

        Args:
            path: File, from the workspace on.
            old_text: The passage to be replaced, spaces included, with enough around it to be in one place only.
            new_text: What takes its place; empty to delete it.
            replace_all: Whether to replace every place where the passage is.
        """
        return await workspace.edit_file(path, old_text=old_text, new_text=new_text, replace_all=replace_all)

    return edit_file
