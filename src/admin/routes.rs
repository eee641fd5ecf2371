//! Every route, the role it needs, and who answers. The one list: the router is built from it, and
//! so is the document of the API.

use super::{Admin, api, health, hook, link};
use crate::store::Role;
use axum::{
    http::Method,
    routing::{MethodRouter, get, head, post},
};

/// One way in.
pub(super) struct Route {
    /// The method, once more, for those who read the list.
    pub(super) method: Method,
    /// The path, with `{id}` where an id goes.
    pub(super) path: &'static str,
    /// The least role; `None` where everybody may look.
    pub(super) needs: Option<Role>,
    /// What it is about, for those who may see a part of the fleet only.
    pub(super) reach: Reach,
    /// Who answers.
    pub(super) handler: MethodRouter<Admin>,
}

/// What a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Lines and what belongs to them: the handler holds itself to the scope of who asks.
    Lines,
    /// The installation: closed to those who may see a part of the fleet only.
    Whole,
}

impl Reach {
    /// The word in the document of the API.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Whole => "whole",
        }
    }
}

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let reach = Reach::Whole;
    let looks = |needs, path, handler| Route { method: Method::GET, path, needs, reach, handler };
    let open = |path, handler| looks(None, path, handler);
    let acts = |needs, path, handler| Route { method: Method::POST, path, needs, reach, handler };
    let mut all = vec![
        open("/healthz", get(health::healthz)),
        open("/readyz", get(health::readyz)),
        open("/metrics", get(health::metrics)),
        // Its signature says who it is: phones have no token.
        acts(None, "/hooks/sms/{provider}", post(hook::sms)),
        open("/n/{token}", get(link::look)),
        acts(None, "/n/{token}", post(link::answer)),
        acts(None, "/hooks/providers/{provider}", post(hook::provider)),
        Route {
            method: Method::HEAD,
            path: "/hooks/providers/{provider}",
            needs: None,
            reach,
            handler: head(hook::here),
        },
        acts(None, "/hooks/channels/{channel}", post(hook::channel)),
        open("/hooks/channels/{channel}", get(hook::channel)),
    ];
    all.extend(api::routes::all());
    all
}
