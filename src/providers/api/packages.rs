//! Several packages on one eSIM, as the values of a reading.

use crate::domain::{Bucket, Metric, Quantity, Timestamp, Values};

/// One package of data on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::providers) struct Package {
    /// What it is called.
    pub(in crate::providers) name: String,
    /// Bytes left; `None` where it has no limit.
    pub(in crate::providers) left: Option<i64>,
    /// When it ends; `None` where that is not known yet, since it has not begun.
    pub(in crate::providers) ends_at: Option<Timestamp>,
}

/// What a line has left in `packages`: their sum, each of them, and when the last one ends.
///
/// One without a limit leaves no figure at all, since the sum of the others would be too low; one
/// that has not begun leaves the end open, since it ends after those that have.
pub(in crate::providers) fn package_values(packages: Vec<Package>, now: Timestamp) -> Values {
    let (over, here): (Vec<Package>, Vec<Package>) =
        packages.into_iter().partition(|p| p.ends_at.is_some_and(|at| at <= now));
    let lasting = if here.is_empty() { &over } else { &here };
    let ends: Option<Vec<Timestamp>> = lasting.iter().map(|p| p.ends_at).collect();
    let service_end_at = ends.and_then(|ends| ends.into_iter().max());
    let left: Option<Vec<i64>> = here.iter().map(|p| p.left).collect();
    let Some(left) = left else { return Values { service_end_at, ..Values::default() } };
    let buckets = here
        .into_iter()
        .filter_map(|p| {
            Some(Bucket {
                left: Quantity::Bytes(p.left?),
                metric: Metric::DataLeft,
                expires_at: p.ends_at,
                name: p.name.chars().take(60).collect(),
            })
        })
        .collect();
    let data_left = Some(left.into_iter().fold(0, i64::saturating_add));
    Values { data_left, service_end_at, buckets, ..Values::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(left: Option<i64>, ends: Option<i64>) -> Package {
        Package { name: "p".to_owned(), left, ends_at: ends.map(Timestamp::from_ms) }
    }

    #[test]
    fn what_is_over_no_longer_counts() {
        let packages = vec![
            package(Some(5), Some(10)),
            package(Some(7), Some(30)),
            package(Some(9), Some(20)),
        ];
        let at = |ms| package_values(packages.clone(), Timestamp::from_ms(ms));
        let (early, late, last) = (at(0), at(10), at(40));
        assert_eq!((early.data_left, early.buckets.len()), (Some(21), 3));
        assert_eq!((late.data_left, late.buckets.len()), (Some(16), 2));
        assert_eq!(late.service_end_at, Some(Timestamp::from_ms(30)));
        // All are over: nothing is left, and it ended when the last one did.
        assert_eq!((last.data_left, last.buckets.len()), (Some(0), 0));
        assert_eq!(last.service_end_at, Some(Timestamp::from_ms(30)));
    }

    #[test]
    fn without_a_limit_there_is_no_figure_and_without_an_end_no_date() {
        let now = Timestamp::from_ms(0);
        let free = package_values(vec![package(None, Some(9)), package(Some(1), Some(5))], now);
        // Nor buckets, of which somebody might make a sum.
        assert_eq!((free.data_left, free.buckets.len()), (None, 0));
        assert_eq!(free.service_end_at, Some(Timestamp::from_ms(9)));
        let queued = package_values(vec![package(Some(1), Some(5)), package(Some(2), None)], now);
        assert_eq!((queued.data_left, queued.service_end_at), (Some(3), None));
        assert_eq!(package_values(Vec::new(), now).data_left, Some(0));
    }
}
