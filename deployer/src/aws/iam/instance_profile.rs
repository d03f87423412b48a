//! An instance profile: what hands a role to instances.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::InstanceProfile as Sdk;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::role::RoleName;
use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// An instance profile under the path `/wharf/<stack>/`, by which it is found: lists tell no tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Its name, unique in the account.
    pub name: String,
    /// Its only role.
    pub role: Out<RoleName>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of an instance profile.
#[derive(Debug)]
pub enum InstanceProfileArn {}
/// Marks the name of an instance profile.
#[derive(Debug)]
pub enum InstanceProfileName {}

impl Handle<InstanceProfile> {
    /// The profile's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<InstanceProfileArn> {
        self.output("arn")
    }

    /// The profile's name.
    #[must_use]
    pub fn name(&self) -> Out<InstanceProfileName> {
        self.output("name")
    }
}

impl Kind for InstanceProfile {
    const RULES: &'static Rules = &Rules {
        kind: "iam.instance-profile",
        fields: &[Field::new("name").replaces(), Field::new("role"), Field::new("tags").owned_by(Owner::Shared)],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(30),
        estimate: Estimate::seconds(2, 2, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let wanted = query.by_name(|profile| &profile.name);
        let mut names: BTreeSet<String> = wanted.keys().map(|name| (*name).to_owned()).collect();
        names.extend(query.only_physical().map(str::to_owned));
        if query.only.is_none() || names.is_empty() {
            names.extend(list(aws).await?);
        }
        let found = names.iter().map(|name| observe(aws, name, &wanted));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "iam:CreateInstanceProfile";
        let mut tags = new.tags(&self.tags);
        tags.extend(tagging::region(aws));
        let tags = tagging::to_sdk(&tags)?;
        let create =
            || aws.iam.create_instance_profile().path(super::path(new.stack)).instance_profile_name(&self.name);
        let profile = aws.call(ACTION, &self.name, || create().set_tags(Some(tags.clone())).send()).await?;
        let profile = profile.instance_profile.ok_or_else(|| CallError::lacks(ACTION, "InstanceProfile"))?;
        add(aws, &self.name, self.role.get()?).await.map_err(CallError::right_after_create)?;
        Ok(Made { outputs: Some(outputs(&profile)), physical: self.name.clone() })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("role") {
            // It holds one role at most.
            take_off(aws, now).await?;
            add(aws, &now.physical, self.role.get()?).await?;
        }
        if changed.has("tags") {
            change_tags(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        // AWS deletes no profile that still has its role.
        take_off(aws, now).await?;
        let send = || aws.iam.delete_instance_profile().instance_profile_name(&now.physical).send();
        aws.call("iam:DeleteInstanceProfile", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        let mut identity = identity.clone();
        identity.extend(tagging::region(aws));
        write_tags(aws, &now.physical, &identity).await
    }

    fn grants() -> Vec<Grant> {
        const PROFILES: &[&str] = &["arn:{partition}:iam::{account}:instance-profile/wharf/{stack}/*"];
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_EC2: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "ec2.amazonaws.com")];
        vec![
            Grant::read(&["iam:GetInstanceProfile", "iam:ListInstanceProfiles"]),
            Grant::write(WRITES, PROFILES),
            Grant::write(&["iam:PassRole"], ROLES).when(TO_EC2),
        ]
    }
}

const WRITES: &[&str] = &[
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:DeleteInstanceProfile",
    "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile",
    "iam:UntagInstanceProfile",
];

fn outputs(profile: &Sdk) -> Outputs {
    Outputs::from([
        ("arn".to_owned(), Value::text(profile.arn())),
        ("name".to_owned(), Value::text(profile.instance_profile_name())),
    ])
}

async fn list(aws: &Aws) -> Result<Vec<String>, CallError> {
    let path = super::path(&aws.scope.stack);
    let send = |marker| aws.iam.list_instance_profiles().path_prefix(&path).set_marker(marker).send();
    let page = |page: aws_sdk_iam::operation::list_instance_profiles::ListInstanceProfilesOutput| {
        (page.instance_profiles, page.marker)
    };
    let profiles = aws.pages("iam:ListInstanceProfiles", "", send, page).await?;
    Ok(profiles.into_iter().map(|profile| profile.instance_profile_name).collect())
}

/// A profile that is the stack's, or has a name that the stack wants.
async fn observe(
    aws: &Aws,
    name: &str,
    wanted: &BTreeMap<&str, &LogicalId>,
) -> Result<Option<Found<InstanceProfile>>, CallError> {
    const ACTION: &str = "iam:GetInstanceProfile";
    let send = || aws.iam.get_instance_profile().instance_profile_name(name).send();
    let profile = match aws.call(ACTION, name, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?.instance_profile.ok_or_else(|| CallError::lacks(ACTION, "InstanceProfile"))?,
    };
    let all = tagging::read(profile.tags());
    let ours = tags::read(&aws.scope.stack, &all).filter(|_| tagging::of_this_region(aws, &all));
    let (id, identity) = match (ours, wanted.get(name)) {
        (Some(ours), _) => ours,
        (None, Some(id)) => ((*id).clone(), Identity::Foreign),
        (None, None) => return Ok(None),
    };
    let role = profile.roles().first().map(|role| role.role_name()).unwrap_or_default();
    let inputs = InstanceProfile { name: name.to_owned(), role: Out::known(role), tags: tags::user(&all) };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(&profile),
        blockers: Default::default(),
    }))
}

