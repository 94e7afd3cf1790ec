"""LMTP as Postfix speaks it: pipelined, several recipients, an answer for each."""

import socket

from harness import Server, message
from test_imaplib_ import connect, ok


def missing():
    return None


class Wire:
    """A socket with lines. smtplib's LMTP reads one answer for all recipients, which is wrong."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rwb")

    def send(self, data):
        self.file.write(data)
        self.file.flush()

    def reply(self):
        lines = [self.file.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(self.file.readline())
        return int(lines[-1][:3]), b"".join(lines)


def test_recipients(binary):
    """answers for each recipient and files by plus-address"""
    server = Server(binary, accounts=("alice", "bob"))
    try:
        client = connect(server)
        ok(client.create("lists"))
        lmtp = Wire(server.port("lmtp"))
        assert lmtp.reply()[0] == 220
        lmtp.send(b"LHLO postfix.example.org\r\n")
        features = lmtp.reply()[1]
        for word in (b"PIPELINING", b"CHUNKING", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"):
            assert word in features, features
        lmtp.send(b"MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<alice+lists@example.org>\r\n"
                  b"RCPT TO:<nobody@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
        codes = [lmtp.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 550, 250, 354], codes
        lmtp.send(message(1) + b".\r\n")
        assert [lmtp.reply()[0] for _ in range(2)] == [250, 250]
        lmtp.send(b"QUIT\r\n")
        assert lmtp.reply()[0] == 221
        assert ok(client.select("lists")) == [b"1"]
        text = ok(client.fetch("1", "(BODY.PEEK[])"))[0][1]
        assert text.startswith(b"Return-Path: <>\r\nDelivered-To: "), text[:200]
        assert text.endswith(message(1))
        client.logout()
    finally:
        assert server.stop() == 0
