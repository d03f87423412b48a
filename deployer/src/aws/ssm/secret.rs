//! A secret that Wharf makes and only AWS keeps: a `SecureString` parameter whose value is generated.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html>
//!
//! The value is in no input, output, error or tag. Whoever needs it reads it at that moment: [`read`].

use aws_sdk_ssm::types::ParameterType;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules};

use super::parameter::{ParameterArn, ParameterName};
use super::{sweep, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out};
use crate::aws::secret::{self, Secret};
use crate::aws::tags::{self, Tags};

/// A generated secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretParameter {
    /// Its name, a path such as `/shop/database/password`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The KMS key that it is encrypted with; none is the account's `alias/aws/ssm`.
    pub key: Option<Out<KeyArn>>,
    /// How many characters it has. A change makes a new value.
    pub length: u32,
    /// Which value this is, counted from 1: when this grows, a new value is made.
    pub rotation: u32,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the version of a secret: another one is another value.
#[derive(Debug)]
pub enum SecretVersion {}

impl Handle<SecretParameter> {
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
    pub fn version(&self) -> Out<SecretVersion> {
        self.output("version")
    }
}

/// The tag that holds which value it is.
const ROTATION: &str = "wharf:rotation";
/// The tag that holds how long the value is.
const LENGTH: &str = "wharf:length";
/// The key that encrypts where none is named.
const DEFAULT_KEY: &str = "alias/aws/ssm";

