//! A plain parameter. <https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html>

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules};

use super::{sweep, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};

/// A parameter whose value is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, a path such as `/shop/database/host`.
    pub name: String,
    /// Its value.
    pub value: Text,
    /// What it is for.
    pub description: String,
    /// `Standard` (values up to 4 KiB) or `Advanced` (8 KiB, has a price). From `Advanced` AWS has no way back: the
    /// parameter is made again.
    pub tier: String,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a parameter, plain or secret.
#[derive(Debug)]
pub enum ParameterName {}
/// Marks the ARN of a parameter, plain or secret.
#[derive(Debug)]
pub enum ParameterArn {}

impl Handle<Parameter> {
    /// The parameter's name.
    #[must_use]
    pub fn name(&self) -> Out<ParameterName> {
        self.output("name")
    }

    /// The parameter's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ParameterArn> {
        self.output("arn")
    }

    /// The version of its value: a whole number as text.
    #[must_use]
    pub fn version(&self) -> Text {
        self.output("version")
    }
}

impl Kind for Parameter {
    const RULES: &'static Rules = &Rules {
        kind: "ssm.parameter",
        fields: &[
            Field::new("name").replaces(),
            // Whatever is written of a parameter is another version of it.
            Field::new("value").renews(&["version"]),
            Field::new("description").renews(&["version"]),
            Field::new("tier").renews(&["version"]),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let seen = sweep::sweep(aws, query, ParameterType::String, |wanted: &Self| &wanted.name, |wanted| &wanted.tags)
            .await?;
        // A foreign value is nobody's business, and may be a secret.
        let ours = seen.iter().filter(|one| one.identity != Identity::Foreign);
        let names: Vec<String> = ours.map(|one| one.name.clone()).collect();
        let values = values(aws, &names).await?;
        Ok(seen.into_iter().filter_map(|one| observe(aws, one, &values)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let outputs = self.put_new(aws, &self.name, &new.tags(&self.tags)).await?;
        Ok(Made { physical: self.name.clone(), outputs: Some(outputs) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let mut outputs = now.outputs.clone();
        if changed.has("tier") && now.inputs.tier == "Advanced" {
            return self.make_again(aws, now).await.map(Some);
        }
        if changed.any(&["value", "description", "tier"]) {
            let value = self.value.get()?;
            let put = || aws.ssm.put_parameter().name(&now.physical).r#type(ParameterType::String).value(value);
            let put = || put().description(&self.description).tier(ParameterTier::from(self.tier.as_str()));
            let answer = aws.call("ssm:PutParameter", &now.physical, || put().overwrite(true).send()).await?;
            outputs = sweep::outputs(aws, &now.physical, answer.version);
        }
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(outputs))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ssm.delete_parameter().name(&now.physical).send();
        aws.call("ssm:DeleteParameter", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        let mut grants = vec![
            sweep::GRANT,
            // Values of plain parameters only: secrets are not read to plan.
            Grant { reads: true, ..Grant::write(&["ssm:GetParameters"], tagging::ARN).when(OF_THIS_STACK) },
            Grant::write(&["ssm:PutParameter"], tagging::ARN).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ssm:PutParameter", "ssm:DeleteParameter"], tagging::ARN).when(OF_THIS_STACK),
        ];
        grants.extend(tagging::GRANTS);
        grants
    }
}

impl Parameter {
    async fn put_new(&self, aws: &Aws, name: &str, tags: &Tags) -> Result<Outputs, CallError> {
        let (value, tags) = (self.value.get()?, tagging::to_sdk(tags)?);
        let put = || aws.ssm.put_parameter().name(name).r#type(ParameterType::String).value(value);
        let put = || put().description(&self.description).tier(ParameterTier::from(self.tier.as_str()));
        let answer = aws.call("ssm:PutParameter", name, || put().set_tags(Some(tags.clone())).send()).await?;
        Ok(sweep::outputs(aws, name, answer.version))
    }

    /// Deletes it and makes it again under the same name and identity: an advanced parameter cannot become a standard
    /// one. Cut off in between, it is missing, and the next run makes it.
    /// <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>
    async fn make_again(&self, aws: &Aws, now: &Found<Self>) -> Result<Outputs, CallError> {
        let name = &now.physical;
        let tags = match &now.identity {
            Identity::Ours(Some(generation)) => tags::for_new(&aws.scope.stack, &now.id, generation, &self.tags),
            _ => {
                let mut tags = tags::identity(&aws.scope.stack, &now.id, None);
                tags.extend(self.tags.clone());
                tags
            }
        };
        Self::delete(aws, now).await?;
        self.put_new(aws, name, &tags).await
    }
}

/// The values of plain parameters by name, ten a call.
async fn values(aws: &Aws, names: &[String]) -> Result<BTreeMap<String, String>, CallError> {
    let pages = names.chunks(10).map(|names| async move {
        let send = || aws.ssm.get_parameters().set_names(Some(names.to_vec())).send();
        aws.call("ssm:GetParameters", "", send).await
    });
    let found = try_join_all(pages).await?.into_iter().flat_map(|page| page.parameters.unwrap_or_default());
    Ok(found.filter_map(|one| Some((one.name?, one.value?))).collect())
}

fn observe(aws: &Aws, seen: sweep::Seen, values: &BTreeMap<String, String>) -> Option<Found<Parameter>> {
    let value = values.get(&seen.name).cloned();
    // Ours without a value was deleted since it was listed.
    if value.is_none() && seen.identity != Identity::Foreign {
        return None;
    }
    let inputs = Parameter {
        name: seen.name.clone(),
        value: value.unwrap_or_default().into(),
        description: seen.about.description.unwrap_or_default(),
        tier: seen.about.tier.map_or("Standard".to_owned(), |tier| tier.as_str().to_owned()),
        tags: tags::user(&seen.tags),
    };
    Some(Found {
        id: seen.id,
        outputs: sweep::outputs(aws, &seen.name, seen.about.version),
        physical: seen.name,
        identity: seen.identity,
        health: Health::Ready,
        inputs,
        blockers: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::World;

    fn parameter() -> Parameter {
        Parameter {
            name: "/shop/database/host".to_owned(),
            value: "db.example.com".into(),
            description: "where the database answers".to_owned(),
            tier: "Standard".to_owned(),
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_parameter_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("database.host", &parameter()).await;
        let changed = Parameter {
            value: "db2.example.com".into(),
            description: "elsewhere".to_owned(),
            tier: "Advanced".to_owned(),
            tags: Tags::from([("owner".to_owned(), "me".to_owned())]),
            ..parameter()
        };
        let found = world.update(&found, &changed).await;
        world.delete::<Parameter>(&found).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_advanced_parameter_becomes_a_standard_one_by_being_made_again() {
        let world = World::calm().await;
        let advanced = Parameter { tier: "Advanced".to_owned(), ..parameter() };
        let found = world.create("database.host", &advanced).await;
        let standard = world.update(&found, &parameter()).await;
        assert_eq!((&standard.physical, &standard.identity), (&found.physical, &found.identity));
        world.delete::<Parameter>(&standard).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_a_wanted_name_is_foreign_and_its_value_is_not_read() {
        let world = World::calm().await;
        let put = world.aws.ssm.put_parameter().name("/shop/database/host").value("hunter2");
        world.elsewhere(put.r#type(ParameterType::SecureString).send()).await.unwrap();
        let id = wharf_engine::LogicalId::new("database.host").unwrap();
        let query = Query { wanted: BTreeMap::from([(id, parameter())]), only: None };
        let found = Parameter::find(&world.aws, &query).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].identity, Identity::Foreign);
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}
