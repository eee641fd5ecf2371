"""A mail server that is not ours (aiosmtpd), and what Python's own mail reader makes of a letter.

The local part of the recipient says how the server behaves. Each letter is one JSON line.
"""

import email
import email.policy
import json
import sys

from aiosmtpd.controller import Controller


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local.startswith("rcpt"):
            return local[4:] + " scripted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        local = envelope.rcpt_tos[0].split("@")[0]
        if local.startswith("data"):
            return local[4:] + " scripted"
        if local == "drop":
            server.transport.abort()
            return "250 never read"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in letter.walk() if not part.is_multipart()}
        headers = {name.lower(): str(value) for name, value in letter.items()}
        defects = [str(defect) for part in letter.walk() for defect in part.defects]
        line = {"to": envelope.rcpt_tos, "headers": headers, "parts": parts, "defects": defects}
        print(json.dumps(line), flush=True)
        return "250 2.0.0 taken as 1A2B"


controller = Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("{}", flush=True)
sys.stdin.read()
controller.stop()
