//! The real process, killed with SIGKILL at calls of an apply and of a destruction against moto, before the call and
//! after it with its answer lost. The next run gets where the first wanted: nobody has to help.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex};

use wharf_sandbox::Sandbox;
use wharf_tests::emulator::{Emulator, NETWORK_AND_DATABASE};
use wharf_tests::relay::{Ended, Kill, Relay, When};
use wharf_tests::served::Served;
use wharf_tests::stack::in_virtual_time;
use wharf_tests::{python, root, target};

const SMALL: &str = "[network]\negress = \"public\"\nflow_logs = false\n";
const WITH_DATABASE: &str = "[network]\negress = \"public\"\nflow_logs = false\n[database]\n";

/// So many applies are killed, and as many destructions, each in an account of its own.
const OF_EACH: usize = 26;
/// Every so manieth account has a database.
const DATABASE_EVERY: usize = 3;
/// So many are at work at once, most of them waiting for an answer. Those that wait until a dead run's lock is theirs,
/// which takes most of a minute, are not counted: they do nothing.
const AT_WORK: usize = 12;

const APPLY: &[&str] = &["apply", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes", "--allow-destroy", "all", "--no-final-snapshot"];

/// What boto3 counts in an account.
type Census = Vec<String>;

/// An emulator, and boto3 looking at it.
struct Moto {
    emulator: Emulator,
    /// A sandbox in which there is nothing: moto need not know the services that these stacks do not use.
    others: Served,
    census: Mutex<(Child, BufReader<std::process::ChildStdout>)>,
}

impl Drop for Moto {
    fn drop(&mut self) {
        if let Ok((process, _)) = self.census.get_mut() {
            // It may be gone already, which is what is wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Moto {
    fn start() -> Self {
        let emulator = Emulator::moto();
        let others = in_virtual_time(async { Served::copy_of(&Sandbox::new(1), 1.0) });
        let mut command = python::command("python");
        command.arg(root().join("tests/python/census.py")).arg(&emulator.url);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let answers = BufReader::new(process.stdout.take().expect("it has one"));
        Self { emulator, others, census: Mutex::new((process, answers)) }
    }

    fn census(&self, account: &str) -> Census {
        let mut census = self.census.lock().expect("nobody panicked");
        let (process, answers) = &mut *census;
        writeln!(process.stdin.as_mut().expect("it has one"), "{account}").expect("it listens");
        let mut line = String::new();
        answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("it answers with JSON")
    }
}

/// An account of its own, and the stack file for it.
struct Account<'a> {
    moto: &'a Moto,
    number: String,
    relay: Relay,
    file: PathBuf,
}

impl<'a> Account<'a> {
    fn new(moto: &'a Moto, number: usize, directory: &Path, stack: &str) -> Self {
        let number = format!("{number:012}");
        let file = directory.join(format!("{number}.toml"));
        let head = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\naccount = \"{number}\"\n");
        std::fs::write(&file, head + stack).expect("it can be written");
        let relay = Relay::to(&moto.emulator.url, &number);
        Self { moto, number, relay, file }
    }

    fn wharf(&self, arguments: &[&str], kill: Option<Kill>) -> Ended {
        let mut command = Command::new(target().join("debug/wharf"));
        command.args(arguments).arg("--config").arg(&self.file);
        command.env_clear().env("AWS_ENDPOINT_URL", &self.moto.others.url);
        command.envs(NETWORK_AND_DATABASE.map(|service| (format!("AWS_ENDPOINT_URL_{service}"), &self.relay.url)));
        command.env("USER", "tester").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "AKIASANDBOX000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox");
        self.relay.run(&mut command, kill)
    }

    /// Runs to a good end, and answers the calls that wrote.
    fn done(&self, arguments: &[&str]) -> Result<Ended, String> {
        let ended = self.wharf(arguments, None);
        match ended.output.status.success() {
            true => Ok(ended),
            false => Err(format!("wharf {}: {}", arguments.join(" "), said(&ended))),
        }
    }

    fn plans_nothing(&self) -> Result<(), String> {
        let ended = self.done(&["plan", "--json"])?;
        let plan: serde_json::Value =
            serde_json::from_slice(&ended.output.stdout).map_err(|error| error.to_string())?;
        match plan["steps"].as_array() {
            Some(steps) if steps.is_empty() => Ok(()),
            _ => Err(format!("there is still something to do: {plan:#}")),
        }
    }

    fn holds(&self, expected: &Census) -> Result<(), String> {
        let held = self.moto.census(&self.number);
        let more = held.iter().filter(|thing| count(&held, thing) > count(expected, thing));
        let less = expected.iter().filter(|thing| count(&held, thing) < count(expected, thing));
        let lines = more.map(|thing| format!("too much: {thing}")).chain(less.map(|thing| format!("missing: {thing}")));
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
}

fn count(census: &Census, thing: &String) -> usize {
    census.iter().filter(|other| *other == thing).count()
}

fn said(ended: &Ended) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", ended.output.status, text(&ended.output.stdout), text(&ended.output.stderr))
}

