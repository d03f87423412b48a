//! The security group that AWS makes with a VPC, kept empty: what is launched without a group reaches nothing.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>

use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Order, Outputs, Owner, Rules};

use super::rules::{self, Direction, Peer, Rule};
use super::security_group::{GROUP, SecurityGroupId, Seen, WRITE_RULES, describe, is_default, observe, outputs};
use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A VPC's default security group. AWS makes it and deletes it with the VPC; the stack takes it over and lets go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultSecurityGroup {
    /// The VPC whose group it is.
    pub vpc: Out<VpcId>,
    /// Who may reach its members: nobody, as a rule.
    pub ingress: Vec<Rule>,
    /// Whom its members may reach: nobody, as a rule.
    pub egress: Vec<Rule>,
    /// The user's tags.
    pub tags: Tags,
}

impl Handle<DefaultSecurityGroup> {
    /// The group's id.
    #[must_use]
    pub fn id(&self) -> Out<SecurityGroupId> {
        self.output("id")
    }
}

impl Kind for DefaultSecurityGroup {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.default-security-group",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("ingress").compared(Compare::Set),
            Field::new("egress").compared(Compare::Set),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let groups = describe(aws, query).await?;
        let default = groups.iter().filter(|group| is_default(group));
        Ok(default.filter_map(|group| observe(aws, group, Self::from)).collect())
    }

    /// Takes the group over: its identity first, so that a run cut short here finds it again.
    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:DescribeSecurityGroups";
        let vpc = self.vpc.get()?;
        let filters = vec![filters::filter("vpc-id", vpc), filters::filter("group-name", "default")];
        let send = || aws.ec2.describe_security_groups().set_filters(Some(filters.clone())).send();
        let answer = aws.call(ACTION, vpc, send).await?;
        // Every VPC has one; of a VPC just made it may not be shown yet.
        let unseen = || CallError { class: Class::NotYetVisible, ..CallError::lacks(ACTION, "the default group") };
        let group = answer.security_groups().first().ok_or_else(unseen)?;
        let id = group.group_id().ok_or_else(|| CallError::lacks(ACTION, "GroupId"))?;
        tagging::write(aws, id, &new.tags(&self.tags)).await?;
        // The rules that every default group begins with may not be shown yet: they are taken as there.
        // <https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>
        let with = |mut rules: Vec<Rule>, first: Rule| {
            if !rules.contains(&first) {
                rules.push(first);
            }
            rules
        };
        let from_itself = Rule::all(Peer::Itself, "");
        let to_anywhere = Rule::all(Peer::Ipv4("0.0.0.0/0".to_owned()), "");
        let ingress = with(rules::observe(id, group.ip_permissions()), from_itself);
        let egress = with(rules::observe(id, group.ip_permissions_egress()), to_anywhere);
        futures::try_join!(
            rules::change(aws, id, Direction::Ingress, &ingress, &self.ingress),
            rules::change(aws, id, Direction::Egress, &egress, &self.egress),
        )?;
        Ok(Made { outputs: Some(outputs(id)), physical: id.to_owned() })
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

    /// Lets go of it: AWS refuses to delete it, and does so itself with the VPC.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let identity = tags::identity(&aws.scope.stack, &now.id, None);
        let mut ours: Tags = identity.into_iter().chain(now.inputs.tags.clone()).collect();
        ours.insert(tags::GENERATION.to_owned(), String::new());
        tagging::change(aws, &now.physical, &ours, &Tags::new()).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        let own = [Grant::read(&["ec2:DescribeSecurityGroups"]), Grant::write(WRITE_RULES, GROUP).when(OF_THIS_STACK)];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl From<Seen> for DefaultSecurityGroup {
    fn from(seen: Seen) -> Self {
        let Seen { vpc, ingress, egress, tags, .. } = seen;
        Self { vpc, ingress, egress, tags }
    }
}
