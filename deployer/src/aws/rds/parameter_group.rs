//! A DB parameter group: the settings of a database server.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html>

use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup as Sdk, Parameter};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, LogicalId, Order, Outputs, Owner, Rules};

use super::{groups, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tag_index;
use crate::aws::tags::Tags;

/// A DB parameter group. Its name is made of the stack, the logical id and the generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterGroup {
    /// The engine's major version, such as `postgres17`.
    pub family: String,
    /// What it is for, as the console shows it; AWS cannot change it.
    pub description: String,
    /// The parameters that differ from the family's defaults, such as `rds.force_ssl` = `1`, in the units of AWS's
    /// list. All others are at their default: one that somebody else has set is reset. A static parameter takes
    /// effect when the database next restarts, the others at once.
    pub parameters: BTreeMap<String, String>,
    /// The user's tags.
    pub tags: Tags,
}

/// Parameters by name.
type Settings = BTreeMap<String, String>;

/// Marks the name of a DB parameter group.
#[derive(Debug)]
pub enum ParameterGroupName {}

impl Handle<ParameterGroup> {
    /// The group's name.
    #[must_use]
    pub fn name(&self) -> Out<ParameterGroupName> {
        self.output("name")
    }
}

impl Kind for ParameterGroup {
    const RULES: &'static Rules = &Rules {
        kind: "rds.parameter-group",
        fields: &[
            Field::new("family").replaces(),
            Field::new("description").replaces(),
            Field::new("parameters"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(3, 3, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let only = query.only_physical();
        let send = |marker| {
            let only = only.map(str::to_owned);
            aws.rds.describe_db_parameter_groups().set_db_parameter_group_name(only).set_marker(marker).send()
        };
        let page = |page: aws_sdk_rds::operation::describe_db_parameter_groups::DescribeDbParameterGroupsOutput| {
            (page.db_parameter_groups.unwrap_or_default(), page.marker)
        };
        let all = aws.pages("rds:DescribeDBParameterGroups", only.unwrap_or_default(), send, page).await;
        let all = groups::or_none(all)?;
        let inputs = async |group: &Sdk, id: &LogicalId, tags: Tags| observed(aws, query, group, id, tags).await;
        groups::ours(aws, query, (PARAMETER_GROUP, &all), name, |wanted| &wanted.tags, inputs).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = groups::name(new);
        let tags = tagging::to_sdk(&new.tags(&self.tags));
        let send = || {
            aws.rds
                .create_db_parameter_group()
                .db_parameter_group_name(&name)
                .db_parameter_group_family(&self.family)
                .description(&self.description)
                .set_tags(Some(tags.clone()))
                .send()
        };
        aws.call("rds:CreateDBParameterGroup", new.id.as_str(), send).await?;
        set(aws, &name, &BTreeMap::new(), &self.parameters).await?;
        Ok(groups::made(name))
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("parameters") {
            set(aws, &now.physical, &now.inputs.parameters, &self.parameters).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.rds.delete_db_parameter_group().db_parameter_group_name(&now.physical).send();
        aws.call("rds:DeleteDBParameterGroup", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] = &["arn:{partition}:rds:{region}:{account}:pg:*"];
        const CHANGE: &[&str] =
            &["rds:ModifyDBParameterGroup", "rds:ResetDBParameterGroup", "rds:DeleteDBParameterGroup"];
        let own = [
            Grant::read(&["rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:ListTagsForResource"]),
            tag_index::GRANT,
            Grant::write(&["rds:CreateDBParameterGroup"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, GROUP).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// A group's name, but for AWS's own groups, such as `default.postgres17`: none of ours can have a point in it.
fn name(group: &Sdk) -> Option<&str> {
    group.db_parameter_group_name().filter(|name| !name.contains('.'))
}

async fn observed(
    aws: &Aws,
    query: &Query<ParameterGroup>,
    group: &Sdk,
    id: &LogicalId,
    tags: Tags,
) -> Result<ParameterGroup, CallError> {
    let name = group.db_parameter_group_name().unwrap_or_default();
    let mut set = settings(groups::or_none(parameters(aws, name, Some("user")).await)?);
    let wanted = query.wanted.get(id).map(|wanted| &wanted.parameters);
    // A parameter set to what is its default anyway may be listed as a default.
    if wanted.is_some_and(|wanted| wanted.keys().any(|name| !set.contains_key(name))) {
        let all = settings(groups::or_none(parameters(aws, name, None).await)?);
        let as_wanted = wanted.into_iter().flatten().filter(|(name, value)| all.get(*name) == Some(*value));
        set.extend(as_wanted.map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(ParameterGroup {
        family: group.db_parameter_group_family().unwrap_or_default().to_owned(),
        description: group.description().unwrap_or_default().to_owned(),
        parameters: set,
        tags,
    })
}

/// The group's parameters of a source (`user`: those that differ from the default), or all.
async fn parameters(aws: &Aws, group: &str, source: Option<&str>) -> Result<Vec<Parameter>, CallError> {
    let send = |marker| {
        let source = source.map(str::to_owned);
        aws.rds.describe_db_parameters().db_parameter_group_name(group).set_source(source).set_marker(marker).send()
    };
    let page = |page: aws_sdk_rds::operation::describe_db_parameters::DescribeDbParametersOutput| {
        (page.parameters.unwrap_or_default(), page.marker)
    };
    aws.pages("rds:DescribeDBParameters", group, send, page).await
}

fn settings(parameters: Vec<Parameter>) -> Settings {
    parameters
        .into_iter()
        .filter_map(|parameter| Some((parameter.parameter_name?, parameter.parameter_value?)))
        .collect()
}

/// AWS takes so many parameters in one call.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>
const AT_ONCE: usize = 20;

/// Changes the parameters from `now` to `to`. One that only a restart can change is refused with `immediate`, so
/// AWS's list of the family is read first; it is the only place that tells.
async fn set(aws: &Aws, group: &str, now: &Settings, to: &Settings) -> Result<(), CallError> {
    let set: Vec<_> = to.iter().filter(|(name, value)| now.get(*name) != Some(*value)).collect();
    let reset: Vec<_> = now.keys().filter(|name| !to.contains_key(*name)).collect();
    if set.is_empty() && reset.is_empty() {
        return Ok(());
    }
    let known = parameters(aws, group, None).await?;
    let dynamic: Vec<_> = known.iter().filter(|p| p.apply_type() == Some("dynamic")).collect();
    let method = |name: &str| match dynamic.iter().any(|parameter| parameter.parameter_name() == Some(name)) {
        true => ApplyMethod::Immediate,
        false => ApplyMethod::PendingReboot,
    };
    let named = |name: &str| Parameter::builder().parameter_name(name).apply_method(method(name));
    for some in set.chunks(AT_ONCE) {
        let some: Vec<_> = some.iter().map(|(name, value)| named(name).parameter_value(*value).build()).collect();
        let request = aws.rds.modify_db_parameter_group().db_parameter_group_name(group).set_parameters(Some(some));
        aws.call("rds:ModifyDBParameterGroup", group, || request.clone().send()).await?;
    }
    for some in reset.chunks(AT_ONCE) {
        let some: Vec<_> = some.iter().map(|name| named(name).build()).collect();
        let request = aws.rds.reset_db_parameter_group().db_parameter_group_name(group).set_parameters(Some(some));
        aws.call("rds:ResetDBParameterGroup", group, || request.clone().send()).await?;
    }
    Ok(())
}

/// What ARNs call it.
const PARAMETER_GROUP: &str = "pg";

fn arn(aws: &Aws, name: &str) -> String {
    tagging::arn(aws, PARAMETER_GROUP, name)
}
