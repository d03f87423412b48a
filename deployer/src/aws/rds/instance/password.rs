//! The master password: which one is in force, and reading it at the moment of use.

use super::Instance;
use crate::aws::call::{Aws, CallError};
use crate::aws::out::Out;
use crate::aws::secret::Secret;
use crate::aws::ssm::parameter::ParameterName;
use crate::aws::ssm::secret::{self, SecretVersion};
use crate::aws::tags::Tags;

/// The tag that says which parameter and version the instance's password was set from.
pub(super) const TAG: &str = "wharf:password";

/// The tag's value, `/shop/database/password:3`, by which SSM also knows that version.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>
pub(super) fn applied(wanted: &Instance) -> Result<String, CallError> {
    Ok(format!("{}:{}", wanted.password.get()?, wanted.password_version.get()?))
}

/// The parameter and version that an instance's tag names; nothing of an instance that has none.
pub(super) fn observed(tags: &Tags) -> (Out<ParameterName>, Out<SecretVersion>) {
    let (name, version) = tags.get(TAG).and_then(|tag| tag.rsplit_once(':')).unwrap_or_default();
    (Out::known(name), Out::known(version))
}

/// The password, of exactly the version that the tag will name.
pub(super) async fn read(aws: &Aws, wanted: &Instance) -> Result<Secret<String>, CallError> {
    secret::read(aws, &applied(wanted)?).await
}
