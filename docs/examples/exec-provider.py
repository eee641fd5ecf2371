#!/usr/bin/env python3
"""An example of a program for topupd's `exec` provider: see ../exec-provider.md.

It plays a carrier whose books are a folder of files, so that it can be tried without money:

    [providers.mine.exec]
    command = ["/usr/bin/python3", "/etc/topupd/exec-provider.py"]
    verbs = ["read", "topup", "find", "list", "wallet"]
    env = { BOOKS = "/var/lib/topupd/books" }
    [providers.mine.exec.declares]
    lookup = "by_ref"
    ref_unique = "strict"

Replace what is below `Carrier` by calls to yours. What matters is the order of things in `topup`:
the reference is looked up before anything is charged, and whatever is not certain ends the program
with an error, which topupd takes for "nobody knows" and looks up.
"""

import datetime
import decimal
import json
import os
import pathlib
import sys


class Carrier:
    """The books: one file for each order, named by its reference, made at once or not at all."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def order(self, reference):
        try:
            return json.loads((self.folder / f"{reference}.json").read_text())
        except FileNotFoundError:
            return None

    def charge(self, reference, order):
        # "x" fails where the file exists: the same reference is never charged twice, not even by
        # two copies of this program at the same time.
        with open(self.folder / f"{reference}.json", "x", encoding="utf-8") as file:
            json.dump(order, file)
            file.flush()
            os.fsync(file.fileno())

    def orders(self):
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]


def record(order):
    """An order as topupd wants to see it. The echoes let it notice a mix-up."""
    return {
        "outcome": "paid",
        "transaction_id": order["id"],
        "reference": order["reference"],
        "msisdn": order["msisdn"],
        "amount": order["amount"],
        "charged": order["amount"],
    }


def read(request, carrier):
    number = request["line"]["msisdn"]
    paid = [o["amount"].split()[0] for o in carrier.orders() if o["msisdn"] == number]
    balance = decimal.Decimal("5.00") + sum(map(decimal.Decimal, paid))
    return {"msisdn": number, "balance": f"{balance:.2f} USD"}


def topup(request, carrier):
    order, line = request["order"], request["line"]
    if line["msisdn"] is None:
        # Nothing was done yet, so this is a proof.
        return {"outcome": "refused", "code": "no_number", "class": "invalid_target"}
    known = carrier.order(order["reference"])
    if known is None:
        now = datetime.datetime.now(datetime.timezone.utc)
        known = {
            "id": f"tx-{order['reference'][:8]}",
            "at": now.isoformat(),
            "reference": order["reference"],
            "msisdn": line["msisdn"],
            "amount": f"{order['amount']} {order['currency']}",
        }
        carrier.charge(order["reference"], known)
    return record(known)


def find(request, carrier):
    known = carrier.order(request["order"]["reference"])
    return {"topups": [] if known is None else [record(known)]}


def transactions(request, carrier):
    start, end = (datetime.datetime.fromisoformat(request[k].replace("Z", "+00:00")) for k in ("from", "to"))
    inside = [o for o in carrier.orders() if start <= datetime.datetime.fromisoformat(o["at"]) < end]
    return {
        "transactions": [
            {
                "transaction_id": o["id"],
                "reference": o["reference"],
                "at": o["at"],
                "target": o["msisdn"],
                "amount": o["amount"],
                "charged": o["amount"],
                "booked": "paid",
            }
            for o in inside
        ]
    }


def wallet(_request, _carrier):
    return {"balance": "100.00 USD"}


def test(_request, carrier):
    return {"detail": f"{len(carrier.orders())} order(s) in {carrier.folder}"}


VERBS = {"read": read, "topup": topup, "find": find, "list": transactions, "wallet": wallet, "test": test}


def main():
    request = json.load(sys.stdin)
    if request["protocol"] != 1:
        sys.exit(f"protocol {request['protocol']} is not known here")
    answer = VERBS[request["verb"]](request, Carrier(os.environ["BOOKS"]))
    json.dump(answer, sys.stdout)


main()
