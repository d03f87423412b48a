//! on-image-push: images that run, that crash, whose command fails or never ends, that nobody heard of; and a function
//! that dies or is away in the middle.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use wharf_on_image_push::record::{Rollout, Status};
use wharf_on_image_push::{OnImagePush, Settings};
use wharf_sandbox::{Behaviour, Fate};
use wharf_tests::stack::{config, in_virtual_time, whole_config};

use super::{Stage, Subject, held_against, host, words};

const FUNCTION: &str = "shop-on-image-push";
const COMMAND: &str = "python manage.py migrate --noinput";
const SERVICE: &str = "web";
/// A service that scales and never ran, and a periodic task.
const MORE: &str =
    "[cluster]\n[services.worker]\ntasks = { min = 1, max = 2 }\n[services.tidy]\nschedule = \"rate(1 day)\"\n";
/// Between two looks at the record.
const LOOK: Duration = Duration::from_secs(5);
/// So long a story is waited for: a message that came back comes again after six minutes.
const LONGEST: Duration = Duration::from_secs(12 * 60);

#[derive(Clone, Copy, Debug)]
enum Story {
    Runs,
    Crashes,
    CommandFails,
    CommandNeverEnds,
    WithoutEvent,
    WithoutTag,
    DiesWithARevision,
    DiesWithADeployment,
    Away,
    FirstOfAService,
    PeriodicTask,
}

struct Rollouts;

fn ends(code: i32, says: &str) -> Behaviour {
    Behaviour { exits: Some((code, 5)), prints: vec![says.to_owned()], ..Behaviour::default() }
}

/// An image whose command does this.
fn prepared_by(command: Behaviour) -> Behaviour {
    Behaviour { commands: BTreeMap::from([(COMMAND.to_owned(), command)]), ..Behaviour::default() }
}

impl Stage {
    async fn during<T>(&self, story: impl Future<Output = T>) -> T {
        let build = |environment: &wharf_shell::Environment, config: &aws_types::SdkConfig| {
            OnImagePush::new(config, Settings::read(environment).expect("it is set up"))
        };
        Box::pin(host::during(&self.world.sandbox, FUNCTION, build, story)).await
    }

    /// Puts an image that does this into the repository; answers its digest.
    async fn push(&self, version: &str, tag: Option<&str>, does: &Behaviour) -> String {
        self.push_to(SERVICE, version, tag, does).await
    }

    async fn push_to(&self, service: &str, version: &str, tag: Option<&str>, does: &Behaviour) -> String {
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1},
            "layers": [], "annotations": {"version": version, "of": service}});
        let put = self
            .session()
            .await
            .aws
            .ecr
            .put_image()
            .repository_name(format!("shop/{service}"))
            .set_image_tag(tag.map(str::to_owned));
        let put = put.image_manifest(manifest.to_string()).send().await.expect("it is pushed");
        let digest = put.image.and_then(|image| image.image_id).and_then(|id| id.image_digest).expect("a digest");
        self.world.sandbox.image_behaviour(&digest, does);
        digest
    }

    async fn rollout(&self, digest: &str) -> Option<Rollout> {
        let ledger = self.session().await.ledger;
        for service in [SERVICE, "worker", "tidy"] {
            let record = ledger.rollouts(service).await.expect("the record can be read");
            let rollout = record.and_then(|record| record.rollout).filter(|rollout| rollout.digest == digest);
            if rollout.is_some() {
                return rollout;
            }
        }
        None
    }

    /// Waits until the rollout of an image satisfies a test, if it ever does.
    async fn wait(&self, digest: &str, test: impl Fn(&Rollout) -> bool) {
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < LONGEST && !self.rollout(digest).await.is_some_and(|rollout| test(&rollout)) {
            tokio::time::sleep(LOOK).await;
        }
        // What is told of it is on its way.
        tokio::time::sleep(LOOK * 6).await;
    }

    async fn over(&self, digest: &str) {
        self.wait(digest, |rollout| !rollout.status.is_open()).await;
    }

    /// How it ended, what runs, what was told, and whether it was logged.
    async fn outcome(&self, digest: &str, before: usize) -> Vec<String> {
        let status = self.rollout(digest).await.map(|rollout| rollout.status);
        let tasks = self.world.sandbox.of_kind("ecs.task").into_iter();
        let runs = tasks.filter(|task| {
            task.attrs["lastStatus"] == "RUNNING" && task.attrs["containers"].to_string().contains(digest)
        });
        // Alarms come by this way, too.
        let notices = self.published("shop-signals").into_iter().skip(before).filter(|one| one["title"].is_string());
        let told = notices.map(|notice| format!("{}: {}", notice["title"], words(&notice["text"].to_string())));
        let bounds = self.world.sandbox.of_kind("application-autoscaling.target").into_iter();
        let bounds: Vec<String> = bounds.map(|target| target.attrs["MinCapacity"].to_string()).collect();
        let logged = self.log_lines("on-image-push") > 0;
        let state = format!("{status:?}, {} tasks, scaled from {bounds:?}, logged: {logged}", runs.count());
        [state].into_iter().chain(told).collect()
    }

    /// The function dies as soon as a call of this operation has had its effect. After what happens meanwhile another
    /// environment has to find out what was done.
    async fn dies(&self, at: &'static str, does: &Behaviour, meanwhile: impl Future<Output = ()>) -> String {
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        self.world.sandbox.on_call(move |call| {
            if call.operation == at
                && let Some(tell) = tell.lock().expect("nobody panics").take()
            {
                let _ = tell.send(());
            }
            Fate::Normal
        });
        let digest = self.push("v2", Some("v2"), does).await;
        // Where it is never called, there is nothing to die of.
        let _ = self.during(tokio::time::timeout(LONGEST, told)).await;
        self.world.sandbox.clear_hook();
        meanwhile.await;
        self.during(self.over(&digest)).await;
        digest
    }

    /// Somebody brings out anew what runs.
    async fn deploy_anew(&self) {
        let update = self.session().await.aws.ecs.update_service().cluster("shop").service(SERVICE);
        update.force_new_deployment(true).send().await.expect("it is deployed anew");
    }

    /// The function is away while a rollout ends and another deployment takes its place.
    async fn away(&self, tag: &str) -> String {
        let digest = self.push(tag, Some(tag), &prepared_by(ends(0, "done"))).await;
        self.during(self.wait(&digest, |rollout| rollout.status == Status::Deploying)).await;
        tokio::time::sleep(LONGEST).await;
        self.deploy_anew().await;
        tokio::time::sleep(LONGEST).await;
        self.during(self.over(&digest)).await;
        digest
    }

    /// Nobody hears of a push; the schedule finds it.
    async fn without_event(&self, tag: &str) -> String {
        let rule = |state: &str| {
            let change = self.world.sandbox.edit("events.rule", FUNCTION, |attrs, _| {
                attrs.insert("State".to_owned(), state.into());
            });
            change.expect("the rule is there");
        };
        rule("DISABLED");
        let digest = self.push(tag, Some(tag), &prepared_by(ends(0, "done"))).await;
        tokio::time::sleep(LOOK).await;
        rule("ENABLED");
        self.during(self.over(&digest)).await;
        digest
    }
}

