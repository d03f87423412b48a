//! An apply and a push at the same moment, in every interleaving: neither undoes the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf::operations::{Applied, BeforeDeploy, Deploy, Error, Wanted, Who};
use wharf::rollout::machine::Ending;
use wharf_on_image_push::{OnImagePush, Settings};
use wharf_sandbox::{Behaviour, Fate, Resource};
use wharf_shell::{Environment, Function as _, Invocation};
use wharf_tests::stack::{World, config, in_virtual_time, virtual_timing};

use crate::before_deploy::assert_apart;

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 2\n\
    [services.web]\nmemory = 512\ntasks = { min = 2 }\n\
    [services.tidy]\nschedule = \"rate(1 day)\"\nrepository = \"web\"\nmemory = 256\n";
const SIGNALS: &str = "arn:aws:sns:us-east-1:123456789012:shop-signals";

/// A platform whose service runs `v1`, as its periodic task does, and the function beside it.
struct Stage {
    world: World,
    function: OnImagePush,
}

impl Stage {
    fn of(world: World) -> Self {
        Self::with(world, &[])
    }

    /// The same, where this is run before each rollout of the service.
    fn with(world: World, before_deploy: &[&str]) -> Self {
        let services = json!([
            {"service": "web", "repository": "web", "tags": "v*", "least": 2, "before_deploy": before_deploy},
            {"service": "tidy", "repository": "web", "tags": "v*", "least": 0, "periodic": true},
        ]);
        let services = services.to_string();
        let environment = Environment::of([
            ("WHARF_STACK", "shop"),
            ("WHARF_TABLE", "wharf-shop"),
            ("WHARF_SIGNALS", SIGNALS),
            ("WHARF_CLUSTER", "shop"),
            ("WHARF_SERVICES", &services),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ]);
        let aws =
            environment.aws().expect("it is set up").to_builder().http_client(world.sandbox.http_client()).build();
        let settings = Settings::read(&environment).expect("it is set up");
        Self { function: OnImagePush::new(&aws, settings), world }
    }

    async fn running() -> Self {
        let stage = Self::of(World::calm(3, config(FILE)));
        stage.apply().await.expect("it is applied");
        let first = stage.push("v1").await;
        stage.hear(&first, "v1").await;
        stage.settled(&first).await;
        stage
    }

    fn fork(&self) -> Self {
        Self::of(self.world.fork_at(self.world.sandbox.now()))
    }

    async fn apply(&self) -> Result<Applied, Error> {
        self.world.apply().await
    }