/// What a stack looks like when nothing disturbs it, and how many calls write on the way there and back.
struct Undisturbed {
    stack: &'static str,
    empty: Census,
    standing: Census,
    applying: usize,
    destroying: usize,
}

impl Undisturbed {
    fn of(moto: &Moto, number: usize, directory: &Path, stack: &'static str) -> Self {
        let account = Account::new(moto, number, directory, stack);
        let empty = moto.census(&account.number);
        let applied = account.done(APPLY).unwrap_or_else(|why| panic!("{why}"));
        account.plans_nothing().unwrap_or_else(|why| panic!("{why}"));
        let standing = moto.census(&account.number);
        let destroyed = account.done(DESTROY).unwrap_or_else(|why| panic!("{why}"));
        account.holds(&empty).unwrap_or_else(|why| panic!("{why}"));
        Self { stack, empty, standing, applying: applied.writes.len(), destroying: destroyed.writes.len() }
    }

    /// The kill of this place among all of a way with so many writes: spread over it, before a call and after one in
    /// turn.
    fn kill(place: usize, writes: usize) -> Kill {
        let when = if place.is_multiple_of(2) { When::After } else { When::Before };
        Kill { write: 1 + place * (writes - 1) / (OF_EACH - 1), when }
    }
}

/// Lets so many work at once.
struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Gate {
    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().expect("nobody panicked");
        *self.freed.wait_while(free, |free| *free == 0).expect("nobody panicked") -= 1;
        let done = work();
        *self.free.lock().expect("nobody panicked") += 1;
        self.freed.notify_one();
        done
    }
}

/// An apply is killed, and finished by the next. Answers whether it was killed, or ended before.
fn apply_is_finished(account: &Account<'_>, expected: &Undisturbed, place: usize, gate: &Gate) -> Result<bool, String> {
    let kill = Undisturbed::kill(place, expected.applying);
    let ended = gate.within(|| account.wharf(APPLY, Some(kill)));
    let finished = account.done(APPLY).and_then(|_| {
        gate.within(|| {
            account.plans_nothing()?;
            account.holds(&expected.standing)
        })
    });
    finished.map(|()| ended.killed).map_err(|why| about(kill, &ended, &why))
}

/// The same for a destruction.
fn destroy_is_finished(
    account: &Account<'_>,
    expected: &Undisturbed,
    place: usize,
    gate: &Gate,
) -> Result<bool, String> {
    let kill = Undisturbed::kill(place, expected.destroying);
    gate.within(|| account.done(APPLY))?;
    let ended = gate.within(|| account.wharf(DESTROY, Some(kill)));
    let finished = account.done(DESTROY).and_then(|_| gate.within(|| account.holds(&expected.empty)));
    finished.map(|()| ended.killed).map_err(|why| about(kill, &ended, &why))
}

fn about(kill: Kill, ended: &Ended, why: &str) -> String {
    let at = ended.writes.get(kill.write - 1).map_or("", String::as_str);
    format!("killed {:?} call {} ({at}): {why}", kill.when, kill.write)
}

#[test]
fn a_process_killed_at_any_of_fifty_calls_is_finished_by_the_next_without_anybodys_help() {
    let directory = tempfile::tempdir().expect("a directory");
    let motos = [Moto::start(), Moto::start()];
    let (small, with_database) = std::thread::scope(|scope| {
        let small = scope.spawn(|| Undisturbed::of(&motos[0], 1, directory.path(), SMALL));
        let with_database = Undisturbed::of(&motos[1], 2, directory.path(), WITH_DATABASE);
        (small.join().expect("it stands and goes"), with_database)
    });
    let gate = Gate { free: Mutex::new(AT_WORK), freed: Condvar::new() };
    let finished = |number: usize| {
        let (place, applies) = (number / 2, number.is_multiple_of(2));
        let expected = if place % DATABASE_EVERY == 1 { &with_database } else { &small };
        let account = Account::new(&motos[place % motos.len()], 100 + number, directory.path(), expected.stack);
        let finished = if applies { apply_is_finished } else { destroy_is_finished };
        finished(&account, expected, place, &gate).map_err(|why| format!("account {}: {why}", account.number))
    };
    let finished = &finished;
    let ended: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..2 * OF_EACH).map(|number| scope.spawn(move || finished(number))).collect();
        all.into_iter().map(|account| account.join().expect("nobody panicked")).collect()
    });
    let failures: Vec<_> = ended.iter().filter_map(|ended| ended.as_ref().err().cloned()).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), ended.len(), failures.join("\n"));
    let kills = ended.iter().flatten().filter(|killed| **killed).count();
    assert!(kills >= 50, "only {kills} processes were killed");
}
