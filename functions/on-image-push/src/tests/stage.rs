//! What the tests stand on: two services in an account, the function as a Lambda would have it, and the events that
//! AWS would send it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_events::Notice;
use wharf_sandbox::{Resource, Sandbox, SimClock, Weather};
use wharf_shell::{Environment, Function as _, Invocation};

use super::account::{self, json_call};
use crate::record::{Record, Rollout};
use crate::{OnImagePush, Settings};

/// As long as the deployer gives the function.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// So long a message that came back stays hidden.
pub(super) const HIDDEN: Duration = Duration::from_secs(360);

/// Two services, and who looks after them.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) function: OnImagePush,
    before_deploy: Vec<String>,
    /// What events were sent of.
    told: std::sync::Mutex<BTreeSet<String>>,
    invocations: AtomicU64,
}

/// What became of a batch: how many of its messages came back.
pub(super) type Failures = usize;

impl Stage {
    /// `web` and `worker`, of two tasks each, of the image `v1`.
    pub(super) async fn new() -> Self {
        Self::with(&[], Some(2)).await
    }

    /// The same, where a command is run before each rollout of `web`.
    pub(super) async fn preparing() -> Self {
        Self::with(&["python", "manage.py", "migrate"], Some(2)).await
    }

    /// The same on the first day: there is no image, and no task.
    pub(super) async fn first_day() -> Self {
        Self::with(&[], None).await
    }

    async fn with(before_deploy: &[&str], count: Option<u32>) -> Self {
        let sandbox = Sandbox::builder().seed(7).weather(Weather::calm()).build();
        let network = account::ready(&sandbox).await;
        let before_deploy: Vec<String> = before_deploy.iter().map(|word| (*word).to_owned()).collect();
        let stage = Self::of(sandbox, before_deploy);
        for service in ["web", "worker"] {
            let version = match count {
                Some(_) => format!("@{}", stage.push_quietly(service, "v1").await),
                None => ":none".to_owned(),
            };
            let revision = account::define(&stage.sandbox, service, &version).await;
            account::serve(&stage.sandbox, &network, service, &revision, count.unwrap_or(0)).await;
        }
        tokio::time::sleep(Duration::from_secs(300)).await;
        stage.events();
        stage
    }

    fn of(sandbox: Sandbox, before_deploy: Vec<String>) -> Self {
        let function = function(&sandbox, &before_deploy);
        Self { sandbox, function, before_deploy, told: std::sync::Mutex::default(), invocations: AtomicU64::default() }
    }

    /// Another account in the same state, which goes its own way from here.
    pub(super) fn fork(&self) -> Self {
        let sandbox = self.sandbox.fork_with_clock(SimClock::new(self.sandbox.now()));
        let stage = Self::of(sandbox, self.before_deploy.clone());
        stage.told.lock().unwrap().clone_from(&self.told.lock().unwrap());
        stage.invocations.store(self.invocations.load(Ordering::SeqCst), Ordering::SeqCst);
        stage
    }

    /// Another process of the same function.
    pub(super) fn another(&self) -> OnImagePush {
        function(&self.sandbox, &self.before_deploy)
    }

