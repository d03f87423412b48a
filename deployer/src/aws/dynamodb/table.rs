//! A table. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.html>
//!
//! A stack has one table, which holds its lock, its history and its rollouts, so its name follows from the stack's.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    PointInTimeRecoveryStatus, ScalarAttributeType, SseDescription, SseSpecification, SseStatus, SseType,
    TableDescription, TableStatus, Tag, TimeToLiveSpecification, TimeToLiveStatus,
};
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Days;
use crate::ledger::table_name;

/// A table with two text keys, paid by request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The attribute that is the partition key.
    pub partition_key: String,
    /// The attribute that is the sort key.
    pub sort_key: String,
    /// The attribute with the time (seconds since 1970) after which an item goes by itself.
    pub expires: Option<String>,
    /// For how long the table can be restored to any second, 1 to 35 days; none is not at all.
    pub recovery: Option<Days>,
    /// The key that items are encrypted with; none is DynamoDB's own, which costs nothing.
    pub key: Option<Out<KeyArn>>,
    /// AWS refuses to delete it. Wharf lifts this itself when the table is to go.
    pub deletion_protection: bool,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a table.
#[derive(Debug)]
pub enum TableName {}
/// Marks the ARN of a table.
#[derive(Debug)]
pub enum TableArn {}

impl Handle<Table> {
    /// The table's name.
    #[must_use]
    pub fn name(&self) -> Out<TableName> {
        self.output("name")
    }

    /// The table's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<TableArn> {
        self.output("arn")
    }
}

