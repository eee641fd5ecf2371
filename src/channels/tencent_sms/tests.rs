//! The signature, the request, the table of codes.

use super::super::testing::{Answer, Vendor, channel, message, reader};
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
