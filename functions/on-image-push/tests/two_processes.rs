//! The function as Lambda runs it: two copies of an event at once, in two processes of the real program behind a Runtime
//! API. Nothing but the stack's table stands between them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../src/tests/account.rs"]
mod account;

use std::io::Write as _;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, FunctionResponseType, Runtime};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::{Value, json};
use wharf_sandbox::lambda::{Hosts, Program};
use wharf_sandbox::{Pace, Sandbox, SimClock, Weather};

use account::json_call;

const NAME: &str = "shop-on-image-push";
const ROLE: &str = "arn:aws:iam::123456789012:role/shop-on-image-push";
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:shop-on-image-push";
const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-on-image-push";

fn config(sandbox: &Sandbox) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("AKIADEPLOYER", "x", None)))
        .http_client(sandbox.http_client())
        .build()
}

/// An account in which `web` runs `v1`, and the function is deployed: one message an invocation, two at once.
async fn account(before_deploy: &[&str]) -> Sandbox {
    let sandbox = Sandbox::builder().seed(9).weather(Weather::calm()).build();
    let network = account::ready(&sandbox).await;
    let first = push(&sandbox, "v1").await;
    let revision = account::define(&sandbox, "web", &format!("@{first}")).await;
    account::serve(&sandbox, &network, "web", &revision, 2).await;
    let aws = config(&sandbox);
    make_role(&aws).await;
    let queue = aws_sdk_sqs::Client::new(&aws).create_queue().queue_name(NAME);
    queue.attributes(QueueAttributeName::VisibilityTimeout, "360").send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    make_function(&aws, before_deploy).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    sandbox
}

async fn make_role(aws: &SdkConfig) {
    let iam = aws_sdk_iam::Client::new(aws);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]});
    iam.create_role().role_name(NAME).assume_role_policy_document(trust.to_string()).send().await.unwrap();
    // What it may do is another test's matter.
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let put = iam.put_role_policy().role_name(NAME).policy_name("own").policy_document(policy.to_string());
    put.send().await.unwrap();
}

async fn make_function(aws: &SdkConfig, before_deploy: &[&str]) {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    archive.write_all(b"\x7fELF").unwrap();
    let code = FunctionCode::builder().zip_file(Blob::new(archive.finish().unwrap().into_inner())).build();
    let services =
        json!([{"service": "web", "repository": "web", "tags": "v*", "least": 2, "before_deploy": before_deploy}]);
    let variables = Environment::builder()
        .variables("WHARF_STACK", "shop")
        .variables("WHARF_TABLE", "wharf-shop")
        .variables("WHARF_SIGNALS", "arn:aws:sns:us-east-1:123456789012:shop-signals")
        .variables("WHARF_CLUSTER", "shop")
        .variables("WHARF_SERVICES", services.to_string())
        .build();
    let lambda = aws_sdk_lambda::Client::new(aws);
    let made = lambda.create_function().function_name(NAME).role(ROLE).code(code).environment(variables).timeout(60);
    let made = made.runtime(Runtime::Providedal2023).handler("bootstrap").architectures(Architecture::Arm64);
    made.send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let reserve = lambda.put_function_concurrency().function_name(NAME).reserved_concurrent_executions(2);
    reserve.send().await.unwrap();
    let mapping = lambda.create_event_source_mapping().function_name(NAME).event_source_arn(QUEUE).batch_size(1);
    mapping.function_response_types(FunctionResponseType::ReportBatchItemFailures).send().await.unwrap();
}

/// Puts an image into the repository; answers its digest.
async fn push(sandbox: &Sandbox, tag: &str) -> String {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1}, "annotations": {"of": tag},
    });
    let put = json!({"repositoryName": "shop/web", "imageManifest": manifest.to_string(), "imageTag": tag});
    let answer = json_call(sandbox, "ecr", "PutImage", put).await;
    answer["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
}

fn event(sandbox: &Sandbox, digest: &str) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": sandbox.now().to_string(), "region": "us-east-1",
        "resources": [], "detail": {"result": "SUCCESS", "repository-name": "shop/web", "image-digest": digest,
            "action-type": "PUSH", "image-tag": "v2"},
    })
}

