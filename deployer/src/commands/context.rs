//! What every command begins with: the stack file, and the way to its account.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_engine::{AllowDestroy, LogicalId, Stack};

use crate::aws::connect::Options as Connect;
use crate::aws::lambda::package::Packages;
use crate::aws::{CallEvent, Observer};
use crate::cli::Global;
use crate::config::{self, Config};
use crate::operations::Session;
use crate::report::value::duration;
use crate::report::{Failure, Kind, Printer, Stop};
use crate::surroundings;
use crate::{packages, platform};

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

/// Whether a command needs the functions' code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// It may have to bring it out.
    Needed,
    /// It compares it, if it is there.
    IfAtHand,
}

/// What `--functions` says where no code is needed.
const SANDBOX: &str = "sandbox";

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
            trunking: false,
            names: None,
            packages: Arc::default(),
        }
    }

    /// The code of the stack's functions.
    fn packages(&self, config: &Config, code: Code) -> Result<Packages, Failure> {
        if self.in_sandbox() {
            return packages::stand_ins().map_err(|error| Failure::ours("cannot make a zip").because(&error));
        }
        match packages::find(&self.code(config), &config.functions(), config.reactions.architecture) {
            Ok(packages) => Ok(packages),
            Err(packages::PackageError::Missing { .. }) if code == Code::IfAtHand => Ok(Packages::default()),
            Err(error) => Err(error.into()),
        }
    }

    fn in_sandbox(&self) -> bool {
        self.global.functions.as_deref() == Some(Path::new(SANDBOX))
    }

    /// Where code is looked for: where somebody says that it is; else beside this program, and where `cargo lambda`
    /// builds it.
    fn code(&self, config: &Config) -> Vec<PathBuf> {
        if let Some(directory) = &self.global.functions {
            return vec![directory.clone()];
        }
        if let Some(directory) = &config.reactions.code {
            return vec![self.file().parent().unwrap_or(Path::new("")).join(directory)];
        }
        let own = surroundings::own_directory();
        let above = own.as_deref().and_then(Path::parent);
        let beside = own.as_deref().into_iter().chain(above).map(|directory| directory.join("lambda"));
        beside.chain([PathBuf::from("target/lambda")]).collect()
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
    pub(super) async fn open(&self, code: Code) -> Result<Open, Stop> {
        let config = self.config()?;
        let (zone, trunking) = (config.hosted_zone(), config.counts_on_trunking());
        let connect = Connect { zone, trunking, ..self.connect(config.stack.region.as_str()) };
        let connect = Connect { packages: Arc::new(self.packages(&config, code)?), ..connect };
        let session = self.connected(&config, connect).await?;
        if self.in_sandbox() && !session.connection().stood_in_for {
            let message = format!("`--functions {SANDBOX}` stands for no code, and this account is AWS's own");
            let hint = "leave it out, or give the `--endpoint-url` of an account that `wharf sandbox --serve` serves";
            return Err(Failure::new(Kind::Conflict, message).hint(hint).into());
        }
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
        let session = self.session(&config).await?;
        Ok((config, session))
    }

    /// Connects to the stack's account.
    pub(super) async fn session(&self, config: &Config) -> Result<Session, Failure> {
        self.connected(config, self.connect(config.stack.region.as_str())).await
    }

    async fn connected(&self, config: &Config, connect: Connect) -> Result<Session, Failure> {
        let run = surroundings::run_id().map_err(|error| Failure::ours("cannot name this run").because(&error))?;
        let account = config.stack.account.as_ref().map(ToString::to_string);
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
