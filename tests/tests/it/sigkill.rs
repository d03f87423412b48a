//! The real process, killed with SIGKILL at calls of an apply and of a destruction against moto, before the call and
//! after it with its answer lost. The next run gets where the first wanted: nobody has to help.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex};

use wharf_tests::emulator::Emulator;
use wharf_tests::relay::{Ended, Kill, Relay, When};
use wharf_tests::{python, root, target};

const SMALL: &str = "[network]\negress = \"public\"\nflow_logs = false\n";
const WITH_DATABASE: &str = "[network]\negress = \"public\"\nflow_logs = false\n[database]\n";

/// So many accounts, in each of which an apply is killed, and a destruction.
const ACCOUNTS: usize = 26;
/// Every so manieth of them has a database.
const DATABASE_EVERY: usize = 3;
/// So many of them are at work at once. Those that wait for a dead run's lock are not counted: they do nothing.
const AT_WORK: usize = 4;

const APPLY: &[&str] = &["apply", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes", "--allow-destroy", "all", "--no-final-snapshot"];

/// What boto3 counts in an account.
type Census = Vec<String>;

/// An emulator, and boto3 looking at it.
struct Moto {
    emulator: Emulator,
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
        let mut command = python::command("python");
        command.arg(root().join("tests/python/census.py")).arg(&emulator.url);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let answers = BufReader::new(process.stdout.take().expect("it has one"));
        Self { emulator, census: Mutex::new((process, answers)) }
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
        command.args(arguments).arg("--config").arg(&self.file).args(["--endpoint-url", &self.relay.url]);
        command.env_clear().env("USER", "tester").env("AWS_EC2_METADATA_DISABLED", "true");
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

    /// The kills of the account of this place among all: spread over the way, before a call and after one in turn.
    fn kills(&self, place: usize) -> (Kill, Kill) {
        let spread = |writes: usize| 1 + place * (writes - 1) / (ACCOUNTS - 1);
        let (first, second) = match place % 2 {
            0 => (When::After, When::Before),
            _ => (When::Before, When::After),
        };
        (Kill { write: spread(self.applying), when: first }, Kill { write: spread(self.destroying), when: second })
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

/// An apply is killed and finished by the next, then a destruction. Answers how many were killed.
fn killed_and_finished(
    account: &Account<'_>,
    undisturbed: &Undisturbed,
    place: usize,
    gate: &Gate,
) -> Result<usize, String> {
    let (first, second) = undisturbed.kills(place);
    let about = |kill: Kill, ended: &Ended| {
        let at = ended.writes.get(kill.write - 1).cloned().unwrap_or_default();
        move |why: String| format!("killed {:?} call {} ({at}): {why}", kill.when, kill.write)
    };
    let ended = gate.within(|| account.wharf(APPLY, Some(first)));
    let mut kills = usize::from(ended.killed);
    let about_first = about(first, &ended);
    account.done(APPLY).map_err(&about_first)?;
    let ended = gate.within(|| {
        account.plans_nothing().map_err(&about_first)?;
        account.holds(&undisturbed.standing).map_err(&about_first)?;
        Ok::<_, String>(account.wharf(DESTROY, Some(second)))
    })?;
    kills += usize::from(ended.killed);
    let about_second = about(second, &ended);
    account.done(DESTROY).map_err(&about_second)?;
    gate.within(|| account.holds(&undisturbed.empty)).map_err(&about_second)?;
    Ok(kills)
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
    let account = |place: usize| {
        let undisturbed = if place % DATABASE_EVERY == 1 { &with_database } else { &small };
        let moto = &motos[place / 2 % motos.len()];
        let account = Account::new(moto, 100 + place, directory.path(), undisturbed.stack);
        killed_and_finished(&account, undisturbed, place, &gate).map_err(|why| format!("account {place}: {why}"))
    };
    let account = &account;
    let ended: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..ACCOUNTS).map(|place| scope.spawn(move || account(place))).collect();
        all.into_iter().map(|account| account.join().expect("nobody panicked")).collect()
    });
    let failures: Vec<_> = ended.iter().filter_map(|ended| ended.as_ref().err().cloned()).collect();
    assert!(failures.is_empty(), "{} of {ACCOUNTS} accounts:\n{}", failures.len(), failures.join("\n"));
    let kills: usize = ended.iter().flatten().sum();
    assert!(kills >= 50, "only {kills} processes were killed");
}
