//! A stack in a sandbox, as `wharf` sees it: the same library code, under virtual time.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use wharf::aws::Observer;
use wharf::aws::connect::Options as Connect;
use wharf::config::{self, Config};
use wharf::ledger::Timing;
use wharf::operations::{Applied, Apply, Approval, Error, Planned, Session, Who};
use wharf::{packages, platform};
use wharf_engine::{AllowDestroy, Limits, Options, Stack};
use wharf_sandbox::{Builder, Sandbox, SimClock, Weather};

use crate::root;

/// Runs a test's body in its own paused time, so that a twenty-minute apply takes a moment.
pub fn in_virtual_time<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    // What a whole platform's run holds is too much for a test thread's stack, several times over.
    runtime.expect("a runtime").block_on(Box::pin(body))
}

/// The user's own stack file, whole.
#[must_use]
pub fn whole_config() -> Config {
    config::load(&root().join("infra/wharf.toml")).expect("infra/wharf.toml is good").config
}

/// The same without the functions, and without what only they do.
#[must_use]
pub fn without_functions() -> Config {
    let mut config = whole_config();
    config.reactions.enabled = false;
    if let Some(alerts) = &mut config.alerts {
        alerts.slack = None;
    }
    config.services.values_mut().for_each(|service| service.before_deploy.clear());
    config
}

/// What the user's services stand on: their stack file without cluster, edge, backups and alerts.
#[must_use]
pub fn users_config() -> Config {
    Config { cluster: None, edge: None, backups: config::Backups::default(), alerts: None, ..whole_config() }
}

/// A stack file with `[stack]` for the sandbox's account in front.
#[must_use]
pub fn config(rest: &str) -> Config {
    let text = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\naccount = \"123456789012\"\n{rest}");
    let nothing = |name: &str| Err(std::io::Error::other(format!("{name} is not there")));
    match config::parse("wharf.toml", &text, &nothing) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// Stack files of what services stand on, which have between them every kind of it, and every field that can have a
/// value.
#[must_use]
pub fn foundations() -> Vec<Config> {
    let small = |egress: &str| config(&format!("[network]\negress = \"{egress}\"\n[services.web]\nport = 8000\n"));
    [small("endpoints"), users_config(), small("nat-zonal")].into_iter().map(with_tag).collect()
}

/// The same, and whole platforms: between them every kind of resource. A module that a stack file switches on is
/// switched on here. The small ones come first, so that what stands in them is walked there.
#[must_use]
pub fn everything() -> Vec<Config> {
    foundations().into_iter().chain([whole_config(), config(OTHERWISE)].map(with_tag)).collect()
}

/// A kind that none of the stacks holds which a test walks through would be left out without a word.
///
/// # Panics
/// There is such a kind.
pub fn every_kind_is_among(held: BTreeSet<&str>) {
    let kinds = wharf::aws::kinds();
    let left_out: Vec<_> = kinds.iter().map(|kind| kind.rules().kind).filter(|kind| !held.contains(kind)).collect();
    assert!(left_out.is_empty(), "no stack file of the walks has any {}", left_out.join(", "));
}

fn with_tag(mut config: Config) -> Config {
    config.stack.tags.insert("team".to_owned(), "ops".to_owned());
    config
}

/// What the user's own stack file does not do: every other way to deploy, a worker, a periodic task, a redirect, a zone.
const OTHERWISE: &str = r#"
[cluster]
instance_type = "m7i.large"
max = 8
[edge]
domain = "shop.example.com"
zone = "example.com"
create_zone = true
redirect_http = true
[alerts]
[services.web]
port = 8000
deploy = "blue-green"
[services.admin]
port = 8001
allow = ["203.0.113.0/24"]
deploy = "canary"
[services.reports]
port = 8002
allow = ["203.0.113.0/24"]
deploy = "linear"
[services.worker]
tasks = { min = 1, max = 2 }
[services.tidy]
schedule = "rate(1 hour)"
"#;

/// An account that has the zone which the stack file names, and whose registrar knows it.
#[must_use]
pub fn with_zone(sandbox: Builder, config: &Config) -> Builder {
    config.hosted_zone().into_iter().fold(sandbox, |sandbox, zone| sandbox.zone(zone))
}

/// How somebody with this stack file reaches an account by this transport.
#[must_use]
pub fn reach(config: &Config, sandbox: &Sandbox, transport: SharedHttpClient) -> Connect {
    Connect {
        region: config.stack.region.to_string(),
        zone: config.hosted_zone(),
        trunking: config.counts_on_trunking(),
        names: Some(Arc::new(sandbox.clone())),
        packages: Arc::new(packages::stand_ins().expect("zips can be made")),
        transport: Some(transport),
        ..Connect::default()
    }
}

/// Somebody at a terminal with a stack file, and an account.
#[derive(Clone, Debug)]
pub struct World {
    /// The account.
    pub sandbox: Sandbox,
    /// The stack file.
    pub config: Config,
    /// What may be destroyed, adopted, …
    pub options: Options,
    /// Whether a database that is deleted leaves a final snapshot.
    pub final_snapshot: bool,
    /// Whether somebody has the registrar name the servers of a zone as soon as it is made.
    pub delegates: bool,
}

