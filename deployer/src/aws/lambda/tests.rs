//! Functions and their mappings live in the sandbox from their creation to their deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_engine::{Class, Found, Identity, LogicalId};

use super::Permission;
use super::event_source_mapping::EventSourceMapping;
use super::function::{Function, Invocations};
use super::package::Packages;
use crate::aws::erased::to_fields;
use crate::aws::iam::role::Role;
use crate::aws::kind::{Changed, Kind, New};
use crate::aws::policy::{Document, Statement};
use crate::aws::sqs::queue::Queue;
use crate::aws::testing::{World, out};
use crate::aws::units::{HOUR, Seconds};
use crate::aws::{Out, Tags};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:shop-on-alarm";

/// Two zips.
fn packages() -> Packages {
    let all = crate::packages::stand_ins().unwrap();
    let named = [("old", "on-image-push"), ("new", "on-alarm")];
    named.into_iter().map(|(name, of)| (name.to_owned(), all.of(of).unwrap().clone())).collect()
}

fn code(name: &str) -> String {
    packages().of(name).unwrap().digest().to_owned()
}

async fn world() -> World {
    let mut world = World::calm().await;
    world.aws = world.aws.with_packages(Arc::new(packages()));
    world
}

async fn role(world: &World, name: &str) -> Found {
    let allowed = [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ];
    let role = Role {
        name: format!("shop-{name}"),
        description: String::new(),
        trust: Document::trusting("lambda.amazonaws.com").text(),
        policies: [("function".to_owned(), Document::new([Statement::allow(allowed).on("*")]).text())].into(),
        managed: Vec::new(),
        max_session: HOUR,
        boundary: None,
        tags: Tags::new(),
    };
    let found = world.create(&format!("reactions.{name}-role"), &role).await;
    // Until then Lambda says that it cannot assume it, and a run tries again.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    found
}

