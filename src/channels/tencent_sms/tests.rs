//! The signature, the request, the table of codes, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
use super::*;

fn text(base: &str) -> String {
    CASE.table(base).replace("s3cret", "SECRET")
}

#[test]
fn the_signature_is_that_of_the_official_library() {
    let call = Call {
        host: "sms.tencentcloudapi.com",
        path: "/",
        body: r#"{"PhoneNumberSet": ["+8613800000000"], "SmsSdkAppId": "1400006666", "TemplateId": "1234", "SignName": "\u67d0\u67d0\u901a\u77e5", "TemplateParamSet": ["Home1", "1.20"], "SessionContext": "evt-1"}"#,
        at: Timestamp::from_ms(1_795_197_977_999),
    };
    assert_eq!(
        call.authorization("AKIDEXAMPLE", &SecretString::from("SECRET")),
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2026-11-20/sms/tc3_request, \
         SignedHeaders=content-type;host, \
         Signature=b75c5802b7fb5265ede067bcd6285585e52fd6197daafe057db1c1003183ee92"
    );
}

#[tokio::test]
async fn the_request_is_that_of_the_official_library() {
    let vendor = CASE.vendor().await;
    channel("tencent_sms", &text(&vendor.url)).send(&message(), &reader()).await;
    let seen = vendor.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-tc-action", "SendSms"),
        ("x-tc-version", "2021-01-11"),
        ("x-tc-region", "ap-guangzhou"),
    ] {
        assert_eq!(seen.headers[name], value);
    }
    let expected = json!({
        "PhoneNumberSet": ["+12025550199"], "SmsSdkAppId": "1400006666", "TemplateId": "1234",
        "SignName": "\u{67d0}\u{67d0}\u{901a}\u{77e5}",
        "TemplateParamSet": ["\u{94f6}\u{884c}\u{5361}", "3.20 USD"], "SessionContext": "n-42",
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
    // Signed as it was sent, `Host` included.
    let seconds: i64 = seen.headers["x-tc-timestamp"].parse().unwrap();
    let call = Call {
        host: &seen.headers["host"],
        path: "/",
        body: &seen.body,
        at: Timestamp::from_ms(seconds * 1000),
    };
    let expected = call.authorization("AKIDEXAMPLE", &SecretString::from("SECRET"));
    assert_eq!(seen.headers["authorization"], expected);
}

#[tokio::test]
async fn codes_are_sorted_of_the_call_and_of_the_number() {
    for (code, expected) in [
        ("FailedOperation.PhoneNumberInBlacklist", "BadRecipient"),
        ("InvalidParameterValue.IncorrectPhoneNumber", "BadRecipient"),
        ("UnsupportedOperation.UnsupportedRegion", "BadRecipient"),
        ("UnauthorizedOperation.ServiceSuspendDueToArrears", "BadConfig"),
        ("FailedOperation.InsufficientBalanceInSmsPackage", "BadConfig"),
        ("FailedOperation.SignatureIncorrectOrUnapproved", "BadConfig"),
        ("FailedOperation.ContainSensitiveWord", "BadConfig"),
        ("InvalidParameterValue.TemplateParameterLengthLimit", "BadConfig"),
        ("AuthFailure.SignatureFailure", "BadConfig"),
        ("InternalError.RequestTimeException", "BadConfig"),
        ("InternalError.Timeout", "Ambiguous"),
        ("InternalError.SendAndRecvFail", "Ambiguous"),
        ("InternalError", "Ambiguous"),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", "Retry { after: Some(Span(30000))"),
        ("LimitExceeded.PhoneNumberOneHourLimit", "Retry { after: Some(Span(3600000))"),
        ("LimitExceeded.PhoneNumberSameContentDailyLimit", "Retry { after: Some(Span(21600000))"),
        ("LimitExceeded.DeliveryFrequencyLimit", "Retry { after: Some(Span(60000))"),
        ("LimitExceeded.AppCountryOrRegionInBlacklist", "BadConfig"),
        ("RequestLimitExceeded", "Retry { after: None"),
        ("Something.New", "BadConfig"),
    ] {
        let said = json!({ "Code": code, "Message": "no SECRET" });
        for body in [
            json!({ "Response": { "Error": said, "RequestId": "r" } }),
            json!({ "Response": { "SendStatusSet": [said], "RequestId": "r" } }),
        ] {
            let vendor = Vendor::start([Answer::new(200, &body.to_string())]).await;
            let tencent = channel("tencent_sms", &text(&vendor.url));
            let said = format!("{:?}", tencent.send(&message(), &reader()).await);
            assert!(said.starts_with(expected) && !said.contains("SECRET"), "{code}: {said}");
        }
    }
}

#[tokio::test]
async fn the_key_is_tried_without_a_message() {
    for (body, is_fine) in [
        (r#"{"Response":{"SendStatusStatistics":{},"RequestId":"r"}}"#, true),
        (r#"{"Response":{"Error":{"Code":"AuthFailure.SecretIdNotFound"}}}"#, false),
        ("{}", false),
    ] {
        let vendor = Vendor::start([Answer::new(200, body)]).await;
        let tested = channel("tencent_sms", &text(&vendor.url)).test().await;
        assert_eq!(tested.is_ok(), is_fine, "{tested:?}");
        assert_eq!(vendor.only().headers["x-tc-action"], "SendStatusStatistics");
    }
}

/// Posted to the address that has the secret in it.
fn posted(body: &str) -> HookCall {
    let query = vec![("token".to_owned(), "0123456789abcdef".to_owned())];
    HookCall { query, ..call(&[], body) }
}

fn hearing() -> Arc<dyn Channel> {
    let text = format!("secret = \"0123456789abcdef\"\n{}", text("http://127.0.0.1:9"));
    channel(CASE.kind, &text)
}

#[test]
fn reports_come_in_lists_under_the_id_that_was_given() {
    let body = r#"[
        {"user_receive_time": "2026-11-20 08:03:04", "nationcode": "86", "mobile": "13800000000",
         "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "delivered",
         "sid": "5000:1045"},
        {"user_receive_time": "2026-11-20 08:03:05", "nationcode": "86", "mobile": "13800000001",
         "report_status": "FAIL", "errmsg": "MK:0001", "description": "switched off",
         "sid": "5000:1046"},
        {"report_status": "LATER", "sid": "5000:1047"},
        {"report_status": "SUCCESS"},
        {"sid": "5000:1048"},
        "SUCCESS"
    ]"#;
    let report = |id: &str, delivery| Report { message: id.to_owned(), delivery };
    let failed = Delivery::Failed { why: "MK:0001: switched off".to_owned() };
    let expected = vec![
        report("5000:1045", Delivery::Delivered),
        report("5000:1046", failed),
        report("5000:1047", Delivery::Underway),
    ];
    assert_eq!(hearing().hear(&posted(body)), Ok(expected));
    assert_eq!(hearing().hear(&posted("[]")), Ok(Vec::new()));
    assert_eq!(hearing().answer(2).to_string(), r#"{"errmsg":"OK","result":0}"#);
}

#[test]
fn what_is_no_list_of_reports_is_said_to_be_none() {
    for body in ["", "[", "{}", r#"{"report_status":"SUCCESS","sid":"1"}"#, "[null]"] {
        let heard = hearing().hear(&posted(body));
        assert!(matches!(heard, Err(HookError::Malformed(_))), "{body}: {heard:?}");
    }
}

#[test]
fn reports_are_taken_from_who_knows_the_secret() {
    let body = r#"[{"report_status":"SUCCESS","sid":"5000:1045"}]"#;
    assert!(hearing().hear(&posted(body)).is_ok());
    assert!(matches!(CASE.alone().hear(&posted(body)), Err(HookError::Closed(_))));
    let wrong = call(&[("authorization", "Bearer 0123456789abcdee")], body);
    for bad in [call(&[], body), wrong] {
        let heard = hearing().hear(&bad);
        assert!(matches!(heard, Err(HookError::Unproven(_))), "{heard:?}");
    }
    let short = format!("secret = \"short\"\n{}", text("http://127.0.0.1:9"));
    assert!(config(CASE.kind, &short).unwrap_err().join("\n").contains("at least 16"));
}
