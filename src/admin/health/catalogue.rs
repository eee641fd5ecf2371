//! Every metric there is: its name, its type, its labels and what it means. The table in
//! `docs/monitoring/README.md` is made from this.
//!
//! Invariant: names and labels are stable, and no label names a line or a person.

/// The types of Prometheus that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up, from zero at the start of the process.
    Counter,
    /// Counters by upper bound, their sum and their number.
    Histogram,
}

impl Kind {
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Metric {
    pub(in super::super) name: &'static str,
    pub(in super::super) kind: Kind,
    pub(in super::super) labels: &'static [&'static str],
    pub(in super::super) help: &'static str,
}

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $id: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// All of them, in the order of the page.
        #[cfg(test)]
        pub(in super::super) const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD = Gauge "topupd_build_info" ["version"] "Always 1; the label says which version runs.";
    INSTANCES = Gauge "topupd_instances" ["state"] "Daemons over this database that were heard of within the last seven days: alive, gone without a word, stopped in good order.";
    MONEY_OFF = Gauge "topupd_money_off" [] "1 while all paying is stopped, whatever stops it.";
    PAYING_STOPPED = Gauge "topupd_paying_stopped" ["reason"] "1 while this gate stops all paying (see docs/reasons.md).";
    PAYER_STOPPED = Gauge "topupd_payer_stopped" ["provider"] "1 while nothing is ordered at this payer because its last outcomes are unknown.";
    TOPUPS = Gauge "topupd_topups" ["provider", "state"] "Top-ups whose story is not over, by payer and state.";
    OLDEST_TOPUP = Gauge "topupd_oldest_topup_seconds" ["state"] "Age of the oldest top-up in each state that is not final; 0 when there is none.";
    RESULTS = Counter "topupd_topup_results_total" ["provider", "state"] "Times that a top-up at this payer came to this state.";
    PAYMENT = Histogram "topupd_payment_seconds" ["provider"] "From the decision to the payer's word that it is paid, approvals and waiting included.";
    CAP_USED = Gauge "topupd_cap_used_minor" ["kind", "currency"] "What counts against the limit on everything, in minor units of the currency: money in flight included.";
    CAP_LIMIT = Gauge "topupd_cap_limit_minor" ["kind", "currency"] "The configured limits, in minor units of the currency.";
    WALLET = Gauge "topupd_wallet_minor" ["provider", "currency"] "What the payer last said our wallet there holds, in minor units of the currency.";
    WALLET_AT = Gauge "topupd_wallet_timestamp_seconds" ["provider"] "When the payer last said what the wallet holds.";
    SUBSCRIPTIONS = Gauge "topupd_subscriptions" ["status"] "Subscriptions by status; one with a held top-up counts as held.";
    STALE = Gauge "topupd_subscriptions_stale" ["provider"] "Active subscriptions whose readings are stale, by reader.";
    FAILING = Gauge "topupd_subscriptions_failing" ["provider"] "Active subscriptions whose last polls failed at least twice in a row, by reader.";
    OLDEST_READING = Gauge "topupd_oldest_reading_seconds" ["provider"] "Age of the oldest newest usable reading, by reader; of a line never read, since when it is watched.";
    ENDING = Gauge "topupd_subscriptions_ending" ["kind", "within"] "Active subscriptions whose service ends or whose number is lost (as read): passed, within 24h, within 7d (those of 24h among them).";
    OLDEST_POLL = Gauge "topupd_oldest_due_poll_seconds" ["provider"] "How long the longest waiting poll has been due, by reader; 0 when none is.";
    POLLS = Counter "topupd_polls_total" ["provider", "outcome"] "Polls by reader and the quality of what came back.";
    POLL_TIMES = Histogram "topupd_poll_seconds" ["provider"] "How long a reader took to answer one poll.";
    INCIDENT = Gauge "topupd_reader_incident" ["provider"] "1 while a reader fails for most of its lines.";
    NOTICES = Gauge "topupd_notices" ["state"] "Notices that wait (queued), are being sent (sending), or were ever given up (dead).";
    OLDEST_NOTICE = Gauge "topupd_oldest_due_notice_seconds" [] "How long the longest waiting notice has been due; 0 when none is.";
    OLDEST_UNSENT = Gauge "topupd_oldest_unsent_notice_seconds" [] "Age of the oldest notice that was tried in vain and is tried again; 0 when there is none.";
    TRIES = Counter "topupd_notice_tries_total" ["channel", "outcome"] "Tries to send a notice: sent, again later, dropped as no longer true, dead.";
    ROUNDS = Histogram "topupd_stage_round_seconds" ["stage"] "How long rounds took that found something to do.";
    FAILED_ROUNDS = Counter "topupd_stage_failures_total" ["stage"] "Rounds that failed as a whole.";
    LAST_ROUND = Gauge "topupd_stage_last_round_age_seconds" ["stage", "provider"] "How long ago each loop last came round; polling and acting have one for each provider.";
    LAST_PROGRESS = Gauge "topupd_stage_last_progress_age_seconds" ["stage", "provider"] "How long ago each loop last moved a row on, or started.";
    RECORDER_UP = Gauge "topupd_recorder_up" [] "1 while the flight recorder takes lines; without it nothing is sent.";
    RECORDER_AT = Gauge "topupd_recorder_last_line_timestamp_seconds" [] "When the flight recorder's last line was written.";
    JOURNAL_AT = Gauge "topupd_journal_last_event_timestamp_seconds" [] "When the journal's last link was written.";
    PROCESS_START = Gauge "process_start_time_seconds" [] "When the process started, in seconds since 1970.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "Time on processors, of user and kernel.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory in use.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Addresses in use.";
    PROCESS_THREADS = Gauge "process_threads" [] "Threads.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [] "Open file descriptors.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" [] "How many file descriptors may be open.";
}
