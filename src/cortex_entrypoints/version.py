"""Which Cortex this is."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Returns the version of the installed package, or `0+source` where Cortex runs from a bare source tree."""
    try:
        return version("cortex-platform")
    except PackageNotFoundError:
        return "0+source"
