"""Writes the page: `python -m cortex_entrypoints.http.compatibility.write_page docs/compatibility.md`."""

import sys
from pathlib import Path

from cortex_entrypoints.http.compatibility.page import page_text

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page_text(), encoding="utf-8")
