//! A platform with a service, as those see it who push images, deploy them, and count what serves.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf::aws::Scope;
use wharf::config::Config;
use wharf::operations::{BeforeDeploy, Deploy, Deployed, Error, Session, Wanted, Who};
use wharf::policy::{For, policies};
use wharf::rollout::machine::Ending;
use wharf::rollout::record::{Record, Status};
use wharf_sandbox::{Policy, Resource};

use crate::stack::{World, virtual_timing};

/// A platform with a service `web`, whose repository is empty at first.
#[derive(Debug)]
pub struct Stage {
    /// The account.
    pub world: World,
    /// The fewest tasks of this digest that ran, and targets that were well, while somebody looked.
    least: RefCell<Option<usize>>,
}

impl Stage {
    /// An account in which nothing is applied yet.
    #[must_use]
    pub fn of(world: World) -> Self {
        Self { world, least: RefCell::default() }
    }

    /// The platform of a stack file, in calm weather.
    pub async fn new(config: Config) -> Self {
        let stage = Self::of(World::calm(3, config));
        stage.apply().await;
        stage
    }

    /// The same where `v1` runs. Answers its digest, too.
    pub async fn running(config: Config) -> (Self, String) {
        let stage = Self::new(config).await;
        let first = stage.push("v1").await;
        assert_eq!(
            stage.deploy("first", Wanted::Tag("v1")).await.expect("the first deployment").ending,
            Some(Ending::Settled)
        );
        stage.instances().await;
        (stage, first)
    }

    /// Waits until as many instances are registered as the cluster has at least: the first task needs but one.
    async fn instances(&self) {
        let least = self.world.config.cluster.as_ref().map_or(0, |cluster| usize::from(cluster.min));
        while self.of_kind("ecs.container-instance").len() < least {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    /// Applies, to the end.
    pub async fn apply(&self) {
        let applied = self.world.apply().await.unwrap_or_else(|error| panic!("{error:?}"));
        assert!(applied.complete(), "{:#?}", applied.runs.last().map(|(_, outcome)| outcome));
    }

    /// There is nothing to do.
    pub async fn plan_is_empty(&self) {
        let planned = self.world.plan().await.expect("it is answered");
        assert!(planned.plan.steps.is_empty(), "{:#?}", planned.plan.steps);
    }

    /// Connects as a run of this id.
    pub async fn session(&self, run: &str) -> Session {
        // A deployment looks for no zone.
        let mut world = self.world.clone();
        world.config.edge = None;
        world.session(run).await.expect("it is answered")
    }

    /// Pushes an image; answers its digest.
    pub async fn push(&self, tag: &str) -> String {
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1},
            "layers": [], "annotations": {"tag": tag}});
        let session = self.session("push").await;
        let ecr = &session.aws.ecr;
        let put = || ecr.put_image().repository_name("shop/web").image_tag(tag).image_manifest(manifest.to_string());
        let image = loop {
            match session.aws.call("ecr:PutImage", tag, || put().send()).await {
                Ok(answer) => break answer.image.expect("it is answered"),
                Err(error) if error.code.as_deref() == Some("ImageAlreadyExistsException") => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        // The next push is a later one.
        tokio::time::sleep(Duration::from_secs(2)).await;
        image.image_id.expect("it is answered").image_digest.expect("it is answered")
    }

    /// Deploys with the permissions of a deployment, and no others.
    pub async fn deploy(&self, run: &str, wanted: Wanted<'_>) -> Result<Deployed, Error> {
        self.roll(run, wanted, &|_| {}).await
    }

    /// The same, while somebody hears how far it has come.
    pub async fn roll(&self, run: &str, wanted: Wanted<'_>, on_progress: &dyn Fn(&str)) -> Result<Deployed, Error> {
        self.limit();
        let session = self.session(run).await;
        let request = self.request(wanted, on_progress);
        let deployed = session.deploy(&request, std::future::pending()).await;
        self.world.sandbox.set_policy(None);
        deployed
    }

    /// Deploys after a command that may take five minutes.
    pub async fn deploy_after(&self, run: &str, wanted: Wanted<'_>, command: &[String]) -> Result<Deployed, Error> {
        self.limit();
        let session = self.session(run).await;
        let before = BeforeDeploy { command, timeout: Duration::from_secs(300) };
        let request = Deploy { before: Some(before), ..self.request(wanted, &|_| {}) };
        let deployed = Box::pin(session.deploy(&request, std::future::pending())).await;
        self.world.sandbox.set_policy(None);
        deployed
    }

    /// Deploys an image of the periodic task `tidy`.
    pub async fn deploy_periodic(&self, run: &str, wanted: Wanted<'_>) -> Result<Deployed, Error> {
        self.limit();
        let session = self.session(run).await;
        let request = Deploy { service: "tidy", least: 1, periodic: true, ..self.request(wanted, &|_| {}) };
        let deployed = session.deploy(&request, std::future::pending()).await;
        self.world.sandbox.set_policy(None);
        deployed
    }

    fn request<'a>(&self, wanted: Wanted<'a>, on_progress: &'a dyn Fn(&str)) -> Deploy<'a> {
        Deploy {
            service: "web",
            wanted,
            least: 2,
            periodic: false,
            before: None,
            command: "deploy",
            who: Who { name: "tests".to_owned(), at: self.world.sandbox.now().to_string() },
            timing: virtual_timing(),
            on_progress,
            on_wait: &|_| {},
        }
    }

    /// The same, while which tasks of `old` and healthy targets are counted at each look.
    pub async fn watched(&self, wanted: Wanted<'_>, old: &str) -> Deployed {
        self.least.replace(None);
        let look = |_: &str| {
            let serving = self.tasks(old).min(self.healthy());
            let least = self.least.borrow().map_or(serving, |least: usize| least.min(serving));
            self.least.replace(Some(least));
        };
        let run = format!("run-{}", self.world.sandbox.now().as_nanosecond());
        self.roll(&run, wanted, &look).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// The fewest that served while [`Stage::watched`] looked.
    #[must_use]
    pub fn least(&self) -> Option<usize> {
        *self.least.borrow()
    }

    /// How many healthy targets with a running task requests of the public service go to at this moment.
    #[must_use]
    pub fn serving(&self) -> usize {
        let addresses: BTreeSet<String> = self
            .of_kind("ecs.task")
            .iter()
            .filter(|task| task.text("group") == "service:web" && task.text("lastStatus") == "RUNNING")
            .map(|task| task.text("_ip").to_owned())
            .collect();
        let mut live = BTreeSet::new();
        for rule in self.of_kind("elasticloadbalancing.rule") {
            let forward = rule.attrs["Actions"][0]["ForwardConfig"]["TargetGroups"].clone();
            let weighted = forward.as_array().into_iter().flatten().filter(|group| group["Weight"] != 0);
            live.extend(weighted.filter_map(|group| group["TargetGroupArn"].as_str().map(str::to_owned)));
        }
        let serves = |target: &&Resource| {
            let well = target.text("_state") == "healthy" && live.contains(target.text("_group"));
            well && addresses.contains(target.text("_ip"))
        };
        self.of_kind("elasticloadbalancing.target").iter().filter(serves).count()
    }

    /// Does something, while at every moment at which anything happens in the account it is counted how many targets
    /// serve; then goes on counting for ten minutes. Answers the fewest, with the moment.
    pub async fn while_serving<T>(&self, work: impl Future<Output = T>) -> (T, (usize, Timestamp)) {
        let sandbox = &self.world.sandbox;
        let mut fewest = (self.serving(), sandbox.now());
        let mut look = || {
            let now = (self.serving(), sandbox.now());
            if now.0 < fewest.0 {
                fewest = now;
            }
        };
        let next = || {
            let event = sandbox.next_event().map(|at| at.duration_since(sandbox.now()));
            let pause = event.and_then(|pause| Duration::try_from(pause).ok()).unwrap_or(Duration::from_secs(1));
            tokio::time::sleep(pause.clamp(Duration::from_millis(10), Duration::from_secs(1)))
        };
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = next() => look(),
            }
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(600);
        while tokio::time::Instant::now() < until {
            next().await;
            look();
        }
        (done, fewest)
    }

    fn limit(&self) {
        let own = str::to_owned;
        let scope =
            Scope { stack: own("shop"), account: own("123456789012"), partition: own("aws"), region: own("us-east-1") };
        let documents = policies(&scope, For::Deploy);
        let statements: Vec<Value> = documents
            .iter()
            .flat_map(|document| document["Statement"].as_array().expect("statements").clone())
            .collect();
        self.world
            .sandbox
            .set_policy(Some(Policy::parse(&json!({ "Statement": statements })).expect("it is answered")));
    }

    /// Every object of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Resource> {
        self.world.sandbox.of_kind(kind)
    }

