"""mbsync (isync)."""

import os
import shutil

from harness import PASSWORD, Server, message, run
from test_imaplib_ import connect, ok


def missing():
    return None if shutil.which("mbsync") else "isync is not installed"


def configure(server):
    path = server.home / "mbsyncrc"
    path.write_text(f"""
IMAPAccount here
Host 127.0.0.1
Port {server.port('imaps')}
User alice
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {server.home / 'cert.pem'}

IMAPStore far
Account here

MaildirStore near
Path {server.home}/mail/
Inbox {server.home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    (server.home / "mail").mkdir()
    pem = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port('imaps')}", "-showcerts",
              input=b"")
    start, end = pem.index(b"-----BEGIN"), pem.index(b"-----END CERTIFICATE-----")
    (server.home / "cert.pem").write_bytes(pem[start:end] + b"-----END CERTIFICATE-----\n")
    return path


def maildir(server, mailbox):
    root = server.home / "mail" / mailbox
    return sorted(path for sub in ("cur", "new") for path in (root / sub).iterdir())


def test_two_way_sync(binary):
    """syncs both ways with changes on both sides"""
    server = Server(binary)
    try:
        config = configure(server)
        for number in range(1, 21):
            server.deliver(message(number, attachment=number % 5 == 0), "alice@example.org")
        run("mbsync", "-c", config, "all")
        files = maildir(server, "INBOX")
        assert len(files) == 20, files
        # Here: one read, one deleted, one new. There: one flagged, one expunged, one new.
        by_number = {}
        for path in files:
            text = path.read_bytes()
            by_number[int(text.split(b"text of message ")[1].split(b".")[0])] = path
        base = by_number[1].name.split(":2,")[0]
        os.rename(by_number[1], server.home / "mail/INBOX/cur" / f"{base}:2,S")
        by_number[2].unlink()
        fresh = server.home / "mail/INBOX/new/1700000000.fresh.host"
        fresh.write_bytes(message(100).replace(b"\r\n", b"\n"))
        client = connect(server)
        ok(client.select())
        ok(client.store("3", "+FLAGS", "(\\Flagged)"))
        ok(client.store("4", "+FLAGS", "(\\Deleted)"))
        ok(client.expunge())
        ok(client.append("INBOX", "", None, message(101)))
        run("mbsync", "-c", config, "all")
        run("mbsync", "-c", config, "all")
        ok(client.noop())
        subjects = ok(client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        seen = {}
        for item in subjects:
            if isinstance(item, tuple):
                seen[int(item[1].split(b"number ")[1])] = item[0]
        assert set(seen) == {1, 3, *range(5, 21), 100, 101}, sorted(seen)
        assert b"\\Seen" in seen[1] and b"\\Flagged" in seen[3]
        texts = [path.read_bytes() for path in maildir(server, "INBOX")]
        assert len(texts) == 20 and any(b"message 101." in text for text in texts)
        client.logout()
    finally:
        assert server.stop() == 0
