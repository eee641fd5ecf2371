//! Every route of the API, the role it needs, what it is about, and who answers.

use super::{
    act, books, catalogue, codes, document,
    fleet::{self, rule, subscriber, subscription},
    installation, lists, live, look, people, receipts, replay,
};
use crate::admin::{
    Admin,
    routes::{Reach, Route},
};
use crate::store::Role;
use axum::{
    http::Method,
    routing::{MethodRouter, delete, get, patch, post, put},
};

/// Who may: the least role, and whether a part of the fleet is enough.
const LOOK: (Role, Reach) = (Role::Viewer, Reach::Lines);
const LOOK_AROUND: (Role, Reach) = (Role::Viewer, Reach::Whole);
const ACT: (Role, Reach) = (Role::Operator, Reach::Lines);
const ACT_FOR_ALL: (Role, Reach) = (Role::Operator, Reach::Whole);
const RULE: (Role, Reach) = (Role::Admin, Reach::Whole);

fn route(
    method: Method,
    (role, reach): (Role, Reach),
    path: &'static str,
    handler: MethodRouter<Admin>,
) -> Route {
    Route { method, path, needs: Some(role), reach, handler }
}

/// All of them.
pub(in crate::admin) fn all() -> Vec<Route> {
    let see = |who, path, handler| route(Method::GET, who, path, handler);
    let post_to = |who, path, handler| route(Method::POST, who, path, handler);
    let puts = |path, handler| route(Method::PUT, RULE, path, handler);
    let patches = |path, handler| route(Method::PATCH, RULE, path, handler);
    let takes = |path, handler| route(Method::DELETE, RULE, path, handler);
    let open =
        |path, handler| Route { needs: None, ..route(Method::GET, LOOK_AROUND, path, handler) };
    vec![
        open("/api/v1/openapi.json", get(document::openapi)),
        open("/api/docs", get(document::docs)),
        see(LOOK, "/api/v1/subscribers", get(lists::subscribers)),
        see(LOOK, "/api/v1/subscriptions", get(lists::subscriptions)),
        see(LOOK, "/api/v1/subscriptions/{id}", get(look::subscription)),
        see(LOOK, "/api/v1/subscriptions/{id}/explain", get(look::explain)),
        see(LOOK, "/api/v1/subscriptions/{id}/forecast", get(look::forecast)),
        see(LOOK, "/api/v1/subscriptions/{id}/readings", get(lists::readings)),
        see(LOOK, "/api/v1/subscriptions/{id}/days", get(lists::days)),
        see(LOOK, "/api/v1/rules", get(lists::rules)),
        see(LOOK, "/api/v1/topups", get(lists::topups)),
        see(LOOK, "/api/v1/topups/{id}", get(look::topup)),
        see(LOOK, "/api/v1/notices", get(lists::notices)),
        see(LOOK, "/api/v1/ledger", get(lists::ledger)),
        see(LOOK, "/api/v1/events", get(live::events)),
        see(LOOK, "/api/v1/topups/{id}/receipt", get(look::receipt)),
        see(LOOK_AROUND, "/api/v1/providers", get(installation::providers)),
        see(LOOK_AROUND, "/api/v1/instances", get(installation::instances)),
        see(RULE, "/api/v1/audit", get(installation::audit)),
        see(RULE, "/api/v1/tokens", get(installation::tokens)),
        post_to(RULE, "/api/v1/tokens", post(installation::create_token)),
        takes("/api/v1/tokens/{id}", delete(installation::revoke_token)),
        post_to(RULE, "/api/v1/fleet", post(fleet::fleet)),
        puts("/api/v1/subscriptions/{id}", put(subscription::put)),
        patches("/api/v1/subscriptions/{id}", patch(subscription::patch)),
        takes("/api/v1/subscriptions/{id}", delete(subscription::delete)),
        puts("/api/v1/subscribers/{id}", put(subscriber::put)),
        patches("/api/v1/subscribers/{id}", patch(subscriber::patch)),
        takes("/api/v1/subscribers/{id}", delete(subscriber::delete)),
        puts("/api/v1/rules/{id}", put(rule::put)),
        patches("/api/v1/rules/{id}", patch(rule::patch)),
        takes("/api/v1/rules/{id}", delete(rule::delete)),
        see(LOOK_AROUND, "/api/v1/money", get(look::money)),
        post_to(ACT, "/api/v1/subscriptions/{id}/poll", post(act::poll)),
        post_to(ACT, "/api/v1/subscriptions/{id}/topup", post(act::topup)),
        post_to(ACT, "/api/v1/subscriptions/{id}/pause", post(act::pause)),
        post_to(ACT, "/api/v1/subscriptions/{id}/resume", post(act::resume)),
        post_to(ACT, "/api/v1/subscriptions/{id}/readings", post(act::reading)),
        post_to(ACT, "/api/v1/subscriptions/{id}/sms", post(act::sms)),
        post_to(ACT, "/api/v1/notices/{id}/acknowledge", post(act::acknowledge)),
        post_to(ACT, "/api/v1/topups/{id}/approve", post(act::approve)),
        post_to(ACT, "/api/v1/topups/{id}/reject", post(act::reject)),
        post_to(ACT, "/api/v1/topups/{id}/resolve", post(act::resolve)),
        see(LOOK, "/api/v1/operators", get(catalogue::operators)),
        see(LOOK, "/api/v1/operators/{name}", get(catalogue::operator)),
        see(LOOK, "/api/v1/receipts", get(receipts::receipts)),
        see(LOOK_AROUND, "/api/v1/verify", get(books::verify)),
        see(LOOK_AROUND, "/api/v1/discrepancies", get(books::discrepancies)),
        post_to(ACT_FOR_ALL, "/api/v1/discrepancies/{id}/close", post(books::close)),
        post_to(ACT_FOR_ALL, "/api/v1/reconcile", post(books::reconcile)),
        post_to(ACT_FOR_ALL, "/api/v1/simulate", post(replay::simulate)),
        see(LOOK_AROUND, "/api/v1/providers/{name}/products", get(catalogue::products)),
        see(LOOK_AROUND, "/api/v1/providers/{name}/quote", get(catalogue::quote)),
        post_to(ACT_FOR_ALL, "/api/v1/providers/{name}/test", post(catalogue::test_provider)),
        see(LOOK_AROUND, "/api/v1/channels", get(catalogue::channels)),
        post_to(ACT_FOR_ALL, "/api/v1/channels/{name}/test", post(catalogue::test_channel)),
        see(LOOK_AROUND, "/api/v1/notices/preview", get(people::preview)),
        post_to(ACT_FOR_ALL, "/api/v1/notices/test", post(people::test)),
        see(RULE, "/api/v1/fleet", get(fleet::stored)),
        see(RULE, "/api/v1/users", get(people::users)),
        post_to(RULE, "/api/v1/users/{name}/disable", post(people::disable)),
        post_to(RULE, "/api/v1/subscribers/{id}/link", post(people::link)),
        // A code is money: who may see one, or say that it is spent, may do everything.
        see(RULE, "/api/v1/pins", get(codes::pins)),
        post_to(RULE, "/api/v1/pins/{id}/show", post(codes::show)),
        post_to(RULE, "/api/v1/pins/{id}/redeem", post(codes::redeem)),
        post_to(RULE, "/api/v1/pins/{id}/end", post(codes::end)),
        post_to(RULE, "/api/v1/pins/{id}/fetch", post(codes::fetch)),
        // Stopping is for everybody who works here; letting money flow again is not.
        post_to(ACT_FOR_ALL, "/api/v1/money/off", post(act::money_off)),
        post_to(RULE, "/api/v1/money/on", post(act::money_on)),
    ]
}
