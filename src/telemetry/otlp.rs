//! Spans on their way to a collector: OTLP over HTTP, in protobuf.
//!
//! Invariant: nobody waits for the collector. Spans go through a bounded queue to a thread of their
//! own; what does not fit or is not taken is lost. Its silence is told once, not at every batch.

use super::spans;
use crate::config::Otlp;
use crate::domain::Span;
use crate::transport::http::{Reach, call, poll_client};
use async_trait::async_trait;
use opentelemetry::{Context, KeyValue, Value, trace::Status};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanProcessor,
    },
};
use reqwest::{Client, header::HeaderMap};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::runtime::Handle;

/// Spans that wait at most; more are lost.
const QUEUE: usize = 2048;
/// Spans sent in one request.
const BATCH: usize = 512;
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(5);
/// How long the collector may take for one batch.
const TIMEOUT: Span = Span::seconds(5);

/// Whoever makes spans that go to the collector.
pub(super) fn provider(otlp: &Otlp) -> Result<SdkTracerProvider, String> {
    let is_tls = otlp.endpoint.scheme() == "https";
    let courier = Courier {
        client: poll_client(Reach { private_network: true, tls: is_tls })?,
        headers: otlp.headers.clone(),
        runtime: Handle::try_current().map_err(|error| error.to_string())?,
        is_refused: AtomicBool::new(false),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(courier)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(otlp.traces())
        .build()
        .map_err(|error| error.to_string())?;
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(GATHER)
        .build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Ok(SdkTracerProvider::builder()
        .with_resource(resource()?)
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(Busy(batches))
        .build())
}

/// Who speaks. The id is another one after each start: several daemons may share one database.
fn resource() -> Result<Resource, String> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| format!("no random bytes ({error})"))?;
    let attributes = [
        KeyValue::new("service.name", "topupd"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", data_encoding::HEXLOWER.encode(&id)),
    ];
    // Not the usual builder: that one reads the environment, which only the configuration does.
    Ok(Resource::builder_empty().with_attributes(attributes).build())
}

/// Leaves out rounds that found nothing: they come every second, and would drown the others.
#[derive(Debug)]
struct Busy(BatchSpanProcessor);

impl SpanProcessor for Busy {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !is_idle(&span) {
            self.0.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn is_idle(span: &SpanData) -> bool {
    let saw_nothing = |a: &KeyValue| a.key.as_str() == spans::SEEN && a.value == Value::I64(0);
    !matches!(span.status, Status::Error { .. }) && span.attributes.iter().any(saw_nothing)
}

/// Carries batches to the collector by our own client.
#[derive(Debug)]
struct Courier {
    client: Client,
    headers: HeaderMap,
    /// The exporter's thread is none of the runtime's.
    runtime: Handle,
    is_refused: AtomicBool,
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let request = self.client.post(head.uri.to_string()).headers(head.headers);
        // The spans may tell how the business goes, but no secret; that is in the headers alone.
        let request = request.headers(self.headers.clone()).body(body);
        let sent = match self.runtime.spawn(call(request, TIMEOUT)).await {
            Ok(Ok(reply)) => Ok(reply.status),
            Ok(Err(error)) => Err(error.why().to_owned()),
            // The program ends, and the runtime before this thread.
            Err(gone) => return Err(gone.into()),
        };
        self.tell(&sent);
        // Nobody reads what else the collector said.
        Ok(Response::builder().status(sent?).body(Bytes::new())?)
    }
}

impl Courier {
    fn tell(&self, sent: &Result<u16, String>) {
        let why = match sent {
            Ok(200..=299) => {
                if self.is_refused.swap(false, Ordering::Relaxed) {
                    tracing::info!("the collector takes traces again");
                }
                return;
            }
            Ok(status) => format!("it answered {status}"),
            Err(why) => why.clone(),
        };
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!("the collector takes no traces: {why}; they are lost until it does");
        }
    }
}
