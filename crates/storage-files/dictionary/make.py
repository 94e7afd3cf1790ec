"""Makes a dictionary for zstd (RFC 8878 section 5): content.py's text with tables of how often
literals, lengths and offsets occur in a set of messages.

    pip install pyzstd==0.20.0
    python3 make.py 1.zdict ../../message/tests/corpus

The directories' files count as messages. The text of the dictionary is this project's own: of the
messages only statistics go in.
"""

import pathlib
import sys

import pyzstd

from content import content

# Messages are compressed with this level; the tables are counted with it.
LEVEL = 1
# A message weighs no more than this: a few large ones would drown the others.
SAMPLE_BYTES = 8192
BYTES = 64 * 1024


def samples(directories):
    for directory in directories:
        for path in sorted(pathlib.Path(directory).rglob("*")):
            if path.is_file() and path.name not in ("SOURCES.md", "README.md"):
                text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                yield text[:SAMPLE_BYTES]


def main():
    output, directories = sys.argv[1], sys.argv[2:]
    plain = pyzstd.ZstdDict(content(), is_raw=True)
    made = pyzstd.finalize_dict(plain, list(samples(directories)), BYTES, LEVEL)
    pathlib.Path(output).write_bytes(made.dict_content)
    print(len(content()), "bytes of text,", len(made.dict_content), "of dictionary, id", made.dict_id)


main()