impl Kind for Table {
    const RULES: &'static Rules = &Rules {
        kind: "dynamodb.table",
        fields: &[
            Field::new("partition_key").replaces(),
            Field::new("sort_key").replaces(),
            Field::new("expires").set_once_ready(),
            Field::new("recovery").set_once_ready(),
            Field::new("key"),
            Field::new("deletion_protection"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        // Until then a new table may not be found, which its name, taken, outweighs.
        // <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>
        visible_within: std::time::Duration::from_secs(3),
        estimate: Estimate::seconds(10, 5, 5),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let name = table_name(&aws.scope.stack);
        let table = match describe(aws, &name).await {
            Err(error) if error.class == Class::Missing => return Ok(Vec::new()),
            answer => answer?,
        };
        if let (Some(id), Some(_), true) = (query.only_id(), query.only_physical(), health(&table) != Health::Ready) {
            // Of one at which AWS is at work, nobody looks at more than that.
            let identity = (id.clone(), Identity::Ours(None));
            return Ok(vec![found(aws, &name, &table, identity, (None, None, &Tags::new()))]);
        }
        let wanted = query.wanted.keys().find(|id| query.asks_for(id));
        Ok(observe(aws, &name, &table, wanted).await?.into_iter().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = &table_name(new.stack);
        let (tags, encryption) = (to_sdk(&new.tags(&self.tags))?, self.encryption()?);
        let attributes = [text(&self.partition_key)?, text(&self.sort_key)?];
        let keys = [key(&self.partition_key, KeyType::Hash)?, key(&self.sort_key, KeyType::Range)?];
        let create = || aws.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let create = || create().set_attribute_definitions(Some(attributes.to_vec()));
        let create = || create().set_key_schema(Some(keys.to_vec())).set_tags(Some(tags.clone()));
        let create = || create().deletion_protection_enabled(self.deletion_protection);
        let send = || create().set_sse_specification(self.key.is_some().then(|| encryption.clone())).send();
        aws.call("dynamodb:CreateTable", name, send).await?;
        Ok(Made { physical: name.clone(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.has("tags") {
            change_tags(aws, name, &now.inputs.tags, &self.tags).await?;
        }
        if changed.has("recovery") {
            self.keep(aws, name).await?;
        }
        if changed.has("expires") {
            self.expire(aws, name, now.inputs.expires.as_deref()).await?;
        }
        if changed.has("deletion_protection") {
            protect(aws, name, self.deletion_protection).await?;
        }
        // Last, because the table takes no other change until it is encrypted anew.
        if changed.has("key") {
            let encryption = self.encryption()?;
            let send = || aws.dynamodb.update_table().table_name(name).sse_specification(encryption.clone()).send();
            aws.call("dynamodb:UpdateTable", name, send).await?;
            return Ok(None);
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let name = &now.physical;
        if now.inputs.deletion_protection {
            protect(aws, name, false).await?;
        }
        aws.call("dynamodb:DeleteTable", name, || aws.dynamodb.delete_table().table_name(name).send()).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const TABLES: &[&str] = &["arn:{partition}:dynamodb:{region}:{account}:table/wharf-{stack}"];
        const KEY: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
        const BY_DYNAMODB: &[(&str, &str, &str)] =
            &[("StringEquals", "kms:ViaService", "dynamodb.{region}.amazonaws.com")];
        vec![
            Grant { reads: true, ..Grant::write(READS, TABLES) },
            Grant::write(WRITES, TABLES),
            Grant::write(&["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey"], KEY).when(BY_DYNAMODB),
        ]
    }
}

const READS: &[&str] = &[
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
];
const WRITES: &[&str] = &[
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
];

/// The table of this name: the stack's, or a foreign one where the stack wants one.
async fn observe(
    aws: &Aws,
    name: &str,
    table: &TableDescription,
    wanted: Option<&LogicalId>,
) -> Result<Option<Found<Table>>, CallError> {
    let (all, recovery, expires) = match futures::try_join!(tags_of(aws, name), recovery(aws, name), expires(aws, name))
    {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let identity = match (tags::read(&aws.scope.stack, &all), wanted) {
        (Some(ours), _) => ours,
        (None, Some(id)) => (id.clone(), Identity::Foreign),
        (None, None) => return Ok(None),
    };
    Ok(Some(found(aws, name, table, identity, (expires, recovery, &all))))
}

/// A table with what is told of it beside its own description: expiry, recovery, tags.
fn found(
    aws: &Aws,
    name: &str,
    table: &TableDescription,
    (id, identity): (LogicalId, Identity),
    (expires, recovery, all): (Option<String>, Option<Days>, &Tags),
) -> Found<Table> {
    let key_of = |kind: KeyType| {
        let element = table.key_schema().iter().find(|element| element.key_type == kind);
        element.map(|element| element.attribute_name.clone()).unwrap_or_default()
    };
    let inputs = Table {
        partition_key: key_of(KeyType::Hash),
        sort_key: key_of(KeyType::Range),
        expires,
        recovery,
        key: table.sse_description().and_then(customer_key).map(Out::known),
        deletion_protection: table.deletion_protection_enabled().unwrap_or_default(),
        tags: tags::user(all),
    };
    Found {
        id,
        physical: name.to_owned(),
        identity,
        health: health(table),
        inputs,
        outputs: outputs(aws, name),
        blockers: Default::default(),
    }
}

async fn describe(aws: &Aws, name: &str) -> Result<TableDescription, CallError> {
    const ACTION: &str = "dynamodb:DescribeTable";
    let answer = aws.call(ACTION, name, || aws.dynamodb.describe_table().table_name(name).send()).await?;
    answer.table.ok_or_else(|| CallError::lacks(ACTION, "Table"))
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Tags, CallError> {
    let arn = arn(aws, name);
    let send = |token| aws.dynamodb.list_tags_of_resource().resource_arn(&arn).set_next_token(token).send();
    let page = |page: aws_sdk_dynamodb::operation::list_tags_of_resource::ListTagsOfResourceOutput| {
        (page.tags.unwrap_or_default(), page.next_token)
    };
    let tags = aws.pages("dynamodb:ListTagsOfResource", name, send, page).await?;
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

async fn recovery(aws: &Aws, name: &str) -> Result<Option<Days>, CallError> {
    let send = || aws.dynamodb.describe_continuous_backups().table_name(name).send();
    let answer = aws.call("dynamodb:DescribeContinuousBackups", name, send).await?;
    let about = answer.continuous_backups_description.and_then(|backups| backups.point_in_time_recovery_description);
    let on = about.filter(|about| about.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled));
    Ok(on.map(|about| about.recovery_period_in_days.map_or(LONGEST_RECOVERY, Days)))
}

/// What AWS takes when told nothing.
const LONGEST_RECOVERY: Days = Days(35);

async fn expires(aws: &Aws, name: &str) -> Result<Option<String>, CallError> {
    let send = || aws.dynamodb.describe_time_to_live().table_name(name).send();
    let answer = aws.call("dynamodb:DescribeTimeToLive", name, send).await?;
    let on = |status: Option<&TimeToLiveStatus>| {
        matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
    };
    let about = answer.time_to_live_description.filter(|about| on(about.time_to_live_status()));
    Ok(about.and_then(|about| about.attribute_name))
}

/// The customer's key; while it is on its way out, none.
fn customer_key(sse: &SseDescription) -> Option<String> {
    let on = !matches!(sse.status(), Some(SseStatus::Disabled | SseStatus::Disabling));
    sse.kms_master_key_arn.clone().filter(|_| on)
}

fn health(table: &TableDescription) -> Health {
    match table.table_status() {
        None | Some(TableStatus::Active) => Health::Ready,
        Some(TableStatus::Deleting) => Health::Deleting,
        // Also a table whose key is not to be had: only its key helps, a new table would lose what it holds.
        Some(status) => Health::Settling(status.as_str().to_owned()),
    }
}

fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:dynamodb:{}:{}:table/{name}", scope.partition, scope.region, scope.account)
}

fn outputs(aws: &Aws, name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn(aws, name)))])
}

impl Table {
    fn encryption(&self) -> Result<SseSpecification, CallError> {
        let Some(key) = &self.key else { return Ok(SseSpecification::builder().enabled(false).build()) };
        Ok(SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key.get()?).build())
    }

    async fn keep(&self, aws: &Aws, name: &str) -> Result<(), CallError> {
        let recovery =
            PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(self.recovery.is_some());
        let recovery = recovery.set_recovery_period_in_days(self.recovery.map(|Days(days)| days));
        let recovery = recovery.build().map_err(CallError::ours)?;
        let update = || aws.dynamodb.update_continuous_backups().table_name(name);
        let send = || update().point_in_time_recovery_specification(recovery.clone()).send();
        aws.call("dynamodb:UpdateContinuousBackups", name, send).await.map(drop)
    }

    /// Another attribute can take over only after the one before was turned off, and AWS takes one such change an hour:
    /// it refuses the second until then, and a run tries again.
    async fn expire(&self, aws: &Aws, name: &str, now: Option<&str>) -> Result<(), CallError> {
        if let Some(now) = now {
            set_expiry(aws, name, now, false).await?;
        }
        match &self.expires {
            Some(attribute) => set_expiry(aws, name, attribute, true).await,
            None => Ok(()),
        }
    }
}

async fn set_expiry(aws: &Aws, name: &str, attribute: &str, on: bool) -> Result<(), CallError> {
    let expiry = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on);
    let expiry = expiry.build().map_err(CallError::ours)?;
    let send = || aws.dynamodb.update_time_to_live().table_name(name).time_to_live_specification(expiry.clone()).send();
    aws.call("dynamodb:UpdateTimeToLive", name, send).await.map(drop)
}

async fn protect(aws: &Aws, name: &str, on: bool) -> Result<(), CallError> {
    let send = || aws.dynamodb.update_table().table_name(name).deletion_protection_enabled(on).send();
    aws.call("dynamodb:UpdateTable", name, send).await.map(drop)
}

fn text(attribute: &str) -> Result<AttributeDefinition, CallError> {
    let attribute = AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S);
    attribute.build().map_err(CallError::ours)
}

