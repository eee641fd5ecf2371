//! Whoever is told must not depend on the line that he is told about: a message to a number that is
//! cut off reaches nobody.

use super::{Drafts, FleetContext};
use crate::channels::Needs;
use crate::config::fleet::document::subscriber_from_document;
use crate::domain::{Subscriber, Subscription};
use std::collections::{BTreeMap, BTreeSet};

/// Reports lines whose owner can be reached over that very line alone.
pub(super) fn independent(drafts: &Drafts<'_>, lines: &[&Subscription], context: &FleetContext) {
    // Where somebody looks after the installation, he is told what others cannot be.
    if context.has_operators {
        return;
    }
    let stored: BTreeMap<&str, Subscriber> = context
        .stored
        .subscribers
        .iter()
        .filter_map(|(id, document)| {
            Some((id.as_str(), subscriber_from_document(document, context)?))
        })
        .collect();
    // Files may be long: nothing here looks through all of one for each entry of another.
    let written = drafts.subscribers.iter().filter_map(|draft| draft.value.as_ref());
    let written: BTreeMap<&str, &Subscriber> = written.map(|s| (s.id.as_str(), s)).collect();
    for draft in &drafts.subscriptions {
        let Some(line) = &draft.value else { continue };
        let id = line.subscriber.as_str();
        let owner = written.get(id).copied().or_else(|| stored.get(id));
        if owner.is_some_and(|owner| is_alone_on(owner, line, context)) {
            draft.section.fault("msisdn", told_over_itself(line));
        }
    }
    let judged = drafts.subscriptions.iter().filter_map(|draft| draft.value.as_ref());
    let judged: BTreeSet<&str> = judged.map(|line| line.id.as_str()).collect();
    let mut others: BTreeMap<&str, Vec<&Subscription>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !judged.contains(line.id.as_str())) {
        others.entry(line.subscriber.as_str()).or_default().push(line);
    }
    for draft in &drafts.subscribers {
        let Some(owner) = &draft.value else { continue };
        let own = others.get(owner.id.as_str()).into_iter().flatten();
        if let Some(line) = own.copied().find(|line| is_alone_on(owner, line, context)) {
            draft.section.fault("phone", told_over_itself(line));
        }
    }
}

fn told_over_itself(line: &Subscription) -> String {
    format!(
        "the owner of {} is told by SMS to this very number, which is of no use once it is cut off; \
         give the owner another channel, another phone, or name somebody in notices.operators",
        line.id
    )
}

fn is_alone_on(owner: &Subscriber, line: &Subscription, context: &FleetContext) -> bool {
    let needs = |name: &String| context.channels.get(name).copied();
    owner.phone.is_some()
        && owner.phone == line.msisdn
        && !owner.channels.is_empty()
        && owner.channels.iter().all(|name| needs(name) == Some(Needs::Phone))
}
