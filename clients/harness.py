"""Starts a martlet server on free ports with a throw-away data directory, for client tests."""

import email.message
import email.utils
import os
import pathlib
import shutil
import smtplib
import subprocess
import tempfile

PASSWORD = "correct horse battery"


class Server:
    """A running server. Its accounts all have the password PASSWORD."""

    def __init__(self, binary, accounts=("alice",)):
        self.binary = binary
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="martlet-clients-"))
        self.data = self.home / "data"
        self.process = subprocess.Popen(
            [binary, "serve", "--data", self.data, "--imap", "127.0.0.1:0",
             "--imaps", "127.0.0.1:0", "--lmtp", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=open(self.home / "server.log", "wb"), text=True)
        self.addresses = self._wait_until_ready()
        for name in accounts:
            self.cli("account", "add", name, "--password-stdin", input=PASSWORD + "\n")

    def _wait_until_ready(self):
        for line in self.process.stdout:
            if line.startswith("ready"):
                pairs = (word.split("=", 1) for word in line.split()[1:])
                return {name: address.rsplit(":", 1) for name, address in pairs}
        raise SystemExit("the server stopped before it was ready:\n" + self.log())

    def log(self):
        return (self.home / "server.log").read_text(errors="replace")

    def port(self, protocol):
        return int(self.addresses[protocol][1])

    def cli(self, *words, input=None):
        done = subprocess.run([self.binary, *words, "--data", self.data], input=input, text=True,
                              capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"martlet {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def deliver(self, message, *recipients):
        """Delivers by LMTP, as Postfix does."""
        with smtplib.LMTP("127.0.0.1", self.port("lmtp")) as lmtp:
            refused = lmtp.sendmail("sender@example.org", list(recipients), message)
            assert not refused, refused

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        shutil.rmtree(self.home, ignore_errors=True)
        return code


def message(number, subject=None, body=None, attachment=False):
    """A message as bytes with CRLF line ends."""
    mail = email.message.EmailMessage()
    mail["From"] = "Sender <sender@example.org>"
    mail["To"] = "Alice <alice@example.org>"
    mail["Subject"] = subject or f"Message number {number}"
    mail["Date"] = email.utils.formatdate(1_700_000_000 + number * 60)
    mail["Message-ID"] = f"<message-{number}@example.org>"
    mail.set_content(body or f"This is the text of message {number}.\n")
    if attachment:
        mail.add_attachment(os.urandom(5000), "application", "octet-stream", filename="data.bin")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def run(*command, input=None, env=None, ok=(0,), timeout=90):
    """Runs a client; its output is the error message when it fails."""
    done = subprocess.run([str(word) for word in command], input=input, capture_output=True,
                          env={**os.environ, **(env or {})}, timeout=timeout)
    if done.returncode not in ok:
        text = (done.stdout + done.stderr).decode(errors="replace")
        raise AssertionError(f"{command[0]} exited with {done.returncode}:\n{text[-4000:]}")
    return done.stdout
