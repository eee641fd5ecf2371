//! Two PostgreSQL servers, one that follows the other, and a switch that leads to either.

use super::postgres::{bin_dir, command, is_root, user};
use sqlx::Connection as _;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, task::JoinSet};

/// A server that can be killed, followed and promoted.
#[derive(Debug)]
pub(crate) struct Cluster {
    child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

/// A folder that the server's user may write to.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    if is_root() {
        assert!(Command::new("chown").arg(user()).arg(folder.path()).status().unwrap().success());
    }
    let data = folder.path().join("pg");
    (folder, data)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(program: &Path, args: &[&str], folder: &Path) {
    let done = command(program).args(args).current_dir(folder).stdout(Stdio::null()).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{program:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn serve(bin: &Path, data: &Path, port: u16) -> Child {
    let child = command(&bin.join("postgres"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories=", "-D"])
        .arg(data)
        .current_dir(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(120), "PostgreSQL did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

impl Cluster {
    /// A primary; `None` where PostgreSQL is not installed.
    pub(crate) fn primary() -> Option<Self> {
        let bin = bin_dir()?;
        let (folder, data) = folder();
        let to = data.to_str().unwrap();
        let args = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D", to];
        run(&bin.join("initdb"), &args, folder.path());
        let port = free_port();
        let child = serve(&bin, &data, port);
        Some(Self { child, port, _folder: folder })
    }

    /// A standby that follows this one.
    pub(crate) async fn standby(&self) -> Self {
        self.sql("SELECT 1").await;
        let bin = bin_dir().unwrap();
        let (folder, data) = folder();
        let (from, to) = (self.port.to_string(), data.to_str().unwrap());
        let source = ["-h", "127.0.0.1", "-p", &from, "-U", "postgres"];
        let args = [&source[..], &["-D", to, "-R", "-X", "stream", "-c", "fast"]].concat();
        run(&bin.join("pg_basebackup"), &args, folder.path());
        let port = free_port();
        let child = serve(&bin, &data, port);
        let standby = Self { child, port, _folder: folder };
        standby.sql("SELECT 1").await;
        self.until("SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming'", 1).await;
        standby
    }

    /// The URL of a database here.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    async fn connect(&self) -> sqlx::PgConnection {
        let started = Instant::now();
        loop {
            match sqlx::PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(120), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn sql(&self, text: &str) {
        let mut connection = self.connect().await;
        sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
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

impl Drop for Cluster {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
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
