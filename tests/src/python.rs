//! A Python environment with pinned judges and emulators, made once under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{root, target};

/// The environment's directory. Made on first use; a machine that cannot make it fails the test and says why.
pub fn venv() -> &'static Path {
    static VENV: OnceLock<PathBuf> = OnceLock::new();
    VENV.get_or_init(make)
}

fn make() -> PathBuf {
    let requirements = root().join("tests/python/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the requirements can be read");
    let venv = target().join("python");
    let done = venv.join("wharf-requirements.txt");
    std::fs::create_dir_all(target()).expect("target/ can be written");
    let lock = std::fs::File::create(target().join("python.lock")).expect("target/ can be written");
    lock.lock().expect("the environment's lock can be taken");
    if std::fs::read_to_string(&done).is_ok_and(|have| have == wanted) {
        return venv;
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), "python3 makes a virtual environment");
    let pip = venv.join("bin/pip");
    let install = ["install", "--quiet", "--disable-pip-version-check", "-r"];
    succeed(Command::new(pip).args(install).arg(&requirements), "pip installs tests/python/requirements.txt");
    std::fs::write(done, wanted).expect("target/ can be written");
    venv
}

/// Runs a program of the environment, such as `python` or `aws`.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(venv().join("bin").join(program));
    command
        .env("AWS_ACCESS_KEY_ID", "AKIASANDBOX000000000")
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE");
    command
}

/// Runs a script of `tests/python/` with these arguments and answers what it prints.
pub fn script(name: &str, arguments: &[&str]) -> String {
    let path = root().join("tests/python").join(name);
    let output = succeed(command("python").arg(path).args(arguments), name);
    String::from_utf8(output.stdout).expect("scripts print UTF-8")
}

/// Runs a command that must succeed.
pub fn succeed(command: &mut Command, what: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: cannot start {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{what} failed ({}):\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
