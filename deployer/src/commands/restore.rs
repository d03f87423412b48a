//! `wharf restore`: the database as it was, in a new instance.

use clap::{ArgGroup, Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::context::{Code, Context, Open};
use super::running::watched;
use super::{Done, plan as planning};
use crate::operations::{Ended, Intent, Point, Restore, Restored};
use crate::report::{Failure, Printer, Stop, json};
use crate::surroundings;

/// What can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// The stack's database
    Database,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("point").required(true)))]
pub struct Arguments {
    /// What to restore
    #[arg(value_enum)]
    pub what: What,
    /// As of this second (RFC 3339, `2026-01-05T09:00:00Z`), or `latest`: the last one that can be had
    #[arg(long, value_name = "TIME|latest", group = "point", value_parser = moment)]
    pub at: Option<Point>,
    /// As this snapshot has it
    #[arg(long, value_name = "ID", group = "point")]
    pub snapshot: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

fn moment(text: &str) -> Result<Point, String> {
    if text == "latest" {
        return Ok(Point::Latest);
    }
    let at: Timestamp = text.parse().map_err(|_| "write `latest`, or a time with its zone: 2026-01-05T09:00:00Z")?;
    let second = Timestamp::from_second(at.as_second()).map_err(|error| error.to_string())?;
    Ok(Point::At(second))
}

/// Makes the database anew as it was, and keeps the one that there is.
pub(super) async fn restore(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let What::Database = arguments.what;
    let printer = context.printer;
    if !arguments.yes && !printer.interactive {
        return Err(Failure::config("there is no terminal to ask at").hint("pass `--yes`").into());
    }
    let point = match (&arguments.at, &arguments.snapshot) {
        (Some(point), _) => point.clone(),
        (None, Some(name)) => Point::Snapshot(name.clone()),
        (None, None) => return Err(Failure::config("say as of when: `--at TIME`, or `--snapshot ID`").into()),
    };
    let open = context.open(Code::IfAtHand).await?;
    let said = std::cell::RefCell::new(String::new());
    let request = Restore {
        stack: &open.stack,
        point,
        who: surroundings::who(&context.global.user),
        timing: surroundings::timing(),
        approve: &|intent| {
            printer.note(announced(intent));
            arguments.yes || printer.ask("do this?")
        },
        on_progress: &|text| {
            if said.replace(text.to_owned()) != text {
                printer.note(format!("  {text}"));
            }
        },
        on_wait: &watched(printer),
    };
    let loud = printer.clone();
    let interrupt = surroundings::interrupted(move || loud.note("stopping: the same restore carries on later"));
    let restored = open.session.restore(&request, interrupt).await.map_err(Failure::from)?;
    tell(&open, &restored, printer)
}

/// What is going to be done, for people.
fn announced(intent: &Intent) -> String {
    let Intent { database, from, carries_on, keeps } = intent;
    let begins = match carries_on {
        Some(instance) => format!("the restore of {database} ({from}) is carried on with {instance}"),
        None => format!("{database} is restored {from}, into a new instance beside it"),
    };
    match keeps {
        Some(size) => format!(
            "{begins}; when that is ready, it takes the name, which is an outage of some minutes, and what has been \
             written since is only in the old instance, which is kept and goes on costing what it does ({size})"
        ),
        None => begins,
    }
}

fn tell(open: &Open, restored: &Restored, printer: &Printer) -> Result<Done, Stop> {
    let body = json!({
        "database": restored.intent.database, "from": restored.intent.from, "outcome": restored.outcome,
        "kept": restored.kept,
    });
    printer.document(&json::document("restore", planning::with_place(open, body)))?;
    let (text, done) = match restored.outcome {
        Ended::Declined => ("nothing was done".to_owned(), Done::Declined),
        Ended::Interrupted => {
            let name = &restored.intent.database;
            (format!("stopped: the same restore of {name} carries on where this one was"), Done::Interrupted)
        }
        Ended::Restored => (ended(restored, printer), Done::Well),
    };
    printer.result(text)?;
    Ok(done)
}

/// What there is now, and what to do with the old instance.
fn ended(restored: &Restored, printer: &Printer) -> String {
    let Intent { database, from, .. } = &restored.intent;
    let mut text = printer.out.green(format!("{database} is restored {from}")).to_string();
    if let Some(kept) = &restored.kept {
        let (name, size) = (&kept.instance, &kept.size);
        text.push_str(&format!(
            "\n  {} {name} ({size}), protected; it costs what it did, and the stack cannot be destroyed while it is there. \
             To delete it:\n    aws rds modify-db-instance --db-instance-identifier {name} --no-deletion-protection\n    \
             aws rds delete-db-instance --db-instance-identifier {name} --final-db-snapshot-identifier {name}-final",
            printer.out.cyan("kept")
        ));
    }
    text
}
