//! A security group with its rules. <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>

use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as Sdk};
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::rules::{self, Direction, Peer, Rule};
use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::shared_reads::once;
use crate::aws::tags::Tags;

/// A security group. Its lists of rules are exclusive: a rule that they do not name is revoked, and so is the rule
/// to everywhere that AWS puts into a new group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// The VPC it is in.
    pub vpc: Out<VpcId>,
    /// What it is for; AWS wants one, and never changes it.
    pub description: String,
    /// Who may reach its members.
    pub ingress: Vec<Rule>,
    /// Whom its members may reach.
    pub egress: Vec<Rule>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of a security group.
#[derive(Debug)]
pub enum SecurityGroupId {}

impl Handle<SecurityGroup> {
    /// The group's id.
    #[must_use]
    pub fn id(&self) -> Out<SecurityGroupId> {
        self.output("id")
    }
}

impl Kind for SecurityGroup {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.security-group",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("description").replaces(),
            // A port closes once nobody listens there any more.
            Field::new("ingress").compared(Compare::Set).overlaps(&["peer", "description"]),
            Field::new("egress").compared(Compare::Set).overlaps(&["peer", "description"]),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(3, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let groups = describe(aws, query).await?;
        // The default group is a kind of its own.
        let others = groups.iter().filter(|group| !is_default(group));
        Ok(others.filter_map(|group| observe(aws, group, Self::from)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateSecurityGroup";
        let tags = tagging::specification(new, ResourceType::SecurityGroup, &self.tags);
        let call = aws.ec2.create_security_group().vpc_id(self.vpc.get()?).description(&self.description);
        // Old and new stand side by side while one replaces the other, and names are unique in a VPC.
        let call = call.group_name(format!("{}-{}", new.name(), new.generation)).tag_specifications(tags);
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let id = answer.group_id.ok_or_else(|| CallError::lacks(ACTION, "GroupId"))?;
        let aws = &aws.about_new();
        let of_a_new_group = [Rule::all(Peer::Ipv4("0.0.0.0/0".to_owned()), "")];
        futures::try_join!(
            rules::change(aws, &id, Direction::Ingress, &[], &self.ingress),
            rules::change(aws, &id, Direction::Egress, &of_a_new_group, &self.egress),
        )?;
        Ok(Made { outputs: Some(outputs(&id)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("ingress") {
            rules::change(aws, &now.physical, Direction::Ingress, &now.inputs.ingress, &self.ingress).await?;
        }
        if changed.has("egress") {
            rules::change(aws, &now.physical, Direction::Egress, &now.inputs.egress, &self.egress).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.delete_security_group().group_id(&now.physical).send();
        aws.call("ec2:DeleteSecurityGroup", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        let own = [
            Grant::read(&["ec2:DescribeSecurityGroups"]),
            Grant::write(&["ec2:CreateSecurityGroup"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateSecurityGroup"], VPC).when(OF_THIS_STACK),
            Grant::write(&["ec2:DeleteSecurityGroup"], GROUP).when(OF_THIS_STACK),
            Grant::write(WRITE_RULES, GROUP).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// Every security group.
pub(super) const GROUP: &[&str] = &["arn:{partition}:ec2:{region}:{account}:security-group/*"];
/// The actions that change rules.
pub(super) const WRITE_RULES: &[&str] = &[
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
];

/// The groups that a query is about, with their rules.
pub(super) async fn describe<K: Kind>(aws: &Aws, query: &Query<K>) -> Result<Vec<Sdk>, CallError> {
    let filters = filters::of(aws, query);
    match query.only {
        Some(_) => filtered(aws, filters).await,
        None => once(aws, "security groups", filtered(aws, filters)).await,
    }
}

async fn filtered(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Sdk>, CallError> {
    let send =
        |token| aws.ec2.describe_security_groups().set_filters(Some(filters.clone())).set_next_token(token).send();
    let page = |page: aws_sdk_ec2::operation::describe_security_groups::DescribeSecurityGroupsOutput| {
        (page.security_groups.unwrap_or_default(), page.next_token)
    };
    aws.pages("ec2:DescribeSecurityGroups", "", send, page).await
}

/// True for the group that AWS makes with a VPC; no other can have its name.
pub(super) fn is_default(group: &Sdk) -> bool {
    group.group_name() == Some("default")
}

impl From<Seen> for SecurityGroup {
    fn from(seen: Seen) -> Self {
        let Seen { vpc, description, ingress, egress, tags } = seen;
        Self { vpc, description, ingress, egress, tags }
    }
}

/// What either kind of security group reads of one.
pub(super) struct Seen {
    pub(super) vpc: Out<VpcId>,
    pub(super) description: String,
    pub(super) ingress: Vec<Rule>,
    pub(super) egress: Vec<Rule>,
    pub(super) tags: Tags,
}

/// A group of the stack; `inputs` makes a kind's inputs of what is seen of it.
pub(super) fn observe<K>(aws: &Aws, group: &Sdk, inputs: impl FnOnce(Seen) -> K) -> Option<Found<K>> {
    let physical = group.group_id()?;
    let (id, identity, tags) = tagging::identify(aws, group.tags())?;
    let seen = Seen {
        vpc: Out::known(group.vpc_id().unwrap_or_default()),
        description: group.description().unwrap_or_default().to_owned(),
        ingress: rules::observe(physical, group.ip_permissions()),
        egress: rules::observe(physical, group.ip_permissions_egress()),
        tags,
    };
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health: Health::Ready,
        inputs: inputs(seen),
        outputs: outputs(physical),
        blockers: Default::default(),
    })
}

/// The outputs of a group of either kind.
pub(super) fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}
