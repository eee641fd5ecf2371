//! Requests that name their line by another word than its full serial: an id of the API's own, a
//! serial without its check digit. The serial is then written beside them.

use crate::domain::Subscription;
use crate::providers::{FreezeError, Order};
use crate::transport::http::Rendered;
use serde::{Deserialize, Serialize};

/// A request and the line it pays for. The request alone is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::providers) struct Labelled {
    /// The serial of the line.
    iccid: String,
    /// The request.
    request: Rendered,
}

impl Labelled {
    /// The request for `order` as it is stored: only for an amount above zero, and only where its
    /// path goes below `place`, which is the API's own name of the line.
    pub(in crate::providers) fn freeze(
        request: Rendered,
        order: &Order,
        place: &str,
    ) -> Result<String, FreezeError> {
        order.is_to_be_paid()?;
        let iccid = order.iccid()?.as_str().to_owned();
        if !request.path.starts_with(place) {
            return Err(order.refuse("the request does not name the line"));
        }
        let labelled = Self { iccid, request };
        serde_json::to_string(&labelled).map_err(|error| order.refuse(error))
    }

    /// The stored request, where it still is one for `line`, whose place is now `place`.
    pub(in crate::providers) fn thaw(
        frozen: &str,
        line: &Subscription,
        place: &str,
    ) -> Result<Rendered, String> {
        let stored: Self = serde_json::from_str(frozen)
            .map_err(|error| format!("the stored request cannot be read ({error})"))?;
        let same = line.iccid.as_ref().is_some_and(|iccid| iccid.as_str() == stored.iccid);
        if same && stored.request.path.starts_with(place) {
            Ok(stored.request)
        } else {
            Err("the stored request is for another line than this one".to_owned())
        }
    }
}
