//! One day, second by second.

/// Somebody who is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Provider {
    pub(super) name: &'static str,
    /// Its share of the lines.
    pub(super) percent: u64,
    /// What it allows a second.
    pub(super) rate: u64,
}

/// What carries the polls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) words: &'static str,
    /// Polls a second that all instances carry together.
    pub(super) instances: u64,
    /// Polls a second that the primary commits.
    pub(super) primary: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub(super) polls: u64,
    /// The most in one second.
    pub(super) peak: u64,
    /// How long a poll waits past its time, in 99 of 100 cases, without the outage.
    pub(super) late_p99: u64,
    /// Seconds from the end of the outage until nobody waits longer than before it; of a provider
    /// that cannot keep up anyway, the rest of the day.
    pub(super) recovered_after: u64,
    /// Providers whose lines wait for them, and how long at most.
    pub(super) slowest: Vec<(&'static str, u64)>,
}

const SECONDS: u64 = 86_400;
const CADENCE: u64 = 6 * 3600;
/// Percent of lines within seven days of a deadline (polled twice as often) and within two (six times).
const NEAR: u64 = 12;
const NEARER: u64 = 4;
const OUTAGE: std::ops::Range<u64> = 43_200..46_800;
/// Overdue polls are spread over this.
const SPREAD: u64 = 600;

/// Polls are counted in thousandths: a small fleet has less than one in a second.
const ONE: u64 = 1000;

impl Day {
    /// The day of `lines` lines at `providers`.
    pub(super) fn of(lines: u64, layout: Layout, providers: &[Provider]) -> Self {
        let mut day = Self::default();
        let mut queues: Vec<Queue> = providers.iter().map(|p| Queue::new(lines, *p)).collect();
        for second in 0..SECONDS {
            let is_down = OUTAGE.contains(&second);
            let mut room = if is_down { 0 } else { layout.instances.min(layout.primary) * ONE };
            for queue in &mut queues {
                queue.arrive(second);
            }
            // Fair between providers: whoever wants least is served first, and what is left is shared.
            queues.sort_by_key(|queue| queue.wants());
            let mut left = u64::try_from(queues.len()).unwrap_or(1);
            let mut served = 0;
            for queue in &mut queues {
                let share = room / left.max(1);
                let done = queue.serve(share, second);
                room = room.saturating_sub(done);
                left = left.saturating_sub(1);
                served += done;
            }
            day.peak = day.peak.max(served / ONE);
        }
        day.polls = queues.iter().map(|queue| queue.served).sum::<u64>() / ONE;
        let all = queues.iter().flat_map(|queue| &queue.late);
        day.late_p99 = p99(all.filter(|late| !touched(late.second)).copied().collect());
        for queue in &queues {
            let before = queue.late.iter().filter(|late| late.second < OUTAGE.start);
            let usual = before.map(|late| late.waited).max().unwrap_or(0);
            let mut after = queue.late.iter().filter(|late| late.second >= OUTAGE.end).rev();
            let last = after.find(|late| late.waited > usual.saturating_add(1));
            let until = last.map_or(0, |late| late.second.saturating_sub(OUTAGE.end));
            day.recovered_after = day.recovered_after.max(until);
            if usual > 60 {
                day.slowest.push((queue.provider.name, usual));
            }
        }
        day
    }
}

/// True for times at which the outage may be felt.
const fn touched(second: u64) -> bool {
    second >= OUTAGE.start
}

/// How long a poll waits in 99 of 100 cases.
fn p99(mut all: Vec<Late>) -> u64 {
    all.sort_unstable_by_key(|late| late.waited);
    let mut left = all.iter().map(|late| late.polls).sum::<u64>() / 100 * 99;
    let place = all.iter().find(|late| {
        left = left.saturating_sub(late.polls);
        left == 0
    });
    place.map_or(0, |late| late.waited)
}

/// Polls that were served in one second, and how long the oldest of them had waited.
#[derive(Clone, Copy, Debug)]
struct Late {
    second: u64,
    waited: u64,
    polls: u64,
}

/// The polls of one provider.
#[derive(Debug)]
struct Queue {
    provider: Provider,
    /// Thousandths of polls that become due each second.
    pace: u64,
    /// Those due: when, and how many.
    waiting: std::collections::VecDeque<(u64, u64)>,
    total: u64,
    served: u64,
    late: Vec<Late>,
    /// What became due in the outage.
    missed: u64,
}

impl Queue {
    fn new(lines: u64, provider: Provider) -> Self {
        let calm = 100 - NEAR - NEARER;
        let weight = calm + 2 * NEAR + 6 * NEARER;
        let lines = lines.saturating_mul(provider.percent) / 100;
        let pace = lines.saturating_mul(ONE).saturating_mul(weight) / 100 / CADENCE;
        Self {
            provider,
            pace,
            waiting: std::collections::VecDeque::new(),
            total: 0,
            served: 0,
            late: Vec::new(),
            missed: 0,
        }
    }

    fn arrive(&mut self, second: u64) {
        let mut due = self.pace;
        if OUTAGE.contains(&second) {
            self.missed += due;
            due = 0;
        }
        // A line that was missed is asked once, however often it would have been.
        if (OUTAGE.end..OUTAGE.end + SPREAD).contains(&second) {
            due += self.missed / SPREAD;
        }
        if due > 0 {
            self.waiting.push_back((second, due));
            self.total += due;
        }
    }

    fn wants(&self) -> u64 {
        self.total.min(self.provider.rate * ONE)
    }

    fn serve(&mut self, room: u64, second: u64) -> u64 {
        let mut done = 0;
        let most = self.wants().min(room);
        while let Some((since, due)) = self.waiting.front_mut() {
            let some = (*due).min(most - done);
            if some == 0 {
                break;
            }
            *due -= some;
            done += some;
            let waited = second - *since;
            if *due == 0 {
                self.waiting.pop_front();
            }
            match self.late.last_mut() {
                Some(late) if late.second == second => {
                    late.waited = late.waited.max(waited);
                    late.polls += some;
                }
                Some(_) | None => self.late.push(Late { second, waited, polls: some }),
            }
        }
        self.total -= done;
        self.served += done;
        done
    }
}