fn count(sandbox: &Sandbox, operation: &str) -> usize {
    sandbox.call_log().iter().filter(|call| call.operation == operation).count()
}

fn tasks(sandbox: &Sandbox, digest: &str) -> usize {
    let tasks = sandbox.of_kind("ecs.task").into_iter();
    let runs = tasks.filter(|task| task.text("lastStatus") == "RUNNING");
    runs.filter(|task| task.attrs["containers"].to_string().contains(digest)).count()
}

/// Lets two copies of the push of `v2` arrive, the second so much later.
async fn two_copies(sandbox: &Sandbox, apart: Duration) -> (String, Hosts) {
    let digest = push(sandbox, "v2").await;
    let hosts = Hosts::start(sandbox, Pace::Stepped).await.unwrap();
    hosts.run(NAME, Program::new(env!("CARGO_BIN_EXE_on-image-push")));
    let body = event(sandbox, &digest).to_string();
    let sqs = aws_sdk_sqs::Client::new(&config(sandbox));
    let send = || sqs.send_message().queue_url(URL).message_body(&body).send();
    let (one, two) = tokio::join!(send(), async {
        tokio::time::sleep(apart).await;
        send().await
    });
    one.unwrap();
    two.unwrap();
    pass(sandbox, &hosts, 30).await;
    (digest, hosts)
}

/// Lets so much time pass, with all that happens in it.
async fn pass(sandbox: &Sandbox, hosts: &Hosts, seconds: u64) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sandbox.next_event();
        hosts.idle().await;
    }
}

/// Both ran to their ends, and at the same time for a while, each in a process of its own.
fn ran_at_once(sandbox: &Sandbox) -> bool {
    let over = sandbox.invocations();
    let [one, two] = &over[..] else { panic!("two invocations: {over:#?}") };
    for invoked in &over {
        assert_eq!(invoked.error, None, "{over:#?}");
        assert_eq!(invoked.result, r#"{"batchItemFailures":[]}"#, "{over:#?}");
    }
    let processes = sandbox.of_kind("logs.stream").into_iter();
    let processes = processes.filter(|stream| stream.text("_group") == format!("/aws/lambda/{NAME}")).count();
    processes == 2 && one.started < two.ended && two.started < one.ended
}

#[tokio::test(start_paused = true)]
async fn two_copies_of_a_push_at_once_in_two_processes_are_one_deployment() {
    let before = account(&[]).await;
    let mut at_once = 0;
    for apart in [0, 10, 25, 60, 120, 250] {
        let sandbox = before.fork_with_clock(SimClock::new(before.now()));
        let (digest, hosts) = two_copies(&sandbox, Duration::from_millis(apart)).await;
        at_once += usize::from(ran_at_once(&sandbox));
        pass(&sandbox, &hosts, 300).await;
        let written = (count(&sandbox, "RegisterTaskDefinition"), count(&sandbox, "UpdateService"));
        assert_eq!((written, tasks(&sandbox, &digest)), ((1, 1), 2), "{apart} ms apart");
    }
    assert!(at_once >= 3, "only {at_once} of them ran at once");
}

#[tokio::test(start_paused = true)]
async fn two_copies_at_once_in_two_processes_run_the_command_before_the_rollout_once() {
    let before = account(&["python", "manage.py", "migrate"]).await;
    for apart in [0, 40] {
        let sandbox = before.fork_with_clock(SimClock::new(before.now()));
        let (_, _hosts) = two_copies(&sandbox, Duration::from_millis(apart)).await;
        ran_at_once(&sandbox);
        let groups = sandbox.of_kind("ecs.task").into_iter().filter(|task| task.text("group") == "wharf-push:web");
        assert_eq!((groups.count(), count(&sandbox, "RegisterTaskDefinition")), (1, 1), "{apart} ms apart");
        assert_eq!(count(&sandbox, "UpdateService"), 0, "{apart} ms apart");
    }
}
