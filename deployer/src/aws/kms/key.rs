//! A customer-managed key. <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#customer-mgn-key>

use std::collections::BTreeSet;

use aws_sdk_kms::types::{KeyMetadata, KeyState, Tag};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::alias;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::policy;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Days;

/// A symmetric key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What it is for.
    pub description: String,
    /// The key policy ([`policy::Document`]); it must let the account's own administrators in.
    pub policy: Text,
    /// A disabled key decrypts nothing.
    pub enabled: bool,
    /// How often AWS renews its material, 90 to 2560 days; none is never.
    pub rotation: Option<Days>,
    /// How long a deleted key can be called back, 7 to 30 days.
    pub deletion_window: Days,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a key.
#[derive(Debug)]
pub enum KeyId {}
/// Marks the ARN of a key.
#[derive(Debug)]
pub enum KeyArn {}

impl Handle<Key> {
    /// The key's id.
    #[must_use]
    pub fn id(&self) -> Out<KeyId> {
        self.output("id")
    }

    /// The key's ARN: what other services answer with when asked for their key.
    #[must_use]
    pub fn arn(&self) -> Out<KeyArn> {
        self.output("arn")
    }
}

/// The tag that holds the deletion window: AWS keeps none before the deletion.
const WINDOW: &str = "wharf:deletion-window";
/// The window of a key that has no such tag; AWS's own default.
const LONGEST_WINDOW: Days = Days(30);

