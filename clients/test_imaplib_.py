"""Python's imaplib."""

import imaplib
import ssl
import time

from harness import PASSWORD, Server, message


def missing():
    return None


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def connect(server, tls=True):
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=context)
    else:
        client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    ok(client.login("alice", PASSWORD))
    return client


def test_life_of_a_mailbox(binary):
    """creates, appends, flags, searches, copies, expunges, renames, deletes"""
    server = Server(binary)
    try:
        client = connect(server)
        ok(client.create("Projects/Rust"))
        for number in range(1, 6):
            date = imaplib.Time2Internaldate(time.time() - number * 86400)
            ok(client.append("Projects/Rust", "(\\Seen)" if number % 2 else "", date,
                             message(number)))
        assert ok(client.select("Projects/Rust")) == [b"5"]
        assert ok(client.search(None, "UNSEEN")) == [b"2 4"]
        assert ok(client.search("UTF-8", "SUBJECT", '"NUMBER 3"')) == [b"3"]
        assert ok(client.fetch("2", "(RFC822)"))[0][1] == message(2)
        assert ok(client.search(None, "UNSEEN")) == [b"4"]
        envelope = ok(client.fetch("1", "(UID FLAGS ENVELOPE BODYSTRUCTURE)"))[0]
        assert b'"Message number 1"' in envelope and b"\\Seen" in envelope, envelope
        ok(client.store("1:3", "+FLAGS", "(\\Deleted $Label1)"))
        ok(client.copy("4:5", "Archive"))
        assert ok(client.expunge()) == [b"1", b"1", b"1"]
        ok(client.rename("Projects/Rust", "Projects/Ferris"))
        names = b"".join(ok(client.list()))
        assert b"Projects/Ferris" in names and b"Projects/Rust" not in names
        ok(client.close())
        ok(client.delete("Projects/Ferris"))
        status = ok(client.status("Archive", "(MESSAGES UIDNEXT UNSEEN)"))
        assert status == [b"Archive (MESSAGES 2 UIDNEXT 3 UNSEEN 1)"], status
        client.logout()
    finally:
        assert server.stop() == 0


def test_two_sessions(binary):
    """sees what another session does"""
    server = Server(binary)
    try:
        first, second = connect(server), connect(server, tls=False)
        ok(first.select()), ok(second.select())
        server.deliver(message(1), "alice@example.org")
        ok(first.noop())
        assert first.response("EXISTS")[1][-1] == b"1"
        ok(second.noop())
        ok(first.store("1", "+FLAGS", "(\\Deleted)"))
        ok(first.expunge())
        ok(second.noop())
        assert second.response("EXPUNGE")[1] == [b"1"]
        first.logout(), second.logout()
    finally:
        assert server.stop() == 0