    /// How many tasks of a digest run.
    pub fn tasks(&self, digest: &str) -> usize {
        let runs = |task: &&Resource| {
            task.attrs["lastStatus"] == "RUNNING" && task.attrs["containers"].to_string().contains(digest)
        };
        self.of_kind("ecs.task").iter().filter(runs).count()
    }

    /// How many targets are healthy.
    pub fn healthy(&self) -> usize {
        self.of_kind("elasticloadbalancing.target").iter().filter(|target| target.attrs["_state"] == "healthy").count()
    }

    /// How often an operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.world.sandbox.call_log().iter().filter(|call| call.operation == operation).count()
    }

    /// The record of the service's rollouts.
    pub async fn record(&self) -> Record {
        self.session("look").await.ledger.rollouts("web").await.expect("a record is read").expect("a record is there")
    }

    /// It failed for this reason, and `old` served all along, and serves.
    pub async fn failed(&self, deployed: &Deployed, old: &str, cause: &str) {
        let Some(Ending::Failed(why)) = &deployed.ending else { panic!("{deployed:#?}") };
        assert!(why.contains(cause), "{why}");
        assert_eq!(*self.least.borrow(), Some(2), "{cause}");
        assert!(deployed.serves.iter().any(|serves| serves.image.ends_with(old) && serves.tasks == 2), "{deployed:#?}");
        let rollout = self.record().await.rollout.expect("a rollout");
        assert_eq!((rollout.status, rollout.why.as_ref()), (Status::RolledBack, Some(why)));
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!((self.tasks(old), self.healthy()), (2, 2));
        self.plan_is_empty().await;
    }
}
