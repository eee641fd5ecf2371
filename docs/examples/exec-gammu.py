#!/usr/bin/env python3
"""An example of a program for topupd's `exec` channel: see ../channels.md.

It hands SMS to Gammu's daemon (Debian: `gammu-smsd`), which has a modem or a phone:

    [channels.stick.exec]
    command = ["/usr/bin/python3", "/etc/topupd/exec-gammu.py"]
    needs = "phone"
    env = { CONFIG = "/etc/gammu-smsdrc" }

`gammu-smsd-inject` puts the message into the daemon's queue, whatever that is: files or a database.
Whoever runs topupd must be allowed to write there. What matters is the exit code: 0 only where the
message is in the queue, and a refusal only where it is not. When this program is stopped in between,
topupd takes it for "may have been sent".
"""

import json
import os
import subprocess
import sys

NO_USER = 67


def main():
    notice = json.load(sys.stdin)
    phone = notice["recipient"]["phone"]
    if phone is None:
        return NO_USER
    text = notice["short"]
    command = ["gammu-smsd-inject", "-c", os.environ["CONFIG"], "TEXT", phone, "-autolen", str(len(text))]
    # Beyond Latin it must be told so, or letters are lost.
    if not text.isascii():
        command.append("-unicode")
    # The text goes by standard input: every user of the machine can read arguments.
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, input=text, env=environment, encoding="utf-8", capture_output=True, check=False)
    if done.returncode != 0:
        # It is not in the queue; somebody must mend the configuration or the permissions.
        print(done.stdout.strip(), done.stderr.strip(), file=sys.stderr)
        return 1
    # "Written message with ID …"
    print(done.stdout.strip().rpartition(" ")[2])
    return 0


sys.exit(main())
