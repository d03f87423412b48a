//! A lifecycle policy: snapshots of the volumes that have a tag, at their time.
//! <https://docs.aws.amazon.com/ebs/latest/userguide/snapshot-ami-policy.html>

use aws_sdk_dlm::types::{
    CreateRule, GettablePolicyStateValues, IntervalUnitValues, LifecyclePolicy, LifecyclePolicySummary, PolicyDetails,
    PolicyTypeValues, ResourceTypeValues, RetainRule, Schedule, SettablePolicyStateValues, Tag,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A lifecycle policy with one schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What it is for: letters, digits, spaces, `_` and `-`.
    pub description: String,
    /// Whether it acts. A policy that AWS has put into error does not.
    pub enabled: bool,
    /// What it acts as; trusts `dlm.amazonaws.com`.
    pub role: Out<RoleArn>,
    /// Volumes that have any of these tags.
    pub target_tags: Tags,
    /// What its schedule is called.
    pub schedule: String,
    /// Every so many hours: 1, 2, 3, 4, 6, 8, 12 or 24.
    pub every_hours: i32,
    /// From this time of day on, in UTC: `03:00`.
    pub at: String,
    /// How many snapshots of each volume are kept.
    pub keep: i32,
    /// Snapshots get the tags of their volume.
    pub copy_tags: bool,
    /// Snapshots get these tags.
    pub tags_to_add: Tags,
    /// What it does beyond that: a further schedule, copies to other regions, shares. None of it is ever asked for.
    pub more: Vec<String>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a lifecycle policy.
#[derive(Debug)]
pub enum PolicyId {}
/// Marks the ARN of a lifecycle policy.
#[derive(Debug)]
pub enum PolicyArn {}

impl Handle<Policy> {
    /// The policy's id.
    #[must_use]
    pub fn id(&self) -> Out<PolicyId> {
        self.output("id")
    }

    /// The policy's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<PolicyArn> {
        self.output("arn")
    }
}

impl Kind for Policy {
    const RULES: &'static Rules = &Rules {
        kind: "dlm.policy",
        fields: &[
            Field::new("description"),
            Field::new("enabled"),
            Field::new("role"),
            Field::new("target_tags"),
            Field::new("schedule"),
            Field::new("every_hours"),
            Field::new("at"),
            Field::new("keep"),
            Field::new("copy_tags"),
            Field::new("tags_to_add"),
            Field::new("more"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        // There is no filter on the tags of a policy itself; the summaries tell them.
        let send = || aws.dlm.get_lifecycle_policies().send();
        let all = aws.call("dlm:GetLifecyclePolicies", "", send).await?;
        let ours = |summary: &&LifecyclePolicySummary| {
            let tags: Tags = summary.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
            tags::read(&aws.scope.stack, &tags).is_some_and(|(id, _)| query.asks_for(&id))
        };
        let found = all.policies().iter().filter(ours).map(|summary| observe(aws, summary));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "dlm:CreateLifecyclePolicy";
        let create = aws
            .dlm
            .create_lifecycle_policy()
            .execution_role_arn(self.role.get()?)
            .description(&self.description)
            .state(self.state())
            .policy_details(self.details())
            .set_tags(Some(new.tags(&self.tags).into_iter().collect()));
        let answer = aws.call(ACTION, new.id.as_str(), || create.clone().send()).await?;
        let id = answer.policy_id.ok_or_else(|| CallError::lacks(ACTION, "PolicyId"))?;
        Ok(Made { outputs: Some(outputs(aws, &id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let id = &now.physical;
        if changed.0.iter().any(|field| field != "tags") {
            let update = aws
                .dlm
                .update_lifecycle_policy()
                .policy_id(id)
                .execution_role_arn(self.role.get()?)
                .description(&self.description)
                .state(self.state())
                .policy_details(self.details());
            aws.call("dlm:UpdateLifecyclePolicy", id, || update.clone().send()).await?;
        }
        if changed.has("tags") {
            self.change_tags(aws, id, &now.inputs.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.dlm.delete_lifecycle_policy().policy_id(&now.physical).send();
        aws.call("dlm:DeleteLifecyclePolicy", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        write_tags(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const POLICIES: &[&str] = &["arn:{partition}:dlm:{region}:{account}:policy/*"];
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_DLM: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "dlm.amazonaws.com")];
        const CHANGES: &[&str] =
            &["dlm:DeleteLifecyclePolicy", "dlm:TagResource", "dlm:UntagResource", "dlm:UpdateLifecyclePolicy"];
        const CREATE: &[&str] = &["dlm:CreateLifecyclePolicy", "dlm:TagResource"];
        vec![
            Grant::read(&["dlm:GetLifecyclePolicies", "dlm:GetLifecyclePolicy"]),
            Grant::write(CREATE, POLICIES).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, POLICIES).when(OF_THIS_STACK),
            Grant::write(&["iam:PassRole"], ROLES).when(TO_DLM),
        ]
    }
}

impl Policy {
    fn state(&self) -> SettablePolicyStateValues {
        if self.enabled { SettablePolicyStateValues::Enabled } else { SettablePolicyStateValues::Disabled }
    }

    fn details(&self) -> PolicyDetails {
        let rule = CreateRule::builder().interval(self.every_hours).interval_unit(IntervalUnitValues::Hours);
        let schedule = Schedule::builder()
            .name(&self.schedule)
            .copy_tags(self.copy_tags)
            .set_tags_to_add(Some(to_sdk(&self.tags_to_add)))
            .create_rule(rule.times(&self.at).build())
            .retain_rule(RetainRule::builder().count(self.keep).build());
        let details = PolicyDetails::builder()
            .policy_type(PolicyTypeValues::EbsSnapshotManagement)
            .resource_types(ResourceTypeValues::Volume)
            .set_target_tags(Some(to_sdk(&self.target_tags)))
            .schedules(schedule.build());
        details.build()
    }

    async fn change_tags(&self, aws: &Aws, id: &str, now: &Tags) -> Result<(), CallError> {
        let (set, gone) = tags::difference(now, &self.tags);
        if !set.is_empty() {
            write_tags(aws, id, &set).await?;
        }
        if !gone.is_empty() {
            let arn = arn(aws, id);
            let send = || aws.dlm.untag_resource().resource_arn(&arn).set_tag_keys(Some(gone.clone())).send();
            aws.call("dlm:UntagResource", id, send).await?;
        }
        Ok(())
    }
}

async fn write_tags(aws: &Aws, id: &str, tags: &Tags) -> Result<(), CallError> {
    let arn = arn(aws, id);
    let send = || aws.dlm.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone().into_iter().collect())).send();
    aws.call("dlm:TagResource", id, send).await.map(drop)
}

fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn from_sdk(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}

fn arn(aws: &Aws, id: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:dlm:{}:{}:policy/{id}", scope.partition, scope.region, scope.account)
}

fn outputs(aws: &Aws, id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id)), ("arn".to_owned(), Value::text(arn(aws, id)))])
}

