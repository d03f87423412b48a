//! An account for the tests of kinds, and a life in it from creation to deletion, by the path that the driver takes
//! and with the permissions that the kind says it needs.
//!
//! ```ignore
//! let world = World::calm().await;
//! let vpc = world.create("network.vpc", &vpc()).await;            // and waits until it is ready
//! let vpc = world.update(&vpc, &changed).await;                   // only what differs, then nothing does
//! world.delete::<Vpc>(&vpc).await;                                // and waits until it is gone
//! ```

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wharf_engine::{Found, Generation, Health, LogicalId};
use wharf_sandbox::{Policy, REGION, Sandbox, Weather};

use super::call::Aws;
use super::erased::{AnyKind, Erased, Fields, Wanted, to_fields};
use super::kind::{Changed, Gone, Kind};
use super::kms::key::{Key, KeyArn};
use super::policy::{Document, Statement};
use super::tags::Tags;
use super::units::Days;
use super::{Options, connect};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// An account and the way to it. Its tests run under `#[tokio::test(start_paused = true)]`.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) aws: Aws,
    /// What the stack wants, as the driver hands it to each look.
    pub(crate) wanted: RefCell<Wanted>,
}

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
const POLL: Duration = Duration::from_secs(5);

impl World {
    /// An empty account where nothing goes wrong. The caller may do what `wharf policy` says that an apply needs,
    /// and no more.
    pub(crate) async fn calm() -> Self {
        Self::of(Sandbox::builder().seed(1).weather(Weather::calm()).build()).await
    }

    /// The same with a public hosted zone that was there before, and that the world asks.
    pub(crate) async fn with_zone(domain: &str) -> Self {
        Self::of(Sandbox::builder().seed(1).weather(Weather::calm()).zone(domain).build()).await
    }

    /// An account of this make.
    pub(crate) async fn of(sandbox: Sandbox) -> Self {
        let transport = Some(SharedHttpClient::new(sandbox.http_client()));
        let names = Some(Arc::new(sandbox.clone()) as _);
        let options = Options { region: REGION.to_owned(), transport, names, ..Options::default() };
        let connection = connect(&options, Arc::new(|_| ())).await.unwrap();
        let aws = connection.scoped("shop", "run-1", Arc::new(|_| ()));
        limit(&sandbox, &aws);
        Self { sandbox, aws, wanted: RefCell::default() }
    }

    /// The ARN of a new key that this service may use.
    pub(crate) async fn key_for(&self, service: &str) -> super::Out<KeyArn> {
        let everyone = Statement::allow(["kms:*"]).aws("arn:aws:iam::123456789012:root").on("*");
        let actions = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"];
        let key = Key {
            description: String::new(),
            policy: Document::new([everyone, Statement::allow(actions).service(service).on("*")]).text(),
            enabled: true,
            rotation: None,
            deletion_window: Days(7),
            tags: Tags::new(),
        };
        out(&self.create("encryption.key", &key).await, "arn")
    }

    /// Somebody else does this, who may do everything.
    pub(crate) async fn elsewhere<F: Future>(&self, does: F) -> F::Output {
        self.sandbox.set_policy(None);
        let done = does.await;
        limit(&self.sandbox, &self.aws);
        done
    }

    /// Creates it and waits until it is ready. It is then found as it was wanted, tagged, and with every output
    /// that its creation answered.
    pub(crate) async fn create<K: Kind>(&self, id: &str, inputs: &K) -> Found {
        let kind = Erased::<K>::default();
        let fields = to_fields(inputs).unwrap();
        for name in fields.keys() {
            assert!(K::RULES.field(name).is_some(), "{} has no rule for its field {name}", K::RULES.kind);
        }
        self.permit::<K>();
        let id = LogicalId::new(id).unwrap();
        self.wanted.borrow_mut().insert(id.clone(), fields.clone());
        let made = kind.create(&self.aws, id.clone(), Generation::from_tag("0a1b2c3d"), fields.clone()).await.unwrap();
        let found = self.ready::<K>(&id).await;
        assert_eq!(found.physical, made.physical);
        if let Some(outputs) = made.outputs {
            assert_eq!(outputs, found.outputs);
        }
        same::<K>(&fields, &found);
        found
    }

    /// Updates it to these inputs and waits until it is ready. It is then found as it is wanted.
    pub(crate) async fn update<K: Kind>(&self, now: &Found, to: &K) -> Found {
        let fields = to_fields(to).unwrap();
        let changes = wharf_engine::diff(K::RULES, &fields, now);
        assert!(!changes.is_empty(), "nothing changes");
        let replaced: Vec<_> = changes.iter().filter(|change| change.forces_replacement).collect();
        assert!(replaced.is_empty(), "only a new one has {replaced:?}");
        self.permit::<K>();
        let changed = Changed(changes.into_iter().map(|change| change.field).collect());
        self.wanted.borrow_mut().insert(now.id.clone(), fields.clone());
        Erased::<K>::default().update(&self.aws, now.clone(), fields.clone(), changed).await.unwrap();
        let found = self.ready::<K>(&now.id).await;
        assert_eq!(found.physical, now.physical);
        same::<K>(&fields, &found);
        found
    }

