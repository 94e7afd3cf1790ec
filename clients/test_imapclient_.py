"""IMAPClient, Python."""

import importlib.util
import ssl

from harness import PASSWORD, Server, message


def missing():
    return None if importlib.util.find_spec("imapclient") else "imapclient is not installed"


def connect(server):
    import imapclient
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = imapclient.IMAPClient("127.0.0.1", server.port("imaps"), ssl_context=context)
    client.login("alice", PASSWORD)
    return client


def test_extensions(binary):
    """uses MOVE, UIDPLUS, SORT, THREAD, CONDSTORE, ID, NAMESPACE, special-use, IDLE"""
    server = Server(binary)
    try:
        client = connect(server)
        assert client.has_capability("UIDPLUS") and client.has_capability("MOVE")
        assert b"martlet" in str(client.id_({"name": "test"})).encode()
        assert client.namespace().personal == (("", "/"),)
        assert client.find_special_folder(b"\\Sent") == "Sent"
        for number in (3, 1, 2):
            client.append("INBOX", message(number), flags=[b"\\Seen", b"$Forwarded"])
        info = client.select_folder("INBOX")
        assert info[b"EXISTS"] == 3 and info[b"HIGHESTMODSEQ"] > 0, info
        assert client.sort("SUBJECT") == [2, 3, 1]
        assert client.sort("REVERSE DATE") == [1, 3, 2]
        assert len(client.thread()) == 3
        before = info[b"HIGHESTMODSEQ"]
        client.add_flags([2], b"\\Flagged")
        changed = client.fetch("1:*", ["FLAGS"], [f"CHANGEDSINCE {before}"])
        assert list(changed) == [2] and b"\\Flagged" in changed[2][b"FLAGS"], changed
        client.create_folder("Überweisungen & mehr")
        assert "Überweisungen & mehr" in [name for _, _, name in client.list_folders()]
        client.move([1], "Überweisungen & mehr")
        assert client.search() == [2, 3]
        assert client.folder_status("Überweisungen & mehr", "MESSAGES")[b"MESSAGES"] == 1
        client.idle()
        server.deliver(message(9), "alice@example.org")
        pushed = client.idle_check(timeout=20)
        assert (3, b"EXISTS") in pushed, pushed
        client.idle_done()
        client.delete_messages([2]), client.uid_expunge([2])
        assert client.search(["TEXT", "text of message 9"]) == [4]
        client.logout()
    finally:
        assert server.stop() == 0
