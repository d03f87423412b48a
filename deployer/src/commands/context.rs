//! What every command begins with: the stack file, and the way to its account.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_engine::{AllowDestroy, LogicalId, Stack};

use crate::aws::connect::Options as Connect;
use crate::aws::{CallEvent, Observer};
use crate::cli::Global;
use crate::config::{self, Config};
use crate::operations::Session;
use crate::platform;
use crate::report::value::duration;
use crate::report::{Failure, Kind, Printer, Stop};
use crate::surroundings;

/// What every command is given.
pub(super) struct Context<'a> {
    /// Flags of every command.
    pub(super) global: &'a Global,
    /// The way out.
    pub(super) printer: &'a Printer,
}

/// A stack file, its account, and the stack that it means there.
pub(super) struct Open {
    pub(super) config: Config,
    pub(super) session: Session,
    pub(super) stack: Stack,
}

/// Where the stack file is looked for when none is given.
const DEFAULT_FILES: [&str; 2] = ["infra/wharf.toml", "wharf.toml"];

impl Context<'_> {
    /// The stack file's path.
    pub(super) fn file(&self) -> PathBuf {
        let default = || {
            let mut found = DEFAULT_FILES.iter().map(PathBuf::from).filter(|path| path.is_file());
            found.next().unwrap_or_else(|| PathBuf::from(DEFAULT_FILES[0]))
        };
        self.global.config.clone().unwrap_or_else(default)
    }

    /// The stack file, whose warnings have been shown.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let path = self.file();
        let loaded = config::load(&path)?;
        if let Some(warnings) = &loaded.warnings {
            self.printer.note(warnings.render(self.printer.err.0, self.printer.width).trim_end());
        }
        let config = loaded.config;
        match &self.global.region {
            Some(region) if region != config.stack.region.as_str() => {
                let message =
                    format!("`--region {region}` is not the stack's region, which is {}", config.stack.region);
                let hint = "leave it out: a stack stays in the region that its stack file names";
                Err(Failure::new(Kind::Conflict, message).hint(hint))
            }
            _ => Ok(config),
        }
    }

    /// How the account is reached.
    pub(super) fn connect(&self, region: &str) -> Connect {
        Connect {
            region: region.to_owned(),
            profile: self.global.profile.clone(),
            endpoint_url: self.global.endpoint_url.clone(),
            transport: None,
            zone: None,
            names: None,
        }
    }

    /// Who hears of each call: nobody, unless more is to be said.
    pub(super) fn observer(&self) -> Observer {
        if !self.printer.verbose {
            return Arc::new(|_| {});
        }
        let printer = self.printer.clone();
        Arc::new(move |event| {
            let text = match event {
                CallEvent::Answered { action, took, error: None } => format!("  {action} {}", duration(*took)),
                CallEvent::Answered { action, took, error: Some(code) } => {
                    format!("  {action} {}: {code}", duration(*took))
                }
                CallEvent::Retried { action, code, after } => {
                    format!("  {action} again in {}: {code}", duration(*after))
                }
            };
            printer.note(printer.err.dim(text));
        })
    }

    /// Reads the stack file and connects to the stack's account.
    pub(super) async fn open(&self) -> Result<Open, Stop> {
        let config = self.config()?;
        let session = self.session(&config, config.hosted_zone()).await?;
        let stack = platform::stack(&config, &session.connection().site()).map_err(Failure::from)?;
        Ok(Open { config, session, stack })
    }

    /// Reads the stack file and connects, for a command about one of its services.
    pub(super) async fn operate(&self, service: &str) -> Result<(Config, Session), Stop> {
        let config = self.config()?;
        if !config.services.contains_key(service) {
            let names: Vec<&str> = config.services.keys().map(String::as_str).collect();
            let hint = match names.as_slice() {
                [] => "the stack file has no service".to_owned(),
                names => format!("the stack file has {}", names.join(", ")),
            };
            return Err(Failure::config(format!("there is no service `{service}`")).hint(hint).into());
        }
        let session = self.session(&config, None).await?;
        Ok((config, session))
    }

    /// Connects to the stack's account. `zone` is a hosted zone that is looked for meanwhile.
    pub(super) async fn session(&self, config: &Config, zone: Option<String>) -> Result<Session, Failure> {
        let run = surroundings::run_id().map_err(|error| Failure::ours("cannot name this run").because(&error))?;
        let account = config.stack.account.as_ref().map(ToString::to_string);
        let connect = Connect { zone, ..self.connect(config.stack.region.as_str()) };
        let session = Session::open(&connect, config.stack.name.as_str(), account.as_deref(), &run, self.observer());
        Ok(session.await?)
    }
}

/// A logical id from the command line.
pub(super) fn logical_id(text: &str) -> Result<LogicalId, String> {
    LogicalId::new(text).map_err(|error| error.to_string())
}

/// `--allow-destroy`: ids, or `all`.
pub(super) fn allow_destroy(ids: &[String]) -> Result<AllowDestroy, Failure> {
    if ids.iter().any(|id| id == "all") {
        return Ok(AllowDestroy::All);
    }
    if ids.is_empty() {
        return Ok(AllowDestroy::Nothing);
    }
    let ids: Result<BTreeSet<_>, _> = ids.iter().map(|id| LogicalId::new(id.as_str())).collect();
    ids.map(AllowDestroy::These)
        .map_err(|error| Failure::config("`--allow-destroy` takes logical ids, or `all`").because(&error))
}