impl Subject for Rollouts {
    type Story = Story;
    const FUNCTION: &'static str = "on-image-push";
    const STORIES: &'static [Story] = &[
        Story::Runs,
        Story::Crashes,
        Story::CommandFails,
        Story::CommandNeverEnds,
        Story::WithoutEvent,
        Story::WithoutTag,
        Story::DiesWithARevision,
        Story::DiesWithADeployment,
        Story::Away,
        Story::FirstOfAService,
        Story::PeriodicTask,
    ];

    async fn seen(stage: &Stage, story: Story) -> Vec<String> {
        let before = stage.published("shop-signals").len();
        let works = prepared_by(ends(0, "done"));
        let crashes = Behaviour { commands: works.commands.clone(), ..ends(7, "no such table") };
        let fails = prepared_by(ends(3, "column exists"));
        let hangs = prepared_by(Behaviour { exits: Some((0, 100_000)), ..ends(0, "waiting for a lock") });
        let digest = match story {
            Story::Runs => stage.push("v2", Some("v2"), &works).await,
            Story::Crashes => stage.push("v2", Some("v2"), &crashes).await,
            Story::CommandFails => stage.push("v2", Some("v2"), &fails).await,
            Story::CommandNeverEnds => stage.push("v2", Some("v2"), &hangs).await,
            Story::WithoutTag => return untagged(stage, &works, before).await,
            Story::WithoutEvent => stage.without_event("v2").await,
            Story::DiesWithARevision => stage.dies("RegisterTaskDefinition", &works, stage.deploy_anew()).await,
            Story::DiesWithADeployment => {
                // ECS takes it back, and nobody hears of that.
                stage.dies("UpdateService", &crashes, tokio::time::sleep(LONGEST)).await
            }
            Story::Away => stage.away("v2").await,
            Story::FirstOfAService => stage.push_to("worker", "v1", Some("v1"), &Behaviour::default()).await,
            Story::PeriodicTask => stage.push_to("tidy", "v1", Some("v1"), &Behaviour::default()).await,
        };
        stage.during(stage.over(&digest)).await;
        stage.outcome(&digest, before).await
    }
}

/// An image is pushed by its digest alone, and has got its tag by the time at which that is heard of.
async fn untagged(stage: &Stage, works: &Behaviour, before: usize) -> Vec<String> {
    let digest = stage.push("v2", None, works).await;
    let change = stage.world.sandbox.edit("ecr.image", &format!("shop/web@{digest}"), |attrs, _| {
        attrs.insert("imageTags".to_owned(), json!(["v2"]));
    });
    change.expect("the image is there");
    // The schedule would find it, too.
    stage.during(stage.wait(&digest, |_| true)).await;
    stage.outcome(&digest, before).await
}

#[test]
fn all_that_on_image_push_may_do_is_needed_and_enough() {
    in_virtual_time(async {
        let mut whole = whole_config();
        whole.services.extend(config(MORE).services);
        whole.services.get_mut(SERVICE).expect("it is there").before_deploy_minutes = 3;
        let stage = Box::pin(Stage::with(3, whole)).await;
        let first = stage.push("v1", Some("v1"), &prepared_by(ends(0, "done"))).await;
        stage.during(stage.over(&first)).await;
        assert_eq!(stage.rollout(&first).await.map(|rollout| rollout.status), Some(Status::Settled));
        Box::pin(held_against::<Rollouts>(&stage.now())).await;
    });
}