impl World {
    /// An empty account in typical weather. Only in virtual time.
    #[must_use]
    pub fn new(seed: u64, config: Config) -> Self {
        Self::in_account(with_zone(Sandbox::builder().seed(seed), &config).build(), config)
    }

    /// An empty account in calm weather, for tests whose subject is something else than AWS's moods.
    #[must_use]
    pub fn calm(seed: u64, config: Config) -> Self {
        let sandbox = Sandbox::builder().seed(seed).weather(Weather::calm());
        Self::in_account(with_zone(sandbox, &config).build(), config)
    }

    /// An existing account.
    #[must_use]
    pub fn in_account(sandbox: Sandbox, config: Config) -> Self {
        Self { sandbox, config, options: Options::default(), final_snapshot: true, delegates: true }
    }

    /// A copy of the account as it is now, whose time starts in the runtime that this is called in.
    #[must_use]
    pub fn fork_at(&self, moment: jiff::Timestamp) -> Self {
        Self { sandbox: self.sandbox.fork_with_clock(SimClock::new(moment)), ..self.clone() }
    }

    /// Connects as a run of this id.
    ///
    /// # Errors
    /// What `wharf` would say.
    pub async fn session(&self, run: &str) -> Result<Session, Error> {
        let connect = reach(&self.config, &self.sandbox, SharedHttpClient::new(self.sandbox.http_client()));
        let account = self.config.stack.account.as_ref().map(|account| account.as_str().to_owned());
        let silent: Observer = Arc::new(|_| {});
        let stack = self.config.stack.name.as_str();
        let session = Session::open(&connect, stack, account.as_deref(), run, silent).await?;
        Ok(if self.final_snapshot { session } else { session.without_final_snapshots() })
    }

    /// The stack that the stack file describes.
    #[must_use]
    pub fn stack(&self, session: &Session) -> Stack {
        platform::stack(&self.config, &session.connection().site()).expect("the stack can be described")
    }

    /// Plans.
    ///
    /// # Errors
    /// What `wharf plan` would say.
    pub async fn plan(&self) -> Result<Planned, Error> {
        let session = self.session("plan").await?;
        Box::pin(session.plan(&self.stack(&session), &self.options)).await
    }

    /// Applies this stack, which may be another than the stack file's.
    ///
    /// # Errors
    /// What `wharf apply --yes` would say.
    pub async fn apply_stack(&self, session: &Session, stack: &Stack) -> Result<Applied, Error> {
        self.run(session, stack, "apply", &self.options).await
    }

    /// Applies.
    ///
    /// # Errors
    /// What `wharf apply --yes` would say.
    pub async fn apply(&self) -> Result<Applied, Error> {
        let session = self.session(&self.run_id()).await?;
        let stack = self.stack(&session);
        self.run(&session, &stack, "apply", &self.options).await
    }

    /// Destroys, with leave to delete what is protected.
    ///
    /// # Errors
    /// What `wharf destroy --allow-destroy all --yes` would say.
    pub async fn destroy(&self) -> Result<Applied, Error> {
        let session = self.session(&self.run_id()).await?;
        let options = Options { allow_destroy: AllowDestroy::All, ..self.options.clone() };
        self.run(&session, &Stack::default(), "destroy", &options).await
    }

    fn run_id(&self) -> String {
        format!("run-{}", self.sandbox.now().as_nanosecond())
    }

    async fn run(
        &self,
        session: &Session,
        stack: &Stack,
        command: &'static str,
        options: &Options,
    ) -> Result<Applied, Error> {
        let request = Apply {
            stack,
            options,
            command,
            who: Who { name: "tests".to_owned(), at: self.sandbox.now().to_string() },
            approval: Approval::Given,
            timing: virtual_timing(),
            limits: Limits::default(),
            on_plan: &|_| {},
            on_event: &|_| {},
            on_wait: &|_| {},
        };
        let applied = Box::pin(session.apply(request, std::future::pending()));
        tokio::select! {
            biased;
            applied = applied => applied,
            never = self.delegate(stack) => match never {},
        }
    }

    /// Has the registrar name the servers of each zone that the stack makes.
    async fn delegate(&self, stack: &Stack) -> Infallible {
        let zones = stack.resources.values().filter(|resource| self.delegates && resource.rules.kind == "route53.zone");
        let mut names: Vec<String> = zones.filter_map(|zone| zone.inputs.get("name")?.as_text()).collect();
        loop {
            names.retain(|name| !self.sandbox.delegate(name));
            match names.is_empty() {
                true => std::future::pending().await,
                false => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

/// The lock's times, by the virtual clock.
#[must_use]
pub fn virtual_timing() -> Timing {
    let begun = tokio::time::Instant::now();
    Timing::new(Arc::new(move || begun.elapsed() + Duration::from_secs(1)))
}
