"""Programs of tests/support/node, which do to the server what JavaScript clients do."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "node"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").is_dir(),
    reason="Node or its packages are missing: install Node 20 or newer with npm, then run scripts/test",
)


async def node(*arguments: str, cwd: Path = HERE) -> Any:
    """What a program prints as JSON. It must succeed."""
    return json.loads(await run("node", *arguments, cwd=cwd))


async def run(*command: str, cwd: Path = HERE) -> str:
    """What a command prints. It must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed
    return printed
