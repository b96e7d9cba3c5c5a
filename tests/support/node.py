"""Runs the programs in tests/support/node, which use the server through JavaScript clients."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "node"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").is_dir(),
    reason="Node or its packages are missing: install Node 20 or newer with npm, then run scripts/install",
)


async def node(*arguments: str, cwd: Path = HERE) -> Any:
    """Run a program, which must succeed. Returns the JSON that it prints."""
    return json.loads(await run("node", *arguments, cwd=cwd))


async def run(*command: str, cwd: Path = HERE) -> str:
    """Run a command, which must succeed. Returns its output."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        printed = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:  # the test was cancelled, as by its timeout
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed
    return printed
