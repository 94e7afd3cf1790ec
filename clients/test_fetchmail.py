"""fetchmail."""

import os
import shutil

from harness import PASSWORD, Server, message, run
from test_imaplib_ import connect, ok


def missing():
    return None if shutil.which("fetchmail") else "fetchmail is not installed"


def test_fetch_all(binary):
    """fetches everything and leaves an empty mailbox"""
    server = Server(binary)
    try:
        for number in range(1, 6):
            server.deliver(message(number), "alice@example.org")
        out = server.home / "fetched"
        config = server.home / "fetchmailrc"
        config.write_text(f"""
poll 127.0.0.1 protocol imap port {server.port('imap')}
  user "alice" password "{PASSWORD}" sslproto ""
  mda "sh -c 'cat >> {out}'"
  fetchall no keep
""")
        config.chmod(0o600)
        # fetchmail refuses to run for root without being told where its files are.
        env = {"FETCHMAILHOME": str(server.home), "HOME": str(server.home)}
        run("fetchmail", "--fetchmailrc", config, "--nosyslog", env=env)
        text = out.read_bytes()
        assert all(f"text of message {number}.".encode() in text for number in range(1, 6))
        client = connect(server)
        assert ok(client.select()) == [b"0"]
        client.logout()
    finally:
        assert server.stop() == 0