    /// Puts an image into a repository; answers its digest. Nobody hears of it.
    pub(super) async fn push_quietly(&self, repository: &str, tag: &str) -> String {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1}, "layers": [],
            "annotations": {"of": format!("{repository} {tag}")},
        });
        self.put(repository, &manifest, Some(tag)).await
    }

    /// Puts what has this manifest into a repository; answers its digest.
    pub(super) async fn put(&self, repository: &str, manifest: &Value, tag: Option<&str>) -> String {
        let mut put = json!({"repositoryName": format!("shop/{repository}"), "imageManifest": manifest.to_string()});
        if let Some(tag) = tag {
            put["imageTag"] = tag.into();
        }
        let answer = json_call(&self.sandbox, "ecr", "PutImage", put).await;
        // The next push is a later one.
        tokio::time::sleep(Duration::from_secs(2)).await;
        answer["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
    }

    /// The event of a push, some seconds from now.
    pub(super) fn event(&self, repository: &str, digest: &str, tag: Option<&str>, seconds: i64) -> Value {
        let at = self.sandbox.now() + jiff::SignedDuration::from_secs(seconds);
        let at = jiff::Timestamp::from_second(at.as_second()).unwrap();
        let mut detail = json!({
            "result": "SUCCESS", "repository-name": format!("shop/{repository}"), "image-digest": digest,
            "action-type": "PUSH",
        });
        if let Some(tag) = tag {
            detail["image-tag"] = tag.into();
        }
        json!({
            "version": "0", "id": format!("event {repository} {digest} {tag:?} {at}"), "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": at.to_string(), "region": "us-east-1",
            "resources": [], "detail": detail,
        })
    }

    /// Pushes an image, and lets its event arrive. Answers the digest.
    pub(super) async fn push(&self, repository: &str, tag: &str) -> String {
        let digest = self.push_quietly(repository, tag).await;
        assert_eq!(self.hear(&[self.event(repository, &digest, Some(tag), 0)]).await, 0);
        digest
    }

    /// Lets a batch arrive; answers how many of its messages come back.
    pub(super) async fn hear(&self, bodies: &[Value]) -> Failures {
        self.hear_by(&self.function, bodies, TIMEOUT).await
    }

    /// The same by another process, or with other times.
    pub(super) async fn hear_by(&self, function: &OnImagePush, bodies: &[Value], left: Duration) -> Failures {
        let record = |(place, body): (usize, &Value)| {
            json!({
                "messageId": format!("m-{place}"), "body": body.to_string(), "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": "1"},
            })
        };
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let invocation = self.invocation(left);
        let answer = function.handle(json!({"Records": records}), &invocation).await.unwrap();
        assert!(invocation.remaining() >= Duration::from_secs(2), "it returns two seconds before its deadline");
        answer["batchItemFailures"].as_array().unwrap().len()
    }

    fn invocation(&self, left: Duration) -> Invocation {
        let request = format!("request-{}", self.invocations.fetch_add(1, Ordering::SeqCst));
        Invocation::new(
            request,
            "arn:aws:lambda:us-east-1:123456789012:function:shop-on-image-push",
            None,
            self.sandbox.now(),
            left,
        )
    }

    /// The scheduled message arrives.
    pub(super) async fn schedule(&self) -> Failures {
        self.hear(&[json!({"wharf-reconcile": 1})]).await
    }

    /// What ECS would have told since this was called last.
    pub(super) fn events(&self) -> Vec<Value> {
        let mut told = self.told.lock().unwrap();
        let event = |kind: &str, resource: &str, detail: Value| {
            json!({
                "id": format!("{kind} {resource} {detail}"), "detail-type": kind, "source": "aws.ecs",
                "account": "123456789012", "region": "us-east-1", "time": self.sandbox.now().to_string(),
                "resources": [resource], "detail": detail,
            })
        };
        let mut events = Vec::new();
        for task in self.of_kind("ecs.task") {
            if task.attrs["lastStatus"] == "STOPPED" && told.insert(task.id.clone()) {
                let arn = task.attrs["taskArn"].as_str().unwrap();
                events.push(event("ECS Task State Change", arn, Value::Object(task.attrs.clone())));
            }
        }
        for deployment in self.of_kind("ecs.service-deployment") {
            let status = deployment.attrs["status"].as_str().unwrap();
            let name = match status {
                // That another took its place is no event.
                "STOPPED" => continue,
                "IN_PROGRESS" => "SERVICE_DEPLOYMENT_IN_PROGRESS",
                "SUCCESSFUL" => "SERVICE_DEPLOYMENT_COMPLETED",
                _ => "SERVICE_DEPLOYMENT_FAILED",
            };
            let id = deployment.attrs["_deployment"].clone();
            if told.insert(format!("{id} {name}")) {
                let detail = json!({
                    "eventName": name, "deploymentId": id, "reason": deployment.attrs.get("statusReason"),
                });
                let service = deployment.attrs["serviceArn"].as_str().unwrap();
                events.push(event("ECS Deployment State Change", service, detail));
            }
        }
        events
    }

    /// Lets time go on, and events arrive as they happen, until nothing has happened for a while.
    pub(super) async fn settle(&self) {
        let mut still = 0;
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let events = self.events();
            still = if events.is_empty() { still + 1 } else { 0 };
            for batch in events.chunks(10) {
                assert_eq!(self.hear(batch).await, 0);
            }
            if still > 36 {
                return;
            }
        }
        panic!("it never gets quiet");
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<Resource> {
        self.sandbox.resources().into_iter().filter(|resource| resource.kind == kind).collect()
    }

    /// How many tasks of a digest run.
    pub(super) fn tasks(&self, digest: &str) -> usize {
        let runs = |task: &&Resource| {
            task.attrs["lastStatus"] == "RUNNING" && task.attrs["containers"].to_string().contains(digest)
        };
        self.of_kind("ecs.task").iter().filter(runs).count()
    }

    /// How many tasks there are to be of a service.
    pub(super) fn desired(&self, service: &str) -> i64 {
        let services = self.of_kind("ecs.service");
        let found = services.iter().find(|one| one.attrs["serviceName"] == service).unwrap();
        found.attrs["desiredCount"].as_i64().unwrap()
    }

    /// How often an operation was called by anybody.
    pub(super) fn count(&self, operation: &str) -> usize {
        self.sandbox.call_log().iter().filter(|call| call.operation == operation).count()
    }

    pub(super) async fn record(&self, service: &str) -> Record {
        self.function.ledger.read(service).await.unwrap().expect("there is a record")
    }

    pub(super) async fn rollout(&self, service: &str) -> Rollout {
        self.record(service).await.rollout.expect("there is a rollout")
    }

    /// The notices that were published, each once.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let mut keys = BTreeSet::new();
        let published = self.sandbox.published();
        let notices = published.iter().map(|one| {
            let json: Value = serde_json::from_str(&one.message).expect("a notice is JSON");
            Notice::from_json(&json).expect("it says that it is a notice").expect("it can be read")
        });
        notices.filter(|notice| keys.insert(notice.key.clone())).collect()
    }

    /// The titles of those notices.
    pub(super) fn titles(&self) -> Vec<String> {
        self.notices().into_iter().map(|notice| notice.title).collect()
    }
}

fn function(sandbox: &Sandbox, before_deploy: &[String]) -> OnImagePush {
    let services = json!([
        {"service": "web", "repository": "web", "tags": "v*", "least": 2, "before_deploy": before_deploy, "timeout": 600},
        {"service": "worker", "repository": "worker", "tags": "v*", "least": 1},
    ]);
    let environment = Environment::of([
        ("WHARF_STACK", "shop"),
        ("WHARF_TABLE", "wharf-shop"),
        ("WHARF_SIGNALS", "arn:aws:sns:us-east-1:123456789012:shop-signals"),
        ("WHARF_CLUSTER", "shop"),
        ("WHARF_SERVICES", &services.to_string()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let config = environment.aws().unwrap().to_builder().http_client(sandbox.http_client()).build();
    OnImagePush::new(&config, Settings::read(&environment).unwrap())
}
