//! `[stack]`: name and place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::format::{AccountId, Region, StackName};

/// What the stack is called and where it is.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackSection {
    /// The stack's name: at most 20 lower-case letters, digits and single dashes, a letter first. It is part of the
    /// name of everything the stack has, so changing it makes another stack.
    pub name: StackName,
    /// The AWS region, such as `us-east-1`. A stack is in one region; its zones are chosen by `network.zones`.
    pub region: Region,
    /// The AWS account, 12 digits. A guard: with credentials of another account, every command refuses to do
    /// anything. Without it any account is taken.
    pub account: Option<AccountId>,
    /// Tags to put on every resource beside Wharf's own. Tags that others put there are left alone.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}
