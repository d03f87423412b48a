//! How large the three functions are, and what they cost before they are asked anything:
//! `cargo run -p wharf-tests --example functions`.
//!
//! It builds them for release as Lambda wants them (`cargo build --profile function`; half an hour on two cores the first
//! time), packs each as `bootstrap.zip`, and starts each against a Runtime API of its own. When a function asks for its
//! first invocation, the processor time of all its threads and the most memory that it had are read from `/proc`. With
//! `--built DIR` it measures what stands in that directory already.

#![expect(clippy::disallowed_macros, reason = "it prints for people")]
#![expect(clippy::disallowed_methods, reason = "where cargo is, the environment says")]

use std::error::Error;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use zip::write::SimpleFileOptions;

/// The functions' binaries, and the packages that they are of.
const FUNCTIONS: [(&str, &str); 3] = [
    ("on-image-push", "wharf-on-image-push"),
    ("on-alarm", "wharf-on-alarm"),
    ("check-snapshots", "wharf-check-snapshots"),
];

/// How often each is started: the median counts.
const STARTS: usize = 21;

/// A function that does not ask within this never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is aimed at: zip in bytes, processor time in nanoseconds, memory in KiB.
const AIM: (usize, u64, u64) = (3_000_000, 8_000_000, 12 * 1024);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--built"), Some(directory)) => PathBuf::from(directory),
        (None, None) => build()?,
        _ => return Err("the one thing that can be said is `--built DIR`".into()),
    };
    println!("{:<16} {:>10} {:>10} {:>14} {:>10}", "function", "binary", "zip", "to first next", "memory");
    let mut well = true;
    for (name, _) in FUNCTIONS {
        let Measured { binary, zip, cpu, memory } = match measure(&directory.join(name)) {
            Ok(measured) => measured,
            Err(error) => {
                println!("{name:<16} cannot be measured: {error}");
                well = false;
                continue;
            }
        };
        let fits = zip <= AIM.0 && cpu <= AIM.1 && memory <= AIM.2;
        well &= fits;
        println!(
            "{name:<16} {:>8.2} MB {:>7.2} MB {:>11.2} ms {:>6.2} MiB{}",
            binary as f64 / 1e6,
            zip as f64 / 1e6,
            cpu as f64 / 1e6,
            memory as f64 / 1024.0,
            if fits { "" } else { "  more than was aimed at" }
        );
    }
    println!("aimed at: zip 3 MB, 8 ms, 12 MiB{}", if well { ": all fit" } else { "" });
    Ok(())
}

/// Builds the functions, and says where they are.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let packages = FUNCTIONS.iter().flat_map(|(_, package)| ["-p", package]);
    let status = Command::new(&cargo).args(["build", "--profile", "function", "--bins"]).args(packages).status()?;
    if !status.success() {
        return Err("the functions cannot be built".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("function"))
}

struct Measured {
    binary: usize,
    zip: usize,
    cpu: u64,
    memory: u64,
}

fn measure(binary: &Path) -> Result<Measured, Box<dyn Error>> {
    let program = std::fs::read(binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start(binary)?);
    }
    let median = |of: fn(&(u64, u64)) -> u64| {
        let mut all: Vec<u64> = starts.iter().map(of).collect();
        all.sort_unstable();
        all[STARTS / 2]
    };
    let (cpu, memory) = (median(|one| one.0), median(|one| one.1));
    Ok(Measured { binary: program.len(), zip: packed(&program)?, cpu, memory })
}

/// The size of the package that Lambda gets.
fn packed(program: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().compression_level(Some(9)).unix_permissions(0o755))?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner().len())
}

/// Ends its process when it goes.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time and memory of a function that has just asked for its first invocation.
fn start(binary: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let api = listener.local_addr()?.to_string();
    let child = Command::new(binary)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop-measured"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "example"),
            ("AWS_SESSION_TOKEN", "example"),
            ("WHARF_STACK", "shop"),
            ("WHARF_TABLE", "wharf-shop"),
            ("WHARF_SIGNALS", "arn:aws:sns:us-east-1:123456789012:shop-signals"),
            ("WHARF_ALERTS", "arn:aws:sns:us-east-1:123456789012:shop-alerts"),
            ("WHARF_CLUSTER", "shop"),
            ("WHARF_SERVICES", r#"[{"service":"web","repository":"web","tags":"v*","least":2}]"#),
            ("WHARF_SLACK", r#"{"secret":"/shop/slack/webhook"}"#),
            ("WHARF_CHECKS", "{}"),
        ])
        .stdout(Stdio::null())
        .spawn()?;
    let started = Started(child);
    let stream = asked(&listener, started.0.id())?;
    let measured = (processor_time(started.0.id())?, most_memory(started.0.id())?);
    drop(stream);
    Ok(measured)
}

/// Waits until the function asks for an invocation. The connection has to stay open meanwhile.
fn asked(listener: &TcpListener, child: u32) -> Result<TcpStream, Box<dyn Error>> {
    listener.set_nonblocking(true)?;
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && waited < PATIENCE => {
                std::thread::sleep(step);
                waited += step;
            }
            Err(_) => return Err(format!("process {child} asked for nothing in {PATIENCE:?}").into()),
        }
    };
    stream.set_nonblocking(false)?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    match line.starts_with("GET /2018-06-01/runtime/invocation/next ") {
        true => Ok(stream),
        false => Err(format!("it asked for something else: {line}").into()),
    }
}

/// Nanoseconds on a processor, of all threads: `/proc/…/stat` counts in hundredths of a second, which is too coarse.
fn processor_time(process: u32) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().ok_or("no time in schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// In KiB.
fn most_memory(process: u32) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM in status")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number in VmHWM")?.parse()?)
}
