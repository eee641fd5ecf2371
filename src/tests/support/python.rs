//! Programs of the Python Package Index, in an environment of their own below the target folder, which
//! later runs find again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// A Python that has `package` (`NAME==VERSION`, or several with a space between) and can import `module`.
/// Where everything must be there (`CI`), a missing package is a failure and not a shorter run.
pub(crate) fn python_with(package: &str, module: &str) -> Option<PathBuf> {
    match found(package, module) {
        Ok(python) => Some(python),
        Err(why) => {
            assert!(std::env::var("CI").is_err(), "{package} cannot be had: {why}");
            eprintln!("SKIPPED: {package} cannot be had: {why}");
            None
        }
    }
}

fn found(package: &str, module: &str) -> Result<PathBuf, String> {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = tmp.join(package.replace("==", "-").replace(' ', "+"));
    let (python, complete) = (home.join("bin/python"), home.join("complete"));
    // One at a time: what is still being installed can be imported already, and then fails.
    let lock =
        File::create(home.with_added_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let import = format!("import {module}");
    if complete.exists() && run(Command::new(&python).args(["-c", &import])).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    run(Command::new(&python)
        .args(pip)
        .args(["--retries", "2", "--timeout", "20"])
        .args(package.split(' ')))?;
    File::create(complete).map_err(|error| error.to_string())?;
    Ok(python)
}

/// What a program printed; `Err` where it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