fn function(role: &Found) -> Function {
    Function {
        name: "shop-on-alarm".to_owned(),
        description: "tells people".to_owned(),
        role: out(role, "arn"),
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        architecture: "arm64".to_owned(),
        code: code("old"),
        timeout: Seconds(30),
        memory: 128,
        env: BTreeMap::from([("WHARF_STACK".to_owned(), "shop".into())]),
        tracing: "PassThrough".to_owned(),
        log_group: Out::known("/aws/lambda/shop-on-alarm"),
        log_format: "JSON".to_owned(),
        concurrency: None,
        invocations: None,
        permissions: BTreeMap::new(),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

async fn queue(world: &World, name: &str) -> Found {
    let queue = Queue {
        name: format!("shop-{name}"),
        visibility: Seconds(180),
        retention: Seconds(3600),
        policy: None,
        dead_letters: None,
        key: None,
        tags: Tags::new(),
    };
    world.create(&format!("reactions.{name}"), &queue).await
}

#[tokio::test(start_paused = true)]
async fn a_function_lives_from_creation_to_deletion() {
    let world = world().await;
    let (first, second) = (role(&world, "first").await, role(&world, "second").await);
    let dead = queue(&world, "dead").await;
    let made = world.create("reactions.on-alarm", &function(&first)).await;
    let changed = Function {
        description: "tells everybody".to_owned(),
        role: out(&second, "arn"),
        timeout: Seconds(60),
        memory: 256,
        env: BTreeMap::from([("WHARF_TABLE".to_owned(), "wharf-shop".into())]),
        tracing: "Active".to_owned(),
        log_group: Out::known("/wharf/shop/on-alarm"),
        log_format: "Text".to_owned(),
        ..function(&first)
    };
    let made = world.update(&made, &changed).await;
    let alarms = Permission {
        principal: "lambda.alarms.cloudwatch.amazonaws.com".to_owned(),
        source: Some("arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-*".into()),
        account: Some("123456789012".to_owned()),
    };
    let invocations = Invocations { retries: 0, max_age: Seconds(600), on_failure: Some(out(&dead, "arn")) };
    let beside = Function {
        concurrency: Some(1),
        invocations: Some(invocations),
        permissions: BTreeMap::from([("alarms".to_owned(), alarms.clone())]),
        tags: Tags::from([("owner".to_owned(), "b".to_owned())]),
        ..changed
    };
    let made = world.update(&made, &beside).await;
    let narrower = Permission { account: None, ..alarms };
    let other = Function { permissions: BTreeMap::from([("alarms".to_owned(), narrower)]), ..beside.clone() };
    let made = world.update(&made, &other).await;
    let bare = Function { concurrency: None, invocations: None, permissions: BTreeMap::new(), ..beside };
    let made = world.update(&made, &bare).await;
    let made = world.update(&made, &Function { code: code("new"), architecture: "x86_64".to_owned(), ..bare }).await;
    world.delete::<Function>(&made).await;
    assert!(!world.sandbox.inventory().iter().any(|one| one.kind.starts_with("lambda.")));
}

#[tokio::test(start_paused = true)]
async fn code_and_configuration_are_changed_one_after_the_other() {
    let world = world().await;
    let role = role(&world, "first").await;
    let made = world.create("reactions.on-alarm", &function(&role)).await;
    let wanted = Function { code: code("new"), memory: 512, ..function(&role) };
    let first = world.find::<Function>(&made.id).await.unwrap();
    let first = crate::aws::erased::typed::<Function>(first).unwrap();
    let both = Changed(["code".to_owned(), "memory".to_owned()].into());
    assert_eq!(world.elsewhere(wanted.update(&world.aws, &first, &both)).await.unwrap(), None);
    let refused = world.elsewhere(wanted.update(&world.aws, &first, &Changed(["memory".to_owned()].into()))).await;
    assert_eq!(refused.unwrap_err().class, Class::Busy);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let now = world.find::<Function>(&made.id).await.unwrap();
    let made = world.update(&now, &wanted).await;
    assert_eq!(made.inputs["code"].as_text().as_deref(), Some(code("new").as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_role_is_not_everywhere_yet_is_tried_again() {
    let world = world().await;
    let nobody = function(&role(&world, "first").await);
    let nobody = Function { role: Out::known("arn:aws:iam::123456789012:role/wharf/shop/nobody"), ..nobody };
    let id = LogicalId::new("reactions.on-alarm").unwrap();
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &id, generation: &generation, stack: "shop", token: "t" };
    let refused = world.elsewhere(nobody.create(&world.aws, &new)).await.unwrap_err();
    assert_eq!(refused.class, Class::NotYetVisible, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn where_the_code_is_not_at_hand_whatever_the_function_has_is_right() {
    let world = world().await;
    let role = role(&world, "first").await;
    let made = world.create("reactions.on-alarm", &function(&role)).await;
    let unknown = Function { code: String::new(), ..function(&role) };
    world.wanted.borrow_mut().insert(made.id.clone(), to_fields(&unknown).unwrap());
    let found = world.find::<Function>(&made.id).await.unwrap();
    assert!(wharf_engine::diff(Function::RULES, &to_fields(&unknown).unwrap(), &found).is_empty());
    let generation = wharf_engine::Generation::from_tag("0a1b2c3d");
    let new = New { id: &made.id, generation: &generation, stack: "shop", token: "t" };
    let error = world.elsewhere(unknown.create(&world.aws, &new)).await.unwrap_err();
    assert!(error.message.contains("is not at hand"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = world().await;
    let role = role(&world, "first").await;
    let made = world.create("reactions.on-alarm", &function(&role)).await;
    let keys = ["wharf:stack", "wharf:id", "wharf:gen"].map(str::to_owned).to_vec();
    let untag = world.aws.lambda.untag_resource().resource(ARN).set_tag_keys(Some(keys));
    world.elsewhere(untag.send()).await.unwrap();
    assert_eq!(world.find::<Function>(&made.id).await.unwrap().identity, Identity::Foreign);
}

#[tokio::test(start_paused = true)]
async fn where_the_account_has_no_concurrency_to_spare_it_is_said_what_to_do() {
    let world = world().await;
    let role = role(&world, "first").await;
    let made = world.create("reactions.on-alarm", &function(&role)).await;
    let now = crate::aws::erased::typed::<Function>(world.find::<Function>(&made.id).await.unwrap()).unwrap();
    // An account has a thousand, and a hundred of them stay unreserved.
    let greedy = Function { concurrency: Some(950), ..function(&role) };
    let changed = Changed(["concurrency".to_owned()].into());
    let error = world.elsewhere(greedy.update(&world.aws, &now, &changed)).await.unwrap_err();
    assert_eq!(error.class, Class::Quota, "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("reserved_concurrency = false")));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_lives_from_creation_to_deletion() {
    let world = world().await;
    let role = role(&world, "first").await;
    let (queue, function) = (queue(&world, "pushes").await, world.create("reactions.f", &function(&role)).await);
    let mapping = EventSourceMapping {
        queue: out(&queue, "arn"),
        function: out(&function, "arn"),
        enabled: true,
        batch: 10,
        window: Seconds(0),
        partial: true,
        concurrency: None,
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    };
    let made = world.create("reactions.mapping", &mapping).await;
    let changed = EventSourceMapping {
        enabled: false,
        batch: 5,
        window: Seconds(1),
        partial: false,
        concurrency: Some(2),
        tags: Tags::from([("owner".to_owned(), "b".to_owned())]),
        ..mapping.clone()
    };
    let made = world.update(&made, &changed).await;
    let made = world.update(&made, &mapping).await;
    world.delete::<EventSourceMapping>(&made).await;
    assert!(!world.sandbox.inventory().iter().any(|one| one.kind == "lambda.mapping"));
}
