//! Working with services that run: their logs, a command beside them, a way into them; with the permissions that
//! `wharf policy --for operate` prints, and no others.

use std::cell::RefCell;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf::aws::Scope;
use wharf::operations::{Exec, Line, Progress, Ran, Refusal, Session, TaskError};
use wharf::policy::{For, policies};
use wharf_sandbox::{Behaviour, Ending, Fate, Policy, Sandbox, Weather};
use wharf_tests::served::Served;
use wharf_tests::stack::{World, config, in_virtual_time};
use wharf_tests::target;

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\ninstance_type = \"m7g.large\"\n\
                    [services.web]\nsecrets = { KEY = \"${secret.key}\" }\n";

/// Whoever operates the stack, which stands; without an image yet if none is pushed.
async fn operator(pushed: bool) -> (World, Session) {
    let mut world = World::new(3, config(FILE));
    world.final_snapshot = false;
    let applied = world.apply().await.expect("the stack can be applied");
    assert!(applied.complete(), "{:?}", applied.runs.last().map(|(_, outcome)| outcome));
    // Until the instances have joined.
    tokio::time::sleep(Duration::from_secs(300)).await;
    let session = world.session("operator").await.expect("the account can be reached");
    if pushed {
        push(&session).await;
    }
    limit(&world.sandbox, &session.aws.scope);
    (world, session)
}

/// An image under the tag that the first revision names.
async fn push(session: &Session) {
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": 1 }, "layers": [{ "size": 10 }] });
    let ecr = &session.aws.ecr;
    let put = || ecr.put_image().repository_name("shop/web").image_tag("none").image_manifest(manifest.to_string());
    let put = session.aws.call("ecr:PutImage", "shop/web", || put().send());
    put.await.expect("an image can be pushed");
}

fn limit(sandbox: &Sandbox, scope: &Scope) {
    let documents = policies(scope, For::Operate);
    let statements: Vec<Value> =
        documents.iter().flat_map(|document| document["Statement"].as_array().expect("statements").clone()).collect();
    let policy = Policy::parse(&json!({ "Statement": statements })).expect("the policy is understood");
    sandbox.set_policy(Some(policy));
}

/// Nothing was refused for want of a permission.
#[track_caller]
fn all_allowed(sandbox: &Sandbox) {
    let refused = |ending: &Ending| matches!(ending, Ending::Refused(code) if code.contains("AccessDenied"));
    let denied: Vec<_> = sandbox.call_log().into_iter().filter(|call| refused(&call.ending)).collect();
    assert!(denied.is_empty(), "{denied:#?}");
}

/// Brings the service up with so many tasks, as somebody who may.
async fn up(world: &World, session: &Session, count: i32) {
    world.sandbox.set_policy(None);
    let update = || session.aws.ecs.update_service().cluster("shop").service("web").desired_count(count).send();
    session.aws.call("ecs:UpdateService", "web", update).await.expect("the service can be scaled");
    tokio::time::sleep(Duration::from_secs(120)).await;
    limit(&world.sandbox, &session.aws.scope);
}

/// What the image does when it runs.
fn does(world: &World, exits: (i32, u64), prints: &[&str]) {
    let prints = prints.iter().map(|line| (*line).to_owned()).collect();
    world.sandbox.image_behaviour("none", &Behaviour { exits: Some(exits), prints, ..Behaviour::default() });
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs a command; answers its end and what it wrote.
async fn run(session: &Session, interrupt: impl Future<Output = ()>) -> (Result<Ran, TaskError>, Vec<String>) {
    let lines = RefCell::new(Vec::new());
    let on = |progress: Progress<'_>| match progress {
        Progress::Line(line) => lines.borrow_mut().push(line.to_owned()),
        Progress::Unheard(why) => panic!("{why}"),
        _ => {}
    };
    let ran = session.run_once("web", &words(&["python", "manage.py", "migrate"]), &on, interrupt).await;
    (ran, lines.into_inner())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, TaskError>) -> Refusal {
    match result {
        Err(TaskError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn started(sandbox: &Sandbox) -> Vec<wharf_sandbox::Resource> {
    let ours = |task: &wharf_sandbox::Resource| task.kind == "ecs.task" && task.text("startedBy") == "wharf-run";
    sandbox.resources().into_iter().filter(ours).collect()
}

#[test]
fn a_command_runs_once_with_its_output_and_its_exit_code() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        does(&world, (3, 20), &["Running migrations:", "  no such table"]);
        let (ran, lines) = run(&session, std::future::pending()).await;
        assert_eq!(ran.expect("it runs").code, Some(3));
        assert_eq!(lines, ["Running migrations:", "  no such table"]);
        let tasks = started(&world.sandbox);
        assert_eq!(tasks.len(), 1);
        let overrides = &tasks[0].attrs["overrides"]["containerOverrides"][0];
        assert_eq!(*overrides, json!({ "name": "web", "command": ["python", "manage.py", "migrate"] }));
        assert_eq!(tasks[0].tags.get("wharf:stack").map(String::as_str), Some("shop"));
        all_allowed(&world.sandbox);
    });
}

