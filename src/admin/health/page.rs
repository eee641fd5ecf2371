//! The text format of Prometheus, version 0.0.4. Values are whole numbers or seconds with
//! milliseconds, written from integers: nothing is rounded on the way.

use super::catalogue::{Kind, Metric};
use crate::domain::{Span, Timestamp};
use crate::flow::Times;
use std::fmt::{Display, Write};

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, metric: &Metric) {
        let Metric { name, kind, help, .. } = metric;
        let kind = kind.as_str();
        // Writing to a String cannot fail, here and below.
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").ok();
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        writeln!(self.0, "{name}{} {value}", label_set(labels)).ok();
    }

    /// A metric with one sample, or with none where nothing is known.
    pub(super) fn one(&mut self, metric: &Metric, value: Option<impl Display>) {
        self.each(metric, value.map(|value| ([], value)));
    }

    /// A metric with the values of its labels, in the order in which it names them.
    pub(super) fn each<'a, const N: usize, V: Display>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = ([&'a str; N], V)>,
    ) {
        debug_assert!(metric.labels.len() == N && metric.kind != Kind::Histogram);
        self.head(metric);
        for (values, value) in samples {
            // An empty label is the same as none.
            let labels: Vec<(&str, &str)> =
                metric.labels.iter().copied().zip(values).filter(|(_, v)| !v.is_empty()).collect();
            self.line(metric.name, &labels, value);
        }
    }

    /// A histogram with one label.
    pub(super) fn times<'a>(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = (&'a str, &'a Times)>,
    ) {
        debug_assert!(metric.labels.len() == 1 && metric.kind == Kind::Histogram);
        self.head(metric);
        for (value, times) in samples {
            let label = (metric.labels.first().copied().unwrap_or_default(), value);
            let bucket = format!("{}_bucket", metric.name);
            for (bound, count) in times.buckets() {
                self.line(&bucket, &[label, ("le", &bound_text(bound))], count);
            }
            self.line(&bucket, &[label, ("le", "+Inf")], times.count());
            self.line(&format!("{}_sum", metric.name), &[label], seconds(times.sum()));
            self.line(&format!("{}_count", metric.name), &[label], times.count());
        }
    }
}

fn label_set(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", labels.join(","))
}

/// A span in seconds, never below zero.
pub(super) fn seconds(span: Span) -> String {
    let ms = span.ms().max(0);
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// An instant in seconds since 1970.
pub(super) fn instant(at: Timestamp) -> String {
    seconds(Span::from_ms(at.ms()))
}

/// Bounds are written without needless zeros: `0.05`, `1`.
fn bound_text(span: Span) -> String {
    let text = seconds(span);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
