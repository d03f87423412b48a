//! A DB subnet group: the subnets that a database may stand in.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html>

use aws_sdk_rds::types::DbSubnetGroup as Sdk;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, LogicalId, Order, Outputs, Owner, Rules};

use super::{groups, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::subnet::SubnetId;
use crate::aws::ec2::vpc::VpcId;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tag_index;
use crate::aws::tags::Tags;

/// A DB subnet group. Its name is made of the stack, the logical id and the generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetGroup {
    /// What it is for, as the console shows it.
    pub description: String,
    /// The VPC of its subnets: a group cannot move to another.
    pub vpc: Out<VpcId>,
    /// Its subnets, in two zones at least.
    pub subnets: Vec<Out<SubnetId>>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a DB subnet group.
#[derive(Debug)]
pub enum SubnetGroupName {}

impl Handle<SubnetGroup> {
    /// The group's name.
    #[must_use]
    pub fn name(&self) -> Out<SubnetGroupName> {
        self.output("name")
    }
}

impl Kind for SubnetGroup {
    const RULES: &'static Rules = &Rules {
        kind: "rds.subnet-group",
        fields: &[
            Field::new("description"),
            Field::new("vpc").replaces(),
            Field::new("subnets").compared(Compare::Set),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let only = query.only_physical();
        let send = |marker| {
            let only = only.map(str::to_owned);
            aws.rds.describe_db_subnet_groups().set_db_subnet_group_name(only).set_marker(marker).send()
        };
        let page = |page: aws_sdk_rds::operation::describe_db_subnet_groups::DescribeDbSubnetGroupsOutput| {
            (page.db_subnet_groups.unwrap_or_default(), page.marker)
        };
        let all = groups::or_none(aws.pages("rds:DescribeDBSubnetGroups", only.unwrap_or_default(), send, page).await)?;
        groups::ours(aws, query, (SUBNET_GROUP, &all), name, |wanted| &wanted.tags, observed).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = groups::name(new);
        let subnets = self.subnet_ids()?;
        let tags = tagging::to_sdk(&new.tags(&self.tags));
        let send = || {
            aws.rds
                .create_db_subnet_group()
                .db_subnet_group_name(&name)
                .db_subnet_group_description(&self.description)
                .set_subnet_ids(Some(subnets.clone()))
                .set_tags(Some(tags.clone()))
                .send()
        };
        aws.call("rds:CreateDBSubnetGroup", new.id.as_str(), send).await?;
        Ok(groups::made(name))
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.any(&["description", "subnets"]) {
            let subnets = self.subnet_ids()?;
            let send = || {
                aws.rds
                    .modify_db_subnet_group()
                    .db_subnet_group_name(&now.physical)
                    .db_subnet_group_description(&self.description)
                    .set_subnet_ids(Some(subnets.clone()))
                    .send()
            };
            aws.call("rds:ModifyDBSubnetGroup", &now.physical, send).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.rds.delete_db_subnet_group().db_subnet_group_name(&now.physical).send();
        aws.call("rds:DeleteDBSubnetGroup", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] = &["arn:{partition}:rds:{region}:{account}:subgrp:*"];
        let own = [
            Grant::read(&["rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"]),
            tag_index::GRANT,
            Grant::write(&["rds:CreateDBSubnetGroup"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["rds:ModifyDBSubnetGroup", "rds:DeleteDBSubnetGroup"], GROUP).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl SubnetGroup {
    fn subnet_ids(&self) -> Result<Vec<String>, CallError> {
        self.subnets.iter().map(|subnet| Ok(subnet.get()?.to_owned())).collect()
    }
}

/// A group's name, but for the account's own group, which is called `default`.
fn name(group: &Sdk) -> Option<&str> {
    group.db_subnet_group_name().filter(|name| *name != "default")
}

async fn observed(group: &Sdk, _: &LogicalId, tags: Tags) -> Result<SubnetGroup, CallError> {
    let mut subnets: Vec<_> = group.subnets().iter().filter_map(|s| s.subnet_identifier()).map(Out::known).collect();
    subnets.sort();
    Ok(SubnetGroup {
        description: group.db_subnet_group_description().unwrap_or_default().to_owned(),
        vpc: Out::known(group.vpc_id().unwrap_or_default()),
        subnets,
        tags,
    })
}

/// What ARNs call it.
const SUBNET_GROUP: &str = "subgrp";

fn arn(aws: &Aws, name: &str) -> String {
    tagging::arn(aws, SUBNET_GROUP, name)
}
