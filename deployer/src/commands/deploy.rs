//! `wharf deploy`: another image of a service.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Done;
use super::context::Context;
use crate::config::{Config, Service};
use crate::operations::{BeforeDeploy, Deploy, Deployed, Session, Wanted};
use crate::report::{Failure, Printer, Stop, json};
use crate::rollout::machine::Ending;
use crate::rollout::record::Status;
use crate::surroundings;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service
    pub service: String,
    /// The image with this tag; the newest one whose tag is like `images.tags` if neither is given
    #[arg(long, conflicts_with = "digest")]
    pub tag: Option<String>,
    /// The image with this digest: `sha256:…`
    #[arg(long)]
    pub digest: Option<String>,
}

/// Brings an image out, after what the stack file has run before each rollout, and waits until it runs.
pub(super) async fn deploy(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let config = context.config()?;
    let service = service(&config, &arguments.service)?;
    let wanted = match (&arguments.tag, &arguments.digest) {
        (Some(tag), _) => Wanted::Tag(tag),
        (None, Some(digest)) => Wanted::Digest(whole(digest)?),
        (None, None) => Wanted::Newest(&service.images.tags),
    };
    roll(context, &config, &arguments.service, wanted, "deploy").await
}

fn whole(digest: &str) -> Result<&str, Failure> {
    let hex =
        digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let wrong = || {
        Failure::config(format!("`{digest}` is no digest"))
            .hint("a digest is `sha256:` and 64 hexadecimal digits; a tag is given by `--tag`")
    };
    hex.map(|_| digest).ok_or_else(wrong)
}

/// The service of that name.
pub(super) fn service<'a>(config: &'a Config, name: &str) -> Result<&'a Service, Failure> {
    config.services.get(name).ok_or_else(|| {
        let names: Vec<&str> = config.services.keys().map(AsRef::as_ref).collect();
        let hint = format!("the stack file has {}", names.join(", "));
        Failure::config(format!("there is no service `{name}` in the stack file")).hint(hint)
    })
}

/// Carries a rollout out and tells how it ended.
pub(super) async fn roll(
    context: &Context<'_>,
    config: &Config,
    name: &str,
    wanted: Wanted<'_>,
    command: &'static str,
) -> Result<Done, Stop> {
    let least = config.services.get(name).map_or(1, |service| i32::from(service.tasks.min));
    let periodic = config.services.get(name).is_some_and(Service::is_periodic);
    // What ran before needs nothing to be prepared for it again.
    let before = config.services.get(name).filter(|service| command == "deploy" && !service.before_deploy.is_empty());
    let before = before.map(|service| BeforeDeploy {
        command: &service.before_deploy,
        timeout: Duration::from_secs(60 * u64::from(service.before_deploy_minutes)),
    });
    let session = context.session(config).await?;
    let printer = context.printer;
    let said = std::cell::RefCell::new(String::new());
    let request = Deploy {
        service: name,
        wanted,
        least,
        periodic,
        before,
        command,
        who: surroundings::who(&context.global.user),
        timing: surroundings::timing(),
        on_progress: &|text| {
            if said.replace(text.to_owned()) != text {
                printer.note(format!("  {name}: {text}"));
            }
        },
        on_wait: &|holder| {
            printer.note(format!(
                "{} ({}) is changing {name} since {}: waiting to see whether it is alive",
                holder.who, holder.command, holder.since
            ));
        },
    };
    let loud = printer.clone();
    let interrupt = surroundings::interrupted(move || loud.note("stopping: ECS goes on by itself"));
    let deployed = session.deploy(&request, interrupt).await.map_err(Failure::from)?;
    tell(&session, config, name, command, &deployed, printer)
}

fn tell(
    session: &Session,
    config: &Config,
    name: &str,
    command: &str,
    deployed: &Deployed,
    printer: &Printer,
) -> Result<Done, Stop> {
    let (outcome, why, done) = match &deployed.ending {
        None => ("interrupted", None, Done::Interrupted),
        Some(Ending::NothingToDo) => ("nothing-to-do", None, Done::Well),
        Some(Ending::Settled) => ("settled", None, Done::Well),
        Some(Ending::Failed(why)) if deployed.status == Status::RolledBack => ("rolled-back", Some(why), Done::Failed),
        Some(Ending::Failed(why) | Ending::NotBegun(why)) => ("failed", Some(why), Done::Failed),
    };
    let body = json!({
        "stack": {
            "name": config.stack.name.as_str(), "region": config.stack.region.as_str(),
            "account": session.connection().account,
        },
        "service": name, "outcome": outcome, "why": why, "image": deployed.image, "digest": deployed.digest,
        "tag": deployed.tag, "was": deployed.was, "deployment": deployed.deployment, "serves": deployed.serves,
    });
    printer.document(&json::document(command, body))?;
    let periodic = config.services.get(name).is_some_and(Service::is_periodic);
    printer.result(text(name, periodic, deployed, printer).trim_end())?;
    Ok(done)
}

/// How it ended, for people.
fn text(name: &str, periodic: bool, deployed: &Deployed, printer: &Printer) -> String {
    let paint = printer.out;
    let wanted =
        deployed.tag.as_deref().map_or_else(|| deployed.digest.clone(), |tag| format!("{tag} ({})", deployed.digest));
    let mut text = match &deployed.ending {
        None => {
            format!("{name}: {wanted} is on its way, and ECS brings it to its end; `wharf deploy` again watches it\n")
        }
        Some(Ending::NothingToDo) => format!("nothing to do: {name} runs {wanted}\n"),
        Some(Ending::Settled) if periodic => paint.green(format!("the next run of {name} is of {wanted}")) + "\n",
        Some(Ending::Settled) => paint.green(format!("{name} runs {wanted}")) + "\n",
        Some(Ending::Failed(why) | Ending::NotBegun(why)) => {
            let old = deployed.serves.iter().any(|serves| serves.image != deployed.image);
            let still = if old { "the old version still serves" } else { "nothing serves" };
            let failed = paint.red(format!("{name} does not run {wanted}; {still}"));
            format!("{failed}\n  {} {why}\n", paint.dim("because:"))
        }
    };
    for serves in &deployed.serves {
        let tasks = if serves.tasks == 1 { "task" } else { "tasks" };
        text.push_str(&format!("  {} {tasks} of {}\n", serves.tasks, serves.image));
    }
    text
}
