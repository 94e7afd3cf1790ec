"""ImapFlow from npm."""

import os
import pathlib
import shutil

from harness import PASSWORD, Server, message, run


def modules():
    return pathlib.Path(os.environ.get("MARTLET_NODE_MODULES", "node_modules")).resolve()


def missing():
    if not shutil.which("node"):
        return "node is not installed"
    return None if (modules() / "imapflow").is_dir() else "imapflow is not installed"


def test_flow(binary):
    """connects, watches, fetches, flags, moves, searches, syncs by MODSEQ"""
    server = Server(binary)
    try:
        for number in range(1, 8):
            server.deliver(message(number, attachment=number == 3), "alice@example.org")
        script = server.home / "flow.mjs"
        source = pathlib.Path(__file__).with_name("imapflow.mjs").read_text()
        script.write_text(source)
        (server.home / "node_modules").symlink_to(modules())
        out = run("node", script, server.port("imaps"), "alice", PASSWORD)
        assert out.strip().endswith(b"done"), out
    finally:
        assert server.stop() == 0