    /// Deletes it and waits until it is gone.
    pub(crate) async fn delete<K: Kind>(&self, now: &Found) {
        self.permit::<K>();
        self.wanted.borrow_mut().remove(&now.id);
        let gone = Erased::<K>::default().delete(&self.aws, now.clone()).await.unwrap();
        let begun = tokio::time::Instant::now();
        while let Some(found) = self.find::<K>(&now.id).await {
            assert_eq!((gone, &found.health), (Gone::Later, &Health::Deleting));
            assert!(begun.elapsed() < PATIENCE, "{} does not go", now.id);
            tokio::time::sleep(POLL).await;
        }
    }

    /// It as it is, if it is. A sweep of everything and a look at it alone agree.
    pub(crate) async fn find<K: Kind>(&self, id: &LogicalId) -> Option<Found> {
        self.permit::<K>();
        let kind = Erased::<K>::default();
        let mut wanted = self.wanted.borrow().clone();
        wanted.retain(|other, _| other == id);
        let mut alone = kind.find(&self.aws, wanted.clone(), Some((id.clone(), None))).await.unwrap();
        let mut swept = kind.find(&self.aws, wanted, None).await.unwrap();
        // What a test does by hand is anyone's doing.
        self.sandbox.set_policy(None);
        swept.retain(|found| &found.id == id);
        for (alone, swept) in alone.iter().zip(&mut swept) {
            // Of one that goes, a look at it alone need not know more than that it is still there.
            if (&alone.health, &swept.health) == (&Health::Deleting, &Health::Deleting) {
                assert_eq!((&alone.id, &alone.physical), (&swept.id, &swept.physical));
                *swept = alone.clone();
            }
            // A run also waits for what is no reason for a plan to.
            if matches!((&alone.health, &swept.health), (Health::Settling(_), Health::Ready)) {
                swept.health.clone_from(&alone.health);
            }
        }
        assert_eq!(alone, swept);
        assert!(alone.len() < 2, "two of {id}");
        alone.pop()
    }

    /// From now until [`World::find`] is done the caller may do what the kind says that it needs, and nothing else.
    fn permit<K: Kind>(&self) {
        let scope = &self.aws.scope;
        let filled = |text: &str| {
            let text = text.replace("{account}", &scope.account).replace("{region}", &scope.region);
            text.replace("{partition}", &scope.partition).replace("{stack}", &scope.stack)
        };
        let statements = K::grants().into_iter().map(|grant| {
            let mut conditions = serde_json::Map::new();
            for (operator, key, value) in grant.conditions {
                let keys = conditions.entry(*operator).or_insert_with(|| json!({}));
                keys[*key] = filled(value).into();
            }
            let resources: Vec<String> = grant.resources.iter().map(|resource| filled(resource)).collect();
            json!({ "Effect": "Allow", "Action": grant.actions, "Resource": resources, "Condition": conditions })
        });
        let document = json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() });
        self.sandbox.set_policy(Some(Policy::parse(&document).unwrap()));
    }

    async fn ready<K: Kind>(&self, id: &LogicalId) -> Found {
        let begun = tokio::time::Instant::now();
        loop {
            let found = self.find::<K>(id).await.unwrap_or_else(|| panic!("{id} is not found"));
            match found.health {
                Health::Ready => return found,
                Health::Settling(_) => assert!(begun.elapsed() < PATIENCE, "{id} does not settle"),
                other => panic!("{id} is {other:?}"),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The output of a resource as the reference that another one's inputs hold.
pub(crate) fn out<T>(found: &Found, output: &str) -> super::Out<T> {
    super::Out::known(found.outputs.get(output).and_then(wharf_engine::Value::as_text).unwrap())
}

fn same<K: Kind>(wanted: &Fields, found: &Found) {
    let changes = wharf_engine::diff(K::RULES, wanted, found);
    assert!(changes.is_empty(), "{} is not as it was wanted: {changes:#?}", found.id);
}

/// Leaves the caller only what `wharf policy` says that an apply needs.
fn limit(sandbox: &Sandbox, aws: &Aws) {
    let documents = crate::policy::policies(&aws.scope, crate::policy::For::Apply);
    let statements: Vec<_> = documents.iter().flat_map(|one| one["Statement"].as_array().unwrap().clone()).collect();
    let policy = wharf_sandbox::Policy::parse(&serde_json::json!({ "Statement": statements })).unwrap();
    sandbox.set_policy(Some(policy));
}
