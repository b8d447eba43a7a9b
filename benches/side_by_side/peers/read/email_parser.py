"""Parses mails as a script would do it: Python's own email package with its present policy, all text parts decoded.

    python3 email_parser.py LIST all|bodies

"all" decodes the header fields too, as the other parsers do; this package leaves that until a field is asked for. LIST names the mails' files, one a line. They are read before the clock starts. Says "ready", and for each line on standard input
parses all of them once and says "done MAILS CHARACTERS", the characters being those of the texts that it decoded.
"""

import email
import email.policy
import pathlib
import sys


def parse(octets, fields):
    """All text parts and, if wanted, the header fields; what cannot be decoded, by a charset that is unknown, is left out."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    characters = 0
    if fields:
        for name in message.keys():
            try:
                characters += len(str(message[name]))
            except (ValueError, IndexError, AttributeError, TypeError):
                pass
    for part in message.walk():
        if part.get_content_maintype() == "text":
            try:
                characters += len(part.get_content())
            except (LookupError, ValueError, AttributeError):
                pass
    return characters


def main():
    files = pathlib.Path(sys.argv[1]).read_text("utf-8").split("\n")
    mails = [pathlib.Path(file).read_bytes() for file in files if file]
    fields = sys.argv[2] == "all"
    print("ready", flush=True)
    for _ in sys.stdin:
        print("done", len(mails), sum(parse(mail, fields) for mail in mails), flush=True)


if __name__ == "__main__":
    main()
