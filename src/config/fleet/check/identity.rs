//! One id, one entry; one number, one payer of it.

use super::{Draft, Drafts};
use crate::domain::Subscription;
use std::collections::BTreeMap;

/// Reports ids that are used more than once.
pub(super) fn unique<T>(drafts: &[Draft<'_, T>]) {
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for draft in drafts {
        let Some(id) = draft.id.as_deref() else {
            continue;
        };
        let origin = draft.section.origin();
        let place = match origin.line {
            Some(line) => format!("{}:{line}", origin.file),
            None => origin.file.to_string(),
        };
        if let Some(earlier) = first.get(id) {
            draft.section.fault("id", format!("allowed is each id once; it is in {earlier}, too"));
        } else {
            first.insert(id, place);
        }
    }
}

/// One number under two ids would be paid for twice.
pub(super) fn numbers(drafts: &Drafts<'_>, stored: &[Subscription]) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for line in stored.iter().filter(|line| !line.payers.is_empty()) {
        owners.extend(serials(line).map(|(_, serial)| (serial, line.id.as_str())));
    }
    for draft in &drafts.subscriptions {
        let Some(line) = draft.value.as_ref().filter(|line| !line.payers.is_empty()) else {
            continue;
        };
        for (key, serial) in serials(line) {
            match owners.get(&serial) {
                Some(owner) if *owner != line.id.as_str() => draft.section.fault(
                    key,
                    format!("subscription {owner:?} pays for this line already; one of them may have payers"),
                ),
                _ => drop(owners.insert(serial, line.id.as_str())),
            }
        }
    }
}

fn serials(line: &Subscription) -> impl Iterator<Item = (&'static str, String)> {
    let msisdn = line.msisdn.iter().map(|number| ("msisdn", number.as_str().to_owned()));
    let iccid = line.iccid.iter().map(|iccid| ("iccid", iccid.as_str().to_owned()));
    msisdn.chain(iccid).collect::<Vec<_>>().into_iter()
}
