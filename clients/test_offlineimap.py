"""OfflineIMAP."""

import shutil

from harness import PASSWORD, Server, message, run
from test_imaplib_ import connect, ok


def missing():
    return None if shutil.which("offlineimap") else "offlineimap3 is not installed"


def test_sync(binary):
    """syncs down and up without duplicates"""
    server = Server(binary)
    try:
        for number in range(1, 11):
            server.deliver(message(number), "alice@example.org")
        config = server.home / "offlineimaprc"
        config.write_text(f"""
[general]
accounts = here
metadata = {server.home}/metadata
ui = basic
[Account here]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {server.home}/mail
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {server.port('imap')}
remoteuser = alice
remotepass = {PASSWORD}
ssl = no
starttls = no
""")
        run("offlineimap", "-o", "-c", config)
        root = server.home / "mail" / "INBOX"
        files = [path for sub in ("cur", "new") for path in (root / sub).iterdir()]
        assert len(files) == 10, files
        (root / "new" / "1700000000.fresh.host").write_bytes(
            message(100).replace(b"\r\n", b"\n"))
        run("offlineimap", "-o", "-c", config)
        run("offlineimap", "-o", "-c", config)
        client = connect(server)
        assert ok(client.select()) == [b"11"]
        client.logout()
    finally:
        assert server.stop() == 0
