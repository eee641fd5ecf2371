//! Lines on which nothing happens: a reading that says what the last one said leads to the decision
//! that was made already, so it need not be made again.

use super::{
    Decision, Metric, Op, Rule, Snapshot, Span, SubscriptionStatus, Timestamp, decide::is_calm,
    episodes::next_firing, milestone,
};

/// How long such a line stays undecided at most: what was overlooked here shows then.
const LONGEST: Span = Span::days(7);

/// Until when a reading that repeats the newest one needs no decision, given this `decision`; `None`
/// where every reading counts. Silence is another matter: a line goes stale as any other.
///
/// Time must not matter before that instant but by staleness, and neither must how often the same was
/// read.
pub fn steady_until(snapshot: &Snapshot, decision: &Decision, now: Timestamp) -> Option<Timestamp> {
    let reading = snapshot.reading.as_ref()?;
    let values = &reading.values;
    let ends = [snapshot.service_end_at(), snapshot.number_loss_at()];
    let is_quiet = is_calm(snapshot, decision)
        && snapshot.subscription.status == SubscriptionStatus::Active
        && snapshot.episodes.is_empty()
        && snapshot.trouble.is_none()
        && snapshot.stale_since.is_none()
        && snapshot.doubt_since.is_none()
        && snapshot.rules.iter().all(sees_values_only)
        // Once an end is over, the next reading tells whether the operator renewed.
        && ends.into_iter().flatten().all(|end| end > now);
    let times = [
        Some(now.plus(LONGEST)),
        milestone::next(snapshot, now),
        next_firing(snapshot, now),
        values.next_lapse(now),
    ];
    let until = times.into_iter().chain(ends).flatten().filter(|at| *at > now).min();
    until.filter(|_| is_quiet)
}

/// True for a rule that a reading moves by its values alone, or by dates that come nearer.
fn sees_values_only(rule: &Rule) -> bool {
    let is_plain = |metric: Metric, op: Op| match metric {
        Metric::Balance
        | Metric::DataLeft
        | Metric::MinutesLeft
        | Metric::SmsLeft
        | Metric::RenewalsAffordable => true,
        Metric::DaysToServiceEnd | Metric::DaysToNumberLoss => op == Op::AtMost,
        Metric::DaysToRunout | Metric::BurnPerDay | Metric::IdleDays | Metric::ReadingAge => false,
    };
    rule.conditions().iter().all(|condition| is_plain(condition.metric, condition.op))
        && rule.unless.is_empty()
        // How many must be clear matters to open breaches only.
        && rule.fire_after <= 1
        && !rule.wants_forecast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Condition, Policy, Quantity, Reading, decide,
        fixtures::{at, keep_alive, money, policy, reading, snapshot},
    };
    use proptest::prelude::*;

    fn steady(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        steady_until(snapshot, &decide(snapshot, policy, now), now)
    }

    #[test]
    fn a_calm_line_is_steady_until_a_date_counts() {
        let (policy, calm) = (policy(), snapshot(reading("23.00 USD", 0)));
        // Twenty days to the service end; the rule fires seven days before it, and a week is the most.
        assert_eq!(steady(&calm, &policy, at(0)), Some(at(0).plus(Span::days(7))));
        let later = at(0).plus(Span::days(10));
        let moved = Snapshot {
            reading: Some(Reading { at: later, ..reading("23.00 USD", 0) }),
            ..calm.clone()
        };
        assert_eq!(steady(&moved, &policy, later), Some(at(0).plus(Span::days(13))));
        // In breach, stale, in doubt, in trouble: every reading counts.
        assert_eq!(steady(&snapshot(reading("3.00 USD", 0)), &policy, at(0)), None);
        for restless in [
            Snapshot { stale_since: Some(at(0)), ..calm.clone() },
            Snapshot { doubt_since: Some(at(0)), ..calm.clone() },
            Snapshot { trouble: Some(reading("23.00 USD", 0)), ..calm.clone() },
            Snapshot { reading: None, ..calm },
        ] {
            assert_eq!(steady(&restless, &policy, at(0)), None);
        }
    }

    #[test]
    fn rules_that_count_readings_or_look_at_their_age_see_each_of_them() {
        let (policy, calm) = (policy(), snapshot(reading("23.00 USD", 0)));
        let age = Condition {
            metric: Metric::ReadingAge,
            op: Op::AtLeast,
            threshold: Quantity::Age(Span::hours(12)),
            clear_at: Quantity::Age(Span::hours(11)),
        };
        for rule in [
            Rule { fire_after: 2, ..keep_alive() },
            Rule { unless: vec![age.clone()], ..keep_alive() },
            Rule { any: vec![age], ..keep_alive() },
        ] {
            let watched = Snapshot { rules: vec![keep_alive(), rule], ..calm.clone() };
            assert_eq!(steady(&watched, &policy, at(0)), None);
        }
        let patient = Rule { clear_after: 3, ..keep_alive() };
        let watched = Snapshot { rules: vec![patient], ..calm };
        assert!(steady(&watched, &policy, at(0)).is_some());
    }

    proptest! {
        /// What is called steady is so: until then, the same values read again change nothing.
        #[test]
        fn repeated_readings_of_a_steady_line_change_nothing(
            cents in 0_i64..4000,
            end_minutes in -60_i64..60 * 24 * 40,
            level in 1_i64..3000,
            lead in 0_i64..20,
            parts in proptest::collection::vec(1_i64..1000, 1..5),
        ) {
            let policy = policy();
            let mut rule = keep_alive();
            let levels = [
                Quantity::Money(money(&format!("{}.{:02} USD", level / 100, level % 100))),
                Quantity::Days(Span::days(lead)),
            ];
            for (condition, threshold) in rule.any.iter_mut().zip(levels) {
                condition.threshold = threshold;
                condition.clear_at = threshold.beyond(true);
            }
            let mut line = snapshot(reading(&format!("{}.{:02} USD", cents / 100, cents % 100), 0));
            line.rules = vec![rule];
            if let Some(reading) = &mut line.reading {
                reading.values.service_end_at = Some(at(end_minutes));
            }
            // Reminders that were crossed before are told at once; what is looked at is the time after.
            let first = decide(&line, &policy, at(0));
            line.milestone = first.milestone.or(line.milestone);
            let Some(until) = steady(&line, &policy, at(0)) else { return Ok(()) };
            let span = until.since(at(0)).ms();
            for part in parts {
                let now = at(0).plus(Span::from_ms(span * part / 1000));
                prop_assume!(now < until);
                let again = line.reading.clone().map(|reading| Reading { at: now, ..reading });
                let later = Snapshot { reading: again, ..line.clone() };
                let decision = decide(&later, &policy, now);
                prop_assert!(is_calm(&later, &decision), "{decision:?}");
                prop_assert!(steady_until(&later, &decision, now).is_some());
            }
        }
    }
}
