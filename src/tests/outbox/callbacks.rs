//! Reports that vendors post in lists, through the daemon's own listener: what they change, and how
//! they are answered.

use super::{calm, say};
use crate::{prism::client, support::place::Place};
use axum::{Json, Router, extract::Query, http::Uri};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Receiver};
use topupd::{admin, domain::Severity, store::StoredNotice};

const SECRET: &str = "0123456789abcdef";

/// Whose first channel is whose gateway.
const PEOPLE: &str = "[[subscribers]]\nid = \"wei\"\nname = \"Wei\"\nemail = \"wei@example.com\"\nphone = \"+8613800000000\"\n\
    time_zone = \"UTC\"\nchannels = [\"ali\", \"zchat\"]\n\
    [[subscribers]]\nid = \"ann\"\nname = \"Ann\"\nemail = \"ann@example.com\"\nphone = \"+8613800000001\"\n\
    time_zone = \"UTC\"\nchannels = [\"ten\", \"zchat\"]\n";

/// Both gateways: they take every message, under an id made of ours.
async fn gateways() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = async |uri: Uri, body: String| {
        let asked: Value = serde_json::from_str(&body).unwrap_or_default();
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let ours = query.filter(|(key, _)| key == "OutId").map(|(_, value)| value).next();
        Json(match (ours, asked["SessionContext"].as_str()) {
            (Some(id), _) => json!({ "Code": "OK", "BizId": format!("biz-{id}") }),
            (_, Some(id)) => json!({ "Response": { "SendStatusSet": [
                { "Code": "Ok", "SerialNo": format!("sid-{id}") }] } }),
            _ => json!({}),
        })
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

fn channels(url: &str) -> String {
    let place = format!(
        "base_url = {url:?}\nallow_private_network = true\nsecret = {SECRET:?}\nsign_name = \"x\"\n"
    );
    format!(
        "[channels.ali.aliyun_sms]\n{place}access_key_id = \"a\"\naccess_key_secret = \"b\"\n\
         [channels.ali.aliyun_sms.templates.default]\ncode = \"SMS_1\"\nparams = {{ line = \"label\" }}\n\
         [channels.ten.tencent_sms]\n{place}secret_id = \"a\"\nsecret_key = \"b\"\nsdk_app_id = \"1\"\n\
         [channels.ten.tencent_sms.templates.default]\ncode = \"1\"\nparams = [\"label\"]\n"
    )
}

/// Aliyun, but it reports before it answers: what goes to Ann does not arrive. It tells when a
/// report was answered.
async fn hasty(hooks: Hooks) -> (String, Receiver<()>) {
    let (tell, told) = mpsc::channel(9);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |Query(asked): Query<BTreeMap<String, String>>| async move {
        let biz = format!("biz-{}", asked["OutId"]);
        let report = ali(&biz, asked["PhoneNumbers"] != "13800000001");
        tokio::spawn(async move {
            hooks.ali(&json!([ali("biz-of-nobody", true), report])).await;
            tell.send(()).await.unwrap();
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        Json(json!({ "Code": "OK", "BizId": biz }))
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, told)
}

/// What is posted to a channel, and what comes back.
#[derive(Clone)]
struct Hooks(String);

impl Hooks {
    /// To be answered by what listens at the address.
    async fn bind() -> (TcpListener, Self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, Self(url))
    }

    async fn post(&self, channel: &str, token: &str, body: &Value) -> (u16, String) {
        let url = format!("{}/hooks/channels/{channel}?token={token}", self.0);
        let sent = client().post(url).header("content-type", "application/json");
        let reply = sent.body(body.to_string()).send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// Posted by Aliyun.
    async fn ali(&self, body: &Value) {
        let answer = (200, r#"{"code":0,"msg":"OK"}"#.to_owned());
        assert_eq!(self.post("ali", SECRET, body).await, answer, "{body}");
    }

    /// Posted by Tencent.
    async fn ten(&self, body: &Value) {
        let answer = (200, r#"{"errmsg":"OK","result":0}"#.to_owned());
        assert_eq!(self.post("ten", SECRET, body).await, answer, "{body}");
    }
}

fn ali(id: &str, success: bool) -> Value {
    json!({ "biz_id": id, "success": success, "err_code": "MK:0001", "err_msg": "switched off" })
}

fn ten(id: &str, status: &str) -> Value {
    json!({ "sid": id, "report_status": status, "errmsg": "MK:0001", "description": "off" })
}

/// A notice: its state, its channel and what was reported of it.
async fn now(place: &Place, id: &str) -> (String, String, Option<String>) {
    let row = place.engine.store().notice(id).await.unwrap();
    (row.state, row.channel.unwrap_or_default(), row.delivery)
}

fn is(state: &str, channel: &str, delivery: Option<&str>) -> (String, String, Option<String>) {
    (state.to_owned(), channel.to_owned(), delivery.map(str::to_owned))
}

fn serve(place: &Place, listener: TcpListener) {
    let (engine, beats) = (place.engine.clone(), place.engine.beats().clone());
    tokio::spawn(admin::serve(engine, beats, listener, std::future::pending()));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_in_lists_change_only_what_was_sent_there_and_once() {
    let channels = channels(&gateways().await);
    let place = Place::with_notices(|fleet| PEOPLE.to_owned() + &calm(fleet), &channels).await;
    let (listener, hooks) = Hooks::bind().await;
    serve(&place, listener);

    say(&place, "wei", Severity::High).await;
    say(&place, "wei", Severity::Critical).await;
    say(&place, "ann", Severity::High).await;
    place.engine.tick().await.unwrap();
    let rows = async |who: &str| place.engine.store().notices(Some(who), 9).await.unwrap();
    let [wei, ann] = [rows("wei").await, rows("ann").await];
    let with = |severity| move |row: &&StoredNotice| row.severity == severity;
    let arrives = &wei.iter().find(with(Severity::High)).unwrap().id;
    let fails = &wei.iter().find(with(Severity::Critical)).unwrap().id;
    let other = &ann[0].id;
    for (id, channel) in [(arrives, "ali"), (fails, "ali"), (other, "ten")] {
        assert_eq!(now(&place, id).await, is("sent", channel, None));
    }

    // Who knows no secret changes nothing, nor does what cannot be read, nor another's id.
    let [good, bad] = [format!("biz-{arrives}"), format!("biz-{fails}")];
    let theirs = format!("sid-{other}");
    for token in ["", "0123456789abcdee"] {
        assert_eq!(hooks.post("ali", token, &json!([ali(&good, true)])).await.0, 401);
        assert_eq!(hooks.post("ten", token, &json!([ten(&theirs, "SUCCESS")])).await.0, 401);
    }
    for body in [json!({}), json!([{ "out_id": arrives }])] {
        assert_eq!(hooks.post("ali", SECRET, &body).await.0, 422);
    }
    hooks.ali(&json!([ali("biz-of-nobody", false), ali(&theirs, false), ali("", true)])).await;
    hooks.ten(&json!([ten(&good, "FAIL"), ten(&theirs, "LATER")])).await;
    assert_eq!(now(&place, arrives).await, is("sent", "ali", None));
    assert_eq!(now(&place, other).await, is("sent", "ten", Some("underway")));

    // Several at once; one goes another way.
    hooks.ali(&json!([{ "odd": 1 }, ali(&good, true), ali(&bad, false)])).await;
    assert_eq!(now(&place, arrives).await, is("sent", "ali", Some("delivered")));
    assert_eq!(now(&place, fails).await.1, "zchat");
    let row = place.engine.store().notice(fails).await.unwrap();
    assert_eq!(row.last_error.as_deref(), Some("not delivered: MK:0001: switched off"));
    place.engine.tick().await.unwrap();

    // The same again, and the opposite: what is terminal stays, and nothing is sent once more.
    hooks.ali(&json!([ali(&good, true), ali(&bad, false)])).await;
    hooks.ali(&json!([ali(&good, false), ali(&bad, true)])).await;
    place.engine.tick().await.unwrap();
    assert_eq!(now(&place, arrives).await, is("sent", "ali", Some("delivered")));
    assert_eq!(now(&place, fails).await, is("sent", "zchat", None));
    let words = ["ali", "zchat"].map(|name| (name.to_owned(), "accepted".to_owned()));
    assert_eq!(place.tries(fails).await, words);
    assert_eq!(place.tries(arrives).await, words[..1]);

    hooks.ten(&json!([ten(&theirs, "SUCCESS")])).await;
    hooks.ten(&json!([ten(&theirs, "FAIL"), ten(&theirs, "LATER")])).await;
    assert_eq!(now(&place, other).await, is("sent", "ten", Some("delivered")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_before_the_answer_to_its_message_is_not_lost() {
    let (listener, hooks) = Hooks::bind().await;
    let (gateway, mut answered) = hasty(hooks).await;
    let people = PEOPLE.replace("\"ten\"", "\"ali\"");
    let channels = channels(&gateway);
    let place = Place::with_notices(|fleet| people.clone() + &calm(fleet), &channels).await;
    serve(&place, listener);
    say(&place, "wei", Severity::High).await;
    say(&place, "ann", Severity::High).await;
    place.engine.tick().await.unwrap();
    for _ in 0..2 {
        answered.recv().await.unwrap();
    }
    let of = async |who: &str| place.engine.store().notices(Some(who), 9).await.unwrap().remove(0);
    let (wei, ann) = (of("wei").await.id, of("ann").await.id);
    assert_eq!(now(&place, &wei).await, is("sent", "ali", Some("delivered")));
    place.engine.tick().await.unwrap();
    assert_eq!(now(&place, &ann).await, is("sent", "zchat", None));
    let words = ["ali", "zchat"].map(|name| (name.to_owned(), "accepted".to_owned()));
    assert_eq!(place.tries(&ann).await, words);
}
