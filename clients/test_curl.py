"""curl: the client that every machine has."""

import shutil

from harness import PASSWORD, Server, message, run


def missing():
    return None if shutil.which("curl") else "curl is not installed"


def curl(server, scheme, path, *options, **kwargs):
    protocol = "imaps" if scheme == "imaps" else "imap"
    return run("curl", "--silent", "--show-error", "--insecure", "--user", f"alice:{PASSWORD}",
               f"{scheme}://127.0.0.1:{server.port(protocol)}/{path}", *options, **kwargs)


def test_read_and_write(binary):
    """lists, uploads, fetches byte for byte, searches, over plain, STARTTLS and TLS"""
    server = Server(binary)
    try:
        original = message(1, attachment=True)
        server.deliver(message(0), "alice@example.org")
        path = server.home / "upload.eml"
        path.write_bytes(original)
        curl(server, "imaps", "INBOX", "--upload-file", path)
        assert curl(server, "imap", "INBOX;MAILINDEX=2") == original
        assert curl(server, "imap", "INBOX;UID=2", "--ssl-reqd") == original
        assert b"text of message 0" in curl(server, "imaps", "INBOX;UID=1;SECTION=TEXT")
        listing = curl(server, "imaps", "")
        assert b"INBOX" in listing and b"\\Sent" in listing, listing
        found = curl(server, "imaps", "INBOX?SUBJECT%20number")
        assert found.split() == [b"*", b"SEARCH", b"1", b"2"], found
        flags = curl(server, "imaps", "INBOX", "--request", "STORE 1 +Flags \\Deleted")
        assert b"\\Deleted" in flags, flags
        curl(server, "imaps", "INBOX", "--request", "EXPUNGE")
        assert curl(server, "imap", "INBOX;MAILINDEX=1") == original
    finally:
        assert server.stop() == 0


def test_large(binary):
    """uploads and fetches a 30 MB message byte for byte"""
    server = Server(binary)
    try:
        line = b"0123456789abcdef" * 4 + b"\r\n"
        original = message(1) + line * (30_000_000 // len(line))
        path = server.home / "upload.eml"
        path.write_bytes(original)
        curl(server, "imaps", "INBOX", "--upload-file", path)
        assert curl(server, "imaps", "INBOX;UID=1") == original
    finally:
        assert server.stop() == 0