async fn observe(aws: &Aws, summary: &LifecyclePolicySummary) -> Result<Option<Found<Policy>>, CallError> {
    let Some(id) = summary.policy_id() else { return Ok(None) };
    let send = || aws.dlm.get_lifecycle_policy().policy_id(id).send();
    let policy = match aws.call("dlm:GetLifecyclePolicy", id, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?.policy,
    };
    let Some(policy) = policy else { return Ok(None) };
    let all: Tags = policy.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let Some((logical, identity)) = tags::read(&aws.scope.stack, &all) else { return Ok(None) };
    Ok(Some(Found {
        id: logical,
        physical: id.to_owned(),
        identity,
        health: Health::Ready,
        inputs: inputs(&policy, tags::user(&all)),
        outputs: outputs(aws, id),
        blockers: Default::default(),
    }))
}

fn inputs(policy: &LifecyclePolicy, tags: Tags) -> Policy {
    let details = policy.policy_details();
    let schedule = details.and_then(|details| details.schedules().first());
    let rule = schedule.and_then(Schedule::create_rule);
    Policy {
        description: policy.description().unwrap_or_default().to_owned(),
        enabled: policy.state() == Some(&GettablePolicyStateValues::Enabled),
        role: Out::known(policy.execution_role_arn().unwrap_or_default()),
        target_tags: details.map(|details| from_sdk(details.target_tags())).unwrap_or_default(),
        schedule: schedule.and_then(Schedule::name).unwrap_or_default().to_owned(),
        every_hours: rule.and_then(CreateRule::interval).unwrap_or_default(),
        at: rule.and_then(|rule| rule.times().first().cloned()).unwrap_or_default(),
        keep: schedule.and_then(Schedule::retain_rule).and_then(RetainRule::count).unwrap_or_default(),
        copy_tags: schedule.and_then(Schedule::copy_tags).unwrap_or_default(),
        tags_to_add: schedule.map(|schedule| from_sdk(schedule.tags_to_add())).unwrap_or_default(),
        more: details.map(more).unwrap_or_default(),
        tags,
    }
}

/// What a policy does beyond one schedule that snapshots volumes where they are and keeps so many.
fn more(details: &PolicyDetails) -> Vec<String> {
    let further = details.schedules().iter().skip(1);
    let further = further.map(|schedule| format!("schedule {}", schedule.name().unwrap_or_default()));
    let Some(schedule) = details.schedules().first() else { return Vec::new() };
    let rule = schedule.create_rule();
    let places = details.resource_locations().iter().map(|place| place.as_str());
    let places = places.chain(rule.and_then(CreateRule::location).map(|place| place.as_str()));
    let elsewhere = places.filter(|place| *place != "CLOUD").map(|place| format!("in {place}"));
    let rules = [
        ("archive", schedule.archive_rule().is_some()),
        ("copies to other regions", !schedule.cross_region_copy_rules().is_empty()),
        ("fast restore", schedule.fast_restore_rule().is_some()),
        ("kept by age", schedule.retain_rule().is_some_and(|rule| rule.interval_unit().is_some())),
        ("made by a cron expression", rule.is_some_and(|rule| rule.cron_expression().is_some())),
        ("shares", !schedule.share_rules().is_empty()),
        ("variable tags", !schedule.variable_tags().is_empty()),
    ];
    let rules = rules.into_iter().filter(|(_, has)| *has).map(|(rule, _)| rule.to_owned());
    further.chain(elsewhere).chain(rules).collect()
}
