"""Serve the front door on loopback: ``python -m infra.local.edge PORT TARGETS_FILE``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import uvicorn

from infra.local.edge.app import FrontDoor
from infra.local.edge.sockets import MAX_MESSAGE
from infra.local.edge.targets import TargetsFile


def main(port: int, targets: Path) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    uvicorn.run(
        FrontDoor(TargetsFile(targets)),
        host="127.0.0.1",
        port=port,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=1024 * 1024,  # so that the envelope can say 431
        proxy_headers=False,  # the address is the socket's, never a header's
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=60,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
