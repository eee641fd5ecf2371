//! Schedule: cron → wake. Nothing else: the truth is in the `next_…_at` columns.

use super::{Engine, Stage};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Starts the wake-up calls: every second all stages look whether something is due. It is the
/// fall-back for everything that rings no bell: other processes, the command line, lost wake-ups.
pub(super) async fn start(engine: &Engine) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let engine = engine.clone();
    let tick = Job::new("* * * * * *", move |_, _| {
        for stage in Stage::ALL {
            engine.wake_here(stage);
        }
    })?;
    scheduler.add(tick).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
