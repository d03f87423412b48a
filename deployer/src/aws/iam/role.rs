//! A role. <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html>
//!
//! A stack's roles stand under the path `/wharf/<stack>/`: `ListRoles` tells no tags, but takes a path.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::Role as Sdk;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::{sweep, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::policy;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name, unique in the account and up to 64 characters.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who may assume it ([`policy::Document`]).
    pub trust: Text,
    /// Its inline policies by name; it has no others.
    pub policies: BTreeMap<String, Text>,
    /// The ARNs of its managed policies; it has no others.
    pub managed: Vec<Text>,
    /// How long one session lasts at most: one hour to twelve.
    pub max_session: Seconds,
    /// The ARN of the policy that bounds what it may ever do.
    pub boundary: Option<Text>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of a role.
#[derive(Debug)]
pub enum RoleArn {}
/// Marks the name of a role.
#[derive(Debug)]
pub enum RoleName {}

impl Handle<Role> {
    /// The role's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<RoleArn> {
        self.output("arn")
    }

    /// The role's name.
    #[must_use]
    pub fn name(&self) -> Out<RoleName> {
        self.output("name")
    }
}

impl Kind for Role {
    const RULES: &'static Rules = &Rules {
        kind: "iam.role",
        fields: &[
            Field::new("name").replaces(),
            Field::new("description"),
            Field::new("trust").compared(Compare::Document),
            Field::new("policies").compared(Compare::Document),
            Field::new("managed").compared(Compare::Set),
            Field::new("max_session"),
            Field::new("boundary"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(30),
        estimate: Estimate::seconds(3, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let wanted = query.by_name(|role| &role.name);
        let names: BTreeSet<String> = wanted.keys().copied().chain(query.only_physical()).map(str::to_owned).collect();
        if query.only.is_none() || names.is_empty() {
            return sweep::roles(aws, &wanted).await;
        }
        one_by_one(aws, &names, &wanted).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "iam:CreateRole";
        let mut tags = new.tags(&self.tags);
        tags.extend(tagging::region(aws));
        let (trust, tags) = (self.trust.get()?, tagging::to_sdk(&tags)?);
        let boundary = self.boundary.as_ref().map(Out::get).transpose()?.map(str::to_owned);
        let create = || aws.iam.create_role().path(super::path(new.stack)).role_name(&self.name);
        let create = || create().assume_role_policy_document(trust).set_permissions_boundary(boundary.clone());
        let create = || create().max_session_duration(self.max_session.0).set_tags(Some(tags.clone()));
        let send = || create().set_description(Some(&self.description).filter(|d| !d.is_empty()).cloned()).send();
        let role = aws.call(ACTION, &self.name, send).await?.role;
        let role = role.ok_or_else(|| CallError::lacks(ACTION, "Role"))?;
        for (name, document) in &self.policies {
            put(aws, &self.name, name, document).await.map_err(CallError::right_after_create)?;
        }
        for policy in &self.managed {
            attach(aws, &self.name, policy.get()?).await.map_err(CallError::right_after_create)?;
        }
        Ok(Made { outputs: Some(outputs(&role)), physical: self.name.clone() })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let role = &now.physical;
        if changed.any(&["description", "max_session"]) {
            // What this call leaves out, AWS sets to its default.
            let update = || aws.iam.update_role().role_name(role).description(&self.description);
            let send = || update().max_session_duration(self.max_session.0).send();
            aws.call("iam:UpdateRole", role, send).await?;
        }
        if changed.has("trust") {
            let trust = self.trust.get()?;
            let send = || aws.iam.update_assume_role_policy().role_name(role).policy_document(trust).send();
            aws.call("iam:UpdateAssumeRolePolicy", role, send).await?;
        }
        if changed.has("policies") {
            self.change_policies(aws, now).await?;
        }
        if changed.has("managed") {
            self.change_managed(aws, now).await?;
        }
        if changed.has("boundary") {
            self.change_boundary(aws, role).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, role, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let role = &now.physical;
        // AWS deletes no role that still has policies.
        for policy in &now.inputs.managed {
            gone(detach(aws, role, policy.get()?).await)?;
        }
        for name in now.inputs.policies.keys() {
            gone(take_off(aws, role, name).await)?;
        }
        aws.call("iam:DeleteRole", role, || aws.iam.delete_role().role_name(role).send()).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        let mut identity = identity.clone();
        identity.extend(tagging::region(aws));
        tagging::write(aws, &now.physical, &identity).await
    }

    fn grants() -> Vec<Grant> {
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        vec![Grant::read(READS), Grant::write(WRITES, ROLES)]
    }
}

const READS: &[&str] = &[
    "iam:GetAccountAuthorizationDetails",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoles",
];
const WRITES: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
];

fn outputs(role: &Sdk) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(role.arn())), ("name".to_owned(), Value::text(role.role_name()))])
}

