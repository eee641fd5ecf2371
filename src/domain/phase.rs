//! Where in its pace each line has its turn. Lines keep their turns: so the load is even at any time of
//! the day, and lines that lie side by side in the database are looked up, asked and written together,
//! from the same few pages.

use super::{Span, Timestamp};
use sha2::{Digest as _, Sha256};

/// A part of a pace, in 2^64ths: where in it a line is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase(u64);

/// Where a line lies among all lines: its number, counted from 1, and about how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub number: u64,
    /// The highest number there is.
    pub of: u64,
}

/// So many lines that lie side by side have their turns one after the other.
const NEIGHBOURS: u64 = 64;

/// The golden section of 2^64: its multiples, taken around a circle, lie evenly on it however many
/// there are.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Phase {
    /// One that belongs to `name`, and is different for others: no two installations need ask the same
    /// carrier on the same second.
    pub fn of(name: &str) -> Self {
        let hash = Sha256::digest(name);
        Self(hash.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// Both of them, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// That of the line at `place` in an installation that begins here.
    ///
    /// Blocks of neighbours begin evenly around the circle, and the lines of each follow one another over
    /// twice as much of it as there is for one block, so that no gap is left between two. Where there is
    /// one block only, its lines are as far apart as can be.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        let blocks = place.of.div_ceil(NEIGHBOURS).max(1);
        let (block, within) = (place.number / NEIGHBOURS, place.number % NEIGHBOURS);
        let turn = if blocks == 1 {
            within.wrapping_mul(GOLDEN)
        } else {
            let halvings = blocks.next_power_of_two().trailing_zeros().saturating_sub(1);
            within.wrapping_mul(1 << 58).checked_shr(halvings).unwrap_or(0)
        };
        Self(self.0.wrapping_add(block.wrapping_mul(GOLDEN)).wrapping_add(turn))
    }

    /// From `at` to the nearest instant of this phase in a pace of `every`: at most half of it, negative
    /// where that instant is before.
    pub fn from(self, at: Timestamp, every: Span) -> Span {
        let pace = i128::from(every.ms().max(1));
        let into = (pace.saturating_mul(i128::from(self.0))) >> u64::BITS;
        let ahead = into.saturating_sub(i128::from(at.ms())).rem_euclid(pace);
        let behind = pace.saturating_sub(ahead);
        let nearest = if ahead <= behind { ahead } else { behind.saturating_neg() };
        Span::from_ms(i64::try_from(nearest).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Span = Span::days(1);

    fn turn(number: u64, of: u64) -> i64 {
        let at = Phase::of("here").at(Place { number, of });
        at.from(Timestamp::from_ms(DAY.ms() / 2), DAY).ms() + DAY.ms() / 2
    }

    #[test]
    fn many_lines_are_spread_evenly() {
        for (lines, most_over_least) in
            [(65_u64, 4), (300, 3), (1_000, 3), (10_000, 2), (70_000, 2)]
        {
            let mut hours = [0_u64; 24];
            for number in 1..=lines {
                let hour = turn(number, lines).rem_euclid(DAY.ms()) / Span::hours(1).ms();
                hours[usize::try_from(hour).unwrap()] += 1;
            }
            let (least, most) = (hours.iter().min().unwrap(), hours.iter().max().unwrap());
            assert!(*most <= least * most_over_least, "{lines} lines: {hours:?}");
        }
    }

    #[test]
    fn few_lines_are_far_apart() {
        let mut turns: Vec<i64> = (1..=4).map(|number| turn(number, 4)).collect();
        turns.sort_unstable();
        let apart = turns.windows(2).map(|two| two[1] - two[0]).min().unwrap();
        assert!(apart > Span::hours(3).ms(), "{turns:?}");
    }

    #[test]
    fn neighbours_have_their_turns_one_after_the_other() {
        // Each of 157 blocks has a 128th of a day: from 6,400 to 6,463 all is over within twelve minutes.
        let first = turn(6_400, 10_000);
        for number in 6_400..6_464 {
            let after = (turn(number, 10_000) - first).rem_euclid(DAY.ms());
            assert!(after <= DAY.ms() / 128, "{number} is {after} ms after the first");
        }
        let next = (turn(6_464, 10_000) - first).rem_euclid(DAY.ms());
        assert!(next > DAY.ms() / 128, "the next block has another turn");
    }

    #[test]
    fn installations_and_lines_differ() {
        let (one, other) = (Phase::of("one"), Phase::of("other"));
        assert_ne!(one, other);
        assert_ne!(one.and(Phase::of("a")), one.and(Phase::of("b")));
        assert_eq!(one.and(Phase::of("a")), Phase::of("a").and(one));
    }

    #[test]
    fn the_nearest_instant_is_found_on_both_sides_and_at_the_ends_of_time() {
        let quarter = Phase(1 << 62);
        let from = |ms: i64| quarter.from(Timestamp::from_ms(ms), Span::from_ms(100)).ms();
        assert_eq!((from(25), from(24), from(26)), (0, 1, -1));
        assert_eq!((from(75), from(76), from(-75)), (50, 49, 0));
        assert_eq!(quarter.from(Timestamp::from_ms(7), Span::ZERO), Span::ZERO);
        for ms in [i64::MIN, i64::MAX] {
            let found = Phase(u64::MAX).from(Timestamp::from_ms(ms), Span::from_ms(i64::MAX));
            assert!(found.abs() <= Span::from_ms(i64::MAX / 2 + 1));
        }
        let all = Place { number: u64::MAX, of: u64::MAX };
        assert_ne!(quarter.at(all), quarter, "no number is too large");
    }
}
