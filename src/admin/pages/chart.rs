//! A line's balance or data over time, as shapes for an SVG: what was read, where rules fire, what
//! is foretold, and what was done. Pure; whole numbers only.

use crate::domain::{Span, Timestamp};
use serde::Serialize;

const WIDTH: i64 = 760;
const HEIGHT: i64 = 240;
const LEFT: i64 = 74;
const RIGHT: i64 = 12;
const TOP: i64 = 12;
const BOTTOM: i64 = 28;

/// What there is to draw. Values are minor units or bytes.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// What was read, oldest first.
    pub(super) points: Vec<(Timestamp, i64)>,
    /// Where rules fire: the rule and the value.
    pub(super) thresholds: Vec<(String, i64)>,
    /// When it runs out: at the earliest, and at the middling pace.
    pub(super) runout: Option<(Timestamp, Option<Timestamp>)>,
    /// What was done: when, its class, and what it says.
    pub(super) marks: Vec<(Timestamp, &'static str, String)>,
}

/// The shapes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Chart {
    width: i64,
    height: i64,
    left: i64,
    right: i64,
    bottom: i64,
    /// The points of a polyline.
    line: String,
    /// The points of a polygon between the two paces.
    band: Option<String>,
    now_x: i64,
    thresholds: Vec<Labelled>,
    values: Vec<Labelled>,
    days: Vec<Labelled>,
    marks: Vec<Labelled>,
}

/// A place with words: `at` is an x or a y.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Labelled {
    at: i64,
    class: &'static str,
    text: String,
}

/// The most of the time ahead that is shown without a forecast; a third of what lies behind else.
const AHEAD: Span = Span::days(7);
/// The most with one.
const AHEAD_MAX: Span = Span::days(45);
/// Below this, the hour matters.
const SHORT: Span = Span::days(4);

impl Chart {
    /// `None` with fewer than two readings: there is nothing to see yet.
    pub(super) fn of(
        drawn: &Drawn,
        now: Timestamp,
        value_text: impl Fn(i64) -> String,
        time_text: impl Fn(Timestamp, bool) -> String,
    ) -> Option<Self> {
        let (first, last) = (drawn.points.first()?, drawn.points.last()?);
        if drawn.points.len() < 2 {
            return None;
        }
        let runs_out = drawn.runout.map(|(earliest, middle)| middle.unwrap_or(earliest));
        let behind = now.since(first.0).divided_by(3).max(Span::minutes(1));
        let ahead = runs_out.unwrap_or(now).max(now.plus(AHEAD.min(behind)));
        let ahead = ahead.min(now.plus(AHEAD_MAX));
        let (begin, end) = (first.0, ahead.max(last.0));
        let highest = drawn.points.iter().map(|(_, value)| *value);
        let highest = highest.chain(drawn.thresholds.iter().map(|(_, value)| *value)).max()?;
        let top = highest.max(1);
        let x = |at: Timestamp| {
            let at = at.ms().clamp(begin.ms(), end.ms());
            LEFT + scaled(at - begin.ms(), end.ms() - begin.ms(), WIDTH - LEFT - RIGHT)
        };
        let y = |value: i64| {
            let room = HEIGHT - TOP - BOTTOM;
            TOP + room - scaled(value.clamp(0, top), top, room)
        };
        let point = |(at, value): (Timestamp, i64)| format!("{},{}", x(at), y(value));
        // Of several readings on one dot of the screen the last one counts.
        let mut line: Vec<(i64, String)> = Vec::new();
        for (at, value) in &drawn.points {
            let here = x(*at);
            if line.last().is_some_and(|(before, _)| *before == here) {
                line.pop();
            }
            line.push((here, point((*at, *value))));
        }
        let line: Vec<String> = line.into_iter().map(|(_, text)| text).collect();
        let band = drawn.runout.map(|(earliest, middle)| {
            let late = middle.unwrap_or(end);
            [point(*last), point((earliest, 0)), point((late, 0))].join(" ")
        });
        let thresholds = drawn
            .thresholds
            .iter()
            .map(|(rule, value)| Labelled {
                at: y(*value),
                class: "threshold",
                text: format!("{rule}: {}", value_text(*value)),
            })
            .collect();
        let values = [0, top / 2, top]
            .map(|value| Labelled { at: y(value), class: "value", text: value_text(value) })
            .into();
        let is_short = end.since(begin) < SHORT;
        let step = end.since(begin).divided_by(4).max(Span::seconds(1));
        let mut days = Vec::new();
        let mut at = begin;
        while at <= end && days.len() < 5 {
            days.push(Labelled { at: x(at), class: "day", text: time_text(at, is_short) });
            at = at.plus(step);
        }
        let marks = drawn
            .marks
            .iter()
            .filter(|(at, _, _)| *at >= begin)
            .map(|(at, class, text)| Labelled { at: x(*at), class, text: text.clone() })
            .collect();
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: WIDTH - RIGHT,
            bottom: HEIGHT - BOTTOM,
            line: line.join(" "),
            band,
            now_x: x(now),
            thresholds,
            values,
            days,
            marks,
        })
    }
}

/// `part` of `whole`, on a length.
fn scaled(part: i64, whole: i64, length: i64) -> i64 {
    let wide = i128::from(part) * i128::from(length) / i128::from(whole.max(1));
    i64::try_from(wide).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_ms(Span::days(day).ms())
    }

    fn chart(drawn: &Drawn) -> Option<Chart> {
        Chart::of(drawn, at(10), |value| value.to_string(), |at, _| at.ms().to_string())
    }

    #[test]
    fn nothing_is_drawn_of_too_little() {
        assert_eq!(chart(&Drawn::default()), None);
        assert_eq!(chart(&Drawn { points: vec![(at(1), 5)], ..Drawn::default() }), None);
    }

    #[test]
    fn everything_stays_within_the_frame() {
        let drawn = Drawn {
            points: (0..500).map(|n| (at(n / 50), 100_000 - n)).chain([(at(10), -5)]).collect(),
            thresholds: vec![("low".into(), 500), ("high".into(), 200_000)],
            runout: Some((at(12), Some(at(400)))),
            marks: vec![(at(3), "topup", "10.00 USD".into()), (at(-3), "topup", "old".into())],
        };
        let chart = chart(&drawn).unwrap();
        for point in chart.line.split(' ').chain(chart.band.as_deref().unwrap().split(' ')) {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (i64, i64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y));
        }
        assert!(chart.line.split(' ').count() <= 11, "one dot of a day is one point");
        assert_eq!(chart.marks.len(), 1, "what was before the first reading is not shown");
        assert_eq!(chart.thresholds[1].at, TOP);
        assert!(chart.days.len() >= 2 && chart.now_x > LEFT);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let drawn = Drawn {
            points: vec![(Timestamp::from_ms(0), i64::MAX), (at(1), i64::MAX)],
            ..Drawn::default()
        };
        assert!(chart(&drawn).is_some());
    }
}
