//! What a PostgreSQL server takes of the processors, and how busy the machine is.

use anyhow::Context;
use sqlx::Connection as _;

/// `USER_HZ` is 100 on every architecture this is built for.
const TICK_MS: u64 = 10;

/// What `/proc/PID/stat` says of a process, in ticks.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that ended.
    ended: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold spaces.
        let (_, after) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok());
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)?.saturating_add(ticks(12)?),
            ended: ticks(13)?.saturating_add(ticks(14)?),
        })
    }
}

/// A server with all its processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server(u32);

impl Server {
    /// The one behind `url`, on this machine.
    pub(super) async fn behind(url: &str) -> anyhow::Result<Self> {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let backend: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        let stat = Stat::of(u32::try_from(backend)?).context("the server is not in /proc")?;
        connection.close().await?;
        Ok(Self(stat.parent))
    }

    /// Milliseconds of processors so far.
    pub(super) fn cpu_ms(self) -> anyhow::Result<u64> {
        let own = Stat::of(self.0).context("the server is gone")?;
        let mut ticks = own.own.saturating_add(own.ended);
        for entry in std::fs::read_dir("/proc")? {
            let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            // One that ends just now is missed for a moment.
            if let Some(stat) = pid.and_then(Stat::of).filter(|stat| stat.parent == self.0) {
                ticks = ticks.saturating_add(stat.own);
            }
        }
        Ok(ticks.saturating_mul(TICK_MS))
    }
}

/// How many processes wanted a processor in the last minute.
pub(super) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