/// The roles of these names, as freshly as AWS tells.
pub(super) async fn one_by_one(
    aws: &Aws,
    names: &BTreeSet<String>,
    wanted: &BTreeMap<&str, &LogicalId>,
) -> Result<Vec<Found<Role>>, CallError> {
    let roles = try_join_all(names.iter().map(|name| read(aws, name))).await?;
    let found = roles.into_iter().flatten().map(|(role, parts)| observed(aws, &role, parts, wanted));
    Ok(found.collect::<Result<Vec<_>, CallError>>()?.into_iter().flatten().collect())
}

/// What a role consists of beside what lists tell of it.
pub(super) struct Parts {
    pub(super) policies: BTreeMap<String, Text>,
    pub(super) managed: Vec<Text>,
    pub(super) boundary: Option<Text>,
    /// All its tags.
    pub(super) tags: Tags,
}

async fn read(aws: &Aws, name: &str) -> Result<Option<(Sdk, Parts)>, CallError> {
    let role = async {
        let answer = aws.call("iam:GetRole", name, || aws.iam.get_role().role_name(name).send()).await?;
        answer.role.ok_or_else(|| CallError::lacks("iam:GetRole", "Role"))
    };
    let (role, policies, managed) = match futures::try_join!(role, inline(aws, name), attached(aws, name)) {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    let (boundary, tags) = (boundary.map(Out::known), tagging::read(role.tags()));
    Ok(Some((role, Parts { policies, managed, boundary, tags })))
}

/// A role that is the stack's, or has a name that the stack wants.
pub(super) fn observed(
    aws: &Aws,
    role: &Sdk,
    parts: Parts,
    wanted: &BTreeMap<&str, &LogicalId>,
) -> Result<Option<Found<Role>>, CallError> {
    let Parts { policies, managed, boundary, tags: all } = parts;
    let name = role.role_name();
    let ours = tags::read(&aws.scope.stack, &all).filter(|_| tagging::of_this_region(aws, &all));
    let (id, identity) = match (ours, wanted.get(name)) {
        (Some(ours), _) => ours,
        (None, Some(id)) => ((*id).clone(), Identity::Foreign),
        (None, None) => return Ok(None),
    };
    let inputs = Role {
        name: name.to_owned(),
        description: role.description().unwrap_or_default().to_owned(),
        trust: policy::observed_encoded(role.assume_role_policy_document().unwrap_or_default())?,
        policies,
        managed,
        max_session: Seconds(role.max_session_duration().unwrap_or(3600)),
        boundary,
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(role),
        blockers: Default::default(),
    }))
}

async fn inline(aws: &Aws, role: &str) -> Result<BTreeMap<String, Text>, CallError> {
    let send = |marker| aws.iam.list_role_policies().role_name(role).set_marker(marker).send();
    let names = aws.pages("iam:ListRolePolicies", role, send, |page| (page.policy_names, page.marker)).await?;
    let documents = names.into_iter().map(|name| async move {
        let send = || aws.iam.get_role_policy().role_name(role).policy_name(&name).send();
        let answer = aws.call("iam:GetRolePolicy", role, send).await?;
        Ok::<_, CallError>((name.clone(), policy::observed_encoded(&answer.policy_document)?))
    });
    Ok(try_join_all(documents).await?.into_iter().collect())
}

async fn attached(aws: &Aws, role: &str) -> Result<Vec<Text>, CallError> {
    let send = |marker| aws.iam.list_attached_role_policies().role_name(role).set_marker(marker).send();
    let page = |page: aws_sdk_iam::operation::list_attached_role_policies::ListAttachedRolePoliciesOutput| {
        (page.attached_policies.unwrap_or_default(), page.marker)
    };
    let policies = aws.pages("iam:ListAttachedRolePolicies", role, send, page).await?;
    Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).map(Text::known).collect())
}

impl Role {
    /// Inline policies: the new and changed ones first, so that the role is never without what it needs.
    async fn change_policies(&self, aws: &Aws, now: &Found<Self>) -> Result<(), CallError> {
        for (name, document) in &self.policies {
            if now.inputs.policies.get(name).map(Out::get) != Some(document.get()) {
                put(aws, &now.physical, name, document).await?;
            }
        }
        for name in now.inputs.policies.keys().filter(|name| !self.policies.contains_key(*name)) {
            gone(take_off(aws, &now.physical, name).await)?;
        }
        Ok(())
    }