impl Kind for Key {
    const RULES: &'static Rules = &Rules {
        kind: "kms.key",
        fields: &[
            Field::new("description"),
            Field::new("policy").compared(Compare::Document),
            Field::new("enabled"),
            Field::new("rotation"),
            Field::new("deletion_window"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: true,
        visible_within: std::time::Duration::from_secs(30),
        estimate: Estimate::seconds(15, 2, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let ours = match query.only_physical() {
            Some(key) => tagged(aws, [key.to_owned()]).await?,
            None => sweep(aws, query).await?,
        };
        let found = ours.into_iter().filter(|ours| query.asks_for(&ours.id)).map(|ours| observe(aws, ours));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "kms:CreateKey";
        let (policy, mut tags) = (self.policy.get()?, new.tags(&self.tags));
        tags.insert(WINDOW.to_owned(), self.deletion_window.0.to_string());
        let tags = to_sdk(&tags)?;
        let create = || aws.kms.create_key().description(&self.description).policy(policy);
        let answer = aws.call(ACTION, new.id.as_str(), || create().set_tags(Some(tags.clone())).send()).await?;
        let key = answer.key_metadata.ok_or_else(|| CallError::lacks(ACTION, "KeyMetadata"))?;
        let (id, arn) = (key.key_id, key.arn.ok_or_else(|| CallError::lacks(ACTION, "Arn"))?);
        // <https://docs.aws.amazon.com/kms/latest/developerguide/programming-eventual-consistency.html>
        let aws = &aws.about_new();
        self.rotate(aws, &id).await.map_err(CallError::right_after_create)?;
        if !self.enabled {
            set_enabled(aws, &id, false).await.map_err(CallError::right_after_create)?;
        }
        Ok(Made { outputs: Some(outputs(&id, &arn)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let key = &now.physical;
        // A disabled key refuses most changes, so it is enabled first and disabled last.
        if changed.has("enabled") && self.enabled {
            set_enabled(aws, key, true).await?;
        }
        if changed.has("policy") {
            let policy = self.policy.get()?;
            aws.call("kms:PutKeyPolicy", key, || {
                aws.kms.put_key_policy().key_id(key).policy_name(POLICY).policy(policy).send()
            })
            .await?;
        }
        if changed.has("description") {
            let send = || aws.kms.update_key_description().key_id(key).description(&self.description).send();
            aws.call("kms:UpdateKeyDescription", key, send).await?;
        }
        if changed.has("rotation") {
            self.rotate(aws, key).await?;
        }
        if changed.has("deletion_window") {
            write_tags(aws, key, &Tags::from([(WINDOW.to_owned(), self.deletion_window.0.to_string())])).await?;
        }
        if changed.has("tags") {
            change_tags(aws, key, &now.inputs.tags, &self.tags).await?;
        }
        if changed.has("enabled") && !self.enabled {
            set_enabled(aws, key, false).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    /// A key is gone for the stack as soon as its deletion is scheduled; until the window ends it can be called back.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let (key, days) = (&now.physical, now.inputs.deletion_window.0);
        let send = || aws.kms.schedule_key_deletion().key_id(key).pending_window_in_days(days).send();
        aws.call("kms:ScheduleKeyDeletion", key, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const KEY: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
        vec![
            Grant::read(&["kms:ListKeys", "kms:ListAliases", "kms:ListResourceTags"]),
            Grant { reads: true, ..Grant::write(READS, KEY).when(OF_THIS_STACK) },
            Grant::write(&["kms:CreateKey"], &["*"]).when(TAGGED_WITH_THIS_STACK),
            // On create, and on adopting a key that has no tags yet.
            Grant::write(&["kms:TagResource"], KEY).when(TAGGED_WITH_THIS_STACK),
            Grant::write(WRITES, KEY).when(OF_THIS_STACK),
        ]
    }
}

const READS: &[&str] = &["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus"];
const WRITES: &[&str] = &[
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
];

/// A key that carries the stack's identity.
struct Ours {
    key: String,
    id: LogicalId,
    identity: Identity,
    tags: Tags,
}

/// Finds the stack's keys. AWS lists keys without tags, and tags only key by key, so first those that an alias of
/// the stack names, and those without any alias (a run that was cut off between key and alias); the account's others
/// only while one that the stack wants is missing.
async fn sweep(aws: &Aws, query: &Query<Key>) -> Result<Vec<Ours>, CallError> {
    let list = |marker| aws.kms.list_keys().limit(1000).set_marker(marker).send();
    let keys = aws.pages("kms:ListKeys", "", list, |page| (page.keys.unwrap_or_default(), page.next_marker));
    let (keys, aliases) = futures::try_join!(keys, alias::all(aws))?;
    let prefix = alias::prefix(&aws.scope.stack);
    let named = |by: &dyn Fn(&str) -> bool| -> BTreeSet<&str> {
        aliases.iter().filter(|alias| by(&alias.name)).filter_map(|alias| alias.key.as_deref()).collect()
    };
    let (ours, aws_own, all) =
        (named(&|name| name.starts_with(&prefix)), named(&|name| name.starts_with("alias/aws/")), named(&|_| true));
    let ids = keys.iter().filter_map(|key| key.key_id.as_deref()).filter(|id| !aws_own.contains(id));
    let (likely, others): (Vec<_>, Vec<_>) = ids.partition(|id| ours.contains(id) || !all.contains(id));
    let mut found = tagged(aws, likely.into_iter().map(str::to_owned)).await?;
    let missing = |id: &LogicalId| query.asks_for(id) && found.iter().all(|ours| ours.id != *id);
    if query.wanted.keys().any(missing) {
        found.extend(tagged(aws, others.into_iter().map(str::to_owned)).await?);
    }
    Ok(found)
}

/// A key has one policy, and this is its name.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>
const POLICY: &str = "default";

/// Those of the keys that carry the stack's identity.
async fn tagged(aws: &Aws, keys: impl IntoIterator<Item = String>) -> Result<Vec<Ours>, CallError> {
    let ours = keys.into_iter().map(|key| async move {
        let send = |marker| aws.kms.list_resource_tags().key_id(&key).set_marker(marker).send();
        let tags = aws.pages("kms:ListResourceTags", &key, send, |page| {
            (page.tags.unwrap_or_default(), page.next_marker.filter(|_| page.truncated))
        });
        match tags.await {
            // Gone since it was listed; or its policy lets nobody of this account in, as ours never does.
            Err(error) if matches!(error.class, Class::Missing | Class::Refused) => Ok(None),
            Err(error) => Err(error),
            Ok(tags) => {
                let tags: Tags = tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect();
                let ours = tags::read(&aws.scope.stack, &tags);
                Ok(ours.map(|(id, identity)| Ours { key, id, identity, tags }))
            }
        }
    });
    Ok(try_join_all(ours).await?.into_iter().flatten().collect())
}

async fn observe(aws: &Aws, ours: Ours) -> Result<Option<Found<Key>>, CallError> {
    let key = &ours.key;
    let read = async {
        let describe = aws.call("kms:DescribeKey", key, || aws.kms.describe_key().key_id(key).send());
        let policy =
            aws.call("kms:GetKeyPolicy", key, || aws.kms.get_key_policy().key_id(key).policy_name(POLICY).send());
        let status = || aws.kms.get_key_rotation_status().key_id(key).send();
        futures::try_join!(describe, policy, aws.call("kms:GetKeyRotationStatus", key, status))
    };
    let (about, policy, rotation) = match read.await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        // A key that waits for its deletion refuses to tell its rotation.
        Err(error) if error.code.as_deref() == Some("KMSInvalidStateException") => return Ok(None),
        answer => answer?,
    };
    let about = about.key_metadata.ok_or_else(|| CallError::lacks("kms:DescribeKey", "KeyMetadata"))?;
    let Some(health) = health(&about) else { return Ok(None) };
    let arn = about.arn.as_deref().ok_or_else(|| CallError::lacks("kms:DescribeKey", "Arn"))?;
    let window = ours.tags.get(WINDOW).and_then(|days| days.parse().ok()).map_or(LONGEST_WINDOW, Days);
    let inputs = Key {
        description: about.description.clone().unwrap_or_default(),
        policy: policy::observed(policy.policy().unwrap_or_default())?,
        enabled: about.enabled,
        rotation: rotation.key_rotation_enabled.then(|| Days(rotation.rotation_period_in_days.unwrap_or(365))),
        deletion_window: window,
        tags: tags::user(&ours.tags),
    };
    Ok(Some(Found {
        outputs: outputs(&ours.key, arn),
        id: ours.id,
        physical: ours.key,
        identity: ours.identity,
        health,
        inputs,
        blockers: Default::default(),
    }))
}

/// How far the key has come; none when it is to be deleted.
fn health(about: &KeyMetadata) -> Option<Health> {
    match about.key_state() {
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => None,
        Some(state @ (KeyState::Creating | KeyState::Updating)) => Some(Health::Settling(state.as_str().to_owned())),
        Some(state @ (KeyState::Unavailable | KeyState::PendingImport)) => {
            Some(Health::Failed(state.as_str().to_owned()))
        }
        _ => Some(Health::Ready),
    }
}

impl Key {
    async fn rotate(&self, aws: &Aws, key: &str) -> Result<(), CallError> {
        let Some(Days(days)) = self.rotation else {
            let send = || aws.kms.disable_key_rotation().key_id(key).send();
            return aws.call("kms:DisableKeyRotation", key, send).await.map(drop);
        };
        let send = || aws.kms.enable_key_rotation().key_id(key).rotation_period_in_days(days).send();
        aws.call("kms:EnableKeyRotation", key, send).await.map(drop)
    }
}

async fn set_enabled(aws: &Aws, key: &str, on: bool) -> Result<(), CallError> {
    if on {
        aws.call("kms:EnableKey", key, || aws.kms.enable_key().key_id(key).send()).await.map(drop)
    } else {
        aws.call("kms:DisableKey", key, || aws.kms.disable_key().key_id(key).send()).await.map(drop)
    }
}

fn outputs(id: &str, arn: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id)), ("arn".to_owned(), Value::text(arn))])
}

fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let build = |(key, value): (&String, &String)| Tag::builder().tag_key(key).tag_value(value).build();
    tags.iter().map(build).collect::<Result<_, _>>().map_err(CallError::ours)
}

async fn write_tags(aws: &Aws, key: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.kms.tag_resource().key_id(key).set_tags(Some(tags.clone())).send();
    aws.call("kms:TagResource", key, send).await.map(drop)
}

async fn change_tags(aws: &Aws, key: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write_tags(aws, key, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.kms.untag_resource().key_id(key).set_tag_keys(Some(gone.clone())).send();
        aws.call("kms:UntagResource", key, send).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::kms::alias::Alias;
    use crate::aws::policy::{Document, Statement};
    use crate::aws::testing::{World, out};

    const ROOT: &str = "arn:aws:iam::123456789012:root";

    fn administered() -> Statement {
        Statement::allow(["kms:*"]).aws(ROOT).on("*")
    }

    fn key() -> Key {
        Key {
            description: "the database's key".to_owned(),
            policy: Document::new([administered()]).text(),
            enabled: true,
            rotation: Some(Days(365)),
            deletion_window: Days(7),
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("database.key", &key()).await;
        let for_rds = Statement::allow(["kms:Decrypt", "kms:CreateGrant"]).aws(ROOT).on("*").when(
            "StringEquals",
            "kms:ViaService",
            "rds.us-east-1.amazonaws.com",
        );
        let changed = Key {
            description: "another".to_owned(),
            policy: Document::new([administered(), for_rds]).text(),
            rotation: Some(Days(90)),
            deletion_window: Days(14),
            tags: Tags::from([("owner".to_owned(), "me".to_owned())]),
            ..key()
        };
        let found = world.update(&found, &changed).await;
        let found = world.update(&found, &Key { rotation: None, ..changed.clone() }).await;
        let found = world.update(&found, &Key { rotation: None, enabled: false, ..changed.clone() }).await;
        let found = world.update(&found, &changed).await;
        world.delete::<Key>(&found).await;
        // Until its window ends, AWS keeps it.
        let left = world.sandbox.inventory();
        assert!(left.iter().all(|one| one.attrs["KeyState"] == "PendingDeletion"), "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_alias_lives_with_its_key_and_can_move() {
        let world = World::calm().await;
        let (one, other) = (world.create("database.key", &key()).await, world.create("logs.key", &key()).await);
        let alias = world.create("database.alias", &Alias { key: out(&one, "id") }).await;
        let alias = world.update(&alias, &Alias { key: out(&other, "id") }).await;
        world.delete::<Alias>(&alias).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_whose_only_alias_is_someone_elses_is_found_when_it_is_wanted() {
        let world = World::calm().await;
        let found = world.create("database.key", &key()).await;
        let alias = world.aws.kms.create_alias().alias_name("alias/mine").target_key_id(&found.physical);
        world.elsewhere(alias.send()).await.unwrap();
        let query = Query { wanted: [(found.id.clone(), key())].into(), only: None };
        assert_eq!(Key::find(&world.aws, &query).await.unwrap().len(), 1);
    }
}
