//! A message bus of our own and a real ModemManager on it; both end with the test.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const MANAGER: &str = "/usr/sbin/ModemManager";

/// A private bus with ModemManager.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) address: String,
    children: Vec<Child>,
}

impl Bus {
    /// Starts both; `None` where they are not installed.
    pub(crate) fn start() -> Option<Self> {
        let there = std::path::Path::new(MANAGER).exists() && on_path("dbus-daemon");
        // Where everything must be there, a missing program is a failure and not a shorter run.
        assert!(there || std::env::var("CI").is_err(), "ModemManager or dbus is not installed");
        if !there {
            eprintln!("SKIPPED: ModemManager or dbus is not installed, so no modem was tested");
            return None;
        }
        let mut daemon = command("dbus-daemon");
        daemon.args(["--session", "--nofork", "--nopidfile", "--print-address"]);
        let mut daemon = start(daemon.stdout(Stdio::piped()));
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let mut bus = Self { address, children: vec![daemon] };
        let mut manager = command(MANAGER);
        manager.args(["--test-session", "--test-enable", "--test-no-udev", "--test-no-qrtr"]);
        manager.arg("--test-no-suspend-resume").stdout(Stdio::null());
        let manager = start(manager.env("DBUS_SESSION_BUS_ADDRESS", &bus.address));
        bus.children.push(manager);
        Some(bus)
    }

    /// A connection of the test's own.
    pub(crate) async fn join(&self) -> zbus::Connection {
        zbus::connection::Builder::address(self.address.as_str()).build().await.unwrap()
    }

    /// Tells ModemManager of modems at those ports, and waits until it knows them all.
    pub(crate) async fn plug(&self, ports: &[String]) {
        let bus = self.join().await;
        for (n, port) in ports.iter().enumerate() {
            let profile = (format!("p{n}"), "generic", vec![port.as_str()]);
            wait_for("the manager", async || {
                let (root, test) =
                    ("/org/freedesktop/ModemManager1", "org.freedesktop.ModemManager1.Test");
                let manager = Some("org.freedesktop.ModemManager1");
                bus.call_method(manager, root, Some(test), "SetProfile", &profile).await.is_ok()
            })
            .await;
        }
        wait_for("the modems", async || {
            self.mmcli(&["-L"]).matches("/Modem/").count() == ports.len()
        })
        .await;
    }

    /// What ModemManager's own program says.
    pub(crate) fn mmcli(&self, args: &[&str]) -> String {
        let mut mmcli = Command::new("mmcli");
        let out = mmcli.args(args).env("DBUS_SYSTEM_BUS_ADDRESS", &self.address).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    }

    /// ModemManager dies, as it does now and then.
    pub(crate) fn kill_manager(&mut self) {
        end(self.children.pop().unwrap());
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        while let Some(child) = self.children.pop() {
            end(child);
        }
    }
}

/// It must not outlive the test, whatever ends that.
fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
}

fn end(mut child: Child) {
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    child.wait().unwrap();
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// Waits for something that takes a while.
pub(crate) async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < until, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