    async fn change_managed(&self, aws: &Aws, now: &Found<Self>) -> Result<(), CallError> {
        let arns = |role: &Self| role.managed.iter().map(|arn| Ok(arn.get()?.to_owned())).collect();
        let (want, has): (Result<BTreeSet<String>, CallError>, Result<BTreeSet<String>, _>) =
            (arns(self), arns(&now.inputs));
        let (want, has) = (want?, has?);
        for arn in want.difference(&has) {
            attach(aws, &now.physical, arn).await?;
        }
        for arn in has.difference(&want) {
            gone(detach(aws, &now.physical, arn).await)?;
        }
        Ok(())
    }

    async fn change_boundary(&self, aws: &Aws, role: &str) -> Result<(), CallError> {
        let Some(boundary) = &self.boundary else {
            let send = || aws.iam.delete_role_permissions_boundary().role_name(role).send();
            return aws.call("iam:DeleteRolePermissionsBoundary", role, send).await.map(drop);
        };
        let arn = boundary.get()?;
        let send = || aws.iam.put_role_permissions_boundary().role_name(role).permissions_boundary(arn).send();
        aws.call("iam:PutRolePermissionsBoundary", role, send).await.map(drop)
    }
}

async fn put(aws: &Aws, role: &str, name: &str, document: &Text) -> Result<(), CallError> {
    let document = document.get()?;
    let send = || aws.iam.put_role_policy().role_name(role).policy_name(name).policy_document(document).send();
    aws.call("iam:PutRolePolicy", role, send).await.map(drop)
}

async fn take_off(aws: &Aws, role: &str, name: &str) -> Result<(), CallError> {
    let send = || aws.iam.delete_role_policy().role_name(role).policy_name(name).send();
    aws.call("iam:DeleteRolePolicy", role, send).await.map(drop)
}

async fn attach(aws: &Aws, role: &str, arn: &str) -> Result<(), CallError> {
    let send = || aws.iam.attach_role_policy().role_name(role).policy_arn(arn).send();
    aws.call("iam:AttachRolePolicy", role, send).await.map(drop)
}

async fn detach(aws: &Aws, role: &str, arn: &str) -> Result<(), CallError> {
    let send = || aws.iam.detach_role_policy().role_name(role).policy_arn(arn).send();
    aws.call("iam:DetachRolePolicy", role, send).await.map(drop)
}

/// What is to be taken off and is not there is taken off.
fn gone(result: Result<(), CallError>) -> Result<(), CallError> {
    match result {
        Err(error) if error.class == Class::Missing => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::policy::{Document, Statement};
    use crate::aws::testing::World;

    fn reading(what: &str) -> Text {
        Document::new([Statement::allow(["s3:GetObject", "s3:ListBucket"]).on(what)]).text()
    }

    fn role() -> Role {
        Role {
            name: "shop-task".to_owned(),
            description: "what the tasks may do".to_owned(),
            trust: Document::trusting("ecs-tasks.amazonaws.com").text(),
            policies: BTreeMap::from([
                ("read".to_owned(), reading("*")),
                ("old".to_owned(), reading("arn:aws:s3:::a")),
            ]),
            managed: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".into()],
            max_session: Seconds(3600),
            boundary: None,
            tags: Tags::from([("team".to_owned(), "a + b = c/d".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("tasks.role", &role()).await;
        let changed = Role {
            description: String::new(),
            trust: Document::trusting("rds.amazonaws.com").text(),
            policies: BTreeMap::from([("read".to_owned(), reading("arn:aws:s3:::b"))]),
            managed: vec!["arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole".into()],
            max_session: Seconds(7200),
            tags: Tags::from([("owner".to_owned(), "me".to_owned())]),
            ..role()
        };
        let found = world.update(&found, &changed).await;
        world.delete::<Role>(&found).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_of_a_wanted_name_without_the_stacks_tags_is_foreign() {
        let world = World::calm().await;
        let foreign = world
            .aws
            .iam
            .create_role()
            .role_name("shop-task")
            .assume_role_policy_document(Document::trusting("ec2.amazonaws.com").text().get().unwrap_or_default());
        world.elsewhere(foreign.send()).await.unwrap();
        let id = LogicalId::new("tasks.role").unwrap();
        let query = Query { wanted: BTreeMap::from([(id.clone(), role())]), only: None };
        let found = Role::find(&world.aws, &query).await.unwrap_or_default();
        assert!(matches!(found.as_slice(), [one] if one.id == id && one.identity == Identity::Foreign), "{found:?}");
    }
}
