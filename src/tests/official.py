"""Asks the fake with CELITECH's official SDK, and prints what it got as JSON."""

import json
import sys
from datetime import datetime, timezone

from celitech import Celitech
from celitech.models import TopUpEsimRequest

url, iccid, ours, theirs = sys.argv[1:]
sdk = Celitech(
    client_id="me", client_secret="hush", base_url=url, base_oauth_url=url, timeout=30
)


def end(purchase):
    text = purchase.end_date
    return text and datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def left(purchase):
    answer = sdk.purchases.get_purchase_consumption(purchase_id=purchase.id_)
    return int(answer.data_usage_remaining_in_bytes)


def top_up(reference):
    request = TopUpEsimRequest(
        iccid=iccid, dataLimitInGB=1, duration=7, referenceId=reference
    )
    return sdk.purchases.top_up_esim(request, idempotency_key=reference).purchase.id_


def found(reference):
    rows = sdk.purchases.list_purchases(reference_id=reference, limit=100).purchases
    return [row.id_ for row in rows]


now = datetime.now(timezone.utc)
purchases = sdk.purchases.list_purchases(iccid=iccid, limit=100).purchases
lasting = [p for p in purchases if end(p) is None or end(p) > now]
packages = sdk.packages.list_packages(destination="FRA", limit=160).packages
print(
    json.dumps(
        {
            "allowed": sdk.e_sim.get_esim(iccid=iccid).esim.is_top_up_allowed,
            "left": [[p.end_date and int(end(p).timestamp()), left(p)] for p in lasting],
            "prices": [[p.data_limit_in_gb, int(p.price_in_cents)] for p in packages],
            "ours": found(ours),
            "ours_again": top_up(ours),
            "theirs": [top_up(theirs), top_up(theirs)],
        }
    )
)
