//! AWS emulators that nobody here wrote, as processes.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::{python, target};

/// What a stack of network, database and registry is made of, by the names that the SDK has for endpoints.
pub const NETWORK_AND_DATABASE: [&str; 9] =
    ["CLOUDWATCH_LOGS", "DYNAMODB", "EC2", "ECR", "IAM", "KMS", "RDS", "SSM", "STS"];

/// What else a platform is made of and moto has.
pub const PLATFORM_AT_MOTO: [&str; 6] =
    ["ACM", "ELASTIC_LOAD_BALANCING_V2", "ROUTE_53", "SCHEDULER", "SERVICEDISCOVERY", "SNS"];

/// What ministack has and moto has not, or not as the SDK asks for it.
pub const PLATFORM_AT_MINISTACK: [&str; 1] = ["ECS"];

/// A running emulator. Dropping it ends it.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    /// Its endpoint for every service.
    pub url: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Emulator {
    /// moto 5.2.5.
    #[must_use]
    pub fn moto() -> Self {
        let port = free_port();
        let mut command = python::command("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true").env("MOTO_ACM_VALIDATION_WAIT", "1");
        Self::start("moto", command, port)
    }

    /// ministack 1.5.33.
    #[must_use]
    pub fn ministack() -> Self {
        let port = free_port();
        let mut command = python::command("ministack");
        command.env("GATEWAY_PORT", port.to_string()).env("MINISTACK_PORT", port.to_string());
        Self::start("ministack", command, port)
    }

    #[expect(clippy::disallowed_methods, reason = "an emulator is another process, and time is real for it")]
    fn start(name: &str, mut command: std::process::Command, port: u16) -> Self {
        let log = target().join(format!("{name}-{port}.log"));
        let file = File::create(&log).expect("target/ can be written");
        let errors = file.try_clone().expect("a file has two handles");
        let process = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let process = process.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let mut emulator = Self { process, url: format!("http://127.0.0.1:{port}") };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = emulator.process.try_wait().expect("a child can be asked after");
            assert!(ended.is_none(), "{name} ended ({ended:?}), see {}", log.display());
            assert!(begun.elapsed() < Duration::from_secs(90), "{name} does not listen, see {}", log.display());
            std::thread::sleep(Duration::from_millis(50));
        }
        emulator
    }
}

/// A port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}
