//! What can be typed can be asked over HTTP, but for what belongs to the machine.

use crate::admin::routes;
use crate::cli::Cli;
use clap::CommandFactory as _;
use std::collections::BTreeSet;

/// Where a verb is over HTTP; nowhere where it belongs to the terminal.
const VERBS: &[(&str, &[&str])] = &[
    ("run", &[]),
    ("demo", &[]),
    ("check", &[]),
    ("migrate", &[]),
    ("tick", &[]),
    ("backup", &[]),
    ("completions", &[]),
    ("man", &[]),
    // Passwords do not travel.
    ("user create", &[]),
    ("user password", &[]),
    ("apply", &["POST /api/v1/fleet"]),
    (
        "export",
        &[
            "GET /api/v1/fleet",
            "GET /api/v1/subscriptions/{id}/readings",
            "GET /api/v1/topups",
            "GET /api/v1/ledger",
            "GET /api/v1/notices",
        ],
    ),
    ("subscriber link", &["POST /api/v1/subscribers/{id}/link"]),
    ("subscription list", &["GET /api/v1/subscriptions"]),
    ("subscription show", &["GET /api/v1/subscriptions/{id}"]),
    ("subscription pause", &["POST /api/v1/subscriptions/{id}/pause"]),
    ("subscription resume", &["POST /api/v1/subscriptions/{id}/resume"]),
    ("subscription explain", &["GET /api/v1/subscriptions/{id}/explain"]),
    ("subscription reading", &["POST /api/v1/subscriptions/{id}/readings"]),
    ("poll", &["POST /api/v1/subscriptions/{id}/poll"]),
    ("sms add", &["POST /api/v1/subscriptions/{id}/sms"]),
    ("topup", &["POST /api/v1/subscriptions/{id}/topup"]),
    ("topups list", &["GET /api/v1/topups"]),
    ("topups show", &["GET /api/v1/topups/{id}"]),
    ("topups approve", &["POST /api/v1/topups/{id}/approve"]),
    ("topups reject", &["POST /api/v1/topups/{id}/reject"]),
    ("topups resolve", &["POST /api/v1/topups/{id}/resolve"]),
    ("receipts", &["GET /api/v1/receipts", "GET /api/v1/topups/{id}/receipt"]),
    ("ledger", &["GET /api/v1/ledger"]),
    ("verify", &["GET /api/v1/verify"]),
    ("reconcile", &["POST /api/v1/reconcile"]),
    ("discrepancies list", &["GET /api/v1/discrepancies"]),
    ("discrepancies close", &["POST /api/v1/discrepancies/{id}/close"]),
    ("pins list", &["GET /api/v1/pins"]),
    ("pins show", &["POST /api/v1/pins/{id}/show"]),
    ("pins redeem", &["POST /api/v1/pins/{id}/redeem"]),
    ("pins end", &["POST /api/v1/pins/{id}/end"]),
    ("pins fetch", &["POST /api/v1/pins/{id}/fetch"]),
    ("forecast", &["GET /api/v1/subscriptions/{id}/forecast"]),
    ("simulate", &["POST /api/v1/simulate"]),
    ("notices list", &["GET /api/v1/notices"]),
    ("notices acknowledge", &["POST /api/v1/notices/{id}/acknowledge"]),
    ("notices preview", &["GET /api/v1/notices/preview"]),
    ("notices test", &["POST /api/v1/notices/test"]),
    ("operator list", &["GET /api/v1/operators"]),
    ("operator show", &["GET /api/v1/operators/{name}"]),
    ("provider list", &["GET /api/v1/providers"]),
    ("provider test", &["POST /api/v1/providers/{name}/test"]),
    ("provider products", &["GET /api/v1/providers/{name}/products"]),
    ("provider quote", &["GET /api/v1/providers/{name}/quote"]),
    ("channel list", &["GET /api/v1/channels"]),
    ("channel test", &["POST /api/v1/channels/{name}/test"]),
    ("money off", &["POST /api/v1/money/off"]),
    ("money on", &["POST /api/v1/money/on"]),
    ("money status", &["GET /api/v1/money"]),
    ("instances", &["GET /api/v1/instances"]),
    ("token create", &["POST /api/v1/tokens"]),
    ("token list", &["GET /api/v1/tokens"]),
    ("token revoke", &["DELETE /api/v1/tokens/{id}"]),
    ("user list", &["GET /api/v1/users"]),
    ("user disable", &["POST /api/v1/users/{name}/disable"]),
];

fn verbs(command: &clap::Command, before: &str, all: &mut BTreeSet<String>) {
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let name = format!("{before}{}", verb.get_name());
        if verb.has_subcommands() {
            verbs(verb, &format!("{name} "), all);
        } else {
            all.insert(name);
        }
    }
}

#[test]
fn every_verb_has_its_route_or_belongs_to_the_terminal() {
    let mut typed = BTreeSet::new();
    verbs(&Cli::command(), "", &mut typed);
    let decided: BTreeSet<String> = VERBS.iter().map(|(verb, _)| (*verb).to_owned()).collect();
    assert_eq!(typed, decided);
    let known: BTreeSet<String> =
        routes::all().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    for (verb, places) in VERBS {
        for place in *places {
            assert!(known.contains(*place), "{verb}: {place}");
        }
    }
}