    async fn push(&self, tag: &str) -> String {
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1},
            "layers": [], "annotations": {"tag": tag}});
        let session = self.world.session("push").await.expect("it is answered");
        let put = session.aws.ecr.put_image().repository_name("shop/web").image_tag(tag);
        let put = put.image_manifest(manifest.to_string()).send().await.expect("it is pushed");
        put.image.and_then(|image| image.image_id).and_then(|id| id.image_digest).expect("it has a digest")
    }

    /// Lets the event of a push arrive, again and again until it is worked on.
    async fn hear(&self, digest: &str, tag: &str) {
        let event = json!({
            "id": format!("event {digest}"), "detail-type": "ECR Image Action", "source": "aws.ecr",
            "account": "123456789012", "time": self.world.sandbox.now().to_string(), "region": "us-east-1",
            "detail": {"result": "SUCCESS", "repository-name": "shop/web", "image-digest": digest,
                "action-type": "PUSH", "image-tag": tag},
        });
        let record = json!({"messageId": "m", "body": event.to_string(), "eventSource": "aws:sqs"});
        for _ in 0..10 {
            if self.invoke(&json!({ "Records": [record] })).await {
                return;
            }
            tokio::time::sleep(Duration::from_secs(360)).await;
        }
        panic!("the push is never worked on");
    }

    async fn invoke(&self, payload: &Value) -> bool {
        let now = self.world.sandbox.now();
        let request = format!("request-{}", now.as_nanosecond());
        let invocation = Invocation::new(request, "arn", None, now, Duration::from_secs(60));
        let answer = self.function.handle(payload.clone(), &invocation).await.expect("a batch is answered");
        answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty)
    }

    /// Waits until two tasks of the image run, and the record says so.
    async fn settled(&self, digest: &str) {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let record = json!({"messageId": "s", "body": "{\"wharf-reconcile\": 1}", "eventSource": "aws:sqs"});
            self.invoke(&json!({ "Records": [record] })).await;
            if self.tasks(digest) == 2 {
                return;
            }
        }
        panic!("{digest} never runs");
    }

    fn of_kind(&self, kind: &str) -> Vec<Resource> {
        self.world.sandbox.resources().into_iter().filter(|resource| resource.kind == kind).collect()
    }

    fn tasks(&self, digest: &str) -> usize {
        let runs = |task: &&Resource| {
            task.attrs["lastStatus"] == "RUNNING" && task.attrs["containers"].to_string().contains(digest)
        };
        self.of_kind("ecs.task").iter().filter(runs).count()
    }

    /// The memory in the revision that the service is to run.
    fn memory(&self) -> Value {
        let services = self.of_kind("ecs.service");
        let revision = &services[0].attrs["taskDefinition"];
        let definitions = self.of_kind("ecs.task-definition");
        let found = definitions.iter().find(|one| one.attrs["taskDefinitionArn"] == *revision);
        found.expect("the revision is there").attrs["memory"].clone()
    }

    /// The image and the memory of what the schedule starts next.
    fn next(&self) -> (String, Value) {
        let definitions = self.of_kind("ecs.task-definition");
        let active =
            definitions.iter().filter(|one| one.attrs["family"] == "shop-tidy" && one.attrs["status"] == "ACTIVE");
        let newest = active.max_by_key(|one| one.attrs["revision"].as_i64()).expect("there is one");
        let image = newest.attrs["containerDefinitions"][0]["image"].as_str().expect("it has an image");
        (image.rsplit('@').next().unwrap_or_default().to_owned(), newest.attrs["memory"].clone())
    }

    /// Wants more memory of all that runs.
    fn want_more(&mut self) {
        self.world.config.services.values_mut().for_each(|service| service.memory += 128);
    }

    /// Says when so many calls have been made of all that come.
    fn at_call(&self, call: usize) -> tokio::sync::oneshot::Receiver<()> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let (left, tell) = (AtomicUsize::new(call), Mutex::new(Some(tell)));
        self.world.sandbox.on_call(move |_| {
            if left.fetch_sub(1, Ordering::SeqCst) == 1
                && let Some(tell) = tell.lock().expect("nobody panics").take()
            {
                let _ = tell.send(());
            }
            Fate::Normal
        });
        told
    }
}

