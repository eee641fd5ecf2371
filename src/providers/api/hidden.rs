//! What must not be kept of an answer: codes that are money, and where people live.

use crate::providers::Answer;
use serde_json::Value;

/// `value` with `word` in place of whatever stands at `places`.
pub(in crate::providers) fn hidden(value: &Value, places: &[&str], word: &str) -> Value {
    let mut clean = value.clone();
    for place in places {
        if let Some(member) = clean.pointer_mut(place).filter(|member| !member.is_null()) {
            *member = Value::from(word);
        }
    }
    clean
}

/// `value` without its members of these names.
pub(in crate::providers) fn without(value: &Value, names: &[&str]) -> Value {
    let mut kept = value.clone();
    if let Some(members) = kept.as_object_mut() {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
    kept
}

/// An answer that broke off is kept up to the first of `marks`: what follows may be a code.
pub(in crate::providers) fn up_to(answer: Answer, marks: &[&str]) -> Answer {
    match answer {
        Answer::Unclear { why, raw } => {
            let before = |kept, mark| str::split(kept, mark).next().unwrap_or_default();
            let raw = marks.iter().copied().fold(raw.as_str(), before).to_owned();
            Answer::Unclear { why, raw }
        }
        Answer::Paid(_)
        | Answer::Pending(_)
        | Answer::Refused(_)
        | Answer::Reversed(_)
        | Answer::Mismatch { .. }
        | Answer::NotSent { .. } => answer,
    }
}
