//! Functions as processes of their own behind the sandbox's Lambda: the loop and the host against each other, under
//! tokio's paused time, in which the account's clock may only go as far as its calls take.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment as Variables, FunctionCode, InvocationType, Runtime};
use aws_types::SdkConfig;
use serde_json::{Value, json};
use wharf_sandbox::lambda::{Hosts, Program};
use wharf_sandbox::{Pace, Sandbox, Weather};
use wharf_shell::{Environment, Fault, Function, Invocation};

const ROLE: &str = "arn:aws:iam::123456789012:role/obedient";
const GROUP: &str = "/aws/lambda/obedient";

/// The function that the tests start: it does what it is told.
struct Obedient {
    dynamodb: aws_sdk_dynamodb::Client,
    colour: String,
}

impl Function for Obedient {
    async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<Value, Fault> {
        match payload["do"].as_str() {
            Some("fail") => Err(Fault::new("Told", "as it was told")),
            Some("exit") => std::process::exit(7),
            Some("flood") => Ok("x".repeat(7_000_000).into()),
            Some("hang") => std::future::pending().await,
            Some("call") => {
                // What takes time here takes none in the account.
                tokio::time::sleep(Duration::from_millis(20)).await;
                for _ in 0..payload["times"].as_u64().unwrap_or(1) {
                    let table = self.dynamodb.describe_table().table_name("none").send().await;
                    let error = table.map_err(aws_sdk_dynamodb::Error::from).err();
                    if let Some(aws_sdk_dynamodb::Error::ResourceNotFoundException(_)) = error {
                        continue;
                    }
                    return Err(Fault::new("Refused", format!("{error:?}")));
                }
                let said = writeln!(std::io::stdout(), "called");
                said.map_err(|error| Fault::caused("Output", &error))?;
                let (left, day) = (invocation.remaining(), invocation.now().strftime("%Y-%m-%d").to_string());
                // Half a second of what it has may pass while it sleeps and starts up.
                Ok(json!({"on time": (29..=31).contains(&(left + Duration::from_millis(500)).as_secs()), "day": day}))
            }
            _ => Ok(json!({"payload": payload, "process": std::process::id(), "colour": self.colour})),
        }
    }
}

fn build(environment: &Environment) -> Result<Obedient, Fault> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&environment.aws()?);
    Ok(Obedient { dynamodb, colour: environment.get("COLOUR").unwrap_or("none").to_owned() })
}

#[test]
#[ignore = "it is what the other tests start as a process of its own"]
fn the_function_itself() {
    assert_eq!(wharf_shell::block_on(wharf_shell::serve("obedient", build)), ExitCode::SUCCESS);
}

/// An account with the function, and its host.
struct World {
    sandbox: Sandbox,
    lambda: aws_sdk_lambda::Client,
    iam: aws_sdk_iam::Client,
    hosts: Hosts,
}

fn config(sandbox: &Sandbox) -> SdkConfig {
    let deployer = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-1")];
    let config = Environment::of(deployer).aws().unwrap();
    config.into_builder().http_client(sandbox.http_client()).build()
}

fn zip() -> Blob {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    archive.write_all(b"\x7fELF").unwrap();
    Blob::new(archive.finish().unwrap().into_inner())
}

fn program() -> Program {
    let itself = ["--exact", "the_function_itself", "--ignored", "--nocapture"];
    itself.into_iter().fold(Program::new(std::env::current_exe().unwrap()), Program::argument)
}

