"""neomutt, driven through a pseudo-terminal."""

import os
import pty
import shutil
import subprocess
import threading

from harness import PASSWORD, Server, message
from test_imaplib_ import connect, ok


def missing():
    return None if shutil.which("neomutt") else "neomutt is not installed"


def drive(server, keys):
    """Runs neomutt on INBOX, lets it press `keys`, and waits for its end."""
    config = server.home / "neomuttrc"
    home = server.home / "home"
    home.mkdir(exist_ok=True)
    config.write_text(f"""
set imap_user = alice
set imap_pass = "{PASSWORD}"
set spoolfile = imap://127.0.0.1:{server.port('imap')}/INBOX
set folder = imap://127.0.0.1:{server.port('imap')}/
set ssl_starttls = no
set ssl_force_tls = no
set header_cache = ""
set confirmappend = no
set delete = yes
set quit = yes
set mark_old = no
set timeout = 1
set wait_key = no
push '{keys}'
""")
    controller, terminal = pty.openpty()
    process = subprocess.Popen(["neomutt", "-n", "-F", str(config)], stdin=terminal,
                               stdout=terminal, stderr=terminal, close_fds=True,
                               env={**os.environ, "TERM": "xterm", "HOME": str(home),
                                    "LINES": "40", "COLUMNS": "120"})
    os.close(terminal)
    screen = bytearray()

    def read():
        try:
            while chunk := os.read(controller, 65536):
                screen.extend(chunk)
        except OSError:
            pass

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        code = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError("neomutt did not end:\n" + screen.decode(errors="replace")[-3000:])
    assert code == 0, screen.decode(errors="replace")[-3000:]


def test_batch(binary):
    """reads, flags, saves to another mailbox and deletes"""
    server = Server(binary)
    try:
        for number in range(1, 5):
            server.deliver(message(number), "alice@example.org")
        # Open the first, back; flag the second; delete the third; save the fourth to Archive.
        drive(server, "<first-entry><display-message><exit>2<enter><flag-message>"
                      "3<enter><delete-message>4<enter><save-message>=Archive<enter>"
                      "<sync-mailbox><quit>")
        client = connect(server)
        ok(client.select())
        flags = ok(client.fetch("1:*", "(UID FLAGS)"))
        assert len(flags) == 2, flags
        assert b"\\Seen" in flags[0] and b"\\Flagged" in flags[1], flags
        assert ok(client.select("Archive")) == [b"1"]
        client.logout()
    finally:
        assert server.stop() == 0