impl Kind for SecretParameter {
    const RULES: &'static Rules = &Rules {
        kind: "ssm.secret",
        fields: &[
            Field::new("name").replaces(),
            // Whatever is written of a parameter is another version of it.
            Field::new("description").renews(&["version"]),
            Field::new("key").renews(&["version"]),
            Field::new("length").renews(&["version"]),
            Field::new("rotation").compared(Compare::AtLeast).renews(&["version"]),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let seen =
            sweep::sweep(aws, query, ParameterType::SecureString, |wanted: &Self| &wanted.name, |wanted| &wanted.tags)
                .await?;
        Ok(seen.into_iter().map(|one| observe(aws, one)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let mut tags = new.tags(&self.tags);
        tags.extend(self.about_value());
        let version = self.put(aws, &self.generate()?, Some(&tags)).await?;
        Ok(Made { physical: self.name.clone(), outputs: Some(sweep::outputs(aws, &self.name, version)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let mut outputs = now.outputs.clone();
        // A secret that was adopted has no number and no length yet: it keeps its value.
        let rotates = now.inputs.rotation > 0 && changed.any(&["rotation", "length"]);
        if rotates || changed.any(&["description", "key"]) {
            let value = if rotates { self.generate()? } else { read(aws, &now.physical).await? };
            outputs = sweep::outputs(aws, &now.physical, self.put(aws, &value, None).await?);
        }
        // After the value: cut off in between, the next run makes another value rather than none.
        if changed.any(&["rotation", "length"]) {
            tagging::write(aws, &now.physical, &self.about_value()).await?;
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
        const KEY: &[&str] = &["arn:{partition}:kms:{region}:{account}:key/*"];
        const BY_SSM: &[(&str, &str, &str)] = &[("StringEquals", "kms:ViaService", "ssm.{region}.amazonaws.com")];
        let mut grants = vec![
            sweep::GRANT,
            Grant::write(&["ssm:PutParameter"], tagging::ARN).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ssm:PutParameter", "ssm:DeleteParameter", "ssm:GetParameter"], tagging::ARN)
                .when(OF_THIS_STACK),
            Grant::write(&["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"], KEY).when(BY_SSM),
        ];
        grants.extend(tagging::GRANTS);
        grants
    }
}

impl SecretParameter {
    fn generate(&self) -> Result<Secret<String>, CallError> {
        secret::generate(usize::try_from(self.length).map_err(CallError::ours)?).map_err(CallError::ours)
    }

    fn about_value(&self) -> Tags {
        Tags::from([(ROTATION.to_owned(), self.rotation.to_string()), (LENGTH.to_owned(), self.length.to_string())])
    }

    /// Writes the value: with tags a new parameter, without them a new version. Answers the version.
    async fn put(&self, aws: &Aws, value: &Secret<String>, tags: Option<&Tags>) -> Result<i64, CallError> {
        let key = self.key.as_ref().map_or(Ok(DEFAULT_KEY), Out::get)?;
        let sdk = tags.map(tagging::to_sdk).transpose()?;
        let put = || aws.ssm.put_parameter().name(&self.name).description(&self.description).key_id(key);
        let put = || put().r#type(ParameterType::SecureString).value(value.expose()).set_tags(sdk.clone());
        let send = || put().set_overwrite(tags.is_none().then_some(true)).send();
        Ok(aws.call("ssm:PutParameter", &self.name, send).await?.version)
    }
}

/// The secret's value, for the moment it is used.
///
/// # Errors
/// The call's error, in which the value never is.
pub async fn read(aws: &Aws, name: &str) -> Result<Secret<String>, CallError> {
    const ACTION: &str = "ssm:GetParameter";
    let answer = aws.call(ACTION, name, || aws.ssm.get_parameter().name(name).with_decryption(true).send()).await?;
    let value = answer.parameter.and_then(|parameter| parameter.value);
    value.map(Secret::new).ok_or_else(|| CallError::lacks(ACTION, "Value"))
}

fn observe(aws: &Aws, seen: sweep::Seen) -> Found<SecretParameter> {
    let number = |tag: &str| seen.tags.get(tag).and_then(|text| text.parse().ok()).unwrap_or_default();
    let inputs = SecretParameter {
        name: seen.name.clone(),
        description: seen.about.description.unwrap_or_default(),
        key: seen.about.key_id.filter(|key| key != DEFAULT_KEY).map(Out::known),
        length: number(LENGTH),
        rotation: number(ROTATION),
        tags: tags::user(&seen.tags),
    };
    Found {
        id: seen.id,
        outputs: sweep::outputs(aws, &seen.name, seen.about.version),
        physical: seen.name,
        identity: seen.identity,
        health: Health::Ready,
        inputs,
        blockers: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use wharf_engine::Found as Untyped;

    use super::*;
    use crate::aws::testing::World;

    const NAME: &str = "/shop/database/password";

    fn password() -> SecretParameter {
        SecretParameter {
            name: NAME.to_owned(),
            description: "the database's master password".to_owned(),
            key: None,
            length: 40,
            rotation: 1,
            tags: Tags::from([("team".to_owned(), "ops".to_owned())]),
        }
    }

    fn version(found: &Untyped) -> i64 {
        found.outputs["version"].as_text().unwrap().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_lives_from_creation_to_deletion() {
        let world = World::calm().await;
        let found = world.create("database.password", &password()).await;
        assert_eq!(read(&world.aws, NAME).await.unwrap().expose().len(), 40);
        let changed = SecretParameter {
            length: 64,
            rotation: 2,
            tags: Tags::from([("owner".to_owned(), "me".to_owned())]),
            ..password()
        };
        let found = world.update(&found, &changed).await;
        assert_eq!(read(&world.aws, NAME).await.unwrap().expose().len(), 64);
        world.delete::<SecretParameter>(&found).await;
        assert!(world.sandbox.inventory().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotation_makes_another_value_and_version() {
        let world = World::calm().await;
        let found = world.create("database.password", &password()).await;
        let before = read(&world.aws, NAME).await.unwrap();
        let rotated = world.update(&found, &SecretParameter { rotation: 2, ..password() }).await;
        let after = read(&world.aws, NAME).await.unwrap();
        assert!(before.expose() != after.expose());
        assert!(version(&rotated) > version(&found));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_description_leaves_the_value_as_it_is() {
        let world = World::calm().await;
        let found = world.create("database.password", &password()).await;
        let before = read(&world.aws, NAME).await.unwrap();
        let described = SecretParameter { description: "the password".to_owned(), ..password() };
        world.update(&found, &described).await;
        assert!(before.expose() == read(&world.aws, NAME).await.unwrap().expose());
    }

    #[tokio::test(start_paused = true)]
    async fn an_adopted_secret_keeps_its_value() {
        let world = World::calm().await;
        let put = world.aws.ssm.put_parameter().name(NAME).value("hunter2").r#type(ParameterType::SecureString);
        world.elsewhere(put.send()).await.unwrap();
        let id = wharf_engine::LogicalId::new("database.password").unwrap();
        let identity = tags::identity("shop", &id, None);
        tagging::write(&world.aws, NAME, &identity).await.unwrap();
        let found = world.find::<SecretParameter>(&id).await.unwrap();
        world.update(&found, &password()).await;
        assert_eq!(read(&world.aws, NAME).await.unwrap().expose(), "hunter2");
    }

    #[tokio::test(start_paused = true)]
    async fn the_value_is_in_nothing_that_can_be_shown() {
        let world = World::calm().await;
        let found = world.create("database.password", &password()).await;
        let value = read(&world.aws, NAME).await.unwrap();
        assert!(!format!("{found:?}").contains(value.expose()));
        let failed = password().put(&world.aws, &value, Some(&Tags::new())).await.unwrap_err();
        assert_eq!(failed.class, wharf_engine::Class::Exists);
        assert!(!format!("{failed:?}").contains(value.expose()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_encrypts_the_value_that_was() {
        let world = World::calm().await;
        let found = world.create("database.password", &password()).await;
        let before = read(&world.aws, NAME).await.unwrap();
        let key = Some(world.key_for("ssm.amazonaws.com").await);
        world.update(&found, &SecretParameter { key, ..password() }).await;
        assert!(before.expose() == read(&world.aws, NAME).await.unwrap().expose());
    }
}
