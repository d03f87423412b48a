//! On which capacity tasks are placed.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html>

use aws_sdk_ecs::types::CapacityProviderStrategyItem as Sdk;
use serde::{Deserialize, Serialize};

use super::capacity_provider::CapacityProviderName;
use crate::aws::call::CallError;
use crate::aws::out::Out;

/// One provider's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyItem {
    /// The capacity provider.
    pub provider: Out<CapacityProviderName>,
    /// So many tasks at least; only one item of a strategy can have some.
    pub base: i32,
    /// The share of the others.
    pub weight: i32,
}

/// A strategy in the SDK's form.
pub(super) fn to_sdk(strategy: &[StrategyItem]) -> Result<Vec<Sdk>, CallError> {
    let item = |item: &StrategyItem| {
        let sdk = Sdk::builder().capacity_provider(item.provider.get()?).base(item.base).weight(item.weight);
        sdk.build().map_err(CallError::ours)
    };
    strategy.iter().map(item).collect()
}

/// A strategy as AWS answers it.
pub(super) fn from_sdk(strategy: &[Sdk]) -> Vec<StrategyItem> {
    let item = |item: &Sdk| StrategyItem {
        provider: Out::known(item.capacity_provider()),
        base: item.base(),
        weight: item.weight(),
    };
    strategy.iter().map(item).collect()
}
