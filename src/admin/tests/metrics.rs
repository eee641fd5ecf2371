//! The catalogue, the page and `docs/monitoring/README.md` say the same.

use super::World;
use crate::admin::health::{ALL, Metric};
use crate::domain::{Span, State};
use std::collections::BTreeSet;

const HEAD: &str = "| metric | type | labels | what it says |\n|---|---|---|---|\n";

fn row(metric: &Metric) -> String {
    let Metric { name, kind, labels, help } = metric;
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {} | {} | {help} |\n", kind.as_str(), labels.join(" "))
}

#[test]
fn the_table_of_metrics_is_made_from_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring/README.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let (before, rest) = page.split_once(HEAD).expect("the page has a table of metrics");
    let after =
        rest.trim_start_matches(|c| c != '\n').split_once("\n\n").map_or("", |(_, rest)| rest);
    let rows: String = ALL.iter().map(row).collect();
    let wanted = format!("{before}{HEAD}{rows}\n{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), wanted);
}

#[test]
fn names_and_labels_are_those_that_were_agreed() {
    let allowed: BTreeSet<&str> = [
        "version", "provider", "channel", "state", "status", "stage", "outcome", "kind", "reason",
        "within", "currency",
    ]
    .into();
    let mut names = BTreeSet::new();
    for metric in ALL {
        let Metric { name, labels, .. } = metric;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("topupd_") || name.starts_with("process_"), "{name}");
        let foreign: Vec<_> = labels.iter().filter(|label| !allowed.contains(*label)).collect();
        assert!(foreign.is_empty(), "{name} has {foreign:?}");
    }
}

#[tokio::test]
async fn the_page_holds_the_whole_catalogue_once_and_nothing_else() {
    let world = World::new().await;
    let topup = world.topup("l0", &[State::Reserved, State::Submitting, State::Held]).await;
    world.clock.advance(Span::minutes(1));
    let body = world.get("/metrics").await.body;
    let heads: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let wanted: Vec<String> =
        ALL.iter().map(|metric| format!("{} {}", metric.name, metric.kind.as_str())).collect();
    assert_eq!(heads, wanted);
    for name in ["l0", "li", topup.id.as_str(), "2025550"] {
        let quoted = format!("\"{name}\"");
        assert!(!body.contains(&quoted), "{name} became a label");
    }
    for line in [
        "topupd_oldest_topup_seconds{state=\"held\"} 60.000",
        "topupd_cap_used_minor{kind=\"global_24h\",currency=\"USD\"} 1000",
        "topupd_topup_results_total{provider=\"carrier\",state=\"failed\"} 0",
        "topupd_poll_seconds_bucket{provider=\"carrier\",le=\"0.05\"} 0",
        "topupd_poll_seconds_bucket{provider=\"carrier\",le=\"+Inf\"} 0",
        "topupd_recorder_up 1",
        "topupd_paying_stopped{reason=\"kill_switch\"} 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} in {body}");
    }
    assert!(body.contains("\nprocess_resident_memory_bytes "), "{body}");
}
