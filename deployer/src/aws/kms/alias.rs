//! A name for a key, and the index by which the stack's keys are found.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html>
//!
//! An alias takes no tags, so its name is its identity: `alias/wharf/<stack>/<logical id, with / for each dot>`.

use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Rules, Value};

use super::key::KeyId;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::shared_reads::once;
use crate::aws::tags::Tags;

/// An alias. Its name follows from its logical id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The key that it names; it can move to another one.
    pub key: Out<KeyId>,
}

/// Marks the name of an alias.
#[derive(Debug)]
pub enum AliasName {}

impl Handle<Alias> {
    /// The alias's name, with `alias/` before it.
    #[must_use]
    pub fn name(&self) -> Out<AliasName> {
        self.output("name")
    }
}

impl Kind for Alias {
    const RULES: &'static Rules = &Rules {
        kind: "kms.alias",
        fields: &[Field::new("key")],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(30),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, _query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let ours = all(aws).await?.into_iter().filter_map(|alias| {
            let id = id_of(&aws.scope.stack, &alias.name)?;
            let outputs = outputs(&alias.name);
            let (inputs, identity) = (Self { key: Out::known(alias.key?) }, Identity::Ours(None));
            let blockers = Default::default();
            Some(Found { id, physical: alias.name, identity, health: Health::Ready, inputs, outputs, blockers })
        });
        Ok(ours.collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let (name, key) = (name_of(new.stack, new.id), self.key.get()?);
        let send = || aws.kms.create_alias().alias_name(&name).target_key_id(key).send();
        aws.call("kms:CreateAlias", &name, send).await.map_err(CallError::right_after_create)?;
        Ok(Made { outputs: Some(outputs(&name)), physical: name })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("key") {
            let key = self.key.get()?;
            let send = || aws.kms.update_alias().alias_name(&now.physical).target_key_id(key).send();
            aws.call("kms:UpdateAlias", &now.physical, send).await.map_err(CallError::right_after_create)?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.kms.delete_alias().alias_name(&now.physical).send();
        aws.call("kms:DeleteAlias", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    /// Its name makes it the stack's already.
    async fn adopt(_aws: &Aws, _now: &Found<Self>, _identity: &Tags) -> Result<(), CallError> {
        Ok(())
    }

    fn grants() -> Vec<Grant> {
        const WRITES: &[&str] = &["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"];
        const KEY: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
        vec![
            Grant::read(&["kms:ListAliases"]),
            Grant::write(WRITES, &["arn:{partition}:kms:{region}:{account}:alias/wharf/{stack}/*"]),
            // Each of the three is asked of the key as well.
            Grant::write(WRITES, KEY).when(crate::aws::kind::OF_THIS_STACK),
        ]
    }
}

/// An alias of the account.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) key: Option<String>,
}

/// Every alias of the account and region: AWS has no filter for their names.
pub(super) async fn all(aws: &Aws) -> Result<Vec<Named>, CallError> {
    once(aws, "aliases", listed(aws)).await
}

async fn listed(aws: &Aws) -> Result<Vec<Named>, CallError> {
    let send = |marker| aws.kms.list_aliases().limit(100).set_marker(marker).send();
    let aliases =
        aws.pages("kms:ListAliases", "", send, |page| (page.aliases.unwrap_or_default(), page.next_marker)).await?;
    let named =
        |alias: aws_sdk_kms::types::AliasListEntry| Some(Named { name: alias.alias_name?, key: alias.target_key_id });
    Ok(aliases.into_iter().filter_map(named).collect())
}

/// What the names of a stack's aliases begin with.
pub(super) fn prefix(stack: &str) -> String {
    format!("alias/wharf/{stack}/")
}

fn name_of(stack: &str, id: &LogicalId) -> String {
    format!("{}{}", prefix(stack), id.as_str().replace('.', "/"))
}

fn id_of(stack: &str, name: &str) -> Option<LogicalId> {
    LogicalId::new(name.strip_prefix(&prefix(stack))?.replace('/', ".")).ok()
}

fn outputs(name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_logical_id_and_whose_it_is() {
        let id = LogicalId::new("database.key-alias").unwrap();
        let name = name_of("shop", &id);
        assert_eq!(name, "alias/wharf/shop/database/key-alias");
        assert_eq!(id_of("shop", &name), Some(id));
        assert_eq!(id_of("shop-2", &name), None);
    }
}
