"""What Schemathesis must know beside the document: which token is its own, and what no schema says."""

import os

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

# Places in lists are what lists said; which currencies there are, which a line has, and how much is left of
# what, is in no pattern.
BEYOND_SCHEMAS = {"after", "amount", "balance", "next_charge", "buckets"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Its own token is not revoked."""
    if (case.path_parameters or {}).get("id") == os.environ["TOPUPD_TOKEN_ID"]:
        case.path_parameters["id"] = "k_0000"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A request that is well formed may be refused for what it is about."""
    declares = case.method in ("PUT", "PATCH") or case.path.endswith(("/fleet", "/simulate"))
    # The document has the form that is given back; fleet files may also say "a, b" for a list and 1 for "1",
    # and a null within a change takes a field away.
    if isinstance(failure, AcceptedNegativeData):
        return not declares
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    # What is declared refers to what else is declared.
    if declares:
        return False
    wrong = {error["field"].split("[")[0] for error in response.json().get("errors", [])}
    return not wrong <= BEYOND_SCHEMAS