#[test]
fn a_command_whose_start_is_not_answered_runs_once() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        does(&world, (0, 5), &["done"]);
        let lost = std::sync::atomic::AtomicU32::new(0);
        world.sandbox.on_call(move |call| {
            let first = || lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
            if call.operation == "RunTask" && first() { Fate::LoseReply } else { Fate::Normal }
        });
        let (ran, lines) = run(&session, std::future::pending()).await;
        assert_eq!(ran.expect("it runs").code, Some(0));
        assert_eq!(lines, ["done"]);
        assert_eq!(started(&world.sandbox).len(), 1);
    });
}

#[test]
fn what_cannot_start_names_its_cause() {
    in_virtual_time(async {
        let (world, session) = operator(false).await;
        let (ran, _) = run(&session, std::future::pending()).await;
        let refusal = refused(ran);
        assert!(refusal.what.ends_with("cannot start: its image cannot be pulled"), "{refusal:?}");

        let secret =
            |resource: &wharf_sandbox::Resource| resource.kind == "ssm.parameter" && resource.id.contains("key");
        let secret = world.sandbox.resources().into_iter().find(secret).expect("its secret");
        world.sandbox.remove("ssm.parameter", &secret.id).expect("it is there");
        let session = world.session("second").await.expect("the account can be reached");
        let (ran, _) = run(&session, std::future::pending()).await;
        let refusal = refused(ran);
        assert!(refusal.what.ends_with("cannot start: a secret of it cannot be read"), "{refusal:?}");

        let instances = world.sandbox.resources().into_iter().filter(|one| one.kind == "ecs.container-instance");
        let instances: Vec<String> = instances.map(|one| one.id).collect();
        assert!(!instances.is_empty());
        for id in &instances {
            let full = |attrs: &mut serde_json::Map<String, Value>, _: &mut _| {
                drop(attrs.insert("_memory".to_owned(), 0.into()))
            };
            world.sandbox.edit("ecs.container-instance", id, full).expect("it is there");
        }
        let session = world.session("third").await.expect("the account can be reached");
        let (ran, _) = run(&session, std::future::pending()).await;
        let refusal = refused(ran);
        assert!(refusal.what.contains("no instance has enough memory left"), "{refusal:?}");

        for id in &instances {
            world.sandbox.remove("ecs.container-instance", id).expect("it is there");
        }
        let session = world.session("fourth").await.expect("the account can be reached");
        let (ran, _) = run(&session, std::future::pending()).await;
        let refusal = refused(ran);
        assert!(refusal.what.contains("the cluster has no instance"), "{refusal:?}");
        let refusal = refused(session.run_once("mailhog", &[], &|_| {}, std::future::pending()).await);
        assert!(refusal.what.contains("`mailhog` does not run"), "{refusal:?}");
        all_allowed(&world.sandbox);
    });
}

