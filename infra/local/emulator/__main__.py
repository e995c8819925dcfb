"""Serve MiniStack on loopback with the repairs of this package; stop gracefully on SIGTERM.

Configured by the environment that ``infra.local.emulator_process`` sets.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

from hypercorn.asyncio import serve  # type: ignore[import-not-found,unused-ignore]
from hypercorn.config import Config  # type: ignore[import-not-found,unused-ignore]
from ministack.app import app

from infra.local.emulator import (
    asgi,
    custom_resources,
    http_api,
    iam_resources,
    machines,
    maps,
    runtimes,
    sockets,
    streams,
)


def main() -> None:
    """Run until SIGTERM or SIGINT; the state is written down at the end."""
    port = int(os.environ["GATEWAY_PORT"])
    runtimes_dir = Path(os.environ["LOCAL_RUNTIMES_DIR"])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    runtimes.install(Path(os.environ["LOCAL_LOG_DIR"]), runtimes_dir)
    custom_resources.install(
        f"http://127.0.0.1:{port}", float(os.environ.get("LOCAL_CUSTOM_RESOURCE_SECONDS", "300"))
    )
    http_api.install()
    sockets.install()
    streams.install()
    machines.install()
    maps.install()
    iam_resources.install()

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    config.shutdown_timeout = 20
    config.h11_max_incomplete_size = 256 * 1024
    try:
        asyncio.run(_serve(config))
    finally:
        runtimes.stop_all(runtimes_dir)


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(asgi.wrap(app), config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    main()
