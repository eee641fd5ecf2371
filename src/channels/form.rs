//! Reports that come as a form: one message, its state, a code where it failed.

use super::{Delivery, HookError, Report};
use crate::transport::hook::field;

/// What is reported of the message in the field `id`, whose state is in the field `state`.
pub(super) fn report(
    form: &[(String, String)],
    [id, state]: [&str; 2],
    delivery: fn(&str, Option<&str>) -> Delivery,
) -> Result<Vec<Report>, HookError> {
    let (Some(message), Some(found)) = (field(form, id), field(form, state)) else {
        return Err(HookError::Malformed(format!("no {id} or no {state}")));
    };
    let delivery = delivery(found, field(form, "ErrorCode"));
    Ok(vec![Report { message: message.to_owned(), delivery }])
}

/// The fields as they are signed: sorted, one after the other.
pub(super) fn signed(form: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = form.iter().collect();
    sorted.sort();
    sorted.into_iter().flat_map(|(key, value)| [key.as_str(), value]).collect()
}
