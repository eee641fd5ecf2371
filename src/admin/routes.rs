//! Every route, the role it needs, and who answers. The one list: the router is built from it, and
//! a test holds it against `openapi.json`.

use super::{Admin, act, health, hook, link, look};
use crate::store::Role;
use axum::{
    http::Method,
    routing::{MethodRouter, get, head, post},
};

/// One way in.
pub(super) struct Route {
    /// The method, once more, for those who read the list.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests walk the list by it"))]
    pub(super) method: Method,
    /// The path, with `{id}` where an id goes.
    pub(super) path: &'static str,
    /// The least role; `None` where everybody may look.
    pub(super) needs: Option<Role>,
    /// Who answers.
    pub(super) handler: MethodRouter<Admin>,
}

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let looks = |needs, path, handler| Route { method: Method::GET, path, needs, handler };
    let open = |path, handler| looks(None, path, handler);
    let look = |path, handler| looks(Some(Role::Viewer), path, handler);
    let acts = |needs, path, handler| Route { method: Method::POST, path, needs, handler };
    let act = |path, handler| acts(Some(Role::Operator), path, handler);
    vec![
        open("/healthz", get(health::healthz)),
        open("/readyz", get(health::readyz)),
        open("/metrics", get(health::metrics)),
        open("/api/v1/openapi.json", get(look::openapi)),
        look("/api/v1/subscribers", get(look::subscribers)),
        look("/api/v1/subscriptions", get(look::subscriptions)),
        look("/api/v1/subscriptions/{id}", get(look::subscription)),
        look("/api/v1/subscriptions/{id}/explain", get(look::explain)),
        look("/api/v1/subscriptions/{id}/forecast", get(look::forecast)),
        look("/api/v1/subscriptions/{id}/readings", get(look::readings)),
        look("/api/v1/rules", get(look::rules)),
        look("/api/v1/topups", get(look::topups)),
        look("/api/v1/topups/{id}", get(look::topup)),
        look("/api/v1/notices", get(look::notices)),
        look("/api/v1/ledger", get(look::ledger)),
        look("/api/v1/money", get(look::money)),
        act("/api/v1/subscriptions/{id}/poll", post(act::poll)),
        act("/api/v1/subscriptions/{id}/topup", post(act::topup)),
        act("/api/v1/subscriptions/{id}/pause", post(act::pause)),
        act("/api/v1/subscriptions/{id}/resume", post(act::resume)),
        act("/api/v1/subscriptions/{id}/readings", post(act::reading)),
        act("/api/v1/subscriptions/{id}/sms", post(act::sms)),
        act("/api/v1/notices/{id}/acknowledge", post(act::acknowledge)),
        act("/api/v1/topups/{id}/approve", post(act::approve)),
        act("/api/v1/topups/{id}/reject", post(act::reject)),
        act("/api/v1/topups/{id}/resolve", post(act::resolve)),
        act("/api/v1/money/off", post(act::money_off)),
        // Its signature says who it is: phones have no token.
        acts(None, "/hooks/sms/{provider}", post(hook::sms)),
        open("/n/{token}", get(link::look)),
        acts(None, "/n/{token}", post(link::answer)),
        acts(None, "/hooks/providers/{provider}", post(hook::provider)),
        Route {
            method: Method::HEAD,
            path: "/hooks/providers/{provider}",
            needs: None,
            handler: head(hook::here),
        },
        acts(None, "/hooks/channels/{channel}", post(hook::channel)),
        open("/hooks/channels/{channel}", get(hook::channel)),
        // Stopping is for everybody who works here; letting money flow again is not.
        acts(Some(Role::Admin), "/api/v1/money/on", post(act::money_on)),
    ]
}
