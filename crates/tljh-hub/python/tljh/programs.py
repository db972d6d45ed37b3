"""Programs that the hub runs, none of them for longer than a deadline."""

import asyncio


async def run(*command, deadline):
    """Exit code, standard output and standard error of ``command``, killed at ``deadline`` (s)."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await asyncio.wait_for(process.communicate(), deadline)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return -1, "", f"{command[0]} did not answer within {deadline} s"
    return process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace")
