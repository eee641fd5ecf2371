use super::*;
use std::sync::{Arc, Mutex};
use tracing::{Subscriber, dispatcher::Dispatch, span};

/// What came through to a layer.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Seen {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        _: &span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name().to_owned());
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().name().to_owned());
    }
}

#[test]
fn without_traces_no_span_is_made_however_much_is_logged() {
    let quiet = tracing_subscriber::registry().with(vec![logs(LogFormat::Json, "trace")]);
    tracing::dispatcher::with_default(&Dispatch::new(quiet), || {
        assert!(spans::stage("poll", None).is_disabled());
        assert!(spans::call("carrier", "read").is_disabled());
        assert!(spans::delivery("mail", "topup_paid").is_disabled());
        assert!(spans::request("GET", Some("/healthz")).is_disabled());
        assert!(tracing::enabled!(tracing::Level::TRACE), "the log itself is on");
    });
}

#[test]
fn traces_have_our_spans_and_neither_events_nor_other_spans() {
    let seen = Seen::default();
    let parts: Vec<Part> =
        vec![logs(LogFormat::Json, "error"), seen.clone().with_filter(ours()).boxed()];
    let both = tracing_subscriber::registry().with(parts);
    tracing::dispatcher::with_default(&Dispatch::new(both), || {
        let span = spans::stage("poll", Some("carrier"));
        assert!(!span.is_disabled());
        span.in_scope(|| {
            tracing::info!("a text about +12025550123");
            tracing::error_span!("somebody_elses").in_scope(|| spans::call("carrier", "read"));
        });
    });
    assert_eq!(*seen.0.lock().unwrap(), ["stage", "call"]);
}
