"""What a setting needs that is not installed."""

from cortex_entrypoints.settings import SettingsError


def missing_package(error: ModuleNotFoundError, /, *, variable: str, extra: str) -> SettingsError:
    """Says what to install for a setting.

    Args:
        error: What importing raised.
        variable: The setting.
        extra: The optional part of this project that brings the package.
    """
    return SettingsError(
        f"{variable} needs a package that is not installed, {error.name}: pip install 'cortex-platform[{extra}]'",
        variable=variable,
    )