fn key(attribute: &str, kind: KeyType) -> Result<KeySchemaElement, CallError> {
    KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().map_err(CallError::ours)
}

fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let build = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(build).collect::<Result<_, _>>().map_err(CallError::ours)
}

async fn write_tags(aws: &Aws, name: &str, tags: &Tags) -> Result<(), CallError> {
    let (arn, tags) = (arn(aws, name), to_sdk(tags)?);
    let send = || aws.dynamodb.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send();
    aws.call("dynamodb:TagResource", name, send).await.map(drop)
}

async fn change_tags(aws: &Aws, name: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write_tags(aws, name, &set).await?;
    }
    if !gone.is_empty() {
        let arn = arn(aws, name);
        let send = || aws.dynamodb.untag_resource().resource_arn(&arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("dynamodb:UntagResource", name, send).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;

    fn table() -> Table {
        Table {
            partition_key: "pk".to_owned(),
            sort_key: "sk".to_owned(),
            expires: None,
            recovery: None,
            key: None,
            deletion_protection: true,
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("stack.table", &table()).await;
        // Until then AWS says that backups are being enabled, and a run tries again.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let kept = Table { expires: Some("expires".to_owned()), recovery: Some(Days(14)), ..table() };
        let found = world.update(&found, &kept).await;
        let tagged = Table { deletion_protection: false, tags: Tags::new(), ..kept };
        let found = world.update(&found, &tagged).await;
        let found = world.update(&found, &Table { deletion_protection: true, ..tagged }).await;
        world.delete::<Table>(&found).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn another_attribute_expires_items_once_aws_takes_the_second_change() {
        let world = World::calm().await;
        let found = world.create("stack.table", &table()).await;
        let by = |attribute: &str| Table { expires: Some(attribute.to_owned()), ..table() };
        let found = world.update(&found, &by("expires")).await;
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        let seen = Table::find(&world.aws, &Query { wanted: Default::default(), only: None }).await.unwrap();
        let changed = Changed(["expires".to_owned()].into());
        let refused = by("until").update(&world.aws, &seen[0], &changed).await.unwrap_err();
        assert_eq!(refused.class, Class::Draining);
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        let found = world.find::<Table>(&found.id).await.unwrap();
        world.update(&found, &by("until")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_key_of_a_table_comes_and_goes() {
        let world = World::calm().await;
        let key = Some(world.key_for("dynamodb.amazonaws.com").await);
        let found = world.create("stack.table", &Table { key: key.clone(), ..table() }).await;
        let found = world.update(&found, &table()).await;
        world.update(&found, &Table { key, ..table() }).await;
    }
}