async fn add(aws: &Aws, profile: &str, role: &str) -> Result<(), CallError> {
    let add = || aws.iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role);
    aws.call("iam:AddRoleToInstanceProfile", profile, || add().send()).await.map(drop)
}

/// Takes its role off, if it has one.
async fn take_off(aws: &Aws, now: &Found<InstanceProfile>) -> Result<(), CallError> {
    let (profile, role) = (&now.physical, now.inputs.role.get()?);
    if role.is_empty() {
        return Ok(());
    }
    let remove = || aws.iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
    match aws.call("iam:RemoveRoleFromInstanceProfile", profile, || remove().send()).await {
        Err(error) if error.class == Class::Missing => Ok(()),
        other => other.map(drop),
    }
}

async fn write_tags(aws: &Aws, profile: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = tagging::to_sdk(tags)?;
    let send = || aws.iam.tag_instance_profile().instance_profile_name(profile).set_tags(Some(tags.clone())).send();
    aws.call("iam:TagInstanceProfile", profile, send).await.map(drop)
}

async fn change_tags(aws: &Aws, profile: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write_tags(aws, profile, &set).await?;
    }
    if !gone.is_empty() {
        let untag = || aws.iam.untag_instance_profile().instance_profile_name(profile);
        let send = || untag().set_tag_keys(Some(gone.clone())).send();
        aws.call("iam:UntagInstanceProfile", profile, send).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::iam::role::Role;
    use crate::aws::policy::Document;
    use crate::aws::testing::{World, out};
    use crate::aws::units::HOUR;

    async fn role(world: &World, id: &str) -> Out<RoleName> {
        let role = Role {
            name: format!("shop-{}", id.replace('.', "-")),
            description: String::new(),
            trust: Document::trusting("ec2.amazonaws.com").text(),
            policies: BTreeMap::new(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: Tags::new(),
        };
        out(&world.create(id, &role).await, "name")
    }

    #[tokio::test(start_paused = true)]
    async fn a_profile_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let (one, other) = (role(&world, "cluster.role").await, role(&world, "cluster.other-role").await);
        let tags = Tags::from([("team".to_owned(), "a".to_owned())]);
        let wanted = InstanceProfile { name: "shop-nodes".to_owned(), role: one, tags };
        let made = world.create("cluster.instance-profile", &wanted).await;
        let changed = InstanceProfile { role: other, tags: Tags::from([("own".to_owned(), "b".to_owned())]), ..wanted };
        let made = world.update(&made, &changed).await;
        world.delete::<InstanceProfile>(&made).await;
        assert!(world.sandbox.inventory().iter().all(|left| left.kind == "iam.role"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_profile_that_has_its_role_already_is_looked_at_again() {
        let world = World::calm().await;
        let role = role(&world, "cluster.role").await;
        let wanted = InstanceProfile { name: "shop-nodes".to_owned(), role: role.clone(), tags: Tags::new() };
        let made = world.create("cluster.instance-profile", &wanted).await;
        let refused = world.elsewhere(add(&world.aws, &made.physical, role.get().unwrap())).await.unwrap_err();
        assert_eq!(refused.class, Class::NotYetVisible, "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_profile_of_a_wanted_name_without_the_stacks_tags_is_foreign() {
        let world = World::calm().await;
        let foreign = world.aws.iam.create_instance_profile().instance_profile_name("shop-nodes");
        world.elsewhere(foreign.send()).await.unwrap();
        let id = LogicalId::new("cluster.instance-profile").unwrap();
        let wanted = InstanceProfile { name: "shop-nodes".to_owned(), role: "node".into(), tags: Tags::new() };
        let query = Query { wanted: BTreeMap::from([(id.clone(), wanted)]), only: None };
        let found = InstanceProfile::find(&world.aws, &query).await.unwrap_or_default();
        assert!(matches!(found.as_slice(), [one] if one.id == id && one.identity == Identity::Foreign), "{found:?}");
    }
}