#[test]
fn a_command_that_somebody_else_stops_was_killed_and_says_so() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        does(&world, (0, 3600), &[]);
        let killer = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let arn = started(&world.sandbox)[0].text("taskArn").to_owned();
            let stop = || session.aws.ecs.stop_task().cluster("shop").task(&arn).reason("by hand").send();
            session.aws.call("ecs:StopTask", "", stop).await.expect("it can be stopped");
        };
        let ((ran, _), ()) = tokio::join!(run(&session, std::future::pending()), killer);
        let refusal = refused(ran);
        assert!(refusal.what.ends_with("was killed: somebody stopped it"), "{refusal:?}");
        assert_eq!(refusal.because[0], "by hand");
    });
}

#[test]
fn an_interrupted_command_is_stopped() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        does(&world, (0, 3600), &["begun"]);
        let (ran, lines) = run(&session, tokio::time::sleep(Duration::from_secs(60))).await;
        assert_eq!(ran.expect("it was stopped").code, None);
        assert_eq!(lines, ["begun"]);
        let tasks = started(&world.sandbox);
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].text("lastStatus"), "STOPPED");
        all_allowed(&world.sandbox);
    });
}

async fn all(log: &mut wharf::operations::ServiceLog<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    loop {
        let page = log.next().await.expect("the log can be read");
        lines.extend(page.lines);
        if !page.more {
            return lines;
        }
    }
}

#[test]
fn logs_come_in_order_of_time_with_their_tasks_and_nothing_twice() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        let prints: Vec<String> = (0..3).map(|n| format!("line {n}")).collect();
        world.sandbox.image_behaviour("none", &Behaviour { prints, ..Behaviour::default() });
        up(&world, &session, 2).await;
        let mut log = session.log("web", 0);
        let lines = all(&mut log).await;
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(lines.is_sorted_by_key(|line| line.at));
        let tasks: std::collections::BTreeSet<_> = lines.iter().map(|line| line.task.as_str()).collect();
        assert_eq!(tasks.len(), 2);
        assert!(tasks.iter().all(|task| task.len() == 32), "{tasks:?}");

        // Whoever follows sees what is new, once.
        assert_eq!(all(&mut log).await, []);
        does(&world, (0, 5), &["migrated"]);
        run(&session, std::future::pending()).await.0.expect("it runs");
        let new = all(&mut log).await;
        assert!(new.iter().any(|line| line.message == "migrated"), "{new:#?}");
        assert_eq!(all(&mut log).await, []);

        let last = session.log("web", 0).last(2).await.expect("the log can be read");
        let everything = all(&mut session.log("web", 0)).await;
        assert_eq!(last.len(), 2);
        let at = |lines: &[Line]| lines.iter().map(|line| line.at).collect::<Vec<_>>();
        assert_eq!(at(&last), at(&everything[everything.len() - 2..]));
        let mut since = session.log("web", everything[everything.len() - 1].at);
        assert!(all(&mut since).await.len() < everything.len());

        let refusal = refused(session.log("nobody", 0).next().await);
        assert!(refusal.what.contains("`nobody` has no log"), "{refusal:?}");
        all_allowed(&world.sandbox);
    });
}

#[test]
fn a_session_is_opened_in_a_task_that_runs_and_can_be_entered() {
    in_virtual_time(async {
        let (world, session) = operator(true).await;
        let web = Exec { service: "web", ..Exec::default() };
        let refusal = refused(session.open_exec(&web).await);
        assert!(refusal.what.contains("no task of `web` runs"), "{refusal:?}");

        up(&world, &session, 1).await;
        // A session whose opening nobody answers is asked for again by whoever wants it.
        world.sandbox.set_weather(Weather::calm());
        let opened = session.open_exec(&web).await.expect("it can be entered");
        let arguments = opened.arguments(Some("ops"), "https://ecs.us-east-1.amazonaws.com");
        let handed: Value = serde_json::from_str(&arguments[0]).expect("the session is JSON");
        assert!(["sessionId", "streamUrl", "tokenValue"].iter().all(|name| handed[*name].is_string()), "{handed}");
        let target: Value = serde_json::from_str(&arguments[4]).expect("the target is JSON");
        let target = target["Target"].as_str().expect("a target").to_owned();
        assert!(target.starts_with(&format!("ecs:shop_{}_", opened.task)), "{target}");
        assert_eq!(arguments[1..4], ["us-east-1", "StartSession", "ops"]);

        let chosen = Exec { task: Some(&opened.task[..6]), container: Some("web"), ..web.clone() };
        assert_eq!(session.open_exec(&chosen).await.expect("it is there").task, opened.task);
        let other = refused(session.open_exec(&Exec { task: Some("zzz"), ..web.clone() }).await);
        assert!(other.hint.expect("a hint").contains(&opened.task[..8]));
        let other = refused(session.open_exec(&Exec { container: Some("proxy"), ..web.clone() }).await);
        assert!(other.what.contains("no container `proxy`"));

        let off = |attrs: &mut serde_json::Map<String, Value>, _: &mut _| {
            attrs.insert("enableExecuteCommand".to_owned(), false.into());
        };
        world.sandbox.edit("ecs.service", "shop/web", off).expect("it is there");
        let refusal = refused(session.open_exec(&web).await);
        assert_eq!(refusal.what, "exec is not enabled for `web`");
        all_allowed(&world.sandbox);
    });
}

