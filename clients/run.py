#!/usr/bin/env python3
"""Real clients against the real server.

    clients/run.py path/to/martlet [name ...]

Each test starts a server of its own. A client that is not installed is skipped and named. Ends with
a line `clients: N passed, N failed, N skipped`.
"""

import importlib
import pathlib
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))

TESTS = ["curl", "imaplib_", "imapclient_", "mbsync", "neomutt", "offlineimap", "fetchmail",
         "imapflow", "lmtp"]


class Skipped(Exception):
    """Raised by a test whose client is not there."""


def main():
    binary, chosen = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:] or TESTS
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in chosen:
        module = importlib.import_module(f"test_{name}")
        for test in [value for key, value in vars(module).items() if key.startswith("test_")]:
            title = f"{name.rstrip('_')}: {test.__doc__.splitlines()[0]}"
            missing = module.missing()
            if missing:
                counts["skipped"] += 1
                print(f"skipped  {title} ({missing})", flush=True)
                continue
            try:
                test(binary)
                counts["passed"] += 1
                print(f"ok       {title}", flush=True)
            except Exception:
                counts["failed"] += 1
                print(f"FAILED   {title}\n{traceback.format_exc()}", flush=True)
    print("clients: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
