//! A PostgreSQL server of our own: started on loopback on a free port, stopped by its pid.

use sqlx::Connection as _;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// One server for the whole test binary; every test makes a database of its own in it.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let found = SERVER.get_or_init(start_for_all).as_ref();
    // Where everything must be there, a missing server is a failure and not a shorter run.
    assert!(found.is_some() || std::env::var("CI").is_err(), "PostgreSQL is not installed");
    if found.is_none() {
        eprintln!("SKIPPED: PostgreSQL is not installed, so this story ran on SQLite only");
    }
    found
}

/// Starts it from a thread that lasts as long as the tests: the server is killed with the thread that
/// started it, and the one of the first test that asks for it ends with that test.
fn start_for_all() -> Option<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(Server::start()).unwrap();
        loop {
            std::thread::park();
        }
    });
    receiver.recv().unwrap()
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    /// An empty one; `None` where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let made = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"];
        Some(Self::of(&bin_dir()?, "initdb", &made))
    }

    /// One whose files `program` makes in a folder that the server's user may write to.
    pub(super) fn of(bin: &Path, program: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            let owned = Command::new("chown").arg(user()).arg(folder.path()).status().unwrap();
            assert!(owned.success());
        }
        let data = folder.path().join("pg");
        let mut make = command(&bin.join(program));
        make.args(args).arg("-D").arg(&data).current_dir(folder.path()).stdout(Stdio::null());
        let done = make.output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { child: serve(bin, &data, port), port, _folder: folder }
    }

    /// The URL of a database here.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a fresh database named `name`.
    pub(crate) async fn database(&self, name: &str) -> String {
        self.sql(&format!("CREATE DATABASE {name}")).await;
        self.url(name)
    }

    pub(crate) async fn sql(&self, text: &str) {
        let mut connection = self.connect().await;
        sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// It may still be starting up; a busy machine takes its time.
    pub(super) async fn connect(&self) -> sqlx::PgConnection {
        let started = Instant::now();
        loop {
            match sqlx::PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection,
                Err(error) => assert!(started.elapsed() < Duration::from_secs(120), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
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

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

fn user() -> &'static str {
    let known =
        Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.is_ok_and(|status| status.success()) { "postgres" } else { "nobody" }
}

fn command(program: &Path) -> Command {
    if is_root() {
        // The server must not outlive this process, whatever ends it.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--clear-groups", "--reuid", user(), "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub(super) fn bin_dir() -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/local/bin"), PathBuf::from("/usr/bin")];
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    places
        .into_iter()
        .rev()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}