impl World {
    async fn new(seed: u64, timeout: i32) -> Self {
        let sandbox = Sandbox::builder().seed(seed).weather(Weather::calm()).build();
        let config = config(&sandbox);
        let (iam, lambda) = (aws_sdk_iam::Client::new(&config), aws_sdk_lambda::Client::new(&config));
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]});
        let role = iam.create_role().role_name("obedient").assume_role_policy_document(trust.to_string());
        role.send().await.unwrap();
        let code = FunctionCode::builder().zip_file(zip()).build();
        let made = lambda.create_function().function_name("obedient").role(ROLE).code(code);
        let made = made.runtime(Runtime::Providedal2023).handler("bootstrap").architectures(Architecture::Arm64);
        made.timeout(timeout).send().await.unwrap();
        let hosts = Hosts::start(&sandbox, Pace::Stepped).await.unwrap();
        let world = Self { sandbox, lambda, iam, hosts };
        world.may(&["dynamodb:DescribeTable", "logs:*"]).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.hosts.run("obedient", program());
        world
    }

    /// From now on this is what the role may do.
    async fn may(&self, actions: &[&str]) {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let put = self.iam.put_role_policy().role_name("obedient").policy_name("own");
        put.policy_document(policy.to_string()).send().await.unwrap();
    }

    /// Invokes it and waits: the kind of error, and the answer.
    async fn invoke(&self, payload: Value) -> (Option<String>, Value) {
        let call = self.lambda.invoke().function_name("obedient").payload(Blob::new(payload.to_string()));
        let answer = call.send().await.unwrap();
        let body = answer.payload.unwrap_or_else(|| Blob::new("")).into_inner();
        (answer.function_error, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn send(&self, payload: Value) {
        let call = self.lambda.invoke().function_name("obedient").invocation_type(InvocationType::Event);
        call.payload(Blob::new(payload.to_string())).send().await.unwrap();
    }

    fn lines(&self) -> Vec<String> {
        let streams = self.sandbox.resources().into_iter().filter(|one| one.kind == "logs.stream");
        let streams = streams.filter(|stream| stream.text("_group") == GROUP);
        streams
            .flat_map(|stream| stream.items("_events").to_vec())
            .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// A life of many invocations, in a time of its own: what each said after how long, who called and when.
fn life(seed: u64) -> (Vec<String>, Vec<(String, String)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(lived(seed))
}

async fn lived(seed: u64) -> (Vec<String>, Vec<(String, String)>) {
    let world = World::new(seed, 30).await;
    let mut said = Vec::new();
    for n in 0..40_u64 {
        let before = world.sandbox.now();
        let calls = world.sandbox.calls();
        let (error, answer) = world.invoke(json!({"do": "call", "times": n % 4})).await;
        assert_eq!(error, None, "{answer}");
        // The call that invokes is under way beside those of the function. Each takes 20 ms, a third more or less.
        let made = i128::from(world.sandbox.calls() - calls);
        let took = world.sandbox.now().duration_since(before).as_millis();
        assert_eq!(made, 1 + i128::from(n % 4));
        assert!(((made - 1).max(1) * 14..=made * 26 + 2).contains(&took), "{made} calls took {took} ms");
        said.push(format!("{took} {answer}"));
    }
    let calls = world.sandbox.call_log().into_iter().map(|call| (call.principal, call.at.to_string())).collect();
    (said, calls)
}

#[test]
fn the_clock_goes_as_far_as_the_calls_take_whatever_the_process_does_and_the_same_again() {
    let (first, second) = (life(3), life(3));
    assert_eq!(first, second);
    let all_on_time =
        first.0.iter().all(|said| said.contains("\"day\":\"2026-01-05\"") && said.contains("\"on time\":true"));
    assert!(all_on_time, "{:?}", first.0);
    let role = "arn:aws:sts::123456789012:assumed-role/obedient/obedient";
    assert_eq!(first.1.iter().filter(|(principal, _)| principal == role).count(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_process_serves_one_invocation_after_the_other_until_its_function_changes() {
    let world = World::new(4, 30).await;
    let (_, first) = world.invoke(json!({"a": [1.5, "x"]})).await;
    assert_eq!(first["payload"], json!({"a": [1.5, "x"]}));
    let (_, second) = world.invoke(json!({})).await;
    assert_eq!(first["process"], second["process"]);
    let variables = Variables::builder().variables("COLOUR", "green").build();
    let change = world.lambda.update_function_configuration().function_name("obedient").environment(variables);
    change.send().await.unwrap();
    assert_eq!(world.invoke(json!({})).await.1["colour"], "none", "the change is not in force yet");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (_, third) = world.invoke(json!({})).await;
    assert_eq!(third["colour"], "green");
    assert_ne!(first["process"], third["process"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_process_writes_stands_in_its_log_between_start_and_end() {
    let world = World::new(5, 30).await;
    world.invoke(json!({"do": "call"})).await;
    let lines = world.lines();
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap_or(usize::MAX);
    let order =
        [place("INIT_START"), place("START RequestId"), place("called"), place("END RequestId"), place("REPORT")];
    assert!(order.is_sorted() && order[4] < usize::MAX, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_a_crash_and_a_hang_are_told_as_lambda_tells_them_and_the_next_one_works() {
    let world = World::new(6, 1).await;
    let (error, answer) = world.invoke(json!({"do": "fail"})).await;
    assert_eq!((error.as_deref(), &answer["errorMessage"]), (Some("Unhandled"), &json!("as it was told")));
    let (error, answer) = world.invoke(json!({"do": "exit"})).await;
    assert_eq!((error.as_deref(), &answer["errorType"]), (Some("Unhandled"), &json!("Runtime.ExitError")));
    assert!(answer["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: exit status 7"), "{answer}");
    let before = world.sandbox.now();
    let (error, answer) = world.invoke(json!({"do": "hang"})).await;
    assert_eq!((error.as_deref(), &answer["errorType"]), (Some("Unhandled"), &json!("Sandbox.Timedout")));
    assert!(answer["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"), "{answer}");
    assert!(world.sandbox.now().duration_since(before).as_millis() <= 1100);
    assert_eq!(world.invoke(json!({})).await.0, None);
    assert!(world.lines().iter().any(|line| line.contains("Task timed out after 1.00 seconds")));
}

#[tokio::test(start_paused = true)]
async fn events_run_in_as_many_processes_as_the_reserved_concurrency_allows_and_fail_as_often_as_lambda_tries() {
    let world = World::new(7, 30).await;
    let reserve = world.lambda.put_function_concurrency().function_name("obedient");
    reserve.reserved_concurrent_executions(2).send().await.unwrap();
    for n in 0..12 {
        world.send(json!({"do": "call", "n": n})).await;
    }
    world.send(json!({"do": "fail"})).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    world.hosts.idle().await;
    let over = world.sandbox.invocations();
    assert_eq!(over.iter().filter(|one| one.error.is_none()).count(), 12);
    assert_eq!(over.iter().filter(|one| one.error.is_some()).count(), 3);
    let streams = world.sandbox.resources().into_iter().filter(|one| one.kind == "logs.stream").count();
    assert!((1..=2).contains(&streams), "{streams} processes");
}

#[tokio::test(start_paused = true)]
async fn what_the_role_may_not_the_process_may_not() {
    let world = World::new(8, 30).await;
    assert_eq!(world.invoke(json!({"do": "call"})).await.0, None);
    world.may(&["logs:*"]).await;
    let (error, answer) = world.invoke(json!({"do": "call"})).await;
    assert_eq!(error.as_deref(), Some("Unhandled"));
    let said = answer["errorMessage"].as_str().unwrap();
    assert!(
        said.contains("assumed-role/obedient/obedient is not authorized to perform: dynamodb:DescribeTable"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there_fails_its_invocations() {
    let world = World::new(9, 30).await;
    world.hosts.run("obedient", Program::new("/nowhere/bootstrap"));
    let (error, answer) = world.invoke(json!({})).await;
    assert_eq!((error.as_deref(), &answer["errorType"]), (Some("Unhandled"), &json!("Runtime.InvalidEntrypoint")));
    world.hosts.run("obedient", Program::new("/bin/false"));
    let (error, answer) = world.invoke(json!({})).await;
    assert_eq!((error.as_deref(), &answer["errorType"]), (Some("Unhandled"), &json!("Runtime.ExitError")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_long_is_none() {
    let world = World::new(11, 30).await;
    let (error, answer) = world.invoke(json!({"do": "flood"})).await;
    assert_eq!((error.as_deref(), &answer["errorType"]), (Some("Unhandled"), &json!("Function.ResponseSizeTooLarge")));
    let long =
        world.lambda.invoke().function_name("obedient").payload(Blob::new(format!("\"{}\"", "x".repeat(6_300_000))));
    let refused = aws_sdk_lambda::Error::from(long.send().await.unwrap_err());
    assert!(matches!(refused, aws_sdk_lambda::Error::RequestTooLargeException(_)), "{refused:?}");
    assert_eq!(world.invoke(json!({})).await.0, None);
}

#[tokio::test]
async fn in_real_time_it_works_too() {
    let clock = wharf_sandbox::SimClock::new("2026-01-05T09:00:00Z".parse().unwrap()).at_speed(200.0);
    let sandbox = Sandbox::builder().seed(10).weather(Weather::calm()).clock(clock).build();
    let config = config(&sandbox);
    let (iam, lambda) = (aws_sdk_iam::Client::new(&config), aws_sdk_lambda::Client::new(&config));
    let hosts = Hosts::start(&sandbox, Pace::Slept).await.unwrap();
    let world = World { sandbox, lambda, iam, hosts };
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]});
    let role = world.iam.create_role().role_name("obedient").assume_role_policy_document(trust.to_string());
    role.send().await.unwrap();
    world.may(&["dynamodb:DescribeTable"]).await;
    let code = FunctionCode::builder().zip_file(zip()).build();
    let made = world.lambda.create_function().function_name("obedient").role(ROLE).code(code);
    made.runtime(Runtime::Providedal2023).handler("bootstrap").timeout(3).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.hosts.run("obedient", program());
    assert_eq!(world.invoke(json!({"do": "call", "times": 3})).await.0, None);
    assert_eq!(world.invoke(json!({"do": "hang"})).await.1["errorType"], "Sandbox.Timedout");
    assert_eq!(world.invoke(json!({"do": "call"})).await.0, None);
}