/// `wharf` itself, on an account that is served.
struct Terminal {
    dir: tempfile::TempDir,
    served: Served,
}

impl Terminal {
    /// The stack stands, its service is up, and time goes fast. A plugin that writes down what it gets is installed.
    fn new() -> Self {
        let world = in_virtual_time(async {
            let (world, session) = operator(true).await;
            does(&world, (0, 36_000), &["listening"]);
            up(&world, &session, 1).await;
            does(&world, (7, 20), &["migrated"]);
            world.fork_at(world.sandbox.now())
        });
        let served = in_virtual_time(async { Served::copy_of(&world.sandbox, 30.0) });
        let dir = tempfile::tempdir().expect("a directory");
        let file = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n{FILE}");
        std::fs::write(dir.path().join("wharf.toml"), file).expect("a stack file");
        Self { dir, served }
    }

    fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(target().join("debug/wharf"));
        command.args(["--config", "wharf.toml", "--endpoint-url", &self.served.url]).args(arguments);
        command.current_dir(&self.dir).env_clear().env("USER", "tester").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "sandbox").env("AWS_SECRET_ACCESS_KEY", "sandbox").stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn ends(&self, mut command: Command, code: i32) -> String {
        let output = command.output().expect("wharf can be started; `cargo build -p wharf` builds it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn the_binary_prints_lines_and_ends_as_what_it_ran() {
    let terminal = Terminal::new();
    let lines = terminal.ends(terminal.wharf(&["logs", "web", "--tail", "5"]), 0);
    assert!(lines.trim_end().ends_with(" listening"), "{lines}");
    let lines = terminal.ends(terminal.wharf(&["run", "web", "--", "python", "manage.py", "--noinput"]), 7);
    assert_eq!(lines, "migrated\n");
    let document = terminal.ends(terminal.wharf(&["logs", "web", "--tail", "1", "--json"]), 0);
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!(document["lines"][0]["message"], "migrated");
}

#[cfg(unix)]
#[test]
fn the_binary_hands_a_session_to_the_plugin_and_ends_as_it_does() {
    use std::os::unix::fs::PermissionsExt;
    let terminal = Terminal::new();
    let plugin = terminal.dir.path().join("session-manager-plugin");
    std::fs::write(&plugin, "#!/bin/sh\n[ $# -eq 0 ] && exit 0\nprintf '%s\\n' \"$@\"\nexit 5\n").expect("a plugin");
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("it can run");
    let mut command = terminal.wharf(&["exec", "web", "--", "ls", "-l"]);
    command.env("PATH", terminal.dir.path());
    let handed = terminal.ends(command, 5);
    let handed: Vec<&str> = handed.lines().collect();
    assert!(handed[0].contains("\"tokenValue\""), "{handed:?}");
    assert_eq!(handed[1..4], ["us-east-1", "StartSession", ""]);
    assert!(handed[4].starts_with("{\"Target\":\"ecs:shop_"), "{handed:?}");
    assert_eq!(handed[5], terminal.served.url);
}
