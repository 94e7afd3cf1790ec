"""LMTP as Postfix speaks it, through smtplib."""

import smtplib

from harness import Server, message
from test_imaplib_ import connect, ok


def missing():
    return None


def test_recipients(binary):
    """answers for each recipient and files by plus-address"""
    server = Server(binary, accounts=("alice", "bob"))
    try:
        client = connect(server)
        ok(client.create("lists"))
        with smtplib.LMTP("127.0.0.1", server.port("lmtp")) as lmtp:
            assert lmtp.has_extn("PIPELINING") and lmtp.has_extn("CHUNKING")
            refused = lmtp.sendmail("", ["alice+lists@example.org", "bob@example.org",
                                         "nobody@example.org"], message(1))
            assert list(refused) == ["nobody@example.org"], refused
            assert refused["nobody@example.org"][0] == 550, refused
        assert ok(client.select("lists")) == [b"1"]
        text = ok(client.fetch("1", "(BODY.PEEK[])"))[0][1]
        assert text.startswith(b"Return-Path: <>\r\nDelivered-To: "), text[:200]
        assert text.endswith(message(1))
        client.logout()
    finally:
        assert server.stop() == 0