/// What an apply says that a rollout overtook.
fn overtaken(applied: &Result<Applied, Error>) -> bool {
    match applied {
        Ok(applied) => !applied.complete(),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn an_apply_and_a_push_at_the_same_moment_leave_the_image_and_the_setting() {
    in_virtual_time(async {
        let stage = Stage::running().await;
        let second = stage.push("v2").await;
        let calls = {
            let mut stage = stage.fork();
            stage.want_more();
            stage.apply().await.expect("it is applied");
            let log = stage.world.sandbox.call_log();
            let at = |operation: &str| log.iter().position(|call| call.operation == operation);
            (at("RegisterTaskDefinition").expect("a revision"), log.len())
        };
        let mut both = 0;
        for call in calls.0.saturating_sub(8)..calls.1 {
            let mut stage = stage.fork();
            stage.want_more();
            let moment = stage.at_call(call);
            let (applied, ()) = tokio::join!(stage.apply(), async {
                // The apply can be over before.
                let _ = tokio::time::timeout(Duration::from_secs(600), moment).await;
                stage.hear(&second, "v2").await;
            });
            stage.world.sandbox.clear_hook();
            stage.settled(&second).await;
            if overtaken(&applied) {
                let again = stage.apply().await.expect("it is applied again");
                assert!(again.complete(), "at call {call}: {:?}", again.runs.last().map(|(_, outcome)| outcome));
                stage.settled(&second).await;
            } else {
                both += 1;
            }
            assert_eq!((stage.tasks(&second), stage.memory()), (2, json!("640")), "at call {call}");
            assert_eq!(stage.next(), (second.clone(), json!("384")), "at call {call}");
        }
        assert!(both > 0, "not every apply has to be run again");
    });
}

#[test]
fn a_push_from_before_a_deployment_by_hand_does_not_undo_it() {
    in_virtual_time(async {
        let stage = Stage::running().await;
        let second = stage.push("v2").await;
        let third = stage.push("v3").await;
        let session = stage.world.session("by-hand").await.expect("it is answered");
        let request = by_hand(&third, None, "an hour from now, by a clock that is wrong".to_owned());
        let fork = stage.fork();
        session.deploy(&request, std::future::pending()).await.expect("it is deployed");
        // The event of the push has the time at which it was made, and arrives now.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let late = fork.world.sandbox.now() - jiff::SignedDuration::from_secs(120);
        let event = json!({
            "id": "late", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "123456789012",
            "time": late.to_string(), "region": "us-east-1",
            "detail": {"result": "SUCCESS", "repository-name": "shop/web", "image-digest": second,
                "action-type": "PUSH", "image-tag": "v2"},
        });
        let record = json!({"messageId": "m", "body": event.to_string(), "eventSource": "aws:sqs"});
        assert!(stage.invoke(&json!({ "Records": [record] })).await);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!((stage.tasks(&third), stage.tasks(&second)), (2, 0));
    });
}

#[test]
fn a_deployment_by_hand_waits_until_the_command_before_a_push_has_ended() {
    in_virtual_time(async {
        const COMMAND: [&str; 3] = ["python", "manage.py", "migrate"];
        let stage = Stage::running().await;
        let stage = Stage::with(stage.world.fork_at(stage.world.sandbox.now()), &COMMAND);
        let (second, third) = (stage.push("v2").await, stage.push("v3").await);
        for digest in [&second, &third] {
            let migrates = Behaviour { exits: Some((0, 200)), ..Behaviour::default() };
            let commands = [(COMMAND.join(" "), migrates)].into();
            stage.world.sandbox.image_behaviour(digest, &Behaviour { commands, ..Behaviour::default() });
        }
        stage.hear(&second, "v2").await;
        let commands = || {
            let tasks = stage.of_kind("ecs.task").into_iter();
            tasks.filter(|task| task.text("group") == "wharf-push:web").collect::<Vec<_>>()
        };
        assert_eq!(commands().len(), 1, "the push has begun its command");

        let session = stage.world.session("by-hand").await.expect("it is answered");
        let command = COMMAND.map(str::to_owned);
        let before = BeforeDeploy { command: &command, timeout: Duration::from_secs(600) };
        let request = by_hand(&third, Some(before), stage.world.sandbox.now().to_string());
        let deployed = Box::pin(session.deploy(&request, std::future::pending())).await.expect("it is deployed");
        assert_eq!(deployed.ending, Some(Ending::Settled));
        stage.settled(&third).await;
        assert_eq!((stage.tasks(&second), commands().len()), (0, 2));
        assert_apart(commands());
    });
}

/// The deployment of a digest of `web` by hand.
fn by_hand<'a>(digest: &'a str, before: Option<BeforeDeploy<'a>>, at: String) -> Deploy<'a> {
    Deploy {
        periodic: false,
        before,
        service: "web",
        wanted: Wanted::Digest(digest),
        least: 2,
        command: "deploy",
        who: Who { name: "tests".to_owned(), at },
        timing: virtual_timing(),
        on_progress: &|_| {},
        on_wait: &|_| {},
    }
}
