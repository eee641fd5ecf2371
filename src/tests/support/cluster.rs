//! Two PostgreSQL servers, one that follows the other, and a switch that leads to either.

use super::postgres::bin_dir;
use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, task::JoinSet};

/// A server that can be killed, followed and promoted.
pub(crate) use super::postgres::Server as Cluster;

impl Cluster {
    /// A standby that follows this one.
    pub(crate) async fn standby(&self) -> Self {
        self.sql("SELECT 1").await;
        let from = self.port.to_string();
        let source = ["-h", "127.0.0.1", "-p", &from, "-U", "postgres"];
        let args = [&source[..], &["-R", "-X", "stream", "-c", "fast"]].concat();
        let standby = Self::of(&bin_dir().unwrap(), "pg_basebackup", &args);
        standby.sql("SELECT 1").await;
        self.until("SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming'", 1).await;
        standby
    }

    /// Waits until a query answers with `wanted`.
    pub(crate) async fn until(&self, query: &str, wanted: i64) {
        let started = Instant::now();
        let mut connection = self.connect().await;
        loop {
            let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            if found == wanted {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{query}: {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// From now on nothing is committed that the standby does not have on its disk.
    pub(crate) async fn wait_for_the_standby(&self) {
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.sql("SELECT pg_reload_conf()").await;
        self.until("SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1).await;
    }

    /// A standby hears no more of its primary.
    pub(crate) async fn cut_off(&self) {
        self.sql("ALTER SYSTEM SET primary_conninfo = ''").await;
        self.sql("SELECT pg_reload_conf()").await;
        self.until("SELECT COUNT(*) FROM pg_stat_wal_receiver", 0).await;
    }

    pub(crate) async fn promote(&self) {
        self.sql("SELECT pg_promote(true, 60)").await;
        self.until("SELECT COUNT(*) WHERE pg_is_in_recovery()", 0).await;
    }

    /// Dies at once, as when its machine does.
    pub(crate) fn kill(&mut self) {
        Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap();
    }
}

/// A TCP port that leads to whichever server is the primary; turning it cuts every connection.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(crate) port: u16,
    to: Arc<Mutex<u16>>,
    lines: Arc<Mutex<JoinSet<()>>>,
}

impl Switch {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (to, lines) = (Arc::new(Mutex::new(port)), Arc::new(Mutex::new(JoinSet::new())));
        let switch = Self { port: own, to: Arc::clone(&to), lines: Arc::clone(&lines) };
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let port = *to.lock().unwrap();
                lines.lock().unwrap().spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                        copy_bidirectional(&mut near, &mut far).await.ok();
                    }
                });
            }
        });
        switch
    }

    pub(crate) fn turn(&self, port: u16) {
        *self.to.lock().unwrap() = port;
        self.lines.lock().unwrap().abort_all();
    }
}
